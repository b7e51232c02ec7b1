//! A part of a tensor.

use std::ops::Range;

use super::*;

/// Along each axis every `strides`-th element, from `starts` on and below `limits`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Slice {
    /// The first element of each axis.
    pub starts: Box<[usize]>,
    /// The element of each axis before which the part ends.
    pub limits: Box<[usize]>,
    /// How far apart elements are; one at least.
    pub strides: Box<[usize]>,
}

impl Slice {
    fn new(starts: &[usize], limits: &[usize], strides: &[usize]) -> Slice {
        Slice { starts: starts.into(), limits: limits.into(), strides: strides.into() }
    }

    /// The sizes of the part.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> {
        let size = |axis: usize| (self.limits[axis] - self.starts[axis]).div_ceil(self.strides[axis]);
        (0..self.starts.len()).map(size)
    }

    /// The sizes of the part of a tensor of that shape, if it has such a part.
    fn shape(&self, x: &Shape) -> Option<Shape> {
        let ranks = [&self.starts, &self.limits, &self.strides].map(|list| list.len());
        let size = |axis: usize| {
            let (start, limit, stride) = (self.starts[axis], self.limits[axis], self.strides[axis]);
            (start <= limit && limit <= x[axis] && stride > 0).then(|| (limit - start).div_ceil(stride))
        };
        if ranks == [x.rank(); 3] { (0..x.rank()).map(size).collect() } else { None }
    }
}

impl OneResult for Slice {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let part = |x: &Type| Some(Type::new(x.dtype, self.shape(&x.shape)?));
        if let [x] = args { part(x) } else { None }.ok_or_else(|| mismatch("a tensor that has such a part", args))
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let (whole, part) = (x[0].shape(), y.shape());
        if part.size() == 0 {
            return vec![Grad::By(ct.number(0.0).broadcast(whole, &[]))];
        }
        let behind = |axis: usize| whole[axis] - self.starts[axis] - (part[axis] - 1) * self.strides[axis] - 1;
        let high: Vec<usize> = (0..whole.rank()).map(behind).collect();
        let between: Vec<usize> = self.strides.iter().map(|stride| stride - 1).collect();
        vec![Grad::By(ct.pad(&self.starts, &high, &between, ct.number(0.0)))]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let (from, to) = (args[0].shape().strides(), ty.shape.strides());
        let place = |at: usize, i: usize| (self.starts[i] + at / to[i] % ty.shape[i] * self.strides[i]) * from[i];
        args[0].pick(ty.shape.clone(), |at| (0..ty.rank()).map(|i| place(at, i)).sum())
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "slice {:?} {:?} {:?}", self.starts, self.limits, self.strides)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        let text = text.named("slice")?;
        Some(Slice { starts: text.list()?, limits: text.list()?, strides: text.list()? })
    }

    fn samples() -> Vec<Sample> {
        let of = Slice::new;
        copies([
            sample(of(&[1, 0], &[3, 5], &[1, 1]), [f32s([4, 5], -1.0, 1.0)]),
            sample(of(&[0, 1, 2], &[2, 2, 5], &[1, 1, 2]), [f32s([2, 3, 6], -1.0, 1.0)]),
            sample(of(&[1], &[8], &[3]), [f32s([9], -1.0, 1.0)]),
            sample(of(&[1, 1], &[3, 3], &[usize::MAX, 1]), [f32s([4, 4], -1.0, 1.0)]),
            sample(of(&[], &[], &[]), [Array::scalar(0.5f32)]),
            sample(of(&[0, 0], &[1, 1], &[1, 7]), [f32s([1, 1], -1.0, 1.0)]),
            sample(of(&[1], &[14], &[1]), [f32s([14], -1.0, 1.0)]),
            sample(of(&[0], &[14], &[13]), [f32s([14], -1.0, 1.0)]),
            edge(of(&[5], &[5], &[1]), [f32s([5], -1.0, 1.0)]),
            edge(of(&[0, 1], &[0, 3], &[1, 1]), [f32s([0, 3], 0.0, 1.0)]),
        ])
    }
}

impl Tensor {
    /// Along each axis every `strides`-th element, from `starts` on and below `limits`.
    #[track_caller]
    pub fn slice(&self, starts: &[usize], limits: &[usize], strides: &[usize]) -> Tensor {
        let (slice, shape) = (Slice::new(starts, limits, strides), self.shape());
        if slice.shape(&shape) == Some(shape) { self.clone() } else { self.apply(slice) }
    }

    /// The elements of a range of an axis (negative: from the end).
    #[track_caller]
    pub fn slice_axis(&self, axis: isize, range: Range<usize>) -> Tensor {
        let (axis, shape) = (self.axis(axis), self.shape());
        let none = Shape::from(vec![0; shape.rank()]);
        let ones = vec![1; shape.rank()];
        self.slice(&none.with(axis, range.start), &shape.with(axis, range.end), &ones)
    }
}
