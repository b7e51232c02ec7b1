//! Functions of one number, applied to every element. One row is one function.

use std::f64::consts::{FRAC_2_SQRT_PI, PI};

use super::Grad::{By, Flat};
use super::*;

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
        named! {
            /// A function of one number, applied to every element.
            Unary { $($(#[$doc])* $name = $text,)* }
        }

        impl Unary {
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
    /// The error function, `2 / sqrt(pi)` times the integral of `exp(-t t)` from 0 to x.
    Erf = "erf" erf, Float, erf, |x, _, ct| By(ct * FRAC_2_SQRT_PI * (-x.square()).exp()), -2.0..2.0;
    /// `1 / (1 + exp(-x))`, Keras's sigmoid.
    Logistic = "logistic" sigmoid, Float, |x| 1.0 / (1.0 + (-x).exp()), |_, y, ct| By(ct * y * (1.0 - y)), -3.0..3.0;
    /// `max(x, 0)`; 0 at either zero (TensorFlow keeps -0). The gradient at zero is zero.
    Relu = "relu" relu, Signed, |x| if x <= 0.0 { 0.0 } else { x }, |_, y, ct| By(y.gt(0.0).select(ct, 0.0)), -2.0..2.0;
    /// Zero of that sign for numbers closer to it than 2^-126, the least single of full precision; all others as they are.
    /// Processors take many times as long for smaller ones, and TensorFlow takes them as zero. Whoever makes such numbers
    /// at every step, as what optimizers keep of a gradient that stays zero, puts it there.
    Flush = "flush" flush, Float, |x| if x.abs() < f64::from(f32::MIN_POSITIVE) { 0.0 * x } else { x }, |_, _, ct| By(ct.clone()), -2.0..2.0;
    /// True for false, false for true.
    Not = "not" not, Bool, |x| 1.0 - x, |_, _, _| Flat, 0.0..1.0;
    /// The same numbers, taken as constants when differentiating.
    StopGradient = "stop_gradient" stop_gradient, Any, |x| x, |_, _, _| Flat, -2.0..2.0;
}

/// The error function within 1e-15: below 2 by the series `2 x e^(-x²) / √π · (1 + 2x²/3 (1 + 2x²/5 (1 + …)))`, above as
/// `1 - e^(-x²) / √π / (x + 1/2 / (x + 1 / (x + 3/2 / (x + …))))`. (Abramowitz and Stegun 7.1.6, 7.1.14)
fn erf(x: f64) -> f64 {
    let (a, z) = (x.abs(), x * x);
    if a < 2.0 {
        let sum = (1..40).rev().fold(1.0, |sum, n| 1.0 + sum * 2.0 * z / f64::from(2 * n + 1));
        return x * FRAC_2_SQRT_PI * (-z).exp() * sum;
    }
    let fraction = (1..60).rev().fold(a, |below, n| a + f64::from(n) / 2.0 / below);
    (1.0 - (-z).exp() / PI.sqrt() / fraction).copysign(x)
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

impl OneResult for Unary {
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

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        text.name().parse().ok()
    }

    fn samples() -> Vec<Sample> {
        let of = |op: Unary| {
            let (low, high) = op.range();
            let dtypes = [DType::Bool, DType::I32, DType::I64, DType::F16, DType::Bf16, DType::F32, DType::F64];
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

#[cfg(test)]
mod tests {
    /// As mpmath gives them with forty digits.
    #[test]
    fn the_error_function_is_within_four_roundings() {
        let table = [
            (1e-300, 1.1283791670955126e-300),
            (0.1, 0.1124629160182849),
            (0.5, 0.5204998778130465),
            (0.9375, 0.8151024010343998),
            (1.0, 0.8427007929497149),
            (1.5, 0.9661051464753108),
            (1.9990234375, 0.9953020429519791),
            (2.0, 0.9953222650189527),
            (2.25, 0.9985372834133188),
            (3.0, 0.9999779095030014),
            (4.0, 0.9999999845827421),
            (5.5, 0.9999999999999927),
        ];
        for (x, want) in table {
            for (x, want) in [(x, want), (-x, -want)] {
                let got = super::erf(x);
                assert!(
                    (got - want).abs() <= 4.0 * f64::EPSILON / 2.0 * want.abs(),
                    "erf({x}) needs {want}, got {got}"
                );
            }
        }
    }
}
