//! Vectors of `f32`, written once and compiled for each instruction set: AVX-512, AVX2 with FMA, and plain arrays.
//!
//! A kernel is a generic `#[inline(always)]` function over [`Simd`]; `dispatch!` makes the function that
//! picks its version by [`Level`] at run time. Values of [`Avx2`] and [`Avx512`] exist only where the machine has those
//! instructions, which is what makes their methods sound. Closures do not take part in the inlining: use macros for loops.

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

/// The most lanes of a vector.
pub(crate) const MOST_LANES: usize = 16;

/// An instruction set: how many lanes a vector has, and what can be done with them.
///
/// Comparisons follow IEEE 754: anything against NaN is false, except `ne`, which is true.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Lanes of one vector.
    const LANES: usize;
    /// The place among the levels, from the lowest on.
    const RANK: usize;
    /// Whether `a * b + c` is one instruction, rounded once.
    const FUSED: bool;
    /// A vector of `f32`.
    type F: Copy;
    /// A vector of `i32`.
    type I: Copy;
    /// A truth value per lane.
    type M: Copy;

    /// The instruction set, without looking whether the machine has it.
    /// # Safety
    /// It must have it: a value of `Self` was made before.
    unsafe fn assume() -> Self;

    /// Reads a vector from any address.
    /// # Safety
    /// `LANES` floats must be readable at `from`.
    unsafe fn load(self, from: *const f32) -> Self::F;
    /// Writes a vector to any address.
    /// # Safety
    /// `LANES` floats must be writable at `to`.
    unsafe fn store(self, to: *mut f32, x: Self::F);
    /// Reads the first `n <= LANES` lanes; the others are zero.
    /// # Safety
    /// `n` floats must be readable at `from`.
    unsafe fn load_first(self, n: usize, from: *const f32) -> Self::F;
    /// Writes the first `n <= LANES` lanes.
    /// # Safety
    /// `n` floats must be writable at `to`.
    unsafe fn store_first(self, n: usize, to: *mut f32, x: Self::F);
    /// Reads a block of `rows <= LANES` rows, which begin where `row` says, and `columns <= 4` columns, and turns it: vector
    /// `q` holds column `q`, one row in each lane. Lanes and vectors beyond are unspecified.
    /// # Safety
    /// There must be a row and a column, and `columns` floats readable at each row.
    unsafe fn load_columns(self, columns: usize, rows: usize, row: impl Fn(usize) -> *const f32) -> [Self::F; 4];

    /// Reads the truths of the first `n <= LANES` lanes, a byte each that is not 0 for true; the others are false.
    /// # Safety
    /// `n` bytes must be readable at `from`.
    unsafe fn load_truths(self, n: usize, from: *const u8) -> Self::M;
    /// Writes the truths of the first `n <= LANES` lanes as bytes, 1 or 0.
    /// # Safety
    /// `n` bytes must be writable at `to`.
    unsafe fn store_truths(self, n: usize, to: *mut u8, m: Self::M);

    /// Reads a byte for each lane, as a number.
    /// # Safety
    /// `LANES` bytes must be readable at `from`.
    unsafe fn load_bytes(self, from: *const u8) -> Self::F;
    /// Writes numbers that are whole, from 0 to 255, as a byte each.
    /// # Safety
    /// `LANES` bytes must be writable at `to`.
    unsafe fn store_bytes(self, to: *mut u8, x: Self::F);

    /// The same number in every lane.
    fn splat(self, x: f32) -> Self::F;
    /// `a + b`
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a - b`
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b`
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a / b`
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, rounded once where the machine can ([`Portable`] rounds twice on x86-64).
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `if a > b { a } else { b }`: `b` when either is NaN.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// `if a < b { a } else { b }`: `b` when either is NaN.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// `|a|`
    fn abs(self, a: Self::F) -> Self::F;
    /// `-a`
    fn neg(self, a: Self::F) -> Self::F;
    /// The square root, correctly rounded.
    fn sqrt(self, a: Self::F) -> Self::F;

    /// `a == b`
    fn eq(self, a: Self::F, b: Self::F) -> Self::M;
    /// `a != b`
    fn ne(self, a: Self::F, b: Self::F) -> Self::M;
    /// `a < b`
    fn lt(self, a: Self::F, b: Self::F) -> Self::M;
    /// `a <= b`
    fn le(self, a: Self::F, b: Self::F) -> Self::M;
    /// Both.
    fn both(self, a: Self::M, b: Self::M) -> Self::M;
    /// At least one.
    fn either(self, a: Self::M, b: Self::M) -> Self::M;
    /// `if m { a } else { b }`
    fn select(self, m: Self::M, a: Self::F, b: Self::F) -> Self::F;

    /// The same integer in every lane.
    fn splat_int(self, x: i32) -> Self::I;
    /// The bits of each float.
    fn bits_of(self, a: Self::F) -> Self::I;
    /// The floats with these bits.
    fn float_of(self, a: Self::I) -> Self::F;
    /// The nearest integers, ties to even; for `|a| < 2^31`.
    fn round_int(self, a: Self::F) -> Self::I;
    /// The integers as floats.
    fn to_float(self, a: Self::I) -> Self::F;
    /// `a + b`, wrapping.
    fn add_int(self, a: Self::I, b: Self::I) -> Self::I;
    /// `a - b`, wrapping.
    fn sub_int(self, a: Self::I, b: Self::I) -> Self::I;
    /// `a & b`
    fn and_int(self, a: Self::I, b: Self::I) -> Self::I;
    /// `a | b`
    fn or_int(self, a: Self::I, b: Self::I) -> Self::I;
    /// `a << n`
    fn shift_left(self, a: Self::I, n: u32) -> Self::I;
    /// `a >> n`, keeping the sign.
    fn shift_right(self, a: Self::I, n: u32) -> Self::I;

    /// `a > b`
    #[inline(always)]
    fn gt(self, a: Self::F, b: Self::F) -> Self::M {
        self.lt(b, a)
    }
    /// `a >= b`
    #[inline(always)]
    fn ge(self, a: Self::F, b: Self::F) -> Self::M {
        self.le(b, a)
    }
    /// Zero of its sign for a number closer to it than the least of full precision.
    #[inline(always)]
    fn flush(self, a: Self::F) -> Self::F {
        let small = self.lt(self.abs(a), self.splat(f32::MIN_POSITIVE));
        self.select(small, self.mul(a, self.splat(0.0)), a)
    }
    /// The larger, or NaN if either is: what TensorFlow and NumPy call `maximum`.
    #[inline(always)]
    fn maximum(self, a: Self::F, b: Self::F) -> Self::F {
        self.select(self.ne(a, a), a, self.max(a, b))
    }
    /// The smaller, or NaN if either is: what TensorFlow and NumPy call `minimum`.
    #[inline(always)]
    fn minimum(self, a: Self::F, b: Self::F) -> Self::F {
        self.select(self.ne(a, a), a, self.min(a, b))
    }
}

/// Arrays of eight: any processor, and Miri.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portable;

/// Methods that work lane by lane.
macro_rules! lanes {
    ($($name:ident($($arg:ident: $ty:ident),*) -> $ret:ident = $body:expr;)*) => {
        $(#[inline(always)]
        fn $name(self, $($arg: Self::$ty),*) -> Self::$ret {
            std::array::from_fn(|i| { $(let $arg = $arg[i];)* $body })
        })*
    };
}

/// Methods with a number more that all lanes share.
macro_rules! lanes_with {
    ($($name:ident($($arg:ident: $ty:ident),*; $n:ident: $number:ty) -> $ret:ident = $body:expr;)*) => {
        $(#[inline(always)]
        fn $name(self, $($arg: Self::$ty,)* $n: $number) -> Self::$ret {
            std::array::from_fn(|_i| { $(let $arg = $arg[_i];)* $body })
        })*
    };
}

/// All bits set for true, as the vector instructions have it.
#[inline(always)]
fn mask(truth: bool) -> u32 {
    0u32.wrapping_sub(u32::from(truth))
}

impl Simd for Portable {
    const LANES: usize = 8;
    const RANK: usize = 0;
    const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
    type F = [f32; 8];
    type I = [i32; 8];
    type M = [u32; 8];

    #[inline(always)]
    unsafe fn assume() -> Self {
        Portable
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Self::F {
        // SAFETY: the caller promises eight floats; the address may be unaligned for an array but not for `f32`.
        unsafe { from.cast::<Self::F>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: Self::F) {
        // SAFETY: as in `load`.
        unsafe { to.cast::<Self::F>().write_unaligned(x) }
    }

    #[inline(always)]
    unsafe fn load_first(self, n: usize, from: *const f32) -> Self::F {
        // SAFETY: only the `n` floats that the caller promises are read.
        std::array::from_fn(|i| if i < n { unsafe { *from.add(i) } } else { 0.0 })
    }

    #[inline(always)]
    unsafe fn store_first(self, n: usize, to: *mut f32, x: Self::F) {
        for (i, x) in x.into_iter().take(n).enumerate() {
            // SAFETY: only the `n` floats that the caller promises are written.
            unsafe { *to.add(i) = x };
        }
    }

    #[inline(always)]
    unsafe fn load_columns(self, columns: usize, rows: usize, row: impl Fn(usize) -> *const f32) -> [Self::F; 4] {
        let mut turned = [[0.0; 8]; 4];
        for lane in 0..rows {
            for (column, turned) in turned.iter_mut().enumerate().take(columns) {
                // SAFETY: an element of the block that the caller promises.
                turned[lane] = unsafe { *row(lane).add(column) };
            }
        }
        turned
    }

    #[inline(always)]
    unsafe fn load_truths(self, n: usize, from: *const u8) -> Self::M {
        // SAFETY: only the `n` bytes that the caller promises are read.
        std::array::from_fn(|i| mask(i < n && unsafe { *from.add(i) } != 0))
    }

    #[inline(always)]
    unsafe fn store_truths(self, n: usize, to: *mut u8, m: Self::M) {
        for (i, m) in m.into_iter().take(n).enumerate() {
            // SAFETY: only the `n` bytes that the caller promises are written.
            unsafe { *to.add(i) = (m & 1) as u8 };
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> Self::F {
        // SAFETY: promised by the caller.
        std::array::from_fn(|i| f32::from(unsafe { *from.add(i) }))
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, x: Self::F) {
        // SAFETY: promised by the caller.
        x.into_iter().enumerate().for_each(|(i, x)| unsafe { *to.add(i) = x as u8 });
    }

    lanes! {
        add(a: F, b: F) -> F = a + b;
        sub(a: F, b: F) -> F = a - b;
        mul(a: F, b: F) -> F = a * b;
        div(a: F, b: F) -> F = a / b;
        // Without the instruction, `f32::mul_add` is a slow library call.
        mul_add(a: F, b: F, c: F) -> F =
            if Self::FUSED { a.mul_add(b, c) } else { a * b + c };
        max(a: F, b: F) -> F = if a > b { a } else { b };
        min(a: F, b: F) -> F = if a < b { a } else { b };
        abs(a: F) -> F = a.abs();
        neg(a: F) -> F = -a;
        sqrt(a: F) -> F = a.sqrt();
        eq(a: F, b: F) -> M = mask(a == b);
        ne(a: F, b: F) -> M = mask(a != b);
        lt(a: F, b: F) -> M = mask(a < b);
        le(a: F, b: F) -> M = mask(a <= b);
        both(a: M, b: M) -> M = a & b;
        either(a: M, b: M) -> M = a | b;
        select(m: M, a: F, b: F) -> F = f32::from_bits(m & a.to_bits() | !m & b.to_bits());
        bits_of(a: F) -> I = a.to_bits().cast_signed();
        float_of(a: I) -> F = f32::from_bits(a.cast_unsigned());
        round_int(a: F) -> I = a.round_ties_even() as i32;
        to_float(a: I) -> F = a as f32;
        add_int(a: I, b: I) -> I = a.wrapping_add(b);
        sub_int(a: I, b: I) -> I = a.wrapping_sub(b);
        and_int(a: I, b: I) -> I = a & b;
        or_int(a: I, b: I) -> I = a | b;
    }

    lanes_with! {
        splat(; x: f32) -> F = x;
        splat_int(; x: i32) -> I = x;
        shift_left(a: I; n: u32) -> I = a << n;
        shift_right(a: I; n: u32) -> I = a >> n;
    }
}

/// The instruction set to use, with the proof that this machine has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Plain arrays.
    Portable,
    /// AVX2 and FMA: eight lanes.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512 (F, DQ, BW, VL): sixteen lanes.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Level {
    /// The words that `CORNU_SIMD` knows, from the lowest level to the best, whatever this machine has.
    pub const NAMES: [&str; 3] = ["portable", "avx2", "avx512"];

    /// The best level of this machine.
    pub fn detect() -> Level {
        Level::all().pop().unwrap_or(Level::Portable)
    }

    /// Every level this machine has, from the lowest to the best.
    pub fn all() -> Vec<Level> {
        #[cfg(target_arch = "x86_64")]
        let wider = [Avx2::detect().map(Level::Avx2), Avx512::detect().map(Level::Avx512)];
        #[cfg(not(target_arch = "x86_64"))]
        let wider: [Option<Level>; 0] = [];
        std::iter::once(Level::Portable).chain(wider.into_iter().flatten()).collect()
    }

    /// Lanes of one vector of `f32`.
    pub fn lanes(self) -> usize {
        match self {
            Level::Portable => Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(_) => Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(_) => Avx512::LANES,
        }
    }

    /// The word that `CORNU_SIMD` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => Level::NAMES[0],
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(_) => Level::NAMES[1],
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(_) => Level::NAMES[2],
        }
    }
}

/// Asks for lines before they are read or written, so many bytes apart: processors do not foresee rows far apart.
#[inline(always)]
pub(crate) fn foresee(from: *const u8, step: isize, lines: usize) {
    #[cfg(target_arch = "x86_64")]
    for i in 0..lines as isize {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 has it, and it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.wrapping_offset(i * step).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, step, lines);
}

/// The same for what is read a little later: lines come to the second cache, and leave the first one to what is read now.
#[inline(always)]
pub(crate) fn foresee_later(from: *const u8, step: isize, lines: usize) {
    #[cfg(target_arch = "x86_64")]
    for i in 0..lines as isize {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: as above.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.wrapping_offset(i * step).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, step, lines);
}

/// Makes a function that takes a [`Level`](crate::kernels::simd::Level) and runs a kernel compiled for it.
///
/// ```text
/// dispatch! { pub fn double = double_with(x: &mut [f32]); }            // fn double_with<S: Simd>(s: S, x: &mut [f32])
/// dispatch! { pub unsafe fn twice = twice_with(x: *mut f32, n: usize); }     // unsafe fn twice_with<S: Simd>(s: S, …)
/// dispatch! { unsafe fn sum<T: Num> = sum_with(x: *const T, n: usize); }     // unsafe fn sum_with<S: Simd, T: Num>(s: S, …)
/// ```
/// The kernel must be `#[inline(always)]`, and so must every function it is to be compiled together with.
macro_rules! dispatch {
    ($(#[$meta:meta])* $vis:vis fn $name:ident = $kernel:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?;) => {
        $(#[$meta])*
        $vis fn $name(level: $crate::kernels::simd::Level, $($arg: $ty),*) $(-> $ret)? {
            $crate::kernels::simd::dispatch!(@body level, $kernel($($arg: $ty),*) $(-> $ret)?)
        }
    };
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident = $kernel:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?;) => {
        $(#[$meta])*
        $vis unsafe fn $name(level: $crate::kernels::simd::Level, $($arg: $ty),*) $(-> $ret)? {
            $crate::kernels::simd::dispatch!(@body level, $kernel($($arg: $ty),*) $(-> $ret)?)
        }
    };
    ($vis:vis unsafe fn $name:ident<$t:ident: $bound:path> = $kernel:ident($($arg:ident: $ty:ty),* $(,)?);) => {
        $vis unsafe fn $name<$t: $bound>(level: $crate::kernels::simd::Level, $($arg: $ty),*) {
            $crate::kernels::simd::dispatch!(@body level, <$t: $bound> $kernel($($arg: $ty),*))
        }
    };
    (@body $level:ident, $(<$t:ident: $bound:path>)? $kernel:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
        unsafe fn avx512$(<$t: $bound>)?(s: $crate::kernels::simd::Avx512, $($arg: $ty),*) $(-> $ret)? {
            // SAFETY: what the kernel demands, the caller of the outer function has promised.
            #[allow(unused_unsafe)]
            unsafe { $kernel$(::<_, $t>)?(s, $($arg),*) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2$(<$t: $bound>)?(s: $crate::kernels::simd::Avx2, $($arg: $ty),*) $(-> $ret)? {
            // SAFETY: as above.
            #[allow(unused_unsafe)]
            unsafe { $kernel$(::<_, $t>)?(s, $($arg),*) }
        }
        // SAFETY: a level carries the proof that the machine has its instructions; the rest as above.
        #[allow(unused_unsafe)]
        unsafe {
            match $level {
                $crate::kernels::simd::Level::Portable =>
                    $kernel$(::<_, $t>)?($crate::kernels::simd::Portable, $($arg),*),
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::simd::Level::Avx2(s) => avx2$(::<$t>)?(s, $($arg),*),
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::simd::Level::Avx512(s) => avx512$(::<$t>)?(s, $($arg),*),
            }
        }
    }};
}

pub(crate) use dispatch;

#[cfg(test)]
mod tests;
