//! The same numbers as another element type.

use std::fmt;

use super::{OpDef, Sample, mismatch, sample, spread};
use crate::{Array, DType, OpText, Tensor, Type};

/// Turns every element into the nearest one of that type; towards integers, fractions are cut off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cast(
    /// The new element type.
    pub DType,
);

impl OpDef for Cast {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [x] => Ok(x.with_dtype(self.0)),
            _ => Err(mismatch("one operand", args)),
        }
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Option<Tensor>> {
        let from = x[0].dtype();
        vec![(from.is_float() && self.0.is_float()).then(|| ct.cast(from))]
    }

    fn eval(&self, args: &[&Array], _: &Type) -> Array {
        args[0].clone().cast(self.0)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        Some(Cast(text.named("cast")?.word("an element type")?))
    }

    fn samples() -> Vec<Sample> {
        let all = DType::ALL;
        let pairs = all.into_iter().flat_map(|from| all.map(|to| (from, to)));
        pairs.map(|(from, to)| sample(Cast(to), [spread(from, [2, 5], 0.0, 3.0)])).collect()
    }
}

impl fmt::Display for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cast {}", self.0)
    }
}

impl Tensor {
    /// The same numbers as another element type.
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Tensor {
        if dtype == self.dtype() { self.clone() } else { self.apply(Cast(dtype)) }
    }
}
