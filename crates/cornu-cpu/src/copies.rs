//! Which copies an op is: broadcasts, transposes, slices, pads and their like.

use cornu_graph::{Type, ops};

use crate::kernels::moves::{Along, Move};
use crate::kernels::operand::{Place, Span};

/// Where an op copies from and to.
pub(crate) struct Site<'a> {
    types: &'a [&'a Type],
    ty: &'a Type,
    args: &'a [Place],
    out: Place,
    /// How far apart neighbours lie along each axis, in the first operand and in the result.
    from: Vec<usize>,
    to: Vec<usize>,
}

/// An op that is copies.
pub(crate) trait Copies {
    /// The copies, in order. Together they write the whole result.
    fn moves(&self, at: &Site) -> Vec<Move>;
}

impl<'a> Site<'a> {
    pub(crate) fn new(types: &'a [&'a Type], ty: &'a Type, args: &'a [Place], out: Place) -> Self {
        Site { types, ty, args, out, from: types[0].shape.strides(), to: ty.shape.strides() }
    }

    /// A copy between two places. `steps` says for an axis, of operand and result, which element it begins with and how
    /// far apart the others are.
    fn copy(&self, [from, to]: [Place; 2], dims: &[usize], steps: impl Fn(usize) -> [(usize, isize); 2]) -> Move {
        let width = to.dtype.size();
        let mut spans = [from.span, to.span];
        let mut axes = Vec::with_capacity(dims.len());
        for (axis, &size) in dims.iter().enumerate() {
            let ends = steps(axis);
            for (span, (first, _)) in spans.iter_mut().zip(ends) {
                *span = Span { at: span.at.wrapping_add(first.wrapping_mul(width)), ..*span };
            }
            axes.push(Along { size, from: ends[0].1, to: ends[1].1 });
        }
        Move::new(width, spans, axes)
    }

    /// The whole result from the first operand: for each axis, which element it begins with, and how far it goes on.
    fn result(&self, from: impl Fn(usize) -> (usize, isize)) -> Vec<Move> {
        let to = |axis: usize| (0, self.to[axis] as isize);
        vec![self.copy([self.args[0], self.out], &self.ty.shape, |axis| [from(axis), to(axis)])]
    }

    /// A whole operand to a part of the result: for each axis, which element that begins with, and how far it goes on.
    fn operand(&self, index: usize, to: impl Fn(usize) -> (usize, isize)) -> Move {
        let (shape, strides) = (&self.types[index].shape, self.types[index].shape.strides());
        self.copy([self.args[index], self.out], shape, |axis| [(0, strides[axis] as isize), to(axis)])
    }

    /// The first operand from the beginning of that axis.
    fn along(&self, axis: usize) -> (usize, isize) {
        (0, self.from[axis] as isize)
    }
}

impl Copies for ops::Broadcast {
    fn moves(&self, at: &Site) -> Vec<Move> {
        let own = |axis| self.axes.iter().position(|&own| own == axis);
        at.result(|axis| own(axis).map_or((0, 0), |own| at.along(own)))
    }
}

impl Copies for ops::Transpose {
    fn moves(&self, at: &Site) -> Vec<Move> {
        at.result(|axis| at.along(self.0[axis]))
    }
}

impl Copies for ops::Slice {
    fn moves(&self, at: &Site) -> Vec<Move> {
        // One element may be followed by a stride of any length.
        let step = |axis: usize| self.strides[axis].wrapping_mul(at.from[axis]) as isize;
        at.result(|axis| (self.starts[axis] * at.from[axis], step(axis)))
    }
}

impl Copies for ops::Reverse {
    fn moves(&self, at: &Site) -> Vec<Move> {
        let last = |axis: usize| at.ty.shape[axis].saturating_sub(1);
        let turned = |axis: usize| (last(axis) * at.from[axis], -(at.from[axis] as isize));
        at.result(|axis| if self.axes.contains(&axis) { turned(axis) } else { at.along(axis) })
    }
}

impl Copies for ops::Pad {
    fn moves(&self, at: &Site) -> Vec<Move> {
        let filled = at.copy([at.args[1], at.out], &[at.out.len], |_| [(0, 0), (0, 1)]);
        let step = |axis: usize| (self.between[axis] + 1).wrapping_mul(at.to[axis]) as isize;
        let inside = |axis: usize| (self.low[axis] * at.to[axis], step(axis));
        vec![filled, at.operand(0, inside)]
    }
}

impl Copies for ops::Concatenate {
    fn moves(&self, at: &Site) -> Vec<Move> {
        let mut start = 0;
        let behind = |(index, x): (usize, &&Type)| {
            let first = start * at.to[self.axis];
            start += x.shape[self.axis];
            at.operand(index, |axis| (if axis == self.axis { first } else { 0 }, at.to[axis] as isize))
        };
        at.types.iter().enumerate().map(behind).collect()
    }
}
