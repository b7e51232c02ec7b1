//! Tensors one behind the other.

use super::*;

/// The operands one behind the other along an axis, in which alone their sizes may differ.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Concatenate {
    /// The axis that grows.
    pub axis: usize,
}

impl OneResult for Concatenate {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let needed = || mismatch(&format!("tensors of one type but for axis {}", self.axis), args);
        let first = args.first().filter(|first| self.axis < first.rank()).ok_or_else(needed)?;
        let size = |x: &&Type| {
            let alike = x.dtype == first.dtype && x.rank() == first.rank();
            (alike && x.shape.with(self.axis, 0) == first.shape.with(self.axis, 0)).then(|| x.shape[self.axis])
        };
        let sizes: Vec<usize> = args.iter().map(size).collect::<Option<_>>().ok_or_else(needed)?;
        let total = sizes.iter().try_fold(0usize, |total, &size| total.checked_add(size)).ok_or_else(needed)?;
        Ok(Type::new(first.dtype, first.shape.with(self.axis, total)))
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let mut start = 0;
        let mut grads = Vec::with_capacity(x.len());
        for x in x {
            let end = start + x.shape()[self.axis];
            grads.push(Grad::By(ct.slice_axis(self.axis as isize, start..end)));
            start = end;
        }
        grads
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let (inner, size) = (ty.shape.strides()[self.axis], |k: usize| args[k].shape()[self.axis]);
        let ends: Vec<usize> = (0..args.len()).map(|last| (0..=last).map(size).sum()).collect();
        Array::from_numbers(ty, |at| {
            let (outer, along) = (at / inner / ty.shape[self.axis], at / inner % ty.shape[self.axis]);
            let k = ends.partition_point(|&end| end <= along);
            args[k].number(((outer + 1) * size(k) + along - ends[k]) * inner + at % inner)
        })
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "concatenate {}", self.axis)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        Some(Concatenate { axis: text.named("concatenate")?.word("an axis")? })
    }

    fn samples() -> Vec<Sample> {
        let of = |axis: usize, shapes: &[&[usize]]| {
            let args = shapes.iter().zip(1..).map(|(&shape, i)| f32s(shape, -1.0, f64::from(i))).collect();
            Sample { op: Concatenate { axis }.into(), args, edge: false }
        };
        copies([
            of(0, &[&[2, 3], &[1, 3]]),
            of(1, &[&[2, 3], &[2, 1], &[2, 4]]),
            of(1, &[&[2, 2, 3], &[2, 3, 3]]),
            of(0, &[&[1]]),
            of(1, &[&[2, 0], &[2, 2], &[2, 0]]),
            of(0, &[&[14], &[14]]),
            Sample { edge: true, ..of(0, &[&[0], &[0]]) },
        ])
    }
}

impl Tensor {
    /// This and others one behind the other along an axis (negative: from the end). Types are joined as those of a sum.
    #[track_caller]
    pub fn concatenate(&self, others: &[&Tensor], axis: isize) -> Tensor {
        let axis = self.axis(axis);
        let dtype = others.iter().fold(self.dtype(), |dtype, other| dtype.joined(other.dtype()));
        let mut rest = Vec::with_capacity(others.len());
        // No closure: it would be the place of a mistake.
        for other in others {
            rest.push(other.cast(dtype));
        }
        self.cast(dtype).apply_to(Concatenate { axis }, &rest.iter().collect::<Vec<_>>())
    }
}
