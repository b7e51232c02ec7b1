//! Where along an axis the largest or smallest element is.

use std::fmt;

use super::{OpDef, Sample, f32s, mismatch, sample, spread};
use crate::{Array, DType, OpText, Shape, Tensor, Type};

/// The index, along `axis`, of the largest (or smallest) element; of equal ones the first. Not-a-number wins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Arg {
    /// Whether the largest is asked for.
    pub largest: bool,
    /// Along which axis; it disappears.
    pub axis: usize,
}

impl OpDef for Arg {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [x] if self.axis < x.rank() && x.shape[self.axis] > 0 => {
                Ok(Type::new(DType::I64, x.shape.without(self.axis)))
            }
            _ => Err(mismatch(&format!("an axis {} with elements", self.axis), args)),
        }
    }

    fn vjp(&self, _: &[Tensor], _: &Tensor, _: &Tensor) -> Vec<Option<Tensor>> {
        vec![None]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let x = args[0];
        let (count, inner) = (x.shape()[self.axis], Shape::from(&x.shape()[self.axis + 1..]).size());
        let better =
            |new: f64, old: f64| !old.is_nan() && (new.is_nan() || if self.largest { new > old } else { new < old });
        Array::from_fn(ty, |at| {
            let element = |i: usize| x.get((at / inner * count + i) * inner + at % inner);
            (1..count).fold(0, |best, i| if better(element(i), element(best)) { i } else { best }) as f64
        })
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        let (largest, text) = text.one_of(&[("argmax", true), ("argmin", false)])?;
        Some(Arg { largest, axis: text.word("an axis")? })
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for largest in [true, false] {
            for axis in 0..3 {
                samples.push(sample(Arg { largest, axis }, [f32s([3, 4, 5], -2.0, 2.0)]));
            }
            samples.push(sample(Arg { largest, axis: 1 }, [spread(DType::I64, [3, 4], 0.0, 3.0)]));
            let ties = Array::new([2, 3], vec![1.0f32, 1.0, 0.0, f32::NAN, 2.0, f32::NAN]).expect("six elements");
            samples.push(sample(Arg { largest, axis: 1 }, [ties]));
        }
        samples
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.largest { "argmax" } else { "argmin" }, self.axis)
    }
}

impl Tensor {
    /// The index of the largest element along `axis` (negative: from the end), of equal ones the first.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Tensor {
        self.apply(Arg { largest: true, axis: self.axis(axis) })
    }

    /// The index of the smallest element along `axis` (negative: from the end), of equal ones the first.
    #[track_caller]
    pub fn argmin(&self, axis: isize) -> Tensor {
        self.apply(Arg { largest: false, axis: self.axis(axis) })
    }
}
