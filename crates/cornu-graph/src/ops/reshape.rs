//! The same elements under another shape.

use super::*;

/// The same elements, in the same row-major order, under another shape.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reshape(
    /// The new shape.
    pub Shape,
);

impl OneResult for Reshape {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [x] if x.size() == self.0.size() => Ok(Type::new(x.dtype, self.0.clone())),
            _ => Err(mismatch(&format!("{} elements", self.0.size()), args)),
        }
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        vec![Grad::By(ct.reshape(x[0].shape()))]
    }

    fn eval(&self, args: &[&Array], _: &Type) -> Array {
        args[0].clone().reshape(self.0.clone()).expect("the type rule was asked first")
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("reshape")
    }

    fn read(text: &mut OpText, ty: &Type) -> Option<Self> {
        text.named("reshape").map(|_| Reshape(ty.shape.clone()))
    }

    fn samples() -> Vec<Sample> {
        copies([
            sample(Reshape([6].into()), [f32s([2, 3], -1.0, 1.0)]),
            sample(Reshape([7, 1, 2].into()), [f32s([2, 7], -1.0, 1.0)]),
            sample(Reshape(Shape::scalar()), [f32s([1, 1], -1.0, 1.0)]),
            edge(Reshape([2, 0].into()), [f32s([0, 3], 0.0, 1.0)]),
        ])
    }
}

impl Tensor {
    /// The same elements under another shape.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        if shape == self.shape() { self.clone() } else { self.apply(Reshape(shape)) }
    }
}
