//! Sums, maxima and minima along axes, which disappear.

use std::fmt;
use std::str::FromStr;

use super::{OpDef, Sample, f32s, mismatch, sample, spread};
use crate::{Array, DType, OpText, Tensor, Type};

/// How elements are brought together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reduction {
    /// Their sum, from the first to the last; zero of none.
    Sum,
    /// The largest; not-a-number if one is; minus infinity of none.
    Max,
    /// The smallest; not-a-number if one is; infinity of none.
    Min,
}

impl FromStr for Reduction {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Reduction::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind).ok_or(())
    }
}

impl Reduction {
    const NAMES: [(&str, Reduction); 3] = [("sum", Reduction::Sum), ("max", Reduction::Max), ("min", Reduction::Min)];

    /// The result for no elements at all.
    pub fn start(self) -> f64 {
        match self {
            Reduction::Sum => 0.0,
            Reduction::Max => f64::NEG_INFINITY,
            Reduction::Min => f64::INFINITY,
        }
    }

    /// Takes in one more element.
    pub fn step(self, total: f64, x: f64) -> f64 {
        match self {
            Reduction::Sum => total + x,
            Reduction::Max => {
                if x > total || x.is_nan() {
                    x
                } else {
                    total
                }
            }
            Reduction::Min => {
                if x < total || x.is_nan() {
                    x
                } else {
                    total
                }
            }
        }
    }
}

/// Brings together all elements along `axes`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reduce {
    /// How.
    pub kind: Reduction,
    /// Along which axes, ascending.
    pub axes: Box<[usize]>,
}

impl Reduce {
    /// The result's place for the element at flat index `at` of an operand of that type.
    fn target(&self, x: &Type) -> impl Fn(usize) -> usize + use<> {
        let strides = x.shape.strides();
        let mut weights = vec![0; x.rank()];
        let mut size = 1;
        for axis in (0..x.rank()).rev().filter(|axis| !self.axes.contains(axis)) {
            weights[axis] = size;
            size = x.shape[axis].saturating_mul(size);
        }
        let dims = x.shape.to_vec();
        move |at| (0..dims.len()).map(|axis| at / strides[axis] % dims[axis] * weights[axis]).sum()
    }
}

impl OpDef for Reduce {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let rising = self.axes.windows(2).all(|pair| pair[0] < pair[1]);
        match args {
            [x] if x.dtype != DType::Bool && rising && self.axes.last().is_none_or(|&axis| axis < x.rank()) => {
                let kept = (0..x.rank()).filter(|axis| !self.axes.contains(axis));
                Ok(Type::new(x.dtype, kept.map(|axis| x.shape[axis]).collect::<crate::Shape>()))
            }
            _ => Err(mismatch(&format!("numbers with axes {:?}", self.axes), args)),
        }
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, ct: &Tensor) -> Vec<Option<Tensor>> {
        let kept: Vec<usize> = (0..x[0].rank()).filter(|axis| !self.axes.contains(axis)).collect();
        let back = |t: &Tensor| t.broadcast(x[0].shape(), &kept);
        vec![Some(match self.kind {
            Reduction::Sum => back(ct),
            // Equal winners share the gradient.
            Reduction::Max | Reduction::Min => {
                let won = x[0].eq(back(y)).cast(x[0].dtype());
                let share = ct / won.reduce(Reduction::Sum, &self.axes);
                back(&share) * won
            }
        })]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let target = self.target(&args[0].ty());
        let mut totals = vec![self.kind.start(); ty.size()];
        (0..args[0].len()).for_each(|at| totals[target(at)] = self.kind.step(totals[target(at)], args[0].get(at)));
        Array::from_fn(ty, |i| totals[i])
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        let text = text.named("reduce")?;
        Some(Reduce { kind: text.word("`sum`, `max` or `min`")?, axes: text.list()? })
    }

    fn samples() -> Vec<Sample> {
        const AXES: [&[usize]; 8] = [&[], &[0], &[1], &[2], &[0, 1], &[1, 2], &[0, 2], &[0, 1, 2]];
        let kinds = [Reduction::Sum, Reduction::Max, Reduction::Min];
        let reduce = |kind, axes: &[usize]| Reduce { kind, axes: axes.into() };
        let mut samples: Vec<Sample> = kinds
            .into_iter()
            .flat_map(|kind| AXES.map(|axes| sample(reduce(kind, axes), [f32s([3, 4, 5], -2.0, 2.0)])))
            .collect();
        for dtype in [DType::F64, DType::I32, DType::I64] {
            samples.push(sample(reduce(Reduction::Sum, &[0]), [spread(dtype, [4, 3], 0.0, 9.0)]));
            samples.push(sample(reduce(Reduction::Max, &[1]), [spread(dtype, [4, 3], 0.0, 9.0)]));
        }
        samples.push(sample(reduce(Reduction::Sum, &[0]), [f32s([37, 19], -1.0, 1.0)]));
        samples.push(sample(reduce(Reduction::Sum, &[1]), [f32s([5, 130], -1.0, 1.0)]));
        samples
    }
}

impl fmt::Display for Reduce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = Reduction::NAMES.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        write!(f, "reduce {kind} {:?}", self.axes)
    }
}

impl Tensor {
    /// Brings together all elements along `axes`, which count from zero and ascend.
    #[track_caller]
    pub fn reduce(&self, kind: Reduction, axes: &[usize]) -> Tensor {
        if axes.is_empty() { self.clone() } else { self.apply(Reduce { kind, axes: axes.into() }) }
    }
}
