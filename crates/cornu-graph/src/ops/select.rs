//! One of two tensors, element by element.

use super::*;

/// `select(condition, a, b)`: elements of `a` where the condition is true, of `b` elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Select;

impl OneResult for Select {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [c, a, b] if c.dtype == DType::Bool && c.shape == a.shape && a == b => Ok((*a).clone()),
            _ => Err(mismatch("booleans and two operands of one type, all of one shape", args)),
        }
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        vec![Grad::Flat, Grad::By(x[0].select(ct, 0.0)), Grad::By(x[0].select(0.0, ct))]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        each(*self, args, ty)
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("select")
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        text.named("select").map(|_| Select)
    }

    fn samples() -> Vec<Sample> {
        let of = |shape: &[usize]| {
            let ty = Type::new(DType::Bool, shape);
            let condition = Array::from_fn(&ty, |i| f64::from(u8::from(i % 3 != 1)));
            sample(Select, [condition, f32s(shape, -2.0, 2.0), f32s(shape, 2.0, -2.0)])
        };
        copies([of(&[2, 3]), of(&[28]), Sample { edge: true, ..of(&[0]) }])
    }
}

impl Tensor {
    /// `a` where this is true, `b` elsewhere. Types are joined as those of a sum; tensors broadcast.
    #[track_caller]
    pub fn select(&self, a: impl IntoTensor, b: impl IntoTensor) -> Tensor {
        let like = a.tensor().or(b.tensor()).unwrap_or_else(|| self.clone());
        let (a, b) = (a.into_tensor(&like), b.into_tensor(&like));
        let dtype = a.dtype().joined(b.dtype());
        let (a, b) = (a.cast(dtype), b.cast(dtype));
        let (a, b) = a.aligned(&b);
        let (condition, a) = self.aligned(&a);
        let (condition, b) = condition.aligned(&b);
        condition.apply_to(Select, &[&a, &b])
    }
}
