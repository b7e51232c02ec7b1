//! From one element type to another, by way of the widest type of its kind: a loop from each type to that, and one from
//! each of those to every type.

use cornu_graph::{Bf16, DType, F16};

use super::loops::{Call, Cast, typed};

/// A truth as it is in memory: 0 or 1.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Truth(u8);

/// How an element becomes one of another type, as the graph's cast has it.
pub(super) trait Become<V> {
    fn become_(self) -> V;
}

macro_rules! become_ {
    ($($from:ty => $($to:ty)*, |$x:ident| $value:expr;)*) => {$($(
        impl Become<$to> for $from {
            #[inline(always)]
            fn become_(self) -> $to {
                let $x = self;
                #[allow(trivial_numeric_casts, clippy::unnecessary_cast, reason = "one expression for many types")]
                { $value as $to }
            }
        }
    )*)*};
}

// From the widest type of a kind to all, and from all to that of their kind.
become_! {
    i32 => u8 u16 u32 u64 i8 i16 i32 i64 f32 f64, |x| x;
    i64 => u8 u16 u32 u64 i8 i16 i32 i64 f32 f64, |x| x;
    u64 => u8 u16 u32 u64 i8 i16 i32 i64 f32 f64, |x| x;
    f64 => u8 u16 u32 u64 i8 i16 i32 i64 f32 f64, |x| x;
    Truth => i32, |x| x.0;
    u8 => i32, |x| x;
    u16 => i32, |x| x;
    i8 => i32, |x| x;
    i16 => i32, |x| x;
    u32 => i64, |x| x;
    f32 => f64, |x| x;
    F16 => f32 f64, |x| x.to_f64();
    Bf16 => f32 f64, |x| x.to_f64();
}

macro_rules! become_others {
    ($($from:ty, |$x:ident| $truth:expr, $half:ident($number:expr);)*) => {$(
        impl Become<Truth> for $from {
            #[inline(always)]
            fn become_(self) -> Truth {
                let $x = self;
                Truth(u8::from($truth))
            }
        }
        impl Become<F16> for $from {
            #[inline(always)]
            fn become_(self) -> F16 {
                let $x = self;
                F16::$half($number)
            }
        }
        impl Become<Bf16> for $from {
            #[inline(always)]
            fn become_(self) -> Bf16 {
                let $x = self;
                Bf16::$half($number)
            }
        }
    )*};
}

become_others! {
    i32, |x| x != 0, from_whole(x.into());
    i64, |x| x != 0, from_whole(x.into());
    u64, |x| x != 0, from_whole(x.into());
    f32, |x| x != 0.0, from_f64(x.into());
    f64, |x| x != 0.0, from_f64(x);
}

/// The loops of a cast, with the types of their results: by way of the widest type of its kind.
pub(super) fn cast(from: DType, to: DType) -> Vec<(Call, DType)> {
    macro_rules! of {
        ($from:ty, $to:ty) => {
            Call::of::<Cast<$from, $to>>()
        };
    }
    let narrow = |wide: DType| match wide {
        DType::I32 => typed!(to, V => of!(i32, V)),
        DType::I64 => typed!(to, V => of!(i64, V)),
        DType::U64 => typed!(to, V => of!(u64, V)),
        _ => typed!(to, V => of!(f64, V)),
    };
    let (widen, wide) = match (from, to) {
        (DType::F16, DType::F32) => return vec![(of!(F16, f32), to)],
        (DType::Bf16, DType::F32) => return vec![(of!(Bf16, f32), to)],
        (DType::F32, DType::F16) => return vec![(of!(f32, F16), to)],
        (DType::F32, DType::Bf16) => return vec![(of!(f32, Bf16), to)],
        (DType::I32 | DType::I64 | DType::U64 | DType::F64, _) => return vec![(narrow(from), to)],
        (DType::Bool, _) => (of!(Truth, i32), DType::I32),
        (DType::U8, _) => (of!(u8, i32), DType::I32),
        (DType::U16, _) => (of!(u16, i32), DType::I32),
        (DType::I8, _) => (of!(i8, i32), DType::I32),
        (DType::I16, _) => (of!(i16, i32), DType::I32),
        (DType::U32, _) => (of!(u32, i64), DType::I64),
        (DType::F32, _) => (of!(f32, f64), DType::F64),
        (DType::F16, _) => (of!(F16, f64), DType::F64),
        (DType::Bf16, _) => (of!(Bf16, f64), DType::F64),
        (other, _) => unreachable!("no cast of `{other}`"),
    };
    if wide == to { vec![(widen, wide)] } else { vec![(widen, wide), (narrow(wide), to)] }
}
