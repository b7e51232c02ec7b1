//! Where the elements of broadcasts, transposes, slices and reverses lie in the memory of what they are made of.

use std::ops::Range;

use cornu_graph::Shape;
use cornu_graph::ops::{Iota, Op};

use crate::kernels::operand::Axis;

/// Elements in the order of a value's shape, found in the memory of another: the first, and the axes from the outermost
/// to the innermost. Axes of one element are left out; axes that lie in a row are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Walk {
    pub(crate) start: usize,
    pub(crate) axes: Vec<Axis>,
}

impl Walk {
    /// All elements of a value, in a row.
    pub(crate) fn whole(size: usize) -> Walk {
        Self::along(0, [Axis { size, step: 1 }])
    }

    /// All elements of a value, in a row, and again for each row.
    pub(crate) fn repeated(rows: usize, size: usize) -> Walk {
        Self::along(0, [Axis { size: rows, step: 0 }, Axis { size, step: 1 }])
    }

    /// The elements of a range of an axis of a shape.
    pub(crate) fn part(shape: &Shape, axis: usize, range: Range<usize>) -> Walk {
        let (steps, start) = (shape.strides(), range.start);
        let dims = shape.with(axis, range.len());
        let along = dims.iter().zip(&steps).map(|(&size, &step)| Axis { size, step: step as isize });
        Self::along(start * steps[axis], along)
    }

    /// The numbers of an `iota`, found in 0, 1, 2, and so on.
    pub(crate) fn iota(iota: &Iota) -> Walk {
        let step = |axis| isize::from(axis == iota.axis);
        Self::along(0, iota.ty.shape.iter().enumerate().map(|(axis, &size)| Axis { size, step: step(axis) }))
    }

    fn along(start: usize, axes: impl IntoIterator<Item = Axis>) -> Walk {
        let mut walk = Walk { start, axes: Vec::new() };
        for axis in axes.into_iter().filter(|axis| axis.size != 1) {
            match walk.axes.last_mut() {
                Some(outer) if outer.step == axis.size as isize * axis.step => {
                    *outer = Axis { size: outer.size * axis.size, ..axis };
                }
                _ => walk.axes.push(axis),
            }
        }
        walk
    }

    /// Whether it is element by element.
    pub(crate) fn is_whole(&self) -> bool {
        self.start == 0 && matches!(*self.axes, [] | [Axis { step: 1, .. }])
    }

    /// Whether neighbours are neighbours in memory, or one element stands for several in a row.
    pub(crate) fn is_near(&self) -> bool {
        self.axes.last().is_none_or(|axis| matches!(axis.step, 0 | 1))
    }

    /// How many elements the row has that it repeats, if it does no more.
    pub(crate) fn row(&self) -> Option<usize> {
        match *self.axes {
            [Axis { step: 0, .. }, Axis { size, step: 1 }] => Some(size),
            _ => None,
        }
    }

    /// Whether it is one element for all.
    pub(crate) fn is_scalar(&self) -> bool {
        self.axes.iter().all(|axis| axis.step == 0)
    }

    /// Whether each of some rows of elements, two or more, lies in the same row of a value, which has `each` elements.
    pub(crate) fn keeps_rows(&self, rows: usize, each: usize) -> bool {
        let len: usize = self.axes.iter().map(|axis| axis.size).product();
        let Some(dims) = self.split(&[rows, len / rows].into()) else { return false };
        let (outer, inner) = (&dims[0], &dims[1]);
        let steps = |forwards: bool| -> usize {
            let axes = inner.iter().filter(|axis| (axis.step > 0) == forwards);
            axes.map(|axis| (axis.size - 1) * axis.step.unsigned_abs()).sum()
        };
        let goes_along =
            matches!(*Self::along(0, outer.iter().copied()).axes, [Axis { step, .. }] if step == each as isize);
        goes_along && steps(false) <= self.start && self.start + steps(true) < each
    }

    /// What an op makes of a value of that shape that is found by this walk; nothing if it does more than choose and order
    /// elements, or if its axes cut those of the walk.
    pub(crate) fn through(&self, op: &Op, shape: &Shape) -> Option<Walk> {
        let dims = || self.split(shape);
        let in_order = |axes: &[usize], mut dims: Vec<Vec<Axis>>| {
            axes.iter().flat_map(|&axis| std::mem::take(&mut dims[axis])).collect::<Vec<_>>()
        };
        match op {
            Op::Broadcast(op) => {
                let mut dims = dims()?.into_iter();
                let new = op.shape.iter().enumerate().flat_map(|(axis, &size)| match op.axes.contains(&axis) {
                    true => dims.next().unwrap_or_default(),
                    false => vec![Axis { size, step: 0 }],
                });
                Some(Self::along(self.start, new))
            }
            Op::Transpose(op) => Some(Self::along(self.start, in_order(&op.0, dims()?))),
            Op::Reverse(op) => Some(self.turned(&op.axes, dims()?)),
            Op::Slice(op) => {
                let part = |axis: usize| (op.starts[axis], op.limits[axis], op.strides[axis]);
                self.cut(dims()?, |axis| (part(axis) != (0, shape[axis], 1)).then(|| part(axis)))
            }
            _ => None,
        }
    }

    /// Some dimensions from their ends.
    fn turned(&self, axes: &[usize], mut dims: Vec<Vec<Axis>>) -> Walk {
        let mut start = self.start;
        for &dim in axes {
            for axis in &mut dims[dim] {
                start = start.wrapping_add_signed((axis.size as isize - 1) * axis.step);
                axis.step = -axis.step;
            }
        }
        Self::along(start, dims.into_iter().flatten())
    }

    /// Parts of dimensions: first element, limit and stride, where it is not all of one.
    fn cut(&self, dims: Vec<Vec<Axis>>, part: impl Fn(usize) -> Option<(usize, usize, usize)>) -> Option<Walk> {
        let mut start = self.start;
        let mut axes = Vec::with_capacity(dims.len());
        for (number, dim) in dims.into_iter().enumerate() {
            match (part(number), &*dim) {
                (None, _) => axes.extend(dim),
                (Some((first, limit, stride)), &[Axis { step, .. }]) => {
                    start = start.wrapping_add_signed(first as isize * step);
                    axes.push(Axis { size: (limit - first).div_ceil(stride), step: step * stride as isize });
                }
                _ => return None,
            }
        }
        Some(Self::along(start, axes))
    }

    /// The axes of each dimension of a shape, if no axis lies across two of them.
    fn split(&self, shape: &Shape) -> Option<Vec<Vec<Axis>>> {
        let mut axes = self.axes.iter().copied();
        let mut rest = axes.next();
        let mut dim = |size: usize| {
            let (mut parts, mut missing) = (Vec::new(), size);
            while missing > 1 {
                let axis = rest?;
                let size = axis.size.min(missing);
                if !axis.size.is_multiple_of(size) || !missing.is_multiple_of(size) {
                    return None;
                }
                let inner = axis.size / size;
                parts.push(Axis { size, step: axis.step * inner as isize });
                rest = if inner == 1 { axes.next() } else { Some(Axis { size: inner, ..axis }) };
                missing /= size;
            }
            Some(parts)
        };
        shape.iter().map(|&size| dim(size)).collect()
    }
}

#[cfg(test)]
mod tests {
    use cornu_graph::ops::Leaf;
    use cornu_graph::{Array, Graph, Tensor, Trace, Type};

    use super::*;

    /// Elements in the order of the walk, by the definition.
    fn elements(walk: &Walk) -> Vec<usize> {
        walk.axes.iter().fold(vec![walk.start], |starts, axis| {
            let along = |start: usize| (0..axis.size as isize).map(move |i| start.wrapping_add_signed(i * axis.step));
            starts.into_iter().flat_map(along).collect()
        })
    }

    /// What the reference evaluator makes of the numbers from 0 on.
    fn evaluated(graph: &Graph, ty: &Type) -> Vec<f32> {
        cornu_graph::evaluate(graph, &[], &[Array::from_fn(ty, |i| i as f64)]).0[0].to_vec()
    }

    /// The walk of a graph's output over its input.
    fn walk(graph: &Graph) -> Option<Walk> {
        graph.nodes().fold(None, |walk: Option<Walk>, (value, node)| match &node.op {
            Op::Leaf(Leaf::Input { ty, .. }) => Some(Walk::whole(ty.size())),
            Op::Reshape(_) => walk,
            op => walk?.through(op, &graph.ty(node.args[0]).shape).filter(|_| graph.ty(value).size() > 0),
        })
    }

    type Moves = fn(Tensor) -> Tensor;

    #[test]
    fn walks_find_what_ops_choose() {
        let cases: [(&[usize], usize, Moves); 12] = [
            (&[4, 6], 1, |x| x),
            (&[4, 6], 2, |x| x.transpose(&[1, 0])),
            (&[4, 6], 1, |x| x.transpose(&[1, 0]).transpose(&[1, 0])),
            (&[2, 3, 4], 1, |x| x.slice(&[1, 0, 0], &[2, 3, 4], &[1, 1, 1])),
            (&[2, 3, 4], 3, |x| x.slice(&[0, 1, 1], &[2, 3, 4], &[1, 1, 2])),
            (&[3, 5], 4, |x| x.broadcast([2, 3, 7, 5], &[1, 3])),
            (&[3, 1], 2, |x| x.broadcast([3, 4, 1], &[0, 2])),
            (&[3, 4], 1, |x| x.reverse([0, 1])),
            (&[3, 4], 2, |x| x.reverse([1]).slice(&[0, 1], &[3, 4], &[2, 2])),
            (&[4, 6], 3, |x| x.reshape([2, 2, 6]).transpose(&[2, 0, 1]).reshape([6, 4]).reverse([0])),
            (&[4, 6], 3, |x| x.transpose(&[1, 0]).reshape([2, 3, 4]).slice(&[0, 1, 0], &[2, 2, 4], &[1, 1, 1])),
            (&[2, 3, 4], 4, |x| x.transpose(&[2, 1, 0]).broadcast([4, 5, 3, 2], &[0, 2, 3])),
        ];
        for (number, (shape, axes, moves)) in cases.into_iter().enumerate() {
            let trace = Trace::new();
            let ty = Type::f32(shape);
            let y = moves(trace.input(ty.clone()));
            let graph = trace.finish(&[y], &[]).expect("a sound graph");
            let walk = walk(&graph).unwrap_or_else(|| panic!("case {number} is a walk"));
            let got: Vec<f32> = elements(&walk).into_iter().map(|i| i as f32).collect();
            assert_eq!(got, evaluated(&graph, &ty), "case {number}: {walk:?}");
            assert!(walk.axes.len() <= axes, "case {number}: {walk:?}");
        }
    }

    /// A shape whose dimensions lie across the axes of a transpose has no walk, but the same elements in a row have.
    #[test]
    fn what_cuts_axes_is_no_walk() {
        let transposed = Walk::whole(24).through(&Op::from(cornu_graph::ops::Transpose([1, 0].into())), &[4, 6].into());
        let transposed = transposed.expect("a walk");
        assert!(transposed.split(&[8, 3].into()).is_none());
        assert!(transposed.split(&[3, 8].into()).is_some());
        assert_eq!(transposed.split(&[3, 2, 2, 2].into()).expect("a walk").concat().len(), 4);
    }

    #[test]
    fn rows_are_kept_where_each_is_found_in_itself() {
        let row = |axes: &[(usize, isize)], start: usize| {
            Walk::along(start, axes.iter().map(|&(size, step)| Axis { size, step }))
        };
        let cases: [(&str, Walk, usize, bool); 9] = [
            ("a number for each row", row(&[(4, 1), (3, 0)], 0), 1, true),
            ("a row for all", row(&[(4, 0), (3, 1)], 0), 1, false),
            ("all", Walk::whole(12), 3, true),
            ("part of each row", row(&[(4, 6), (3, 2)], 1), 6, true),
            ("rows from their ends", row(&[(4, 3), (3, -1)], 2), 3, true),
            ("the next row", row(&[(4, 3), (3, 1)], 3), 3, false),
            ("every other row", row(&[(4, 6), (3, 1)], 0), 3, false),
            ("rows from the last on", row(&[(4, -3), (3, 1)], 9), 3, false),
            ("turned", row(&[(4, 1), (3, 4)], 0), 3, false),
        ];
        for (name, walk, each, want) in cases {
            assert_eq!(walk.keeps_rows(4, each), want, "{name}");
        }
    }

    #[test]
    fn numbers_of_an_axis_are_a_walk() {
        for axis in 0..3 {
            let iota = Iota { ty: Type::f32([2, 3, 4]), axis };
            let want = (0..24).map(|i| [i / 12, i / 4 % 3, i % 4][axis]);
            assert!(elements(&Walk::iota(&iota)).into_iter().eq(want));
        }
    }
}
