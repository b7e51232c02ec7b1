//! The `logf`, `sinf` and `cosf` of glibc on the arguments that normal distributions need.
//!
//! The platform's own functions will not do: about one result in a hundred differs in its last bit. Tables and
//! polynomials are those of glibc 2.28 and later (from Arm's optimized routines); everything is computed in double
//! precision and rounded once, so that the results do not depend on fused multiply-adds.

/// Interval `i` of `[0.7, 1.4)` has a centre `c`: `1/c` and `ln c`.
#[rustfmt::skip]
const CENTRES: [(f64, f64); 16] = [
    (1.398907162146528, -0.33569133332882284), (1.3403141896637998, -0.2929040563774074),
    (1.286432210124115, -0.2518726580937369), (1.2367150214269895, -0.21245868807117255),
    (1.1906977166711752, -0.17453945183745634), (1.1479821020556429, -0.1380057072319758),
    (1.1082251448272158, -0.10275976698545139), (1.0711297413057381, -0.06871392447020525),
    (1.036437278977283, -0.0357891387398228), (1.0, 0.0),
    (0.9492859795739057, 0.05204517742929496), (0.8951049428609004, 0.11081431298787942),
    (0.8476821620351103, 0.1652495223695143), (0.8050314851692001, 0.21687389031699977),
    (0.7664671008843108, 0.2659635028121397), (0.731428603316328, 0.3127556664073557),
];
/// `ln(1 + r) - r` is about `(LOG[0] r² + LOG[1] r + LOG[2]) r²`.
const LOG: [f64; 3] = [-0.25089342214237154, 0.333456765744066, -0.4999997485802103];
/// The bits of the smallest number of the interval that [`CENTRES`] covers.
const OFFSET: u32 = 0x3F33_0000;

/// The natural logarithm of a positive, normal number.
#[inline]
pub fn logf(x: f32) -> f32 {
    if x == 1.0 {
        return 0.0;
    }
    // x = 2^k z, with z in the interval of the table.
    let t = x.to_bits().wrapping_sub(OFFSET);
    let (inverse, log) = CENTRES[(t >> 19 & 15) as usize];
    let k = f64::from(t.cast_signed() >> 23);
    let z = f64::from(f32::from_bits(x.to_bits().wrapping_sub(t & 0xFF80_0000)));
    let r = z * inverse - 1.0;
    let r2 = r * r;
    ((LOG[0] * r2 + (LOG[1] * r + LOG[2])) * r2 + (log + k * std::f64::consts::LN_2 + r)) as f32
}

/// `sin x` is about `x + SIN[0] x³ + SIN[1] x⁵ + SIN[2] x⁷`, for `|x| ≤ π/4`.
const SIN: [f64; 3] = [-0.16666654943701084, 0.008332178146138854, -0.00019517298981385725];
/// `cos x` is about `1 + COS[0] x² + COS[1] x⁴ + COS[2] x⁶ + COS[3] x⁸`, for `|x| ≤ π/4`.
const COS: [f64; 4] = [-0.49999999725108224, 0.041666623324344516, -0.001388676379437604, 2.4390450703564542e-05];
/// `2/π · 2²⁴`.
const QUADRANTS: f64 = 10680707.430881744;

/// Sine and cosine of an angle from 0 to 6.2831855.
#[inline]
pub fn sincosf(y: f32) -> (f32, f32) {
    if y < 1.0 / 4096.0 {
        return (y, 1.0);
    }
    // y = n π/2 + x. Below 0.75 no reduction is needed; above it, n is rounded to nearest in fixed point.
    let y = f64::from(y);
    let n = if y < 0.75 { 0 } else { ((y * QUADRANTS) as i32 + 0x80_0000) >> 24 };
    let x = y - f64::from(n) * std::f64::consts::FRAC_PI_2;
    let x = if matches!(n & 3, 0 | 3) { x } else { -x };
    let sign = if n & 2 == 0 { 1.0 } else { -1.0 };
    let x2 = x * x;
    let x4 = x2 * x2;
    let sin = x + x * x2 * SIN[0] + x * x2 * x2 * (SIN[1] + x2 * SIN[2]);
    let cos = sign + x2 * (sign * COS[0]) + x4 * (sign * COS[1]) + x4 * x2 * (sign * COS[2] + x2 * (sign * COS[3]));
    if n & 1 == 0 { (sin as f32, cos as f32) } else { (cos as f32, sin as f32) }
}
