//! The numbers that kernels compute with, by element type: whole numbers wrap.

/// An element as it lies in memory.
pub trait Num: Copy + PartialOrd + 'static {
    /// The sum of none.
    const ZERO: Self;
    /// The smallest there is: minus infinity, of floats.
    const LEAST: Self;
    /// The largest there is: infinity, of floats.
    const MOST: Self;
    /// The sum: of whole numbers, wrapped.
    fn plus(self, other: Self) -> Self;
    /// The row that it means in a table of `count` rows.
    fn row(self, count: usize) -> Option<usize>;
}

macro_rules! nums {
    (whole $($t:ty)*) => {
        $(impl Num for $t {
            const ZERO: Self = 0;
            const LEAST: Self = <$t>::MIN;
            const MOST: Self = <$t>::MAX;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn row(self, count: usize) -> Option<usize> {
                usize::try_from(self).ok().filter(|&row| row < count)
            }
        })*
    };
    (float $($t:ty)*) => {
        $(impl Num for $t {
            const ZERO: Self = 0.0;
            const LEAST: Self = <$t>::NEG_INFINITY;
            const MOST: Self = <$t>::INFINITY;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn row(self, _: usize) -> Option<usize> {
                None
            }
        })*
    };
}

nums! { whole u8 u16 u32 u64 i8 i16 i32 i64 }
nums! { float f32 f64 }

/// Runs something for the Rust type of an element type, compiled for each; truth values are bytes.
macro_rules! typed {
    ($dtype:expr, $t:ident => $run:expr) => {
        $crate::kernels::num::typed!($dtype, $t => $run; Bool u8, U8 u8, U16 u16, U32 u32, U64 u64, I8 i8, I16 i16,
            I32 i32, I64 i64, F32 f32, F64 f64)
    };
    ($dtype:expr, $t:ident => $run:expr; $($name:ident $rust:ty),*) => {
        match $dtype {
            $(cornu_graph::DType::$name => { type $t = $rust; $run })*
            other => unreachable!("{other} has no row in `typed!`"),
        }
    };
}

pub(crate) use typed;
