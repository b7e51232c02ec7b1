//! A tensor with one number around and between its elements.

use super::*;

/// `pad(x, value)`: `x` with the scalar `value` along each axis `low` times before, `high` times behind, and
/// `between` times between neighbours. (StableHLO's `pad`, which can cut off as well: slice instead.)
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pad {
    /// How often the value stands before each axis.
    pub low: Box<[usize]>,
    /// How often it stands behind.
    pub high: Box<[usize]>,
    /// How often it stands between two elements.
    pub between: Box<[usize]>,
}

impl Pad {
    fn new(low: &[usize], high: &[usize], between: &[usize]) -> Pad {
        Pad { low: low.into(), high: high.into(), between: between.into() }
    }

    /// The sizes of the result for a tensor of that shape.
    fn shape(&self, x: &Shape) -> Option<Shape> {
        let ranks = [&self.low, &self.high, &self.between].map(|list| list.len());
        let size = |axis: usize| {
            let step = self.between[axis].checked_add(1)?;
            let inside = x[axis].checked_sub(1).map_or(Some(0), |rest| rest.checked_mul(step)?.checked_add(1))?;
            inside.checked_add(self.low[axis])?.checked_add(self.high[axis])
        };
        if ranks == [x.rank(); 3] { (0..x.rank()).map(size).collect() } else { None }
    }

    /// Which part of the result the operand is.
    fn inside(&self, y: &Tensor) -> Tensor {
        let shape = y.shape();
        let limits: Vec<usize> = (0..shape.rank()).map(|axis| shape[axis] - self.high[axis]).collect();
        let strides: Vec<usize> = self.between.iter().map(|between| between + 1).collect();
        y.slice(&self.low, &limits, &strides)
    }
}

impl OneResult for Pad {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let padded = match args {
            [x, value] if **value == Type::scalar(x.dtype) => {
                self.shape(&x.shape).map(|shape| Type::new(x.dtype, shape))
            }
            _ => None,
        };
        padded.ok_or_else(|| mismatch("a tensor of as many axes and a scalar of its type", args))
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let is = |truth| ct.trace().constant(Array::scalar(truth));
        let inside = is(true).broadcast(x[0].shape(), &[]).pad(&self.low, &self.high, &self.between, is(false));
        vec![Grad::By(self.inside(ct)), Grad::By(inside.select(0.0, ct).sum_all())]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let (x, from, to) = (args[0].shape(), args[0].shape().strides(), ty.shape.strides());
        let place = |at: usize, i: usize| {
            let (at, step) = ((at / to[i] % ty.shape[i]).checked_sub(self.low[i])?, self.between[i] + 1);
            (at % step == 0 && at / step < x[i]).then(|| at / step * from[i])
        };
        let place = |at| (0..ty.rank()).map(|i| place(at, i)).sum::<Option<usize>>();
        Array::from_numbers(ty, |at| place(at).map_or(args[1].number(0), |from| args[0].number(from)))
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "pad {:?} {:?} {:?}", self.low, self.high, self.between)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        let text = text.named("pad")?;
        Some(Pad { low: text.list()?, high: text.list()?, between: text.list()? })
    }

    fn samples() -> Vec<Sample> {
        let of = |low: &[usize], high: &[usize], between: &[usize], shape: &[usize]| {
            sample(Pad::new(low, high, between), [f32s(shape, -1.0, 1.0), Array::scalar(0.25f32)])
        };
        let none = |low, high| Sample { edge: true, ..of(&[low, 0], &[high, 0], &[3, 0], &[0, 2]) };
        copies([
            of(&[1, 0], &[0, 2], &[0, 0], &[2, 3]),
            of(&[0, 1, 2], &[1, 0, 3], &[2, 0, 1], &[2, 1, 3]),
            of(&[0], &[1], &[usize::MAX - 1], &[1]),
            of(&[], &[], &[], &[]),
            of(&[2], &[1], &[1], &[14]),
            none(1, 2),
            none(0, 0),
        ])
    }
}

impl Tensor {
    /// This with a number along each axis `low` times before, `high` times behind, and `between` times between
    /// neighbours. The number is cast to this element type.
    #[track_caller]
    pub fn pad(&self, low: &[usize], high: &[usize], between: &[usize], value: impl IntoTensor) -> Tensor {
        let (value, shape) = (value.into_tensor(self).cast(self.dtype()), self.shape());
        let pad = Pad::new(low, high, between);
        if pad.shape(&shape) == Some(shape) { self.clone() } else { self.apply_to(pad, &[&value]) }
    }
}
