//! `exp`, `log`, `log1p`, `tanh`, `erf` and `logistic` on vectors of `f32`.
//!
//! AVX2 and AVX-512 give the same bits, and a number's result does not depend on its lane. The largest errors, over every
//! 1009th float, are stated at each function in units in the last place (ulp) of the exact result. The polynomials are
//! minimax in relative error (Remez exchange, coefficients rounded to `f32`); their own error is at most 0.07 ulp.

pub mod double;

use super::simd::Simd;

/// `ln 2` in two parts; the first has nine bits, so its product with an exponent is exact.
const LN_2: [f32; 2] = [0.693_359_4, -0.000_212_194_44];

/// `c[0] + c[1] x + c[2] x² + …`, from the highest power down.
macro_rules! polynomial {
    ($s:ident, $x:expr, [$($c:literal),*]) => {{
        let coefficients = [$($c),*];
        let mut sum = $s.splat(coefficients[coefficients.len() - 1]);
        for &c in coefficients.iter().rev().skip(1) {
            sum = $s.mul_add(sum, $x, $s.splat(c));
        }
        sum
    }};
}

/// `2^n` for whole `-127 < n < 128`.
#[inline(always)]
fn power_of_two<S: Simd>(s: S, n: S::I) -> S::F {
    s.float_of(s.shift_left(s.add_int(n, s.splat_int(127)), 23))
}

/// `e^x`, within 1.1 ulp; infinite above 88.72, subnormal below -87.34, zero below -103.97.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    // Bounded so that `n` stays in the range of the exponent; in this order NaN goes through.
    let x = s.min(s.splat(89.0), s.max(s.splat(-104.0), x));
    // x = n ln 2 + r with |r| <= ln 2 / 2
    let n = s.round_int(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    let whole = s.to_float(n);
    let r = s.mul_add(whole, s.splat(-LN_2[0]), x);
    let r = s.mul_add(whole, s.splat(-LN_2[1]), r);
    // e^r = 1 + r + r² p(r)
    let p = polynomial!(s, r, [0.5, 0.166_665_21, 0.041_668_39, 0.008_368_71, 0.001_381_461_7]);
    let e = s.add(s.splat(1.0), s.mul_add(s.mul(r, r), p, r));
    // In two steps, because 2^128 and 2^-150 are no floats.
    let half = s.shift_right(n, 1);
    s.mul(s.mul(e, power_of_two(s, half)), power_of_two(s, s.sub_int(n, half)))
}

/// `x = 2^n (1 + f)` with `1 + f` between `sqrt(1/2)` and `sqrt(2)`, for positive normal `x`: `(n, f)`.
#[inline(always)]
fn split<S: Simd>(s: S, x: S::F) -> (S::I, S::F) {
    let bits = s.bits_of(x);
    let n = s.shift_right(s.sub_int(bits, s.splat_int(std::f32::consts::FRAC_1_SQRT_2.to_bits().cast_signed())), 23);
    let m = s.float_of(s.sub_int(bits, s.shift_left(n, 23)));
    (n, s.sub(m, s.splat(1.0)))
}

/// `n ln 2 + ln(1 + f)` for `f` as from [`split`]; `ln(1 + f) = f - f²/2 + f³ p(f)`.
#[inline(always)]
fn log_of_split<S: Simd>(s: S, n: S::F, f: S::F) -> S::F {
    let p = polynomial!(
        s,
        f,
        [
            0.333_333_13,
            -0.250_000_1,
            0.200_021_19,
            -0.166_679_96,
            0.142_195_52,
            -0.124_055_9,
            0.118_881_63,
            -0.116_756_506,
            0.067_466_38
        ]
    );
    let z = s.mul(f, f);
    let rest = s.mul_add(n, s.splat(LN_2[1]), s.mul(s.mul(f, z), p));
    let rest = s.mul_add(s.splat(-0.5), z, rest);
    s.mul_add(n, s.splat(LN_2[0]), s.add(f, rest))
}

/// The ends of a logarithm that has its pole where `x` is `zero`: infinity, minus infinity, and NaN below.
#[inline(always)]
fn log_ends<S: Simd>(s: S, x: S::F, zero: f32, computed: S::F) -> S::F {
    let infinity = s.splat(f32::INFINITY);
    let y = s.select(s.lt(x, infinity), computed, infinity);
    let y = s.select(s.eq(x, s.splat(zero)), s.neg(infinity), y);
    s.select(s.ge(x, s.splat(zero)), y, s.splat(f32::NAN))
}

/// The natural logarithm, within 0.8 ulp; minus infinity at 0, NaN below.
#[inline(always)]
pub fn log<S: Simd>(s: S, x: S::F) -> S::F {
    let subnormal = s.lt(x, s.splat(f32::MIN_POSITIVE));
    let normal = s.select(subnormal, s.mul(x, s.splat(8_388_608.0)), x); // 2^23
    let (n, f) = split(s, normal);
    let n = s.sub(s.to_float(n), s.select(subnormal, s.splat(23.0), s.splat(0.0)));
    log_ends(s, x, 0.0, log_of_split(s, n, f))
}

/// `ln(1 + x)`, within 1.4 ulp, near 0 too; minus infinity at -1, NaN below.
#[inline(always)]
pub fn log1p<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    // 1 + x = sum + lost, exactly (Knuth's two-sum)
    let sum = s.add(one, x);
    let back = s.sub(sum, one);
    let lost = s.add(s.sub(one, s.sub(sum, back)), s.sub(x, back));
    let (n, f) = split(s, sum);
    // Of large sums the lost part does not matter, and 2^-n may be no float.
    let scale = s.select(s.lt(x, s.splat(1e30)), power_of_two(s, s.sub_int(s.splat_int(0), n)), s.splat(0.0));
    let f = s.mul_add(lost, scale, f);
    let y = log_of_split(s, s.to_float(n), f);
    let y = s.select(s.eq(x, s.splat(0.0)), x, y); // keeps the sign of zero
    log_ends(s, x, -1.0, y)
}

/// The hyperbolic tangent, within 1.3 ulp, near 0 too; exactly odd.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::F) -> S::F {
    let (one, two) = (s.splat(1.0), s.splat(2.0));
    let a = s.abs(x);
    let z = s.mul(a, a);
    // a + a³ p(a²) below 0.625
    let p = polynomial!(s, z, [-0.333_332_84, 0.133_314_91, -0.053_743_497, 0.020_650_586, -0.005_717_043_3]);
    let small = s.mul_add(s.mul(a, z), p, a);
    let large = s.sub(one, s.div(two, s.add(exp(s, s.mul(two, a)), one)));
    let y = s.select(s.lt(a, s.splat(0.625)), small, large);
    let sign = s.and_int(s.bits_of(x), s.splat_int(i32::MIN));
    s.float_of(s.or_int(s.bits_of(y), sign))
}

/// The error function, within 1.2 ulp (over every float 0.95, and 1.14 without fused multiply-add), near 0 too; exactly
/// odd, and 1 from 3.92 on.
#[inline(always)]
pub fn erf<S: Simd>(s: S, x: S::F) -> S::F {
    // In this order NaN goes through.
    let a = s.min(s.splat(4.0), s.abs(x));
    let z = s.mul(a, a);
    // a + a p(a²) below 15/16
    let p = polynomial!(
        s,
        z,
        [0.128_379_17, -0.376_126_3, 0.112_836_26, -0.026_855_737, 0.005_192_438, -0.000_805_038_43, 8.000_279e-5]
    );
    let small = s.mul_add(a, p, a);
    // 1 - e^t, where the logarithm t of erfc is a polynomial about a number whose own is a float.
    let t = polynomial!(
        s,
        s.sub(a, s.splat(1.055_664_1)),
        [-1.999_120_6, -2.733_208_7, -0.849_863_8, -0.039_378_8, 0.009_441_171, -0.001_804_944_5, 0.000_196_922_9]
    );
    let large = s.sub(s.splat(1.0), exp(s, t));
    let y = s.select(s.lt(a, s.splat(0.9375)), small, large);
    let sign = s.and_int(s.bits_of(x), s.splat_int(i32::MIN));
    s.float_of(s.or_int(s.bits_of(y), sign))
}

/// `1 / (1 + exp(-x))`, each operation rounded; within 2.5 ulp down to x = -88.7, zero below.
#[inline(always)]
pub fn logistic<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp(s, s.neg(x))))
}

#[cfg(test)]
mod tests;
