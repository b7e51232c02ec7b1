//! Against `f64` of the standard library, over floats spread evenly by their bits, which reaches every exponent.

use super::super::simd::{Level, Simd, dispatch};

#[derive(Clone, Copy, Debug)]
enum Function {
    Exp,
    Log,
    Log1p,
    Tanh,
    Erf,
    Logistic,
}
use Function::*;

impl Function {
    fn exact(self, x: f64) -> f64 {
        match self {
            Exp => x.exp(),
            Log => x.ln(),
            Log1p => x.ln_1p(),
            Tanh => x.tanh(),
            Erf => cornu_graph::ops::Unary::Erf.f64(x),
            Logistic => 1.0 / (1.0 + (-x).exp()),
        }
    }
}

#[inline(always)]
fn map<S: Simd>(s: S, function: Function, x: &[f32], y: &mut [f32]) {
    for i in (0..x.len()).step_by(S::LANES) {
        let n = (x.len() - i).min(S::LANES);
        // SAFETY: `n` floats are left in both slices, which are of one length.
        unsafe {
            let v = s.load_first(n, x.as_ptr().add(i));
            let v = match function {
                Exp => super::exp(s, v),
                Log => super::log(s, v),
                Log1p => super::log1p(s, v),
                Tanh => super::tanh(s, v),
                Erf => super::erf(s, v),
                Logistic => super::logistic(s, v),
            };
            s.store_first(n, y.as_mut_ptr().add(i), v);
        }
    }
}
dispatch! { fn map_at = map(function: Function, x: &[f32], y: &mut [f32]); }

fn values(level: Level, function: Function, x: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    map_at(level, function, x, &mut y);
    y
}

fn sweep() -> Vec<f32> {
    let stride = if cfg!(miri) { 40_000_003 } else { 20_011 };
    (0..=u32::MAX).step_by(stride).map(f32::from_bits).filter(|x| !x.is_nan()).collect()
}

/// The distance to the exact result, in units of the last place that a float of its size has.
fn error(got: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if got == rounded || got.is_nan() && exact.is_nan() {
        return 0.0;
    }
    let size = (exact.abs() as f32).clamp(f32::MIN_POSITIVE, f32::MAX);
    let ulp = 2f64.powi((size.to_bits() >> 23) as i32 - 127 - 23);
    (f64::from(got) - exact).abs() / ulp
}

#[test]
fn close_everywhere() {
    let x = sweep();
    for level in Level::all() {
        for (function, bound) in [(Exp, 1.1), (Log, 0.8), (Log1p, 1.4), (Tanh, 1.3), (Erf, 1.2), (Logistic, 2.5)] {
            let y = values(level, function, &x);
            let far = |x: f32| matches!(function, Logistic) && x < -88.7;
            let errors =
                x.iter().zip(&y).filter(|(x, _)| !far(**x)).map(|(&x, &y)| (error(y, function.exact(x.into())), x, y));
            let (worst, x, y) = errors.fold((0.0, 0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
            assert!(worst < bound, "{} {function:?}({x:e}) = {y:e} is {worst} ulp off", level.name());
        }
    }
}

#[test]
fn same_bits_with_fused_multiply_add() {
    let x = sweep();
    for function in [Exp, Log, Log1p, Tanh, Erf, Logistic] {
        let mut fused = Level::all().into_iter().filter(|&level| level != Level::Portable);
        let Some(first) = fused.next().map(|level| values(level, function, &x)) else { return };
        for level in fused {
            for ((x, a), b) in x.iter().zip(&first).zip(values(level, function, &x)) {
                assert_eq!(a.to_bits(), b.to_bits(), "{} {function:?}({x:e})", level.name());
            }
        }
    }
}

#[test]
fn ends_and_specials() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let table: [(Function, &[(f32, f32)]); 6] = [
        (
            Exp,
            &[(0.0, 1.0), (-0.0, 1.0), (-inf, 0.0), (inf, inf), (88.8, inf), (-104.0, 0.0), (-1e30, 0.0), (nan, nan)],
        ),
        (Log, &[(1.0, 0.0), (0.0, -inf), (-0.0, -inf), (-1.0, nan), (-inf, nan), (inf, inf), (nan, nan)]),
        (
            Log1p,
            &[(0.0, 0.0), (-0.0, -0.0), (-1.0, -inf), (-1.1, nan), (-inf, nan), (inf, inf), (nan, nan), (1e-30, 1e-30)],
        ),
        (
            Tanh,
            &[
                (0.0, 0.0),
                (-0.0, -0.0),
                (inf, 1.0),
                (-inf, -1.0),
                (20.0, 1.0),
                (-20.0, -1.0),
                (1e-30, 1e-30),
                (nan, nan),
            ],
        ),
        (Erf, &[(0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (3.93, 1.0), (-1e30, -1.0), (nan, nan)]),
        (Logistic, &[(0.0, 0.5), (inf, 1.0), (-inf, 0.0), (-100.0, 0.0), (100.0, 1.0), (nan, nan)]),
    ];
    for level in Level::all() {
        for (function, cases) in table {
            for &(x, want) in cases {
                let got = values(level, function, &[x])[0];
                let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
                assert!(same, "{} {function:?}({x}): needed {want}, got {got}", level.name());
            }
        }
    }
}

#[test]
fn no_dependence_on_the_lane() {
    for level in Level::all() {
        for function in [Exp, Log, Log1p, Tanh, Erf, Logistic] {
            let x: Vec<f32> = (0..37).map(|i| [0.3, -2.0, 1e-6, 40.0, 0.7][i % 5]).collect();
            let y = values(level, function, &x);
            let alone: Vec<f32> = x.iter().map(|&x| values(level, function, &[x])[0]).collect();
            let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&y), bits(&alone), "{} {function:?}", level.name());
        }
    }
}
