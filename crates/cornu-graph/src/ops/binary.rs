//! Functions of two numbers, element by element. One row is one function.

use super::Grad::{By, Flat};
use super::*;

type Gradient = fn([&Tensor; 2], &Tensor, &Tensor) -> [Grad; 2];

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident = $text:literal $($method:ident)?, $f64:expr, $gradient:expr;)*) => {
        named! {
            /// A function of two numbers, element by element; both operands have the same type, and so has the result.
            Binary { $($(#[$doc])* $name = $text,)* }
        }

        impl Binary {
            /// The function itself, on doubles.
            #[inline]
            pub fn f64(self, x: f64, y: f64) -> f64 {
                let f: fn(f64, f64) -> f64 = match self { $(Binary::$name => $f64,)* };
                f(x, y)
            }

            fn gradient(self) -> Gradient {
                match self { $(Binary::$name => $gradient,)* }
            }
        }

        $($(impl Tensor {
            #[doc = concat!("See [`Binary::", stringify!($name), "`]; types are joined, tensors broadcast.")]
            #[track_caller]
            pub fn $method(&self, other: impl IntoTensor) -> Tensor {
                self.with(Binary::$name, other)
            }
        })?)*
    };
}

binary! {
    // name = text, method if it is no operator, on f64, gradients from ([a, b], y, gradient of y)
    /// The sum.
    Add = "add", |a, b| a + b, |_, _, ct| [By(ct.clone()), By(ct.clone())];
    /// The difference.
    Sub = "sub", |a, b| a - b, |_, _, ct| [By(ct.clone()), By(-ct)];
    /// The product.
    Mul = "mul", |a, b| a * b, |[a, b], _, ct| [By(ct * b), By(ct * a)];
    /// The quotient. Of whole numbers it is cut towards zero; by zero it is -1, all bits set, as when XLA compiles
    /// TensorFlow (else TensorFlow stops there).
    Div = "div", |a, b| a / b, |[_, b], y, ct| [By(ct / b), By(-(ct / b) * y)];
    /// The larger one; not-a-number if either is. Of equal ones the first gets the gradient.
    Max = "max" maximum, |a, b| if a > b || a.is_nan() { a } else { b }, |[a, b], _, ct| choose(&a.ge(b), ct);
    /// The smaller one; not-a-number if either is. Of equal ones the first gets the gradient.
    Min = "min" minimum, |a, b| if a < b || a.is_nan() { a } else { b }, |[a, b], _, ct| choose(&a.le(b), ct);
    /// The first to the power of the second. Where the base is not positive, the gradient for the exponent is that of
    /// a logarithm of zero, as in TensorFlow; the one for the base, at 0 to the power of 0, is not-a-number, as there.
    Pow = "pow" pow, f64::powf, |[a, b], y, ct| [By(ct * b * a.pow(b - 1.0)), By(ct * y * log_of_positive(a))];
    /// Whether both are true.
    And = "and" and, |a, b| a * b, |_, _, _| [Flat, Flat];
    /// Whether one is true.
    Or = "or" or, |a, b| (a + b).min(1.0), |_, _, _| [Flat, Flat];
}

/// The gradient for the operand that was chosen.
fn choose(first: &Tensor, ct: &Tensor) -> [Grad; 2] {
    [By(first.select(ct, 0.0)), By(first.not().select(ct, 0.0))]
}

/// The logarithm where there is one, 0 elsewhere, and slopes that are as finite.
fn log_of_positive(a: &Tensor) -> Tensor {
    let positive = a.gt(0.0);
    positive.select(positive.select(a, 1.0).log(), 0.0)
}

impl Binary {
    /// The function on elements of any type it has.
    #[inline]
    pub fn number(self, x: Number, y: Number) -> Number {
        match (x, y) {
            (Number::Whole(x), Number::Whole(y)) => Number::Whole(self.whole(x, y)),
            _ => Number::Double(self.f64(x.f64(), y.f64())),
        }
    }

    #[inline]
    fn whole(self, x: i128, y: i128) -> i128 {
        match self {
            Binary::Add => x.wrapping_add(y),
            Binary::Sub => x.wrapping_sub(y),
            Binary::Mul => x.wrapping_mul(y),
            Binary::Div if y == 0 => -1,
            Binary::Div => x.wrapping_div(y),
            Binary::Max => x.max(y),
            Binary::Min => x.min(y),
            Binary::Pow | Binary::And | Binary::Or => unreachable!("`{self}` takes no whole numbers"),
        }
    }

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

impl OneResult for Binary {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [a, b] if a == b && self.has(a.dtype) => Ok((*a).clone()),
            [a, b] if a == b => Err(mismatch(self.needed(), args)),
            _ => Err(mismatch("two operands of one type", args)),
        }
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, ct: &Tensor) -> Vec<Grad> {
        self.gradient()([&x[0], &x[1]], y, ct).into()
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        each(*self, args, ty)
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        text.name().parse().ok()
    }

    fn samples() -> Vec<Sample> {
        let of = |op: Binary| {
            let dtypes = [DType::Bool, DType::I32, DType::I64, DType::F16, DType::Bf16, DType::F32, DType::F64];
            let dtypes = dtypes.into_iter().filter(move |&dtype| op.has(dtype));
            dtypes.map(move |dtype| {
                // Integers are kept from dividing by zero, and the power's base from being negative.
                let (low, high) = if dtype.is_float() { (0.4, 2.5) } else { (1.0, 9.0) };
                sample(op, [spread(dtype, [3, 7], low, high), spread(dtype, [3, 7], high, low)])
            })
        };
        let edges = |op: Binary| {
            let dtypes = DType::ALL.into_iter().filter(move |&dtype| op.has(dtype));
            dtypes.map(move |dtype| edge(op, pairs(&edges(dtype), &edges(dtype))))
        };
        let none = |op: Binary| {
            let ty = Type::new(if op.has(DType::F32) { DType::F32 } else { DType::Bool }, [0, 3]);
            edge(op, [Array::zeros(&ty), Array::zeros(&ty)])
        };
        let all = Binary::ALL.iter();
        all.flat_map(|&op| of(op).chain(edges(op)).chain([none(op)]).collect::<Vec<_>>()).collect()
    }
}
