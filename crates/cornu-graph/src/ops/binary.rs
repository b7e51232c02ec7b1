//! Functions of two numbers, element by element. One row is one function.

use std::fmt;

use super::{OpDef, Sample, mismatch, sample, spread};
use crate::{Array, DType, OpText, Tensor, Type};

type Gradient = fn([&Tensor; 2], &Tensor, &Tensor) -> [Option<Tensor>; 2];

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $f64:expr, $gradient:expr;)*) => {
        /// A function of two numbers, element by element; both operands have the same type, and so has the result.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Binary { $($(#[$doc])* $name,)* }

        impl Binary {
            /// Every function.
            pub const ALL: &[Binary] = &[$(Binary::$name,)*];

            /// The name in printed graphs.
            pub fn name(self) -> &'static str {
                match self { $(Binary::$name => $text,)* }
            }

            /// The function itself, on doubles.
            pub fn f64(self, x: f64, y: f64) -> f64 {
                let f: fn(f64, f64) -> f64 = match self { $(Binary::$name => $f64,)* };
                f(x, y)
            }

            fn gradient(self) -> Gradient {
                match self { $(Binary::$name => $gradient,)* }
            }
        }
    };
}

binary! {
    // name = text, on f64, gradients from ([a, b], y, gradient of y)
    /// The sum.
    Add = "add", |a, b| a + b, |_, _, ct| [Some(ct.clone()), Some(ct.clone())];
    /// The difference.
    Sub = "sub", |a, b| a - b, |_, _, ct| [Some(ct.clone()), Some(-ct)];
    /// The product.
    Mul = "mul", |a, b| a * b, |[a, b], _, ct| [Some(ct * b), Some(ct * a)];
    /// The quotient.
    Div = "div", |a, b| a / b, |[_, b], y, ct| [Some(ct / b), Some(-(ct / b) * y)];
    /// The larger one; not-a-number if either is. Of equal ones the first gets the gradient.
    Max = "max", |a, b| if a > b || a.is_nan() { a } else { b }, |[a, b], _, ct| choose(&a.ge(b), ct);
    /// The smaller one; not-a-number if either is. Of equal ones the first gets the gradient.
    Min = "min", |a, b| if a < b || a.is_nan() { a } else { b }, |[a, b], _, ct| choose(&a.le(b), ct);
    /// The first to the power of the second.
    Pow = "pow", f64::powf, |[a, b], y, ct| [Some(ct * b * a.pow(b - 1.0)), Some(ct * y * a.log())];
    /// Whether both are true.
    And = "and", |a, b| a * b, |_, _, _| [None, None];
    /// Whether one is true.
    Or = "or", |a, b| (a + b).min(1.0), |_, _, _| [None, None];
}

/// The gradient for the operand that was chosen.
fn choose(first: &Tensor, ct: &Tensor) -> [Option<Tensor>; 2] {
    [Some(first.select(ct, 0.0)), Some(first.not().select(ct, 0.0))]
}

impl Binary {
    fn has(self, dtype: DType) -> bool {
        match self {
            Binary::And | Binary::Or => dtype == DType::Bool,
            Binary::Pow => dtype.is_float(),
            _ => dtype != DType::Bool,
        }
    }

    fn needed(self) -> &'static str {
        match self {
            Binary::And | Binary::Or => "two operands of booleans",
            Binary::Pow => "two operands of floats",
            _ => "two operands of numbers",
        }
    }
}

impl OpDef for Binary {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [a, b] if a == b && self.has(a.dtype) => Ok((*a).clone()),
            [a, b] if a == b => Err(mismatch(self.needed(), args)),
            _ => Err(mismatch("two operands of one type", args)),
        }
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, ct: &Tensor) -> Vec<Option<Tensor>> {
        self.gradient()([&x[0], &x[1]], y, ct).into()
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        Array::from_fn(ty, |i| self.f64(args[0].get(i), args[1].get(i)))
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        Binary::ALL.iter().copied().find(|op| op.name() == text.name())
    }

    fn samples() -> Vec<Sample> {
        let of = |op: Binary| {
            let dtypes = [DType::Bool, DType::I32, DType::I64, DType::F32, DType::F64];
            let dtypes = dtypes.into_iter().filter(move |&dtype| op.has(dtype));
            dtypes.map(move |dtype| {
                // Integers are kept from dividing by zero, and the power's base from being negative.
                let (low, high) = if dtype.is_float() { (0.4, 2.5) } else { (1.0, 9.0) };
                sample(op, [spread(dtype, [3, 7], low, high), spread(dtype, [3, 7], high, low)])
            })
        };
        Binary::ALL.iter().flat_map(|&op| of(op)).collect()
    }
}

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Tensor {
    /// The larger of two elements.
    #[track_caller]
    pub fn maximum(&self, other: impl crate::IntoTensor) -> Tensor {
        self.with(Binary::Max, other)
    }

    /// The smaller of two elements.
    #[track_caller]
    pub fn minimum(&self, other: impl crate::IntoTensor) -> Tensor {
        self.with(Binary::Min, other)
    }

    /// Each element to that power.
    #[track_caller]
    pub fn pow(&self, exponent: impl crate::IntoTensor) -> Tensor {
        self.with(Binary::Pow, exponent)
    }

    /// Whether both are true.
    #[track_caller]
    pub fn and(&self, other: impl crate::IntoTensor) -> Tensor {
        self.with(Binary::And, other)
    }

    /// Whether one is true.
    #[track_caller]
    pub fn or(&self, other: impl crate::IntoTensor) -> Tensor {
        self.with(Binary::Or, other)
    }
}
