//! The same functions of doubles, without branches, so that loops over them become vectors.
//!
//! Levels with fused multiply-add give the same bits. Errors are in units in the last place of the exact result.

use super::super::simd::Simd;

/// `ln 2` in two parts; the first has 32 bits, so its product with an exponent is exact.
const LN_2: [f64; 2] = [0.693_147_180_485_539_1, 7.440_617_110_012_397e-11];
/// Added to a small number it leaves its nearest whole number in the lowest bits.
const WHOLE: f64 = 6_755_399_441_055_744.0; // 1.5 2^52

/// `a * b + c`, rounded once where that is one instruction.
#[inline(always)]
fn mul_add<S: Simd>(_: S, a: f64, b: f64, c: f64) -> f64 {
    if S::FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// `c[0] + c[1] x + c[2] x² + …`
macro_rules! polynomial {
    ($s:ident, $x:expr, [$first:literal $(, $c:literal)*]) => {
        polynomial!(@ $s, $x, [$($c),*] $first)
    };
    (@ $s:ident, $x:expr, [$first:literal $(, $c:literal)*] $low:expr) => {
        mul_add($s, polynomial!(@ $s, $x, [$($c),*] $first), $x, $low)
    };
    (@ $s:ident, $x:expr, [] $low:expr) => { $low };
}

/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`, and `(e^r - 1 - r) / r²`: `n` with its whole number in the lowest bits, `r`,
/// and that quotient.
#[inline(always)]
fn divided<S: Simd>(s: S, x: f64) -> (f64, f64, f64) {
    let n = mul_add(s, x, std::f64::consts::LOG2_E, WHOLE);
    let whole = n - WHOLE;
    let r = mul_add(s, whole, -LN_2[1], mul_add(s, whole, -LN_2[0], x));
    let p = polynomial!(
        s,
        r,
        [
            0.5,
            0.166_666_666_666_666_7,
            0.041_666_666_666_666_685,
            0.008_333_333_333_326_112,
            0.001_388_888_888_887_433_7,
            0.000_198_412_698_749_021_07,
            2.480_158_734_748_841e-5,
            2.755_725_529_707_768_8e-6,
            2.755_725_276_485_033e-7,
            2.510_525_985_793_060_7e-8,
            2.092_164_013_160_706_6e-9
        ]
    );
    (n, r, p)
}

/// `2^n` for a whole `-1023 < n < 1024` in the lowest bits.
#[inline(always)]
fn power_of_two(n: f64) -> f64 {
    f64::from_bits(n.to_bits().wrapping_add(1023) << 52)
}

/// `e^x`, within 1 ulp; infinite above 709.78, subnormal below -708.4, zero below -745.13.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: f64) -> f64 {
    // In this order NaN goes through.
    let x = if x > 711.0 { 711.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let (n, r, p) = divided(s, x);
    let e = 1.0 + mul_add(s, r * r, p, r);
    // In two steps, because 2^1024 and 2^-1075 are no doubles.
    let half = mul_add(s, n - WHOLE, 0.5, WHOLE);
    let rest = (n - WHOLE) - (half - WHOLE) + WHOLE;
    e * power_of_two(half) * power_of_two(rest)
}

/// `x = 2^n (1 + f)` with `1 + f` between `sqrt(1/2)` and `sqrt(2)`, for positive normal `x`: `(n, f)`.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    const LOW: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    // The exponent of 2^52, so that whole numbers in the lowest bits are what they say.
    const COUNT: u64 = 0x433 << 52;
    let above = x.to_bits().wrapping_sub(LOW).wrapping_add(1023 << 52);
    let n = f64::from_bits(COUNT | above >> 52) - (f64::from_bits(COUNT) + 1023.0);
    let m = f64::from_bits((above & ((1 << 52) - 1)) + LOW);
    (n, m - 1.0)
}

/// `n ln 2 + ln(1 + f)` for `f` as from [`split`]: with `s = f / (2 + f)`, `ln(1 + f) = f - f²/2 + s (f²/2 + s² p(s²))`.
#[inline(always)]
fn log_of_split<S: Simd>(simd: S, n: f64, f: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let p = polynomial!(
        simd,
        z,
        [
            0.666_666_666_666_667,
            0.399_999_999_998_978_84,
            0.285_714_286_266_524_06,
            0.222_222_110_316_365_5,
            0.181_828_962_133_087_66,
            0.153_314_976_350_386_13,
            0.146_190_980_673_964_08
        ]
    );
    let half = 0.5 * f * f;
    let rest = mul_add(simd, n, LN_2[1], s * mul_add(simd, z, p, half));
    mul_add(simd, n, LN_2[0], f - (half - rest))
}

/// The ends of a logarithm that has its pole where `x` is `zero`.
#[inline(always)]
fn log_ends(x: f64, zero: f64, computed: f64) -> f64 {
    let y = if x < f64::INFINITY { computed } else { f64::INFINITY };
    let y = if x == zero { f64::NEG_INFINITY } else { y };
    if x >= zero { y } else { f64::NAN }
}

/// The natural logarithm, within 1 ulp; minus infinity at 0, NaN below.
#[inline(always)]
pub fn log<S: Simd>(s: S, x: f64) -> f64 {
    let subnormal = x < f64::MIN_POSITIVE;
    let (n, f) = split(if subnormal { x * 18_014_398_509_481_984.0 } else { x }); // 2^54
    log_ends(x, 0.0, log_of_split(s, n - if subnormal { 54.0 } else { 0.0 }, f))
}

/// `ln(1 + x)`, within 1.5 ulp, near 0 too; minus infinity at -1, NaN below.
#[inline(always)]
pub fn log1p<S: Simd>(s: S, x: f64) -> f64 {
    // 1 + x = sum + lost, exactly (Knuth's two-sum)
    let sum = 1.0 + x;
    let back = sum - 1.0;
    let lost = (1.0 - (sum - back)) + (x - back);
    let (n, f) = split(sum);
    // Of large sums the lost part does not matter, and 2^-n may be no double.
    let scale = if x < 1e300 { power_of_two(WHOLE - n) } else { 0.0 };
    let y = log_of_split(s, n, mul_add(s, lost, scale, f));
    log_ends(x, -1.0, if x == 0.0 { x } else { y })
}

/// The hyperbolic tangent, within 2 ulp, near 0 too; exactly odd: `e / (e + 2)` with `e = exp(2 |x|) - 1`.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: f64) -> f64 {
    let a = x.abs();
    // Where it is 1; in this order NaN goes through.
    let (n, r, p) = divided(s, 2.0 * if a > 22.0 { 22.0 } else { a });
    let scale = power_of_two(n);
    let e = mul_add(s, mul_add(s, r * r, p, r), scale, scale - 1.0);
    (e / (e + 2.0)).copysign(x)
}

/// `1 / (1 + exp(-x))`, each operation rounded.
#[inline(always)]
pub fn logistic<S: Simd>(s: S, x: f64) -> f64 {
    1.0 / (1.0 + exp(s, -x))
}

/// The error function, one number after the other.
#[inline(always)]
pub fn erf<S: Simd>(_: S, x: f64) -> f64 {
    cornu_graph::ops::Unary::Erf.f64(x)
}
