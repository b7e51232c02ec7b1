//! As many sizes as there are axes: one stands for all, as in Keras.

use cornu_graph::Result;
use serde_json::{Value, json};

use super::{Field, IntoField, Kind, expected};

impl<const N: usize> Field for [usize; N] {
    fn to_json(&self) -> Value {
        json!(self[..])
    }
    fn from_json(json: &Value) -> Result<Self> {
        let one = usize::from_json(json).map(|size| [size; N]);
        let many = || Vec::<usize>::from_json(json).ok().and_then(|sizes| sizes.try_into().ok());
        one.ok().or_else(many).ok_or_else(|| expected(&format!("a size, or a list of {N}"), json))
    }
    fn kind() -> Kind {
        Kind::OneOrMany(Box::new(Kind::Size))
    }
}

impl<const N: usize> IntoField<[usize; N]> for usize {
    fn into_field(self) -> [usize; N] {
        [self; N]
    }
}

impl<const N: usize> IntoField<Option<[usize; N]>> for usize {
    fn into_field(self) -> Option<[usize; N]> {
        Some([self; N])
    }
}

/// Tuples are what Python writes: `(3, 3)`.
macro_rules! tuples {
    ($(($($size:ident),+) $n:literal;)*) => {$(
        impl IntoField<[usize; $n]> for ($(tuples!(@size $size),)+) {
            fn into_field(self) -> [usize; $n] {
                let ($($size,)+) = self;
                [$($size),+]
            }
        }

        impl IntoField<Option<[usize; $n]>> for ($(tuples!(@size $size),)+) {
            fn into_field(self) -> Option<[usize; $n]> {
                Some(self.into_field())
            }
        }
    )*};
    (@size $size:ident) => { usize };
}

tuples! {
    (a, b) 2;
    (a, b, c) 3;
}
