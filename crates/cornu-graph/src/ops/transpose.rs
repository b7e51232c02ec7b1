//! Axes in another order.

use super::*;

/// Axis `i` of the result is axis `order[i]` of the operand.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Transpose(
    /// Each axis of the operand, once.
    pub Box<[usize]>,
);

impl Transpose {
    /// The order that undoes this one.
    pub fn inverse(&self) -> Transpose {
        let mut inverse = vec![0; self.0.len()];
        self.0.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
        Transpose(inverse.into())
    }

    /// This order, then that one.
    #[must_use]
    pub fn then(&self, next: &Transpose) -> Transpose {
        Transpose(next.0.iter().map(|&axis| self.0[axis]).collect())
    }
}

impl OneResult for Transpose {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let mut sorted = self.0.to_vec();
        sorted.sort_unstable();
        match args {
            [x] if sorted.iter().copied().eq(0..x.rank()) => {
                Ok(Type::new(x.dtype, self.0.iter().map(|&axis| x.shape[axis]).collect::<Shape>()))
            }
            _ => Err(mismatch(&format!("the axes {:?}", self.0), args)),
        }
    }

    fn vjp(&self, _: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        vec![Grad::By(ct.transpose(&self.inverse().0))]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let (from, to) = (args[0].shape().strides(), ty.shape.strides());
        let place = |at: usize, axis: usize| at / to[axis] % ty.shape[axis] * from[self.0[axis]];
        args[0].pick(ty.shape.clone(), |at| (0..ty.rank()).map(|axis| place(at, axis)).sum())
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "transpose {:?}", self.0)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        Some(Transpose(text.named("transpose")?.list()?))
    }

    fn samples() -> Vec<Sample> {
        let to = |order: &[usize]| Transpose(order.into());
        copies([
            sample(to(&[1, 0]), [f32s([3, 5], -1.0, 1.0)]),
            sample(to(&[2, 0, 1]), [f32s([2, 3, 4], -1.0, 1.0)]),
            sample(to(&[0, 2, 1]), [f32s([2, 3, 4], -1.0, 1.0)]),
            edge(to(&[1, 0]), [f32s([1, 14], -1.0, 1.0)]),
            edge(to(&[1, 0]), [f32s([0, 3], 0.0, 1.0)]),
        ])
    }
}

impl Tensor {
    /// The axes in another order: axis `i` of the result is axis `order[i]` of this.
    #[track_caller]
    pub fn transpose(&self, order: &[usize]) -> Tensor {
        self.apply(Transpose(order.into()))
    }
}
