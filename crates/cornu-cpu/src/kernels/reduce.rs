//! Sums, maxima and minima of singles along neighbouring axes: `x[outer, reduced, inner]` to `out[outer, inner]`.

use cornu_graph::ops::Reduction;

/// From this many elements in a row on, a sum runs in lanes.
const LANES_FROM: usize = 64;
const LANES: usize = 16;

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
    /// Writes `out[outer, inner]`. Rows are added from the first to the last. A sum along the last axis of 64 elements
    /// or more is made of sixteen sums of every sixteenth element, added from the first to the last.
    pub fn run(&self, x: &[f32], out: &mut [f32]) {
        match self.kind {
            Reduction::Sum if self.inner == 1 && self.reduced >= LANES_FROM => {
                x.chunks_exact(self.reduced).zip(out).for_each(|(row, out)| *out = sum_in_lanes(row));
            }
            Reduction::Sum => self.fold(x, out, 0.0, |total, x| total + x),
            Reduction::Max => self.fold(x, out, f32::NEG_INFINITY, larger),
            Reduction::Min => self.fold(x, out, f32::INFINITY, smaller),
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

fn sum_in_lanes(row: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (whole, rest) = row.split_at(row.len() / LANES * LANES);
    for chunk in whole.chunks_exact(LANES) {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &x)| *lane += x);
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane += x);
    lanes.iter().sum()
}
