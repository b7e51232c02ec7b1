//! Every kind of product on every level against sums in `f64`, and the promise that blocks, lanes, threads and neighbours
//! change nothing.

use std::ops::Range;

use super::{Dot, Element, Ending, Product};
use crate::kernels::operand::{Bases, Kernel, Span, Strided};
use crate::kernels::simd::Level;
use crate::kernels::threads::share;

/// Numbers in [-1, 1) that repeat late, from a linear congruential generator.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9).wrapping_add(count as u32);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Buffers 0, 1, 2: the operands and the output.
const SPANS: [Span; 3] = [Span { base: 0, at: 0 }, Span { base: 1, at: 0 }, Span { base: 2, at: 0 }];

/// Some products and their operands.
struct Case<T> {
    batch: usize,
    sizes: [usize; 3],
    transposed: [bool; 2],
    product: Product,
    a: Vec<T>,
    b: Vec<T>,
    /// What goes along with its end.
    other: Vec<T>,
}

/// Makes gaps of so many elements between rows, or columns where it is transposed.
fn apart(matrices: &mut Strided, gap: isize) {
    let [_, rows, columns] = &mut *matrices.axes else { panic!("three axes") };
    let (long, count) = if columns.step == 1 { (rows, columns.size) } else { (columns, rows.size) };
    long.step = count.cast_signed() + gap;
    matrices.axes[0].step = long.step * long.size.cast_signed();
}

impl<T: Element + PartialEq> Case<T> {
    fn new(batch: usize, sizes: [usize; 3], transposed: [bool; 2], number: impl Fn(f32) -> T) -> Self {
        let [m, k, n] = sizes;
        let of = |count, seed| numbers(count, seed).into_iter().map(&number).collect();
        let product = Product::new(SPANS, batch, sizes, transposed);
        Case {
            batch,
            sizes,
            transposed,
            product,
            a: of(batch * m * k, 1),
            b: of(batch * k * n, 2),
            other: of(m * n, 3),
        }
    }

    /// The output, and the second result if there is one, of work divided into that many parts.
    fn run(&self, level: Level, parts: usize) -> (Vec<T>, Vec<T>) {
        let dot = Dot::<T>::new(level, &self.product);
        let mut out = vec![T::default(); self.batch * self.sizes[0] * self.sizes[2]];
        let rows = if self.product.second.is_some() { self.sizes[0] } else { 1 };
        let mut sums = vec![T::default(); rows * self.sizes[2]];
        let mut scratch = vec![0u64; (dot.scratch() + 128) / 8];
        let start = scratch.as_ptr().cast::<u8>().align_offset(64);
        let pointers = [
            self.a.as_ptr().cast_mut().cast(),
            self.b.as_ptr().cast_mut().cast(),
            out.as_mut_ptr().cast(),
            sums.as_mut_ptr().cast(),
            self.other.as_ptr().cast_mut().cast(),
        ];
        for part in 0..parts {
            let scratch = scratch.as_mut_ptr().cast::<u8>().wrapping_add(start);
            // SAFETY: the vectors are as large as the product says.
            unsafe {
                let units = share(dot.units(), part, parts);
                dot.run(level, Bases::new(&pointers), units, scratch);
            }
        }
        (out, sums)
    }

    /// Each element by its definition: for each piece of `k` a fold from zero.
    fn expected(&self, step: impl Fn(T, T, T) -> T, add: impl Fn(T, T) -> T) -> Vec<T> {
        let [m, k, n] = self.sizes;
        let Product { a, b, pieces, .. } = &self.product;
        let at = |x: &Strided, i: usize, row: usize, column: usize| {
            let steps = [0, 1, 2].map(|axis| x.axes[axis].step.cast_unsigned());
            i * steps[0] + row * steps[1] + column * steps[2]
        };
        let sum = |i: usize, row: usize, column: usize, steps: Range<usize>| {
            steps.fold(T::default(), |sum, p| step(self.a[at(a, i, row, p)], self.b[at(b, i, p, column)], sum))
        };
        let element = |at: usize| {
            let (i, row, column) = (at / (m * n), at / n % m, at % n);
            let sums = (0..*pieces).map(|piece| sum(i, row, column, share(k, piece, *pieces)));
            sums.reduce(&add).unwrap_or_default()
        };
        (0..self.batch * m * n).map(element).collect()
    }
}

impl Case<f32> {
    fn single(sizes: [usize; 3], transposed: [bool; 2]) -> Self {
        Case::new(1, sizes, transposed, |x| x)
    }

    /// Compares with the documented order, to the bit where the level has the instruction.
    fn check(&self, level: Level) {
        let want = match level {
            Level::Portable => self.expected(|a, b, sum| a * b + sum, |x, y| x + y),
            _ => self.expected(f32::mul_add, |x, y| x + y),
        };
        assert!(self.run(level, 1).0 == want, "{} {self}", level.name());
    }
}

impl<T> std::fmt::Display for Case<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {:?}, transposed {:?}", self.batch, self.sizes, self.transposed)
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
const LARGE: [[usize; 3]; 9] = [
    [67, 517, 389],
    [130, 401, 333],
    [32, 784, 128],
    [5, 3001, 70],
    [1, 2000, 211],
    [1500, 300, 1],
    [301, 33, 100],
    [1030, 129, 40],
    [70, 255, 300],
];

fn large() -> impl Iterator<Item = [usize; 3]> {
    LARGE.into_iter().take(if cfg!(miri) { 0 } else { LARGE.len() })
}

#[test]
fn fused_sums_in_ascending_order() {
    for sizes in small().into_iter().chain(large()) {
        for transposed in TRANSPOSED {
            let case = Case::single(sizes, transposed);
            Level::all().into_iter().for_each(|level| case.check(level));
        }
    }
}

#[test]
fn any_division_gives_the_same_bits() {
    let batches = [(7, [5, 9, 17]), (3, [33, 40, 20]), (64, [1, 8, 3]), (9, [4, 6, 1]), (2, [12, 70, 40])];
    for (batch, sizes) in large().map(|sizes| (1, sizes)).chain(batches) {
        for (transposed, by_rows) in TRANSPOSED.into_iter().flat_map(|t| [(t, false), (t, true)]) {
            let mut case = Case::new(batch, sizes, transposed, |x| x);
            case.product.by_rows = by_rows;
            for level in Level::all() {
                case.check(level);
                let alone = case.run(level, 1);
                for parts in [2, 3, 5, 16] {
                    assert!(case.run(level, parts) == alone, "{} {case}: {parts} parts", level.name());
                }
            }
        }
    }
}

/// A share writes its units and nothing else: whatever lies there, in the gaps between rows too, stays.
#[test]
fn shares_write_their_own() {
    let level = Level::detect();
    for (batch, sizes @ [m, k, n]) in [(1, [37, 20, 70]), (3, [10, 64, 33]), (1, [8, 300, 260]), (1, [50, 7, 1])] {
        for (transposed, by_rows) in TRANSPOSED.into_iter().flat_map(|t| [(t, false), (t, true)]) {
            let mut case = Case::new(batch, sizes, transposed, |x| x);
            case.product.by_rows = by_rows;
            apart(&mut case.product.out, 3);
            let dot = Dot::<f32>::new(level, &case.product);
            let mut seen = vec![0; batch * m * (n + 3)];
            for unit in 0..dot.units() {
                let mut out = vec![f32::NAN; seen.len()];
                let mut scratch = vec![0u64; (dot.scratch() + 128) / 8];
                let start = scratch.as_ptr().cast::<u8>().align_offset(64);
                let pointers =
                    [case.a.as_ptr().cast_mut().cast(), case.b.as_ptr().cast_mut().cast(), out.as_mut_ptr().cast()];
                let scratch = scratch.as_mut_ptr().cast::<u8>().wrapping_add(start);
                // SAFETY: the vectors are as large as the product says.
                unsafe { dot.run(level, Bases::new(&pointers), unit..unit + 1, scratch) };
                seen.iter_mut().zip(&out).for_each(|(seen, x)| *seen += usize::from(!x.is_nan()));
            }
            let once = |at: usize| usize::from(at % (n + 3) < n);
            assert!(seen.iter().enumerate().all(|(at, &seen)| seen == once(at)), "{case}, k {k}");
        }
    }
}

/// A row's bits are the same in every batch and at every place in it.
#[test]
#[cfg_attr(miri, ignore = "slow")]
fn rows_are_independent() {
    for [k, n] in [[8, 12], [784, 128], [300, 1], [64, 10], [520, 300], [33, 40]] {
        for transpose_b in [false, true] {
            let all = Case::single([1024, k, n], [false, transpose_b]);
            for level in Level::all() {
                let (want, _) = all.run(level, 1);
                for (first, rows) in
                    [(0, 1), (1023, 1), (500, 2), (7, 3), (13, 12), (100, 13), (31, 32), (5, 100), (1, 1000)]
                {
                    let mut some = Case::single([rows, k, n], [false, transpose_b]);
                    some.a = all.a[first * k..(first + rows) * k].to_vec();
                    some.b.clone_from(&all.b);
                    let same = some.run(level, 1).0 == want[first * n..(first + rows) * n];
                    assert!(same, "{} {some}: rows from {first}", level.name());
                }
            }
        }
    }
}

/// Operands that are views: columns of a wider matrix, a matrix for all of the batch.
#[test]
fn steps_may_be_any() {
    let level = Level::detect();
    let mut case = Case::new(6, [9, 20, 33], [false, false], |x| x);
    let want = case.expected(f32::mul_add, |x, y| x + y);
    case.product.a = Product::new(SPANS, 6, [9, 20, 1], [true, false]).a;
    apart(&mut case.product.a, 5);
    let mut a = vec![f32::NAN; 6 * 20 * 14];
    for (at, &x) in case.a.iter().enumerate() {
        a[at / 180 * 280 + at % 20 * 14 + at / 20 % 9] = x;
    }
    case.a = a;
    assert!(case.run(level, 1).0 == want);
    let mut repeated = Case::new(6, [9, 20, 33], [false, false], |x| x);
    let axes = &mut repeated.product.b.axes;
    axes[0].step = 0;
    for parts in [1, 4] {
        assert!(repeated.run(level, parts).0 == repeated.expected(f32::mul_add, |x, y| x + y));
    }
}

/// Where threads share `k`, the two sums of each element are apart.
#[test]
fn halves_are_added_by_others() {
    for sizes in [[5, 300, 260], [32, 784, 128], [1, 513, 200], [63, 257, 256]] {
        let mut case = Case::single(sizes, [false, false]);
        assert!(case.product.halves(), "{case}");
        case.product.second = Some(Span { base: 3, at: 0 });
        for level in Level::all() {
            for parts in [1, 2, 3, 7] {
                let (first, second) = case.run(level, parts);
                let sums: Vec<f32> = first.iter().zip(&second).map(|(x, y)| x + y).collect();
                let want = Case::single(sizes, [false, false]).run(level, 1).0;
                assert!(sums == want, "{} {case}: {parts} parts", level.name());
            }
        }
    }
    for (sizes, transposed) in
        [([32, 784, 128], [false, true]), ([32, 255, 512], [false; 2]), ([64, 512, 256], [false; 2])]
    {
        assert!(!Case::single(sizes, transposed).product.halves(), "{sizes:?}");
    }
}

/// The sums of the columns of `b`, as a reduction gives them.
/// Buffer 4 is a row that is added, or a matrix that says what stays: the bits of doing it afterwards.
#[test]
fn ends() {
    let other = Span { base: 4, at: 0 };
    for sizes in small().into_iter().chain(large()).filter(|sizes| sizes[2] > 1) {
        for transposed in TRANSPOSED.into_iter().filter(|by| sizes[0] > 1 || !by[1]) {
            let mut case = Case::single(sizes, transposed);
            for level in Level::all() {
                let plain =
                    Case { product: Product { end: None, ..case.product.clone() }, ..Case::single(sizes, transposed) };
                let plain = plain.run(level, 1).0;
                let column = |i: usize| case.other[i % sizes[2]];
                let added: Vec<f32> = plain.iter().enumerate().map(|(i, x)| x + column(i)).collect();
                let rectified = added.iter().map(|x| x.max(0.0)).collect();
                let kept = plain.iter().zip(&case.other).map(|(&x, &by)| if by > 0.0 { x } else { 0.0 }).collect();
                let ends = [Ending::Bias(other, false), Ending::Bias(other, true), Ending::Slope(other)];
                for (end, want) in ends.into_iter().zip([added, rectified, kept]) {
                    case.product.end = Some(end);
                    for (by_rows, parts) in [(false, 1), (false, 3), (true, 2)] {
                        case.product.by_rows = by_rows;
                        assert!(case.run(level, parts).0 == want, "{} {case} {end:?}, {parts} parts", level.name());
                    }
                }
            }
        }
    }
}

#[test]
fn sums_of_columns() {
    for [m, k, n] in [[9, 7, 5], [128, 520, 70], [40, 1200, 33], [1100, 513, 100], [784, 32, 128], [3, 0, 4]] {
        for transpose_a in [true, false] {
            let mut case = Case::single([m, k, n], [transpose_a, false]);
            let (want, _) = case.run(Level::detect(), 1);
            case.product.sums = Some(Span { base: 3, at: 0 });
            let block = |rows: Range<usize>, j: usize| rows.fold(0.0, |sum, p| sum + case.b[p * n + j]);
            let sum = |j| (0..k).step_by(512).fold(0.0, |sum, p| sum + block(p..k.min(p + 512), j));
            let sums: Vec<f32> = (0..n).map(sum).collect();
            for level in Level::all() {
                for parts in [1, 2, 3] {
                    let got = case.run(level, parts);
                    assert!(got.1 == sums, "{} {case}: {parts} parts", level.name());
                    assert!(level == Level::Portable || got.0 == want, "{} {case}", level.name());
                }
            }
        }
    }
}

#[test]
fn every_element_type() {
    for sizes in [[1, 1, 1], [13, 9, 35], [40, 300, 70], [1, 20, 40], [40, 20, 1]] {
        for transposed in TRANSPOSED {
            let doubles = Case::new(2, sizes, transposed, f64::from);
            for level in Level::all() {
                let want = match level {
                    Level::Portable => doubles.expected(|a, b, sum| a * b + sum, |x, y| x + y),
                    _ => doubles.expected(f64::mul_add, |x, y| x + y),
                };
                assert!(doubles.run(level, 3).0 == want, "{} f64 {doubles}", level.name());
            }
            macro_rules! wraps {
                ($($t:ty)*) => {
                    $(
                        let case = Case::new(2, sizes, transposed, |x| (f64::from(x) * 2f64.powi(63)) as i64 as $t);
                        let want = case.expected(|a, b, sum| sum.wrapping_add(a.wrapping_mul(b)), <$t>::wrapping_add);
                        for level in Level::all() {
                            assert!(case.run(level, 3).0 == want, "{} {} {case}", level.name(), stringify!($t));
                        }
                    )*
                };
            }
            wraps! { i8 i16 i32 i64 }
        }
    }
}

/// Nothing to add is zero, and nothing to write is nothing.
#[test]
fn empty_products() {
    for level in Level::all() {
        for transposed in TRANSPOSED {
            for sizes in [[0, 3, 4], [3, 4, 0], [0, 0, 0], [1, 5, 0], [0, 5, 1]] {
                assert!(Case::single(sizes, transposed).run(level, 2).0.is_empty());
            }
            assert!(Case::new(0, [2, 2, 2], transposed, |x| x).run(level, 2).0.is_empty());
            for sizes in [[3, 0, 4], [1, 0, 20], [20, 0, 1], [1, 0, 1]] {
                let out = Case::single(sizes, transposed).run(level, 1).0;
                assert_eq!(out, vec![0.0; sizes[0] * sizes[2]], "{} {sizes:?} {transposed:?}", level.name());
            }
        }
    }
}

/// An infinity or not-a-number shows in its row or column alone, and a product of negative zeros is a zero.
#[test]
fn edges_stay_in_their_rows() {
    for [m, k, n] in [[1, 1, 1], [2, 2, 2], [5, 9, 17], [33, 40, 20]] {
        for transposed in TRANSPOSED {
            let mut case = Case::single([m, k, n], transposed);
            let at = if transposed[0] { m - 1 } else { (m - 1) * k };
            for edge in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
                case.a[at] = edge;
                for level in Level::all() {
                    let want = case.expected(f32::mul_add, |x, y| x + y);
                    for (i, (got, want)) in case.run(level, 1).0.into_iter().zip(want).enumerate() {
                        let same = if want.is_finite() { got.is_finite() } else { got.total_cmp(&want).is_eq() };
                        let same = same || got.is_nan() && want.is_nan();
                        assert!(same, "{} {case}: {i} is {got}, not {want}", level.name());
                    }
                }
            }
            (case.a, case.b) = (vec![-0.0; m * k], vec![0.0; k * n]);
            for level in Level::all() {
                assert!(case.run(level, 1).0.iter().all(|&x| x == 0.0), "{} {case}", level.name());
            }
        }
    }
}
