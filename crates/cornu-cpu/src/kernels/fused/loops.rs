//! Operations on blocks of elements of any type: one generic function for each, one row for each type.
//!
//! What an operation writes is never what it reads, so that the compiler can make vectors of the loops for each level.

use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, BitXor};

use cornu_graph::DType;
use cornu_graph::ops::{Binary, Compare, Unary};

use super::super::math::{self, double};
#[cfg(target_arch = "x86_64")]
use super::super::simd::{Avx2, Avx512};
use super::super::simd::{Portable, Simd};
use super::casts::{Become, cast};
use super::{Instruction, Opcode};

/// A loop over a block.
pub(super) trait Loop {
    /// Whether it gains from the widest vectors: others wait for memory.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "one width only"))]
    const WIDE: bool = false;

    /// # Safety
    /// `len` elements must be readable at each operand that the loop has, and writable at `to`, which overlaps none.
    unsafe fn run<S: Simd>(s: S, from: [*const u8; 3], to: *mut u8, len: usize);
}

type Run = unsafe fn([*const u8; 3], *mut u8, usize);

/// A loop, compiled for each level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call([Run; 3]);

impl Call {
    pub(super) const fn of<L: Loop>() -> Call {
        #[cfg(target_arch = "x86_64")]
        return Call([portable::<L>, avx2::<L>, if L::WIDE { avx512::<L> } else { avx2::<L> }]);
        #[cfg(not(target_arch = "x86_64"))]
        Call([portable::<L>; 3])
    }

    /// # Safety
    /// As [`Loop::run`].
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(self, _: S, from: [*const u8; 3], to: *mut u8, len: usize) {
        // SAFETY: `S` proves that the machine has the instructions of its rank; the rest is promised by the caller.
        unsafe { self.0[S::RANK](from, to, len) }
    }
}

unsafe fn portable<L: Loop>(from: [*const u8; 3], to: *mut u8, len: usize) {
    // SAFETY: as the caller promises.
    unsafe { L::run(Portable, from, to, len) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<L: Loop>(from: [*const u8; 3], to: *mut u8, len: usize) {
    // SAFETY: whoever calls this has a value of the level.
    unsafe { L::run(Avx2::assume(), from, to, len) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
unsafe fn avx512<L: Loop>(from: [*const u8; 3], to: *mut u8, len: usize) {
    // SAFETY: as above.
    unsafe { L::run(Avx512::assume(), from, to, len) }
}

/// Declares loops: `Name<T: Bound>(operands) -> result => value of one element`.
macro_rules! loops {
    ($($name:ident<$T:ident: $bound:path $(, $V:ident)?>($($x:ident: $X:ty),*) -> $U:ty => $value:expr;)*) => {$(
        pub(super) struct $name<$T $(, $V)?>(PhantomData<($T, $($V)?)>);

        impl<$T: $bound $(+ Become<$V>)? $(, $V: Copy)?> Loop for $name<$T $(, $V)?> {
            #[inline(always)]
            unsafe fn run<S: Simd>(_: S, from: [*const u8; 3], to: *mut u8, len: usize) {
                #[inline(always)]
                fn each<$T: $bound $(+ Become<$V>)? $(, $V: Copy)?>(to: &mut [$U], $($x: &[$X]),*) {
                    $(let $x = &$x[..to.len()];)*
                    for i in 0..to.len() {
                        $(let $x = $x[i];)*
                        to[i] = $value;
                    }
                }
                let mut from = from.into_iter();
                // SAFETY: the caller promises the elements; every pattern of bits is one.
                unsafe {
                    $(let $x = std::slice::from_raw_parts(next(&mut from).cast::<$X>(), len);)*
                    each::<$T $(, $V)?>(std::slice::from_raw_parts_mut(to.cast::<$U>(), len), $($x),*);
                }
            }
        }
    )*};
}

#[inline(always)]
fn next(from: &mut std::array::IntoIter<*const u8, 3>) -> *const u8 {
    from.next().unwrap_or(std::ptr::null())
}

loops! {
    Move<T: Copy>(x: T) -> T => x;
    Select<T: Bits>(truth: u8, a: T, b: T) -> T => b ^ (a ^ b) & T::all(truth != 0);
    Cast<T: Copy, V>(x: T) -> V => x.become_();
    Add<T: Number>(a: T, b: T) -> T => a.add(b);
    Sub<T: Number>(a: T, b: T) -> T => a.sub(b);
    Mul<T: Number>(a: T, b: T) -> T => a.mul(b);
    Div<T: Number>(a: T, b: T) -> T => a.div(b);
    Max<T: Number>(a: T, b: T) -> T => if a > b || a.is_nan() { a } else { b };
    Min<T: Number>(a: T, b: T) -> T => if a < b || a.is_nan() { a } else { b };
    Neg<T: Number>(x: T) -> T => x.neg();
    Abs<T: Number>(x: T) -> T => x.abs();
    Sign<T: Number>(x: T) -> T => x.sign();
    Relu<T: Number>(x: T) -> T => if x <= T::default() { T::default() } else { x };
    Pow<T: Real>(a: T, b: T) -> T => a.pow(b);
    Sqrt<T: Real>(x: T) -> T => x.sqrt();
    Flush<T: Real>(x: T) -> T => x.flush();
    Eq<T: Ordered>(a: T, b: T) -> u8 => u8::from(a == b);
    Ne<T: Ordered>(a: T, b: T) -> u8 => u8::from(a != b);
    Lt<T: Ordered>(a: T, b: T) -> u8 => u8::from(a < b);
    Le<T: Ordered>(a: T, b: T) -> u8 => u8::from(a <= b);
    And<T: Bits>(a: T, b: T) -> T => a & b;
    Or<T: Bits>(a: T, b: T) -> T => a | b;
    Not<T: Bits>(x: T) -> T => x ^ T::from(true);
}

/// Functions of floats: of singles on vectors, of doubles in loops.
macro_rules! functions {
    ($($name:ident $function:ident;)*) => {$(
        struct $name<T>(PhantomData<T>);

        impl Loop for $name<f32> {
            const WIDE: bool = true;

            #[inline(always)]
            unsafe fn run<S: Simd>(s: S, [x, ..]: [*const u8; 3], to: *mut u8, len: usize) {
                let (x, to, whole) = (x.cast::<f32>(), to.cast::<f32>(), len - len % S::LANES);
                let mut i = 0;
                // SAFETY: the caller promises `len` floats.
                unsafe {
                    while i < whole {
                        s.store(to.add(i), math::$function(s, s.load(x.add(i))));
                        i += S::LANES;
                    }
                    if whole < len {
                        let n = len - whole;
                        s.store_first(n, to.add(i), math::$function(s, s.load_first(n, x.add(i))));
                    }
                }
            }
        }

        impl Loop for $name<f64> {
            const WIDE: bool = true;

            #[inline(always)]
            unsafe fn run<S: Simd>(s: S, [x, ..]: [*const u8; 3], to: *mut u8, len: usize) {
                #[inline(always)]
                fn each<S: Simd>(s: S, to: &mut [f64], x: &[f64]) {
                    for (to, &x) in to.iter_mut().zip(x) {
                        *to = double::$function(s, x);
                    }
                }
                // SAFETY: the caller promises `len` doubles.
                unsafe {
                    let (to, x) = (to.cast::<f64>(), x.cast::<f64>());
                    each(s, std::slice::from_raw_parts_mut(to, len), std::slice::from_raw_parts(x, len));
                }
            }
        }
    )*};
}

functions! { Exp exp; Log log; Log1p log1p; Tanh tanh; Erf erf; Logistic logistic; }

/// What is computed with: whole numbers wrap.
trait Number: Copy + PartialOrd + Default {
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn neg(self) -> Self;
    fn abs(self) -> Self;
    fn sign(self) -> Self;
    fn is_nan(self) -> bool;
}

macro_rules! whole_numbers {
    ($($t:ty, |$x:ident| $abs:expr, $sign:expr;)*) => {$(
        impl Number for $t {
            #[inline(always)]
            fn add(self, other: Self) -> Self { self.wrapping_add(other) }
            #[inline(always)]
            fn sub(self, other: Self) -> Self { self.wrapping_sub(other) }
            #[inline(always)]
            fn mul(self, other: Self) -> Self { self.wrapping_mul(other) }
            #[inline(always)]
            fn div(self, other: Self) -> Self { if other == 0 { !0 } else { self.wrapping_div(other) } }
            #[inline(always)]
            fn neg(self) -> Self { self.wrapping_neg() }
            #[inline(always)]
            fn abs(self) -> Self { let $x = self; $abs }
            #[inline(always)]
            fn sign(self) -> Self { let $x = self; $sign }
            #[inline(always)]
            fn is_nan(self) -> bool { false }
        }
    )*};
}

whole_numbers! {
    u8, |x| x, x.min(1);
    u16, |x| x, x.min(1);
    u32, |x| x, x.min(1);
    u64, |x| x, x.min(1);
    i8, |x| x.wrapping_abs(), x.signum();
    i16, |x| x.wrapping_abs(), x.signum();
    i32, |x| x.wrapping_abs(), x.signum();
    i64, |x| x.wrapping_abs(), x.signum();
}

impl Number for f64 {
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self - other
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self * other
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self / other
    }
    #[inline(always)]
    fn neg(self) -> Self {
        -self
    }
    #[inline(always)]
    fn abs(self) -> Self {
        f64::abs(self)
    }
    #[inline(always)]
    fn sign(self) -> Self {
        let signed = if self < 0.0 { -1.0 } else { f64::from(u8::from(self > 0.0)) };
        if self.is_nan() { self } else { signed }
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f64::is_nan(self)
    }
}

trait Ordered: Copy + PartialOrd {}

impl<T: Copy + PartialOrd> Ordered for T {}

/// Floats, as far as there is no loop over vectors of them.
trait Real: Copy {
    /// Through doubles, one after the other.
    fn pow(self, other: Self) -> Self;
    fn sqrt(self) -> Self;
    fn flush(self) -> Self;
}

macro_rules! reals {
    ($($t:ty)*) => {$(
        impl Real for $t {
            #[inline(always)]
            fn pow(self, other: Self) -> Self {
                f64::from(self).powf(other.into()) as $t
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }
            #[inline(always)]
            fn flush(self) -> Self {
                if self.abs() < f32::MIN_POSITIVE.into() { self * 0.0 } else { self }
            }
        }
    )*};
}

reals! { f32 f64 }

/// Bits: a truth is a byte, 0 or 1.
trait Bits: Copy + From<bool> + BitAnd<Output = Self> + BitOr<Output = Self> + BitXor<Output = Self> {
    /// All of them set, or none.
    fn all(set: bool) -> Self;
}

macro_rules! bits {
    ($($t:ty)*) => {$(
        impl Bits for $t {
            #[inline(always)]
            fn all(set: bool) -> Self {
                <$t>::from(set).wrapping_neg()
            }
        }
    )*};
}

bits! { u8 u16 u32 u64 }

/// Runs something for the Rust type of an element type, compiled for each.
macro_rules! typed {
    // All.
    ($dtype:expr, $t:ident => $run:expr) => {
        typed!(+ $dtype, $t => $run; Bool Truth, F32 f32, F16 cornu_graph::F16, Bf16 cornu_graph::Bf16)
    };
    // Those that are computed with in loops.
    (numbers $dtype:expr, $t:ident => $run:expr) => { typed!(+ $dtype, $t => $run;) };
    // The same, where only the bits of whole numbers matter.
    (wrapping $dtype:expr, $t:ident => $run:expr) => {
        if $dtype == DType::F64 { type $t = f64; $run } else { typed!(bits $dtype, $t => $run) }
    };
    (floats $dtype:expr, $t:ident => $run:expr) => { typed!(@ $dtype, $t => $run; F32 f32, F64 f64) };
    (+ $dtype:expr, $t:ident => $run:expr; $($name:ident $rust:ty),*) => {
        typed!(@ $dtype, $t => $run; U8 u8, U16 u16, U32 u32, U64 u64, I8 i8, I16 i16, I32 i32, I64 i64, F64 f64
            $(, $name $rust)*)
    };
    // Those that are only moved.
    (bits $dtype:expr, $t:ident => $run:expr) => {
        match $dtype.size() {
            1 => { type $t = u8; $run }
            2 => { type $t = u16; $run }
            4 => { type $t = u32; $run }
            _ => { type $t = u64; $run }
        }
    };
    (@ $dtype:expr, $t:ident => $run:expr; $($name:ident $rust:ty),*) => {
        match $dtype {
            $(DType::$name => { type $t = $rust; $run })*
            other => unreachable!("no loop for `{other}`"),
        }
    };
}
pub(super) use typed;

/// The copy of elements of a type.
pub(super) fn copy(dtype: DType) -> Call {
    typed!(bits dtype, T => Call::of::<Move<T>>())
}

/// The loops for an instruction, each with the type of its result, which the next reads.
pub(super) fn calls(instruction: &Instruction) -> Vec<(Call, DType)> {
    match instruction.op {
        Opcode::Cast(to) => cast(instruction.dtype, to),
        _ => vec![(call(instruction), instruction.result())],
    }
}

macro_rules! of {
    ($dtype:ident $kind:ident $name:ident) => { typed!($kind $dtype, T => Call::of::<$name<T>>()) };
}

fn call(instruction: &Instruction) -> Call {
    // Truths are compared as bytes.
    let dtype = if instruction.dtype == DType::Bool { DType::U8 } else { instruction.dtype };
    match instruction.op {
        Opcode::Select => of!(dtype bits Select),
        Opcode::Cast(_) => unreachable!("a cast may be two loops"),
        Opcode::Unary(op) => unary(op, dtype),
        Opcode::Binary(op) => match op {
            Binary::Add => of!(dtype wrapping Add),
            Binary::Sub => of!(dtype wrapping Sub),
            Binary::Mul => of!(dtype wrapping Mul),
            Binary::Div => of!(dtype numbers Div),
            Binary::Max => of!(dtype numbers Max),
            Binary::Min => of!(dtype numbers Min),
            Binary::Pow => of!(dtype floats Pow),
            Binary::And => Call::of::<And<u8>>(),
            Binary::Or => Call::of::<Or<u8>>(),
        },
        Opcode::Compare(op) => match op {
            Compare::Eq => of!(dtype wrapping Eq),
            Compare::Ne => of!(dtype wrapping Ne),
            Compare::Lt | Compare::Gt => of!(dtype numbers Lt),
            Compare::Le | Compare::Ge => of!(dtype numbers Le),
        },
    }
}

fn unary(op: Unary, dtype: DType) -> Call {
    match op {
        Unary::StopGradient => copy(dtype),
        Unary::Neg => of!(dtype wrapping Neg),
        Unary::Abs => of!(dtype numbers Abs),
        Unary::Sign => of!(dtype numbers Sign),
        Unary::Relu => of!(dtype numbers Relu),
        Unary::Exp => of!(dtype floats Exp),
        Unary::Log => of!(dtype floats Log),
        Unary::Log1p => of!(dtype floats Log1p),
        Unary::Sqrt => of!(dtype floats Sqrt),
        Unary::Tanh => of!(dtype floats Tanh),
        Unary::Erf => of!(dtype floats Erf),
        Unary::Logistic => of!(dtype floats Logistic),
        Unary::Flush => of!(dtype floats Flush),
        Unary::Not => Call::of::<Not<u8>>(),
    }
}

/// Whether the loop for an instruction reads its second operand first.
pub(super) fn is_turned(op: Opcode) -> bool {
    matches!(op, Opcode::Compare(Compare::Gt | Compare::Ge))
}
