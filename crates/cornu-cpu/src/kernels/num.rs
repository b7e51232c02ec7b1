//! Numbers as they lie in memory and as kernels bring them together: whole numbers wrap, floats of 16 bits are singles on
//! the way.

use cornu_graph::{Bf16, Element, F16};

/// What totals are kept as.
pub(crate) trait Num: Copy + PartialOrd {
    /// The sum of none.
    const ZERO: Self;
    /// The smallest there is: minus infinity, of floats.
    const LEAST: Self;
    /// The largest there is: infinity, of floats.
    const MOST: Self;
    /// The sum: of whole numbers, wrapped.
    fn plus(self, other: Self) -> Self;
}

/// An element in memory.
pub(crate) trait Stored: Element {
    /// What it is on the way.
    type Register: Num;
    fn load(self) -> Self::Register;
    /// The nearest element.
    fn store(x: Self::Register) -> Self;
}

macro_rules! nums {
    ($($t:ident $zero:literal, $least:ident, $most:ident, $plus:expr;)*) => {
        $(impl Num for $t {
            const ZERO: Self = $zero;
            const LEAST: Self = <$t>::$least;
            const MOST: Self = <$t>::$most;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                $plus(self, other)
            }
        }

        impl Stored for $t {
            type Register = $t;
            #[inline(always)]
            fn load(self) -> $t {
                self
            }
            #[inline(always)]
            fn store(x: $t) -> $t {
                x
            }
        })*
    };
}

nums! {
    u8 0, MIN, MAX, u8::wrapping_add;
    u16 0, MIN, MAX, u16::wrapping_add;
    u32 0, MIN, MAX, u32::wrapping_add;
    u64 0, MIN, MAX, u64::wrapping_add;
    i8 0, MIN, MAX, i8::wrapping_add;
    i16 0, MIN, MAX, i16::wrapping_add;
    i32 0, MIN, MAX, i32::wrapping_add;
    i64 0, MIN, MAX, i64::wrapping_add;
    f32 0.0, NEG_INFINITY, INFINITY, std::ops::Add::add;
    f64 0.0, NEG_INFINITY, INFINITY, std::ops::Add::add;
}

/// Truths only take part in comparisons.
impl Stored for bool {
    type Register = u8;
    #[inline(always)]
    fn load(self) -> u8 {
        self.into()
    }
    #[inline(always)]
    fn store(x: u8) -> bool {
        x != 0
    }
}

macro_rules! halves {
    ($($t:ident)*) => {
        $(impl Stored for $t {
            type Register = f32;
            #[inline(always)]
            fn load(self) -> f32 {
                self.to_f32()
            }
            #[inline(always)]
            fn store(x: f32) -> $t {
                $t::from_f64(x.into())
            }
        })*
    };
}

halves! { F16 Bf16 }
