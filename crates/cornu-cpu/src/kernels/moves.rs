//! Copies of elements that lie in steps: what broadcasts, transposes, slices and their like are.

use cornu_graph::{Type, ops};

use super::memory::typed;
use super::operand::{Bases, Place};

/// How many elements an axis has, and how far apart they lie in the operand and in the result.
type Axis = (usize, isize, isize);

/// A copy between two spans of one storage type.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) from: Place,
    to: Place,
    /// The first element of each.
    starts: [usize; 2],
    axes: Box<[Axis]>,
}

impl Move {
    /// `steps` says for an axis, of operand and result, which element it begins with and how far apart the others are.
    fn new([from, to]: [Place; 2], dims: &[usize], steps: impl Fn(usize) -> [(usize, isize); 2]) -> Move {
        let mut axes: Vec<Axis> = Vec::with_capacity(dims.len());
        let mut starts = [0; 2];
        if dims.contains(&0) {
            return Move { from, to, starts, axes: [(0, 0, 0)].into() };
        }
        for (axis, &size) in dims.iter().enumerate() {
            let [(first, step), (first_to, step_to)] = steps(axis);
            starts = [starts[0] + first, starts[1] + first_to];
            let n = size as isize;
            match axes.last_mut() {
                _ if size == 1 => {}
                // The rows of the outer axis follow each other: both are one axis.
                Some(outer) if (outer.1, outer.2) == (n * step, n * step_to) => {
                    *outer = (outer.0 * size, step, step_to);
                }
                _ => axes.push((size, step, step_to)),
            }
        }
        Move { from, to, starts, axes: axes.into() }
    }

    /// # Safety
    /// Nobody writes the operand or touches the result meanwhile.
    pub(crate) unsafe fn run(&self, bases: Bases) {
        let [from, to] = self.starts;
        // SAFETY: the axes lead to elements of the operand and of the result, which lie in their buffers.
        typed!(self.to.dtype, T => unsafe {
            walk(&self.axes, bases.at::<T>(self.from.span).wrapping_add(from), bases.at::<T>(self.to.span).wrapping_add(to));
        });
    }
}

/// # Safety
/// As [`Move::run`].
unsafe fn walk<T: Copy>(axes: &[Axis], from: *const T, to: *mut T) {
    // SAFETY: promised by the caller.
    unsafe {
        match *axes {
            [] => *to = *from,
            [(n, 1, 1)] => std::ptr::copy_nonoverlapping(from, to, n),
            [(n, step, step_to)] => {
                (0..n as isize).for_each(|i| *to.wrapping_offset(i * step_to) = *from.wrapping_offset(i * step));
            }
            [(n, step, step_to), ref inner @ ..] => {
                for i in 0..n as isize {
                    walk(inner, from.wrapping_offset(i * step), to.wrapping_offset(i * step_to));
                }
            }
        }
    }
}

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

    /// The whole result from the first operand: for each axis, which element it begins with, and how far it goes on.
    fn result(&self, from: impl Fn(usize) -> (usize, isize)) -> Vec<Move> {
        let to = |axis: usize| (0, self.to[axis] as isize);
        vec![Move::new([self.args[0], self.out], &self.ty.shape, |axis| [from(axis), to(axis)])]
    }

    /// A whole operand to a part of the result: for each axis, which element that begins with, and how far it goes on.
    fn operand(&self, index: usize, to: impl Fn(usize) -> (usize, isize)) -> Move {
        let (shape, strides) = (&self.types[index].shape, self.types[index].shape.strides());
        Move::new([self.args[index], self.out], shape, |axis| [(0, strides[axis] as isize), to(axis)])
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
        let turned = |axis: usize| ((at.ty.shape[axis] - 1) * at.from[axis], -(at.from[axis] as isize));
        at.result(|axis| if self.axes.contains(&axis) { turned(axis) } else { at.along(axis) })
    }
}

impl Copies for ops::Pad {
    fn moves(&self, at: &Site) -> Vec<Move> {
        let filled = Move::new([at.args[1], at.out], &[at.out.len], |_| [(0, 0), (0, 1)]);
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
