//! The ops: what each means, on any machine. One file an op; `ops!` is the one list of them.

// What ops are written in: their files begin with `use super::*`.
use std::fmt::{self, Formatter};
use std::ops::{Deref, DerefMut};
use std::str::FromStr;

use crate::print::listed;
use crate::{
    Array, Bf16, Body, DType, Elements, Error, F16, IntoTensor, Number, OpText, Result, Shape, Tensor, Trace, Type,
    VarId,
};

/// What an op means, on any machine. An op of one result implements [`OneResult`] instead.
pub trait OpDef {
    /// The types of the results, of which there is one at least, or what the operands should have been
    /// (`needs …, got …`).
    fn infer(&self, args: &[&Type]) -> Result<Vec<Type>, String>;

    /// The gradient for each operand.
    fn vjp(&self, at: &Site) -> Grads;

    /// The results, computed slowly and plainly: floats in doubles, then rounded to their types, once for each result (to
    /// those of 16 bits by way of a single, in which executors compute); whole numbers exactly, then wrapped into them.
    ///
    /// # Errors
    /// That of a check in a body.
    fn eval(&self, args: &[&Array], types: &[&Type]) -> Result<Vec<Array>, Error>;

    /// The graphs inside the op: all that checks, prints, changes or plans graphs finds them by this.
    fn bodies(&self) -> &[Body] {
        &[]
    }

    /// The same, to be replaced by such as compute the same.
    fn bodies_mut(&mut self) -> &mut [Body] {
        &mut []
    }

    /// Writes its name and what else it says of itself, between single spaces.
    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result;

    /// The op that prints as `text` and has results of those types; `None` if the name is that of another one.
    fn read(text: &mut OpText, types: &[Type]) -> Option<Self>
    where
        Self: Sized;

    /// Small calls of this op. Every generic test runs over all of them.
    fn samples() -> Vec<Sample>
    where
        Self: Sized;
}

/// What an op of one result means: [`OpDef`] without lists.
pub trait OneResult: Sized {
    /// The type of the result, or what the operands should have been.
    fn infer(&self, args: &[&Type]) -> Result<Type, String>;

    /// The gradient for each operand, one entry each, given `y = op(x…)` and the gradient `ct` of `y`.
    fn vjp(&self, x: &[Tensor], y: &Tensor, ct: &Tensor) -> Vec<Grad>;

    /// The result.
    fn eval(&self, args: &[&Array], ty: &Type) -> Array;

    /// See [`OpDef::print`].
    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result;

    /// The op that prints as `text` and has a result of type `ty`; `None` if the name is that of another one.
    fn read(text: &mut OpText, ty: &Type) -> Option<Self>;

    /// Small calls of this op.
    fn samples() -> Vec<Sample>;
}

impl<T: OneResult> OpDef for T {
    fn infer(&self, args: &[&Type]) -> Result<Vec<Type>, String> {
        Ok(vec![OneResult::infer(self, args)?])
    }

    fn vjp(&self, at: &Site) -> Grads {
        let ct = at.ct[0].as_ref().expect("a node is visited if a gradient comes to it");
        Grads::new(at, OneResult::vjp(self, at.x, &at.y[0], ct))
    }

    fn eval(&self, args: &[&Array], types: &[&Type]) -> Result<Vec<Array>, Error> {
        Ok(vec![OneResult::eval(self, args, types[0])])
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        OneResult::print(self, f)
    }

    fn read(text: &mut OpText, types: &[Type]) -> Option<Self> {
        OneResult::read(text, &types[0])
    }

    fn samples() -> Vec<Sample> {
        <T as OneResult>::samples()
    }
}

/// Where a rule of gradients is asked: `y… = op(x…)`, in a trace.
pub struct Site<'a> {
    /// The operands.
    pub x: &'a [Tensor],
    /// The results.
    pub y: &'a [Tensor],
    /// The gradient of each result; `None` of one that what is differentiated does not depend on. There is one.
    pub ct: &'a [Option<Tensor>],
    /// Whether anybody asks for the gradient of each operand.
    pub wanted: &'a [bool],
}

/// What a rule says of all operands.
#[derive(Clone, Debug)]
pub struct Grads(Box<[Grad]>);

impl Grads {
    /// One entry for each operand.
    ///
    /// # Panics
    /// If there are fewer or more.
    pub fn new(at: &Site, grads: Vec<Grad>) -> Grads {
        assert_eq!(grads.len(), at.x.len(), "a rule needs one gradient for each operand");
        Grads(grads.into())
    }
}

impl IntoIterator for Grads {
    type Item = Grad;
    type IntoIter = std::vec::IntoIter<Grad>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

/// What a rule says of one operand.
#[derive(Clone, Debug)]
pub enum Grad {
    /// The op is taken as constant in this operand: it has no slope (comparisons, `argmax`), none worth having
    /// (`sign`), or is told to have none (`stop_gradient`).
    Flat,
    /// Nobody asked for it, so that it was not traced.
    Unwanted,
    /// The gradient, of the operand's type.
    By(Tensor),
}

/// A small call of an op.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The op.
    pub op: Op,
    /// Its operands.
    pub args: Vec<Array>,
    /// Whether the operands lie where the op has no slope, or one that no difference shows: kinks, ties, infinities,
    /// not-a-number, whole numbers at the ends of their type, nothing at all.
    pub edge: bool,
}

/// A list of things with names: the enum of them, all of them, and their names.
macro_rules! named {
    ($(#[$about:meta])* $enum:ident { $($(#[$doc:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $enum { $($(#[$doc])* $name,)* }

        impl $enum {
            /// Every one.
            pub const ALL: &[$enum] = &[$($enum::$name,)*];

            /// The name in printed graphs.
            pub fn name(self) -> &'static str {
                match self { $($enum::$name => $text,)* }
            }
        }

        impl FromStr for $enum {
            type Err = ();

            fn from_str(name: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|known| known.name() == name).ok_or(())
            }
        }
    };
}

mod pooled;
mod window;
pub use window::{Slide, Window};

macro_rules! ops {
    ($($module:ident: $name:ident $(with $($part:ident)*)?;)*) => {
        $(
            mod $module;
            pub use $module::$name;
            $(pub use $module::{$($part,)*};)?
        )*

        /// Every op there is.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub enum Op {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        $(
            impl From<$name> for Op {
                fn from(op: $name) -> Op { Op::$name(op) }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result { OpDef::print(self, f) }
            }
        )*

        // What an op means is asked of its definition: `op.infer(…)`, `op.bodies()`.
        impl Deref for Op {
            type Target = dyn OpDef;
            fn deref(&self) -> &(dyn OpDef + 'static) {
                match self { $(Op::$name(op) => op,)* }
            }
        }

        impl DerefMut for Op {
            fn deref_mut(&mut self) -> &mut (dyn OpDef + 'static) {
                match self { $(Op::$name(op) => op,)* }
            }
        }

        impl Op {
            /// See [`OpDef::read`].
            pub(crate) fn read(text: &mut OpText, types: &[Type]) -> Option<Op> {
                None$(.or_else(|| <$name as OpDef>::read(text, types).map(Op::$name)))*
            }

            /// The samples of every op.
            pub fn samples() -> Vec<Sample> {
                [$(<$name as OpDef>::samples(),)*].concat()
            }
        }
    };
}

ops! {
    leaf: Leaf with Constant;
    unary: Unary;
    binary: Binary;
    compare: Compare;
    select: Select;
    cast: Cast;
    dot: Dot with LARGE_DOT;
    conv: Conv;
    conv_input: ConvInput;
    conv_weights: ConvWeights;
    reduce: Reduce with Reduction LONG_ROW;
    arg: Arg;
    reshape: Reshape;
    transpose: Transpose;
    broadcast: Broadcast;
    iota: Iota;
    random: Random;
    slice: Slice;
    pad: Pad;
    concatenate: Concatenate;
    reverse: Reverse;
    gather: Gather;
    scatter: ScatterAdd;
    max_pool: MaxPool;
    sum_pool: SumPool;
    unpool: Unpool;
    scan: Scan;
    branch: If;
    call: Call;
    while_loop: While;
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.print(f)
    }
}

/// `f32[2], f32[3]`
fn types(types: &[&Type]) -> String {
    if types.is_empty() { "nothing".into() } else { listed(types) }
}

/// `needs {needed}, got f32[2] and f32[3]`
fn mismatch(needed: &str, args: &[&Type]) -> String {
    let got: Vec<String> = args.iter().map(ToString::to_string).collect();
    let got = if got.is_empty() { "nothing".into() } else { got.join(" and ") };
    format!("needs {needed}, got {got}")
}

impl Op {
    /// Whether it has a rule of gradients: all have but [`While`], also in a body.
    pub fn has_gradient(&self) -> bool {
        let inside = |body: &Body| body.graph().nodes().all(|(_, node)| node.op.has_gradient());
        !matches!(self, Op::While(_)) && self.bodies().iter().all(inside)
    }

    /// Whether a body of it has checks.
    pub fn has_checks(&self) -> bool {
        self.bodies().iter().any(Body::has_checks)
    }

    /// Whether each element of the result is made of those at its place in the operands: [`Op::element`] has it.
    pub fn is_elementwise(&self) -> bool {
        matches!(self, Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_))
    }

    /// One element of an element-wise op's result of that type, from those at its place in the operands. It is rounded, or
    /// wrapped, into the type where it is stored.
    ///
    /// # Panics
    /// If the op is not element-wise.
    pub fn element(&self, dtype: DType, x: impl Fn(usize) -> Number) -> Number {
        match self {
            Op::Unary(op) => op.number(x(0)).computed(dtype),
            Op::Binary(op) => op.number(x(0), x(1)).computed(dtype),
            Op::Compare(op) => op.holds(x(0), x(1)).into(),
            Op::Select(_) => x(if x(0).f64() != 0.0 { 1 } else { 2 }),
            Op::Cast(Cast(DType::Bool)) => (x(0).f64() != 0.0).into(),
            Op::Cast(_) => x(0),
            other => unreachable!("`{other}` is not element by element"),
        }
    }
}

/// The result of an element-wise op.
fn each(op: impl Into<Op>, args: &[&Array], ty: &Type) -> Array {
    let op = op.into();
    Array::from_numbers(ty, |i| op.element(ty.dtype, |k| args[k].number(i)))
}

/// A sample call.
fn sample<const N: usize>(op: impl Into<Op>, args: [Array; N]) -> Sample {
    Sample { op: op.into(), args: args.into(), edge: false }
}

/// A sample call at an edge of the op.
fn edge<const N: usize>(op: impl Into<Op>, args: [Array; N]) -> Sample {
    Sample { edge: true, ..sample(op, args) }
}

/// Each element type's edges: zeros, ones, ends, what no double holds, infinities, not-a-number.
fn edges(dtype: DType) -> Array {
    const ODD: i64 = (1 << 53) + 1;
    /// Rounded to a double and then to a single it is not the nearest single.
    const TWICE: i64 = (1 << 54) + (1 << 30) + 1;
    let floats = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0, -1.0, 0.5, -2.5];
    match dtype {
        DType::Bool => Array::vector(vec![false, true]),
        DType::I64 => Array::vector(vec![0, 1, -1, 7, -7, i64::MIN, i64::MAX, ODD, -ODD, ODD + 1, TWICE]),
        DType::U64 => Array::vector(vec![0, 1, 7, u64::MAX, u64::MAX - 1, 1 << 63, ODD as u64, TWICE as u64]),
        DType::F16 => Array::vector(floats.into_iter().chain([6e4, -6e4, 6e-8]).map(F16::from_f64).collect()),
        DType::Bf16 => Array::vector(floats.into_iter().chain([1e30, -1e30]).map(Bf16::from_f64).collect()),
        DType::F32 => Array::vector(floats.iter().map(|&x| x as f32).chain([1e30, -1e30]).collect()),
        DType::F64 => Array::vector(floats.into_iter().chain([1e300, -1e300]).collect()),
        whole => {
            let (Number::Whole(least), Number::Whole(most)) = (Number::smallest(whole), Number::largest(whole)) else {
                unreachable!("the floats are above")
            };
            let all = [0, 1, -1, 7, -7, least, most, most - 1].map(|x| x.max(least));
            Array::from_numbers(&Type::new(whole, [8]), |i| Number::Whole(all[i]))
        }
    }
}

/// `edges`, and numbers so small that executors may take them for zero where they compute, but not where they copy.
fn copied(dtype: DType) -> Array {
    let longer = |small: Array| {
        let (all, rest) = (edges(dtype), small.len());
        let n = all.len();
        Array::from_numbers(&Type::new(dtype, [n + rest]), |i| if i < n { all.number(i) } else { small.number(i - n) })
    };
    match dtype {
        DType::Bf16 => longer(Array::vector(vec![Bf16::from_bits(0x7f), Bf16::from_bits(0x8001)])),
        DType::F32 => longer(Array::vector(vec![1e-40f32, -1e-45])),
        DType::F64 => longer(Array::vector(vec![1e-310, -5e-324])),
        _ => edges(dtype),
    }
}

/// Calls of an op that copies, and as edges the same on each element type: what is single is filled with [`copied`].
fn copies<const N: usize>(samples: [Sample; N]) -> Vec<Sample> {
    let of_type = |sample: &Sample, dtype: DType| {
        let all = copied(dtype);
        let filled = |(k, arg): (usize, &Array)| match arg.dtype() {
            DType::F32 => all.pick(arg.shape().clone(), |i| (i + 5 * k) % all.len()),
            _ => arg.clone(),
        };
        Sample { op: sample.op.clone(), args: sample.args.iter().enumerate().map(filled).collect(), edge: true }
    };
    let edges: Vec<Sample> =
        DType::ALL.iter().flat_map(|&dtype| samples.each_ref().map(|sample| of_type(sample, dtype))).collect();
    [samples.into(), edges].concat()
}

/// Each element of `a` beside each of `b`: two rows.
fn pairs(a: &Array, b: &Array) -> [Array; 2] {
    let (n, m) = (a.len(), b.len());
    let order = |f: fn(usize, usize) -> usize| (0..n * m).map(|i| f(i, m)).collect::<Vec<_>>();
    [a.rows(&order(|i, m| i / m)), b.rows(&order(|i, m| i % m))]
}

/// An array of distinct, irregular numbers that fill `low..high`.
fn spread(dtype: DType, shape: impl Into<Shape>, low: f64, high: f64) -> Array {
    let ty = Type::new(dtype, shape);
    // The golden ratio's multiples, modulo one, spread evenly and never repeat.
    Array::from_fn(&ty, |i| low + (high - low) * ((i + 1) as f64 * 0.618_033_988_749_894_9).fract())
}

/// `spread` of singles.
fn f32s(shape: impl Into<Shape>, low: f64, high: f64) -> Array {
    spread(DType::F32, shape, low, high)
}
