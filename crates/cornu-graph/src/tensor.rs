//! Tensors of a trace: arithmetic that writes a graph.

use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::panic::Location;

use crate::graph::Value;
use crate::ops::{Binary, Op, Reduction};
use crate::{Array, DType, Error, Origin, Shape, Trace, Type};

/// A tensor that does not exist yet: a node of the graph being traced.
///
/// No operation on it fails. The first mistake is kept with its place in the source and the path of the layer, and
/// [`Trace::check`] hands it out; what comes of a mistake is a scalar.
///
/// A tensor belongs to the trace it was made in. Where it meets a tensor of another trace, or one that has ended, that is
/// such a mistake; what it is ([`Tensor::ty`]) can still be asked.
#[derive(Clone)]
pub struct Tensor {
    pub(crate) trace: Trace,
    pub(crate) value: Value,
}

impl Tensor {
    /// Where this tensor is being traced.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Its name in the graph.
    pub fn value(&self) -> Value {
        self.value
    }

    /// Whether two are one value of one trace.
    pub fn is(&self, other: &Tensor) -> bool {
        self.value == other.value && self.trace.is(&other.trace)
    }

    /// What it is.
    pub fn ty(&self) -> Type {
        self.trace.ty(self.value, Type::clone)
    }

    /// Its element type.
    pub fn dtype(&self) -> DType {
        self.trace.ty(self.value, |ty| ty.dtype)
    }

    /// The sizes of its axes.
    pub fn shape(&self) -> Shape {
        self.trace.ty(self.value, |ty| ty.shape.clone())
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.trace.ty(self.value, Type::rank)
    }

    /// The size of an axis (negative: from the end); 1 where there is no such axis.
    pub fn dim(&self, axis: isize) -> usize {
        let shape = self.shape();
        let axis = if axis < 0 { axis + shape.rank() as isize } else { axis };
        usize::try_from(axis).ok().and_then(|axis| shape.get(axis).copied()).unwrap_or(1)
    }

    /// Where the op that makes it was traced.
    pub fn origin(&self) -> Origin {
        self.trace.origin(self.value)
    }

    /// The op that makes it.
    pub fn op(&self) -> Op {
        self.trace.node(self.value).op
    }

    /// What the op that makes it is applied to.
    pub fn operands(&self) -> Vec<Tensor> {
        self.trace.node(self.value).args.iter().map(|&arg| self.trace.tensor(arg)).collect()
    }

    /// All results of the op that makes it, in order.
    pub fn results(&self) -> Vec<Tensor> {
        self.trace.node(self.value).results().map(|value| self.trace.tensor(value)).collect()
    }

    /// An axis counted from zero, of one that may count from the end.
    #[track_caller]
    pub fn axis(&self, axis: isize) -> usize {
        let rank = self.rank() as isize;
        if (-rank..rank).contains(&axis) {
            return axis.rem_euclid(rank) as usize;
        }
        let message = format!("needs an axis of {}, got {axis}", self.ty());
        self.trace.fail(Error::graph(message).at(Location::caller()));
        0
    }

    /// An op applied to this tensor.
    #[track_caller]
    pub fn apply(&self, op: impl Into<Op>) -> Tensor {
        self.apply_to(op, &[])
    }

    /// An op applied to this tensor and others.
    #[track_caller]
    pub fn apply_to(&self, op: impl Into<Op>, others: &[&Tensor]) -> Tensor {
        let args: Vec<&Tensor> = std::iter::once(self).chain(others.iter().copied()).collect();
        self.trace.push(op, &args)
    }

    /// An op of two operands, cast to one element type by Keras's rule ([`DType::joined`]; for quotients and powers, to
    /// floats) and stretched to one shape by NumPy's.
    #[track_caller]
    pub fn with(&self, op: impl Into<Op>, other: impl IntoTensor) -> Tensor {
        let (op, other) = (op.into(), other.into_tensor(self));
        let joined = self.dtype().joined(other.dtype());
        let float = matches!(op, Op::Binary(Binary::Div | Binary::Pow));
        let dtype = if float { joined.to_float() } else { joined };
        let (a, b) = self.cast(dtype).aligned(&other.cast(dtype));
        a.apply_to(op, &[&b])
    }

    /// Both tensors stretched to one shape by NumPy's rule, where that is possible.
    #[track_caller]
    pub fn aligned(&self, other: &Tensor) -> (Tensor, Tensor) {
        let (one, other) = (self.within(other), other.within(self));
        let (a, b) = (one.shape(), other.shape());
        // Tensors of two traces are for the op to refuse that they are meant for.
        if a == b || !one.trace.is(&other.trace) {
            return (one, other);
        }
        let rank = a.rank().max(b.rank());
        let dim = |shape: &Shape, axis: usize| (axis + shape.rank()).checked_sub(rank).map_or(1, |axis| shape[axis]);
        let fit = (0..rank).all(|axis| {
            let (a, b) = (dim(&a, axis), dim(&b, axis));
            a == b || a == 1 || b == 1
        });
        if !fit {
            let message = format!("needs shapes that broadcast, got {} and {}", one.ty(), other.ty());
            one.trace.fail(Error::graph(message).at(Location::caller()));
            return (one.clone(), one);
        }
        let pick = |axis| if dim(&a, axis) == 1 { dim(&b, axis) } else { dim(&a, axis) };
        let shape: Shape = (0..rank).map(pick).collect();
        (one.broadcast_to(shape.clone()), other.broadcast_to(shape))
    }

    /// This tensor in the trace of another, if that is a body in this one's.
    fn within(&self, other: &Tensor) -> Tensor {
        let inside = other.trace.is_inside(&self.trace);
        let own = inside.then(|| other.trace.own(self, &"a body").ok()).flatten();
        own.map_or_else(|| self.clone(), |value| other.trace.tensor(value))
    }

    /// This number, of this element type, as a scalar of the same trace. Whole types refuse what they do not have.
    #[track_caller]
    pub fn number(&self, value: f64) -> Tensor {
        self.literal(&Array::scalar(value), self.dtype())
    }

    /// A number as a scalar of that element type: whole types refuse what they do not have, floats round.
    #[track_caller]
    fn literal(&self, number: &Array, dtype: DType) -> Tensor {
        let literal = number.clone().cast(dtype);
        if !dtype.is_float() && literal.get(0) != number.get(0) {
            let message = format!("needs a number of {dtype}, got {}", number.get(0));
            let help = "cast the tensor to a type that has the number, as `.cast(DType::F32)`";
            self.trace.fail(Error::graph(message).at(Location::caller()).help(help));
        }
        self.trace.constant(literal)
    }
}

/// The compositions: everything that needs no op of its own.
impl Tensor {
    #[track_caller]
    pub(crate) fn axes<const N: usize>(&self, axes: [isize; N]) -> Vec<usize> {
        let mut counted = Vec::with_capacity(N);
        // No closure: it would be the place of a mistake.
        for axis in axes {
            counted.push(self.axis(axis));
        }
        counted.sort_unstable();
        counted.dedup();
        counted
    }

    /// The sum along axes, which disappear; of small whole numbers and truth values as [`DType::summed`].
    #[track_caller]
    pub fn sum<const N: usize>(&self, axes: [isize; N]) -> Tensor {
        self.cast(self.dtype().summed()).reduce(Reduction::Sum, &self.axes(axes))
    }

    /// The sum of all elements; of small whole numbers and truth values as [`DType::summed`].
    #[track_caller]
    pub fn sum_all(&self) -> Tensor {
        self.cast(self.dtype().summed()).reduce(Reduction::Sum, &Vec::from_iter(0..self.rank()))
    }

    /// The mean along axes, which disappear; zero of none. Of whole numbers and truth values it is `f32`.
    #[track_caller]
    pub fn mean<const N: usize>(&self, axes: [isize; N]) -> Tensor {
        let (axes, shape) = (self.axes(axes), self.shape());
        let count = axes.iter().filter_map(|&axis| shape.get(axis)).copied().collect::<Shape>().size();
        let own = self.dtype().to_float();
        // As in Keras, the sum may be larger than floats of 16 bits are.
        (self.cast(own.widened()).reduce(Reduction::Sum, &axes) / count.max(1) as f64).cast(own)
    }

    /// The largest element along an axis, which stays with size one.
    #[track_caller]
    fn max_kept(&self, axis: usize) -> Tensor {
        self.reduce(Reduction::Max, &[axis]).reshape(self.shape().with(axis, 1))
    }

    /// `exp(x) / sum(exp(x))` along an axis, computed without overflow.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Tensor {
        let (axis, x) = (self.axis(axis), self.cast(self.dtype().to_float()));
        if x.rank() == 0 {
            return x;
        }
        let e = (&x - x.max_kept(axis).stop_gradient()).exp();
        let total = e.reduce(Reduction::Sum, &[axis]).reshape(x.shape().with(axis, 1));
        &e / total
    }

    /// `(x - m) - log(sum(exp(x - m)))` along an axis, with `m` the largest `x`: the logarithm of [`Tensor::softmax`].
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Tensor {
        let (axis, x) = (self.axis(axis), self.cast(self.dtype().to_float()));
        if x.rank() == 0 {
            return x;
        }
        let shifted = &x - x.max_kept(axis).stop_gradient();
        let total = shifted.exp().reduce(Reduction::Sum, &[axis]).reshape(x.shape().with(axis, 1));
        shifted - total.log()
    }

    /// Each element times itself.
    #[track_caller]
    pub fn square(&self) -> Tensor {
        self * self
    }

    /// Elements held between two numbers, of the same element type: whole numbers are held between whole ones.
    #[track_caller]
    pub fn clip(&self, low: f64, high: f64) -> Tensor {
        self.maximum(self.bound(low)).minimum(self.bound(high))
    }

    /// A number as a scalar of this element type; beyond what the type has, its last.
    #[track_caller]
    fn bound(&self, value: f64) -> Tensor {
        if value.fract() == 0.0 || value.is_infinite() {
            return self.trace.constant(Array::scalar(value).cast(self.dtype()));
        }
        self.number(value)
    }

    /// This divided by a divisor; zero where the divisor is zero.
    #[track_caller]
    pub fn div_no_nan(&self, divisor: &Tensor) -> Tensor {
        let zero = divisor.eq(0.0);
        zero.select(0.0, self / zero.select(1.0, divisor))
    }

    /// A row of `classes` for each whole number: true at its place.
    #[track_caller]
    pub fn one_hot(&self, classes: usize) -> Tensor {
        let shape: Shape = self.shape().iter().copied().chain([classes]).collect();
        // Singles are compared faster than whole numbers; up to 2^24 they are as exact, and what lies beyond stays there.
        let numbers = if classes <= 1 << 24 { self.cast(DType::F32) } else { self.clone() };
        let places = self.trace.iota(Type::new(numbers.dtype(), shape.clone()), self.rank());
        places.eq(numbers.broadcast(shape, &Vec::from_iter(0..self.rank())))
    }
}

/// What may stand on the other side of an operator: a tensor, or a number. As in Keras 3, a number takes the tensor's
/// element type; but one with a point, as `2.0`, beside whole numbers makes `f32` of them, and one without, as `2`, beside
/// truth values `i32`.
pub trait IntoTensor {
    /// The tensor, if it is one already.
    fn tensor(&self) -> Option<Tensor> {
        None
    }
    /// The tensor; of a number, a scalar in the trace of `like` and of the type that it has beside `like`.
    #[track_caller]
    fn into_tensor(self, like: &Tensor) -> Tensor;
}

impl IntoTensor for Tensor {
    fn tensor(&self) -> Option<Tensor> {
        Some(self.clone())
    }
    fn into_tensor(self, _: &Tensor) -> Tensor {
        self
    }
}

impl IntoTensor for &Tensor {
    fn tensor(&self) -> Option<Tensor> {
        Some((*self).clone())
    }
    fn into_tensor(self, _: &Tensor) -> Tensor {
        self.clone()
    }
}

impl IntoTensor for f64 {
    #[track_caller]
    fn into_tensor(self, like: &Tensor) -> Tensor {
        like.literal(&Array::scalar(self), like.dtype().to_float())
    }
}

impl IntoTensor for i64 {
    #[track_caller]
    fn into_tensor(self, like: &Tensor) -> Tensor {
        let dtype = if like.dtype() == DType::Bool { DType::I32 } else { like.dtype() };
        like.literal(&Array::scalar(self), dtype)
    }
}

impl IntoTensor for i32 {
    #[track_caller]
    fn into_tensor(self, like: &Tensor) -> Tensor {
        i64::from(self).into_tensor(like)
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident;)*) => { $(
        impl<T: IntoTensor> $trait<T> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: T) -> Tensor { self.with(Binary::$trait, other) }
        }
        impl<T: IntoTensor> $trait<T> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: T) -> Tensor { self.with(Binary::$trait, other) }
        }
        operators! { $trait $method f64 i64 i32 }
    )* };
    ($trait:ident $method:ident $($number:ident)*) => { $(
        impl $trait<Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor { self.into_tensor(&other).with(Binary::$trait, other) }
        }
        impl $trait<&Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor { self.into_tensor(other).with(Binary::$trait, other) }
        }
    )* };
}

operators! { Add add; Sub sub; Mul mul; Div div; }

macro_rules! negatives {
    ($($tensor:ty)*) => { $(
        impl Neg for $tensor {
            type Output = Tensor;
            #[track_caller]
            fn neg(self) -> Tensor { self.negative() }
        }
    )* };
}

negatives! { Tensor &Tensor }

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} : {}", self.value, self.ty())
    }
}
