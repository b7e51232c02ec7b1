//! The ops: what each means, on any machine. One file an op; `ops!` is the one list of them.

mod arg;
mod binary;
mod broadcast;
mod cast;
mod compare;
mod dot;
mod iota;
mod leaf;
mod random;
mod reduce;
mod reshape;
mod select;
mod transpose;
mod unary;

use std::fmt;

pub use arg::Arg;
pub use binary::Binary;
pub use broadcast::Broadcast;
pub use cast::Cast;
pub use compare::Compare;
pub use dot::Dot;
pub use iota::Iota;
pub use leaf::{Constant, Leaf};
pub use random::Random;
pub use reduce::{Reduce, Reduction};
pub use reshape::Reshape;
pub use select::Select;
pub use transpose::Transpose;
pub use unary::Unary;

use crate::{Array, DType, OpText, Tensor, Type};

/// What an op means, on any machine.
pub trait OpDef: Clone + Eq + std::hash::Hash + fmt::Display {
    /// The type of the result, or what the operands should have been (`needs …, got …`).
    fn infer(&self, args: &[&Type]) -> Result<Type, String>;

    /// The gradient for each operand (`None`: does not depend on it), given `y = op(x…)` and the gradient `ct` of `y`.
    fn vjp(&self, x: &[Tensor], y: &Tensor, ct: &Tensor) -> Vec<Option<Tensor>>;

    /// The result, computed slowly and plainly in f64, then rounded to `ty`.
    fn eval(&self, args: &[&Array], ty: &Type) -> Array;

    /// The op that prints as `text` and has a result of type `ty`; `None` if the name is that of another one.
    fn read(text: &mut OpText, ty: &Type) -> Option<Self>;

    /// Small calls of this op. Every generic test runs over all of them.
    fn samples() -> Vec<Sample>;
}

/// A small call of an op.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The op.
    pub op: Op,
    /// Its operands.
    pub args: Vec<Array>,
}

macro_rules! ops {
    ($($name:ident,)*) => {
        /// Every op there is.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub enum Op {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Op { Op::$name(op) }
        })*

        impl Op {
            /// See [`OpDef::infer`].
            pub fn infer(&self, args: &[&Type]) -> Result<Type, String> {
                match self { $(Op::$name(op) => op.infer(args),)* }
            }

            /// See [`OpDef::vjp`].
            pub fn vjp(&self, x: &[Tensor], y: &Tensor, ct: &Tensor) -> Vec<Option<Tensor>> {
                match self { $(Op::$name(op) => op.vjp(x, y, ct),)* }
            }

            /// See [`OpDef::eval`].
            pub fn eval(&self, args: &[&Array], ty: &Type) -> Array {
                match self { $(Op::$name(op) => op.eval(args, ty),)* }
            }

            /// See [`OpDef::read`].
            pub(crate) fn read(text: &mut OpText, ty: &Type) -> Option<Op> {
                None$(.or_else(|| $name::read(text, ty).map(Op::$name)))*
            }

            /// The samples of every op.
            pub fn samples() -> Vec<Sample> {
                [$($name::samples(),)*].concat()
            }
        }

        impl fmt::Display for Op {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Op::$name(op) => fmt::Display::fmt(op, f),)* }
            }
        }
    };
}

ops! {
    Leaf, Unary, Binary, Compare, Select, Cast,
    Dot, Reduce, Arg,
    Reshape, Transpose, Broadcast, Iota, Random,
}

/// `needs {needed}, got f32[2] and f32[3]`
fn mismatch(needed: &str, args: &[&Type]) -> String {
    let got: Vec<String> = args.iter().map(ToString::to_string).collect();
    let got = if got.is_empty() { "nothing".into() } else { got.join(" and ") };
    format!("needs {needed}, got {got}")
}

/// A sample call.
fn sample<const N: usize>(op: impl Into<Op>, args: [Array; N]) -> Sample {
    Sample { op: op.into(), args: args.into() }
}

/// An array of distinct, irregular numbers that fill `low..high`.
fn spread(dtype: DType, shape: impl Into<crate::Shape>, low: f64, high: f64) -> Array {
    let ty = Type::new(dtype, shape);
    // The golden ratio's multiples, modulo one, spread evenly and never repeat.
    Array::from_fn(&ty, |i| low + (high - low) * ((i + 1) as f64 * 0.618_033_988_749_894_9).fract())
}

/// `spread` of singles.
fn f32s(shape: impl Into<crate::Shape>, low: f64, high: f64) -> Array {
    spread(DType::F32, shape, low, high)
}
