//! Functions of one number, applied to every element. One row is one function.

use std::fmt;

use super::Grad::{self, By, Flat};
use super::{OpDef, Sample, each, edge, edges, mismatch, sample, spread};
use crate::{Array, DType, Number, OpText, Tensor, Type};

/// The element types a function takes.
#[derive(Clone, Copy, PartialEq)]
enum Domain {
    Float,
    Signed,
    Bool,
    Any,
}

impl Domain {
    fn has(self, dtype: DType) -> bool {
        match self {
            Domain::Float => dtype.is_float(),
            Domain::Signed => dtype.is_signed(),
            Domain::Bool => dtype == DType::Bool,
            Domain::Any => true,
        }
    }

    /// The type in which a function is taken: as in Keras, functions of floats make floats of whole numbers.
    fn of(self, dtype: DType) -> DType {
        if self == Domain::Float { dtype.to_float() } else { dtype }
    }

    fn needed(self) -> &'static str {
        match self {
            Domain::Float => "one operand of floats",
            Domain::Signed => "one operand of signed numbers",
            Domain::Bool => "one operand of booleans",
            Domain::Any => "one operand",
        }
    }
}

type Gradient = fn(&Tensor, &Tensor, &Tensor) -> Grad;

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident = $text:literal $method:ident, $domain:ident, $f64:expr, $gradient:expr, $low:literal .. $high:literal;)*) => {
        /// A function of one number, applied to every element.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Unary { $($(#[$doc])* $name,)* }

        impl Unary {
            /// Every function.
            pub const ALL: &[Unary] = &[$(Unary::$name,)*];

            /// The name in printed graphs.
            pub fn name(self) -> &'static str {
                match self { $(Unary::$name => $text,)* }
            }

            /// The function itself, on doubles.
            #[inline]
            pub fn f64(self, x: f64) -> f64 {
                let f: fn(f64) -> f64 = match self { $(Unary::$name => $f64,)* };
                f(x)
            }

            fn domain(self) -> Domain {
                match self { $(Unary::$name => Domain::$domain,)* }
            }

            fn gradient(self) -> Gradient {
                match self { $(Unary::$name => $gradient,)* }
            }

            fn range(self) -> (f64, f64) {
                match self { $(Unary::$name => ($low as f64, $high as f64),)* }
            }
        }

        impl Tensor {
            $($(#[$doc])* #[track_caller] pub fn $method(&self) -> Tensor {
                self.cast(Domain::$domain.of(self.dtype())).apply(Unary::$name)
            })*
        }
    };
}

unary! {
    // name = text method, element types, on f64, gradient from (x, y, gradient of y), range of samples
    /// The negative.
    Neg = "neg" negative, Signed, |x| -x, |_, _, ct| By(-ct), -2.0..2.0;
    /// The distance from zero.
    Abs = "abs" abs, Signed, f64::abs, |x, _, ct| By(ct * x.sign()), -2.0..2.0;
    /// -1, 0 or 1, at either zero 0; not-a-number stays.
    Sign = "sign" sign, Signed, |x| if x == 0.0 { 0.0 } else if x.is_nan() { x } else { x.signum() }, |_, _, _| Flat, -2.0..2.0;
    /// e to the power of each element.
    Exp = "exp" exp, Float, f64::exp, |_, y, ct| By(ct * y), -2.0..2.0;
    /// The natural logarithm.
    Log = "log" log, Float, f64::ln, |x, _, ct| By(ct / x), 0.5..3.0;
    /// `log(1 + x)`, exact near zero.
    Log1p = "log1p" log1p, Float, f64::ln_1p, |x, _, ct| By(ct * (1.0 / (x + 1.0))), -0.5..3.0;
    /// The square root.
    Sqrt = "sqrt" sqrt, Float, f64::sqrt, |_, y, ct| By(ct * 0.5 / y), 0.5..3.0;
    /// The hyperbolic tangent.
    Tanh = "tanh" tanh, Float, f64::tanh, |_, y, ct| By(ct * (1.0 - y * y)), -2.0..2.0;
    /// `1 / (1 + exp(-x))`, Keras's sigmoid.
    Logistic = "logistic" sigmoid, Float, |x| 1.0 / (1.0 + (-x).exp()), |_, y, ct| By(ct * y * (1.0 - y)), -3.0..3.0;
    /// `max(x, 0)`; 0 at either zero (TensorFlow keeps -0). The gradient at zero is zero.
    Relu = "relu" relu, Signed, |x| if x <= 0.0 { 0.0 } else { x }, |_, y, ct| By(y.gt(0.0).select(ct, 0.0)), -2.0..2.0;
    /// True for false, false for true.
    Not = "not" not, Bool, |x| 1.0 - x, |_, _, _| Flat, 0.0..1.0;
    /// The same numbers, taken as constants when differentiating.
    StopGradient = "stop_gradient" stop_gradient, Any, |x| x, |_, _, _| Flat, -2.0..2.0;
}

impl Unary {
    /// The function on an element of any type it has.
    #[inline]
    pub fn number(self, x: Number) -> Number {
        match x {
            Number::Whole(x) => Number::Whole(self.whole(x)),
            Number::Double(x) => Number::Double(self.f64(x)),
        }
    }

    #[inline]
    fn whole(self, x: i128) -> i128 {
        match self {
            Unary::Neg => -x,
            Unary::Abs => x.abs(),
            Unary::Sign => x.signum(),
            Unary::Relu => x.max(0),
            Unary::StopGradient => x,
            _ => unreachable!("`{self}` takes no whole numbers"),
        }
    }
}

impl OpDef for Unary {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [x] if self.domain().has(x.dtype) => Ok((*x).clone()),
            _ => Err(mismatch(self.domain().needed(), args)),
        }
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, ct: &Tensor) -> Vec<Grad> {
        vec![self.gradient()(&x[0], y, ct)]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        each(*self, args, ty)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        Unary::ALL.iter().copied().find(|op| op.name() == text.name())
    }

    fn samples() -> Vec<Sample> {
        let of = |op: Unary| {
            let (low, high) = op.range();
            let dtypes = [DType::Bool, DType::I32, DType::I64, DType::F32, DType::F64];
            let dtypes = dtypes.into_iter().filter(move |&dtype| op.domain().has(dtype));
            let inner = dtypes.map(move |dtype| sample(op, [spread(dtype, [3, 7], low, high)]));
            let dtypes = DType::ALL.into_iter().filter(move |&dtype| op.domain().has(dtype));
            let edges = dtypes
                .flat_map(move |dtype| [edge(op, [edges(dtype)]), edge(op, [Array::zeros(&Type::new(dtype, [0, 3]))])]);
            inner.chain(edges).collect::<Vec<_>>()
        };
        Unary::ALL.iter().flat_map(|&op| of(op)).collect()
    }
}

impl fmt::Display for Unary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
