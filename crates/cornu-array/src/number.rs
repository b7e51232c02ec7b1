//! One element of any type on its way through an op.

use std::fmt;

use crate::DType;

/// An element: whole numbers as they are, everything else as a double.
///
/// Whole numbers are computed without rounding, and what comes of them is wrapped into the type it is stored as.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub enum Number {
    /// A whole number, or what comes of some; sums and products of many wrap at 128 bits, which keeps the lower ones.
    Whole(i128),
    /// A float; a boolean is 0 or 1.
    Double(f64),
}

impl Number {
    /// The smallest element of that type: minus infinity, of floats.
    pub fn smallest(dtype: DType) -> Number {
        match dtype {
            _ if dtype.is_float() => Number::Double(f64::NEG_INFINITY),
            _ if dtype.is_signed() => Number::Whole(-1 << (8 * dtype.size() - 1)),
            _ => Number::Whole(0),
        }
    }

    /// The largest element of that type: infinity, of floats.
    pub fn largest(dtype: DType) -> Number {
        match dtype {
            DType::Bool => Number::Whole(1),
            _ if dtype.is_float() => Number::Double(f64::INFINITY),
            _ => Number::Whole((1 << (8 * dtype.size() - usize::from(dtype.is_signed()))) - 1),
        }
    }

    /// The number as it comes of an op of that type: of floats of 16 bits a single, which is rounded where it is stored.
    #[inline]
    #[must_use]
    pub fn computed(self, dtype: DType) -> Number {
        match self {
            Number::Double(x) if dtype.is_half() => Number::Double(f64::from(x as f32)),
            _ => self,
        }
    }

    /// The nearest double.
    #[inline]
    pub fn f64(self) -> f64 {
        match self {
            Number::Whole(x) => x as f64,
            Number::Double(x) => x,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(x) => fmt::Display::fmt(x, f),
            Number::Double(x) => fmt::Display::fmt(x, f),
        }
    }
}

impl From<bool> for Number {
    #[inline]
    fn from(truth: bool) -> Number {
        Number::Double(truth.into())
    }
}
