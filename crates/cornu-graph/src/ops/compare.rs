//! Comparisons of two numbers, element by element, to booleans.

use super::*;

macro_rules! compare {
    ($($(#[$doc:meta])* $name:ident = $text:literal $method:ident, $holds:expr;)*) => {
        named! {
            /// A comparison of two numbers. Any comparison with not-a-number is false, but `ne` is true.
            Compare { $($(#[$doc])* $name = $text,)* }
        }

        impl Compare {
            /// The comparison itself.
            #[inline]
            pub fn holds<T: PartialOrd>(self, a: T, b: T) -> bool {
                let f: fn(T, T) -> bool = match self { $(Compare::$name => $holds,)* };
                f(a, b)
            }
        }

        impl Tensor {
            $($(#[$doc])* #[track_caller] pub fn $method(&self, other: impl IntoTensor) -> Tensor {
                self.with(Compare::$name, other)
            })*
        }
    };
}

compare! {
    /// Whether they are equal.
    Eq = "eq" eq, |a, b| a == b;
    /// Whether they differ.
    Ne = "ne" ne, |a, b| a != b;
    /// Whether the first is smaller.
    Lt = "lt" lt, |a, b| a < b;
    /// Whether the first is not larger.
    Le = "le" le, |a, b| a <= b;
    /// Whether the first is larger.
    Gt = "gt" gt, |a, b| a > b;
    /// Whether the first is not smaller.
    Ge = "ge" ge, |a, b| a >= b;
}

impl OneResult for Compare {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [a, b] if a == b => Ok(a.with_dtype(DType::Bool)),
            _ => Err(mismatch("two operands of one type", args)),
        }
    }

    fn vjp(&self, _: &[Tensor], _: &Tensor, _: &Tensor) -> Vec<Grad> {
        vec![Grad::Flat, Grad::Flat]
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
        let of = |op: Compare, dtype| sample(op, [spread(dtype, [3, 7], 0.0, 4.0), spread(dtype, [3, 7], 3.0, 1.0)]);
        let dtypes = [DType::Bool, DType::U8, DType::I32, DType::I64, DType::F16, DType::Bf16, DType::F32, DType::F64];
        let inner = Compare::ALL.iter().flat_map(|&op| dtypes.map(|dtype| of(op, dtype)));
        let ends = |op: Compare| DType::ALL.map(|dtype| edge(op, pairs(&edges(dtype), &edges(dtype))));
        inner.chain(Compare::ALL.iter().flat_map(|&op| ends(op))).collect()
    }
}
