//! Copies along new axes.

use super::*;

/// Repeats the operand along every axis of `shape` that is not in `axes`; axis `i` of the operand is axis `axes[i]` of
/// the result. (StableHLO's `broadcast_in_dim`, without its stretching of axes of size one: reshape them away.)
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Broadcast {
    /// The shape of the result.
    pub shape: Shape,
    /// Where the operand's axes go, ascending.
    pub axes: Box<[usize]>,
}

impl OneResult for Broadcast {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let fits = |x: &Type| {
            x.rank() == self.axes.len()
                && self.axes.windows(2).all(|pair| pair[0] < pair[1])
                && self.axes.iter().zip(x.shape.iter()).all(|(&axis, &dim)| self.shape.get(axis) == Some(&dim))
        };
        match args {
            [x] if fits(x) => Ok(Type::new(x.dtype, self.shape.clone())),
            _ => Err(mismatch(&format!("the axes {:?} of {}", self.axes, self.shape), args)),
        }
    }

    fn vjp(&self, _: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let new: Vec<usize> = (0..self.shape.rank()).filter(|axis| !self.axes.contains(axis)).collect();
        vec![Grad::By(ct.reduce(Reduction::Sum, &new))]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let (to, from) = (ty.shape.strides(), args[0].shape().strides());
        let place = |at: usize, i: usize| at / to[self.axes[i]] % ty.shape[self.axes[i]] * from[i];
        args[0].pick(ty.shape.clone(), |at| (0..from.len()).map(|i| place(at, i)).sum())
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "broadcast {:?}", self.axes)
    }

    fn read(text: &mut OpText, ty: &Type) -> Option<Self> {
        Some(Broadcast { axes: text.named("broadcast")?.list()?, shape: ty.shape.clone() })
    }

    fn samples() -> Vec<Sample> {
        let to = |shape: &[usize], axes: &[usize]| Broadcast { shape: shape.into(), axes: axes.into() };
        copies([
            sample(to(&[3, 4], &[]), [Array::scalar(1.5f32)]),
            sample(to(&[1, 14, 2], &[1]), [f32s([14], -1.0, 1.0)]),
            sample(to(&[3, 4], &[0]), [f32s([3], -1.0, 1.0)]),
            sample(to(&[2, 3, 4], &[0, 2]), [f32s([2, 4], -1.0, 1.0)]),
            sample(to(&[2, 3, 4], &[1]), [f32s([3], -1.0, 1.0)]),
            edge(to(&[2, 0], &[1]), [f32s([0], 0.0, 1.0)]),
        ])
    }
}

impl Tensor {
    /// Copies along new axes: axis `i` of this becomes axis `axes[i]` of `shape`.
    #[track_caller]
    pub fn broadcast(&self, shape: impl Into<Shape>, axes: &[usize]) -> Tensor {
        let shape = shape.into();
        if shape == self.shape() { self.clone() } else { self.apply(Broadcast { shape, axes: axes.into() }) }
    }

    /// Stretches this to `shape` by NumPy's rule: axes are matched from the last, and axes that are missing or of size
    /// one are repeated.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Tensor {
        let (shape, own) = (shape.into(), self.shape());
        let shift = shape.rank().saturating_sub(own.rank());
        let kept: Vec<usize> =
            (0..own.rank()).filter(|&axis| own[axis] != 1 || shape.get(axis + shift) == Some(&1)).collect();
        let axes: Vec<usize> = kept.iter().map(|axis| axis + shift).collect();
        self.reshape(kept.iter().map(|&axis| own[axis]).collect::<Shape>()).broadcast(shape, &axes)
    }
}
