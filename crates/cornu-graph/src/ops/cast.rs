//! The same numbers as another element type.

use super::*;

/// Turns every element into the nearest one of that type. Towards whole numbers fractions are cut off, what lies beyond
/// the type becomes its nearest element and not-a-number 0, as when XLA compiles TensorFlow; whole numbers wrap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cast(
    /// The new element type.
    pub DType,
);

impl OneResult for Cast {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [x] => Ok(x.with_dtype(self.0)),
            _ => Err(mismatch("one operand", args)),
        }
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let from = x[0].dtype();
        vec![if from.is_float() && self.0.is_float() { Grad::By(ct.cast(from)) } else { Grad::Flat }]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        each(*self, args, ty)
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "cast {}", self.0)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        Some(Cast(text.named("cast")?.word("an element type")?))
    }

    fn samples() -> Vec<Sample> {
        let all = DType::ALL;
        let pairs = all.into_iter().flat_map(|from| all.map(|to| (from, to)));
        let both = |(from, to)| [sample(Cast(to), [spread(from, [2, 5], 0.0, 3.0)]), edge(Cast(to), [edges(from)])];
        pairs.flat_map(both).collect()
    }
}

impl Tensor {
    /// The same numbers as another element type.
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Tensor {
        if dtype == self.dtype() { self.clone() } else { self.apply(Cast(dtype)) }
    }
}
