//! Where random graphs and their numbers come from.

use cornu_graph::{Array, DType, Number, Shape, Type};

use super::SMALL;
use crate::bits::Bits;

/// What numbers a graph computes with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Small whole numbers and truth values, which every element type holds exactly.
    Small,
    /// Anything: floats that are rounded, whole numbers that wrap, infinities, not-a-number.
    Any,
}

/// What graphs are made of, by chance: the same ones everywhere.
pub(super) struct Random(Bits);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Bits(seed))
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound)
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        self.0.one_of(from)
    }

    pub(super) fn dim(&mut self) -> usize {
        if self.below(40) == 0 { 0 } else { *self.pick(&[1, 2, 3, 4, 5, 7, 8, 16, 17, 33]) }
    }

    /// Mostly singles.
    pub(super) fn dtype(&mut self) -> DType {
        if self.below(8) == 0 { DType::Bool } else { self.number() }
    }

    pub(super) fn number(&mut self) -> DType {
        let others = DType::ALL.map(|dtype| if matches!(dtype, DType::Bool | DType::F32) { DType::F64 } else { dtype });
        if self.below(3) > 0 { DType::F32 } else { *self.pick(&others) }
    }

    /// Some of the axes, ascending.
    pub(super) fn axes(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|_| self.below(2) == 0).collect()
    }

    /// Some of the dimensions, in their order.
    pub(super) fn subshape(&mut self, dims: &[usize]) -> Shape {
        self.axes(dims.len()).into_iter().map(|axis| dims[axis]).collect()
    }

    pub(super) fn order(&mut self, rank: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rank).collect();
        (1..rank).for_each(|i| order.swap(i, self.below(i + 1)));
        order
    }

    /// The same number of elements: two axes joined, an axis of one put in, or flat.
    pub(super) fn reshaped(&mut self, shape: &Shape) -> Shape {
        let mut dims = shape.to_vec();
        match self.below(3) {
            0 if dims.len() > 1 => {
                let at = self.below(dims.len() - 1);
                let joined = dims.remove(at + 1);
                dims[at] *= joined;
            }
            1 if dims.len() < 4 => dims.insert(self.below(dims.len() + 1), 1),
            _ => dims = vec![shape.size()],
        }
        dims.into()
    }

    pub(super) fn array(&mut self, ty: &Type, kind: Kind) -> Array {
        match kind {
            Kind::Small => self.small(ty),
            Kind::Any => {
                let rarely = if ty.size() == 1 { 2 } else { 8 };
                Array::from_numbers(ty, |_| self.any_number(ty.dtype, rarely))
            }
        }
    }

    fn small(&mut self, ty: &Type) -> Array {
        Array::from_fn(ty, |_| match ty.dtype {
            DType::Bool => self.below(2) as f64,
            unsigned if !unsigned.is_signed() => self.below(1 + SMALL as usize) as f64,
            _ => self.below(1 + 2 * SMALL as usize) as f64 - SMALL,
        })
    }

    /// Irregular floats and small whole numbers; one of `rarely` is special: zeros of both signs, infinities,
    /// not-a-number, any bits.
    fn any_number(&mut self, dtype: DType, rarely: usize) -> Number {
        let special = self.below(rarely) == 0;
        if dtype == DType::Bool {
            return (self.below(2) == 1).into();
        }
        if !dtype.is_float() {
            let word = self.0.word();
            return Number::Whole(if special { word.cast_signed().into() } else { i128::from(word % 19) - 9 });
        }
        let irregular = (self.0.word() >> 11) as f64 * (18.0 / (1u64 << 53) as f64) - 9.0;
        let specials = [0.0, 0.0, -0.0, -0.0, -0.0, 1.0, 1e30, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        Number::Double(if special { *self.pick(&specials) } else { irregular })
    }
}
