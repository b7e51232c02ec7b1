//! Axes the other way round.

use super::*;

/// Element `i` along each of `axes` is the operand's element `i` from the end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reverse {
    /// The axes that are turned round, ascending.
    pub axes: Box<[usize]>,
}

impl OneResult for Reverse {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let rising = self.axes.windows(2).all(|pair| pair[0] < pair[1]);
        match args {
            [x] if rising && self.axes.last().is_none_or(|&axis| axis < x.rank()) => Ok((*x).clone()),
            _ => Err(mismatch(&format!("the axes {:?}", self.axes), args)),
        }
    }

    fn vjp(&self, _: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        vec![Grad::By(ct.apply(self.clone()))]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let strides = ty.shape.strides();
        let place = |at: usize, axis: usize| {
            let i = at / strides[axis] % ty.shape[axis];
            let turned = if self.axes.contains(&axis) { ty.shape[axis] - 1 - i } else { i };
            turned * strides[axis]
        };
        args[0].pick(ty.shape.clone(), |at| (0..ty.rank()).map(|axis| place(at, axis)).sum())
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "reverse {:?}", self.axes)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        Some(Reverse { axes: text.named("reverse")?.list()? })
    }

    fn samples() -> Vec<Sample> {
        let of = |axes: &[usize], shape: &[usize]| sample(Reverse { axes: axes.into() }, [f32s(shape, -1.0, 1.0)]);
        copies([
            of(&[], &[2, 3, 4]),
            of(&[0], &[2, 3, 4]),
            of(&[1], &[2, 3, 4]),
            of(&[0, 2], &[2, 3, 4]),
            of(&[0, 1, 2], &[2, 3, 4]),
            of(&[0, 1], &[1, 1]),
            of(&[0], &[14]),
            Sample { edge: true, ..of(&[0, 1], &[0, 3]) },
        ])
    }
}

impl Tensor {
    /// The elements along axes (negative: from the end) the other way round.
    #[track_caller]
    pub fn reverse<const N: usize>(&self, axes: [isize; N]) -> Tensor {
        let axes = self.axes(axes).into();
        self.apply(Reverse { axes })
    }
}
