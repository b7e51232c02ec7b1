//! Every kind of product on every level against sums in `f64`, and the promise that blocks, lanes and threads change
//! nothing.

use std::ops::Range;

use super::{Dot, dot_any};
use crate::kernels::simd::Level;
use crate::kernels::threads::Threads;

/// Numbers in [-1, 1) that repeat late, from a linear congruential generator.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9).wrapping_add(count as u32);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// One product and its operands.
struct Case {
    sizes: [usize; 3],
    transposed: [bool; 2],
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Case {
    fn new(sizes: [usize; 3], transposed: [bool; 2]) -> Self {
        let [m, k, n] = sizes;
        Case { sizes, transposed, a: numbers(m * k, 1), b: numbers(k * n, 2) }
    }

    /// The product. Memory before and after the output must stay as it was, whatever it and the scratch hold.
    fn run(&self, level: Level, threads: Option<&Threads>) -> Vec<f32> {
        let [m, k, n] = self.sizes;
        let dot = Dot::new(level, m, k, n, self.transposed[0], self.transposed[1]);
        let mut out = vec![f32::NAN; m * n + 64];
        let mut scratch = vec![f32::NAN; dot.scratch() + 32];
        dot.run(threads, &self.a, &self.b, &mut out[32..32 + m * n], &mut scratch[16..16 + dot.scratch()]);
        let intact = |memory: &[f32]| memory.iter().all(|x| x.is_nan());
        assert!(intact(&out[..32]) && intact(&out[32 + m * n..]), "{self}: wrote beside the output");
        assert!(intact(&scratch[..16]) && intact(&scratch[16 + dot.scratch()..]), "{self}: wrote beside the scratch");
        out[32..32 + m * n].to_vec()
    }

    /// The product in `f64`, rounded to nothing.
    fn reference(&self) -> Vec<f64> {
        let widen = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
        let mut out = vec![0.0; self.sizes[0] * self.sizes[2]];
        dot_any(self.sizes, self.transposed, &widen(&self.a), &widen(&self.b), &mut out);
        out
    }

    /// Compares with the reference: `k` roundings of sums that are below `k`.
    fn check(&self, level: Level) {
        let bound = 1e-7 * (self.sizes[1] as f64).powf(1.5) + 1e-12;
        for (i, (got, want)) in self.run(level, None).into_iter().zip(self.reference()).enumerate() {
            let near = (f64::from(got) - want).abs() <= bound;
            assert!(near, "{} {self}: element {i} needs {want}, got {got}", level.name());
        }
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, transposed {:?}", self.sizes, self.transposed)
    }
}

const TRANSPOSED: [[bool; 2]; 4] = [[false, false], [true, false], [false, true], [true, true]];

/// All sizes up to 20, thinned out, and sizes about the ends of tiles and blocks.
fn small() -> Vec<[usize; 3]> {
    let step = if cfg!(miri) { 211 } else { 3 };
    let all = (0..20 * 20 * 20).step_by(step).map(|i| [1 + i % 20, 1 + i / 20 % 20, 1 + i / 400]);
    let ends = [[1, 33, 129], [3, 5, 65], [2, 9, 47], [13, 1, 33], [25, 40, 31], [40, 3, 1], [1, 3, 40], [70, 17, 1]];
    all.chain(ends).collect()
}

/// Sizes for which blocks are packed, and others that threads share.
const LARGE: [[usize; 3]; 7] =
    [[67, 517, 389], [130, 401, 333], [32, 784, 128], [5, 3001, 70], [1, 2000, 211], [1500, 300, 1], [301, 33, 100]];

#[test]
fn small_products() {
    for sizes in small() {
        for transposed in TRANSPOSED {
            let case = Case::new(sizes, transposed);
            Level::all().into_iter().for_each(|level| case.check(level));
        }
    }
}

#[test]
fn large_products_on_any_number_of_threads() {
    let pools = [2, 3, 8].map(Threads::new);
    for sizes in LARGE.into_iter().take(if cfg!(miri) { 0 } else { LARGE.len() }) {
        for transposed in TRANSPOSED {
            let case = Case::new(sizes, transposed);
            for level in Level::all() {
                case.check(level);
                let alone = case.run(level, None);
                for threads in &pools {
                    let same = case.run(level, Some(threads)) == alone;
                    assert!(same, "{} {case}: {} threads differ from one", level.name(), threads.count());
                }
            }
        }
    }
}

/// The documented order, element by element; levels that have the instruction agree with it in every bit.
#[test]
fn fused_sums_in_ascending_order() {
    // Miri knows the portable level only, and takes hours for a large product.
    let large = if cfg!(miri) { &[[5, 40, 20]][..] } else { &[[70, 513, 300], [70, 255, 300], [3, 784, 128]] };
    for &sizes in small().iter().step_by(7).chain(large) {
        for [transpose_a, transpose_b] in TRANSPOSED {
            let case = Case::new(sizes, [transpose_a, transpose_b]);
            let [m, k, n] = sizes;
            let a = |i: usize, p: usize| case.a[if transpose_a { p * m + i } else { i * k + p }];
            let b = |p: usize, j: usize| case.b[if transpose_b { j * k + p } else { p * n + j }];
            let sum = |i: usize, j: usize, steps: Range<usize>| steps.fold(0.0, |sum, p| a(i, p).mul_add(b(p, j), sum));
            let is_large = !transpose_a && !transpose_b && n > 1 && k >= 256 && k * n >= 1 << 16;
            let element = |i: usize, j: usize| match is_large {
                true => sum(i, j, 0..k / 2) + sum(i, j, k / 2..k),
                false => sum(i, j, 0..k),
            };
            let want: Vec<f32> = (0..m * n).map(|at| element(at / n, at % n)).collect();
            for level in Level::all().into_iter().filter(|&level| level != Level::Portable) {
                assert!(case.run(level, None) == want, "{} {case}", level.name());
            }
        }
    }
}

/// Nothing to add is zero, and nothing to write is nothing.
#[test]
fn empty_products() {
    for level in Level::all() {
        for transposed in TRANSPOSED {
            for sizes in [[0, 3, 4], [3, 4, 0], [0, 0, 0], [1, 5, 0], [0, 5, 1]] {
                assert!(Case::new(sizes, transposed).run(level, None).is_empty());
            }
            for sizes in [[3, 0, 4], [1, 0, 20], [20, 0, 1], [1, 0, 1]] {
                let out = Case::new(sizes, transposed).run(level, None);
                assert_eq!(out, vec![0.0; sizes[0] * sizes[2]], "{} {sizes:?} {transposed:?}", level.name());
            }
        }
    }
}

#[test]
fn not_finite_numbers_go_through() {
    for level in Level::all() {
        let dot = Dot::new(level, 2, 2, 2, false, false);
        let mut out = [0.0; 4];
        dot.run(None, &[1.0, f32::INFINITY, 0.0, 1.0], &[2.0, 1.0, 1.0, f32::NAN], &mut out, &mut []);
        assert_eq!(out[0], f32::INFINITY);
        assert!(out[1].is_nan() && out[3].is_nan());
        assert_eq!(out[2], 1.0);
    }
}

#[test]
fn other_numbers() {
    for transposed in TRANSPOSED {
        let a = if transposed[0] { [1, 4, 2, 5, 3, 6] } else { [1, 2, 3, 4, 5, 6] };
        let b = if transposed[1] { [7, 9, 11, 8, 10, 12] } else { [7, 8, 9, 10, 11, 12] };
        let mut out = [0; 4];
        dot_any([2, 3, 2], transposed, &a, &b, &mut out);
        assert_eq!(out, [58, 64, 139, 154], "{transposed:?}");
    }
    let mut out = [0u8];
    dot_any([1, 2, 1], [false, false], &[200u8, 100], &[2, 3], &mut out);
    assert_eq!(out, [((400 + 300) % 256) as u8]);
    dot_any::<i64>([1, 0, 1], [false, true], &[], &[], &mut [7]);
}

/// An infinity or not-a-number shows in its row or column alone, and a product of negative zeros is a zero.
#[test]
fn edges_stay_in_their_rows() {
    for [m, k, n] in [[1, 1, 1], [5, 9, 17], [33, 40, 20]] {
        for transposed in TRANSPOSED {
            let mut case = Case::new([m, k, n], transposed);
            let at = if transposed[0] { m - 1 } else { (m - 1) * k };
            for edge in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
                case.a[at] = edge;
                for level in Level::all() {
                    for (i, (got, want)) in case.run(level, None).into_iter().zip(case.reference()).enumerate() {
                        let same =
                            if want.is_finite() { got.is_finite() } else { f64::from(got).total_cmp(&want).is_eq() };
                        assert!(
                            same || got.is_nan() && want.is_nan(),
                            "{} {case}: {i} is {got}, not {want}",
                            level.name()
                        );
                    }
                }
            }
            (case.a, case.b) = (vec![-0.0; m * k], vec![0.0; k * n]);
            for level in Level::all() {
                assert!(case.run(level, None).iter().all(|&x| x == 0.0), "{} {case}", level.name());
            }
        }
    }
}
