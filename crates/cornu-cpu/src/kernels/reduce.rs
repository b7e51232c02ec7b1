//! Sums, maxima and minima of singles along neighbouring axes: `x[outer, reduced, inner]` to `out[outer, inner]`.

use cornu_graph::ops::Reduction;

/// From this many elements in a row on, a sum runs in lanes.
const LANES_FROM: usize = 64;
const LANES: usize = 16;
/// Longer sums are sums of sums of this many rows: their error grows with the number of blocks.
pub const BLOCK: usize = 512;
/// Columns whose sums over a block are kept near.
const COLUMNS: usize = 64;

/// What is reduced: `x[outer, reduced, inner]`.
#[derive(Clone, Copy, Debug)]
pub struct Reduce {
    /// How elements are brought together.
    pub kind: Reduction,
    /// The axes before the reduced ones, together.
    pub outer: usize,
    /// The reduced axes, together.
    pub reduced: usize,
    /// The axes after them, together.
    pub inner: usize,
}

impl Reduce {
    /// Writes `out[outer, inner]`. Up to 512 rows are added from the first to the last, and more in blocks of 512, whose
    /// sums are added from the first to the last. A sum of a block along the last axis of 64 elements or more is made of
    /// sixteen sums of every sixteenth element, added from the first to the last.
    pub fn run(&self, x: &[f32], out: &mut [f32]) {
        match self.kind {
            Reduction::Sum if self.inner == 1 && self.reduced >= LANES_FROM => {
                x.chunks_exact(self.reduced).zip(out).for_each(|(row, out)| *out = in_blocks(row, sum_in_lanes));
            }
            Reduction::Sum if self.reduced > BLOCK => self.sum_in_blocks(x, out),
            Reduction::Sum => self.fold(x, out, 0.0, |total, x| total + x),
            Reduction::Max => self.fold(x, out, f32::NEG_INFINITY, larger),
            Reduction::Min => self.fold(x, out, f32::INFINITY, smaller),
        }
    }

    fn sum_in_blocks(&self, x: &[f32], out: &mut [f32]) {
        let (rows, width) = (self.reduced * self.inner, self.inner);
        for (x, out) in x.chunks_exact(rows.max(1)).zip(out.chunks_exact_mut(width.max(1))) {
            for (first, out) in (0..width).step_by(COLUMNS).zip(out.chunks_mut(COLUMNS)) {
                out.fill(0.0);
                for block in x.chunks(BLOCK * width) {
                    let mut sums = [0.0; COLUMNS];
                    for row in block.chunks_exact(width) {
                        sums.iter_mut().zip(&row[first..first + out.len()]).for_each(|(sum, &x)| *sum += x);
                    }
                    out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
                }
            }
        }
    }

    #[inline(always)]
    fn fold(&self, x: &[f32], out: &mut [f32], start: f32, step: impl Fn(f32, f32) -> f32 + Copy) {
        if self.inner == 1 {
            let rows = (0..self.outer).map(|i| &x[i * self.reduced..(i + 1) * self.reduced]);
            rows.zip(out).for_each(|(row, out)| *out = row.iter().fold(start, |total, &x| step(total, x)));
            return;
        }
        out.fill(start);
        if x.is_empty() {
            return;
        }
        for (block, out) in x.chunks_exact(self.reduced * self.inner).zip(out.chunks_exact_mut(self.inner)) {
            for row in block.chunks_exact(self.inner) {
                out.iter_mut().zip(row).for_each(|(out, &x)| *out = step(*out, x));
            }
        }
    }
}

fn larger(most: f32, x: f32) -> f32 {
    if x > most || x.is_nan() { x } else { most }
}

fn smaller(least: f32, x: f32) -> f32 {
    if x < least || x.is_nan() { x } else { least }
}

/// The sum of the sums of blocks.
pub fn in_blocks<T>(row: &[T], sum: impl Fn(&[T]) -> f32) -> f32 {
    row.chunks(BLOCK).map(sum).reduce(|total, sum| total + sum).unwrap_or(0.0)
}

fn sum_in_lanes(row: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (whole, rest) = row.split_at(row.len() / LANES * LANES);
    for chunk in whole.chunks_exact(LANES) {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &x)| *lane += x);
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane += x);
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use cornu_graph::random::{Stream, uniform01};
    use cornu_graph::{DType, Number};

    use super::*;

    fn sum([outer, reduced, inner]: [usize; 3], x: &[f32]) -> Vec<f32> {
        let mut out = vec![f32::NAN; outer * inner];
        Reduce { kind: Reduction::Sum, outer, reduced, inner }.run(x, &mut out);
        out
    }

    /// Irregular numbers from 0 to 1.
    fn numbers(len: usize) -> Vec<f32> {
        (1..=len).map(|i| (i as f64 * 0.618_033_988_749_894_9).fract() as f32).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow")]
    fn more_ones_than_singles_count() {
        let rows = 1 << 25;
        let ones = vec![1.0; rows * 2];
        assert_eq!(sum([1, rows, 2], &ones), [rows as f32; 2]);
        assert_eq!(sum([1, rows * 2, 1], &ones), [rows as f32 * 2.0]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow")]
    fn the_mean_of_ten_million_is_near() {
        let mut x = vec![0.0; 10_000_000];
        uniform01(Stream::stateful(1, 2), 0, &mut x);
        for inner in [1, 2, 5, 100] {
            let rows = x.len() / inner;
            for (column, sum) in sum([1, rows, inner], &x).into_iter().enumerate() {
                let want: f64 = x.iter().skip(column).step_by(inner).map(|&x| f64::from(x)).sum();
                let error = (f64::from(sum) - want).abs() / want;
                assert!(error < 3e-6, "column {column} of {inner}: {sum}, not {want}");
            }
        }
    }

    /// Up to 512 rows one after the other, and the first of the next block by itself.
    #[test]
    #[cfg_attr(miri, ignore = "slow")]
    fn rows_are_added_in_order() {
        for (rows, inner) in [(63, 1), (512, 3), (513, 3), (1500, 70), (1025, 64), (2000, 65)] {
            let x = numbers(2 * rows * inner);
            let got = sum([2, rows, inner], &x);
            for (i, got) in got.into_iter().enumerate() {
                let column = x[i / inner * rows * inner..].iter().skip(i % inner).step_by(inner).take(rows);
                let column: Vec<f32> = column.copied().collect();
                let want = in_blocks(&column, |block| block.iter().fold(0.0, |total, x| total + x));
                assert_eq!(got.to_bits(), want.to_bits(), "column {i} of {rows} x {inner}");
            }
        }
        assert!(sum([2, 1000, 0], &[]).is_empty());
        assert!(sum([0, 1000, 3], &[]).is_empty());
        assert_eq!(sum([2, 0, 3], &[]), [0.0; 6]);
    }

    #[test]
    fn infinities_and_not_a_number_stay() {
        for inner in [1, 3] {
            let mut x = vec![1.0; 1500 * inner];
            x[700 * inner] = f32::INFINITY;
            assert_eq!(sum([1, 1500, inner], &x)[0], f32::INFINITY);
            x[1400 * inner] = f32::NEG_INFINITY;
            assert!(sum([1, 1500, inner], &x)[0].is_nan());
        }
    }

    /// Zeros of both signs, infinities, not-a-number and subnormal numbers, beside each other in every order.
    #[test]
    fn edges() {
        let edges = [0.0, -0.0, 1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-45, -1e-40, f32::MAX, f32::MIN];
        for inner in [1, 3] {
            for (first, second) in (0..100).map(|i| (i / 10, i % 10)) {
                let column = [edges[first], edges[second], -0.0];
                let x: Vec<f32> = column.iter().flat_map(|&x| vec![x; inner]).collect();
                for kind in [Reduction::Sum, Reduction::Max, Reduction::Min] {
                    let mut out = vec![1.0; inner];
                    Reduce { kind, outer: 1, reduced: 3, inner }.run(&x, &mut out);
                    let number = |x: f32| Number::Double(x.into());
                    let step = |total: f32, x: &f32| kind.step(number(total), number(*x)).f64() as f32;
                    let want = column.iter().fold(kind.start(DType::F32).f64() as f32, step);
                    let same = |got: &f32| got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
                    assert!(out.iter().all(same), "{kind:?} of {column:?}: {out:?}, not {want}");
                }
            }
        }
    }
}
