//! Vectors of one element type on one instruction set: all that the tiles of a product need of them.

use std::marker::PhantomData;

use crate::kernels::simd::Simd;
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Doubles256, Doubles512};

/// Vectors of elements of one type.
pub(super) trait Lanes: Copy {
    /// Lanes of one vector.
    const LANES: usize;
    /// Whether products have ends.
    const ENDS: bool = false;
    /// An element.
    type T: Copy + Default;
    /// A vector.
    type V: Copy;

    /// The instruction set, without looking whether the machine has it.
    /// # Safety
    /// It must have it.
    unsafe fn assume() -> Self;
    /// Reads a vector.
    /// # Safety
    /// `LANES` elements must be readable at `from`.
    unsafe fn load(self, from: *const Self::T) -> Self::V;
    /// Writes a vector.
    /// # Safety
    /// `LANES` elements must be writable at `to`.
    unsafe fn store(self, to: *mut Self::T, x: Self::V);
    /// Reads the first `n <= LANES` lanes; the others are zero.
    /// # Safety
    /// `n` elements must be readable at `from`.
    unsafe fn load_first(self, n: usize, from: *const Self::T) -> Self::V;
    /// Writes the first `n <= LANES` lanes.
    /// # Safety
    /// `n` elements must be writable at `to`.
    unsafe fn store_first(self, n: usize, to: *mut Self::T, x: Self::V);
    /// The same number in every lane.
    fn splat(self, x: Self::T) -> Self::V;
    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// What is below zero becomes zero. Only where products have ends.
    #[inline(always)]
    fn rectify(self, a: Self::V) -> Self::V {
        a
    }
    /// `if b > 0 { a } else { 0 }`. Only where products have ends.
    #[inline(always)]
    fn keep(self, a: Self::V, _b: Self::V) -> Self::V {
        a
    }

    /// Reads a block of `rows <= LANES` rows, `stride` elements apart, and `columns <= 4` columns, and turns it: vector `q`
    /// holds column `q`, one row in each lane. Lanes and vectors beyond are unspecified.
    /// # Safety
    /// `columns` elements must be readable at each `from + row * stride`.
    #[inline(always)]
    unsafe fn load_columns(self, columns: usize, rows: usize, from: *const Self::T, stride: usize) -> [Self::V; 4] {
        let mut turned = [[Self::T::default(); 16]; 4];
        for row in 0..rows {
            for (column, turned) in turned.iter_mut().enumerate().take(columns) {
                // SAFETY: an element of the block that the caller promises.
                turned[row] = unsafe { *from.add(row * stride + column) };
            }
        }
        // SAFETY: no vector has more than sixteen lanes.
        turned.map(|column| unsafe { self.load(column.as_ptr()) })
    }
}

/// Vectors of `f32`.
#[derive(Clone, Copy)]
pub(super) struct Singles<S>(S);

impl<S: Simd> Lanes for Singles<S> {
    const LANES: usize = S::LANES;
    const ENDS: bool = true;
    type T = f32;
    type V = S::F;

    // SAFETY: each promises what that of the instruction set does.
    #[inline(always)]
    unsafe fn assume() -> Self {
        // SAFETY: promised by the caller; so below.
        Singles(unsafe { S::assume() })
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> S::F {
        // SAFETY: see above.
        unsafe { self.0.load(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: S::F) {
        // SAFETY: see above.
        unsafe { self.0.store(to, x) }
    }
    #[inline(always)]
    unsafe fn load_first(self, n: usize, from: *const f32) -> S::F {
        // SAFETY: see above.
        unsafe { self.0.load_first(n, from) }
    }
    #[inline(always)]
    unsafe fn store_first(self, n: usize, to: *mut f32, x: S::F) {
        // SAFETY: see above.
        unsafe { self.0.store_first(n, to, x) }
    }
    #[inline(always)]
    unsafe fn load_columns(self, columns: usize, rows: usize, from: *const f32, stride: usize) -> [S::F; 4] {
        // SAFETY: see above.
        unsafe { self.0.load_columns(columns, rows, |row| from.wrapping_add(row * stride)) }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> S::F {
        self.0.splat(x)
    }
    #[inline(always)]
    fn add(self, a: S::F, b: S::F) -> S::F {
        self.0.add(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: S::F, b: S::F, c: S::F) -> S::F {
        self.0.mul_add(a, b, c)
    }
    #[inline(always)]
    fn rectify(self, a: S::F) -> S::F {
        self.0.maximum(a, self.0.splat(0.0))
    }
    #[inline(always)]
    fn keep(self, a: S::F, b: S::F) -> S::F {
        let zero = self.0.splat(0.0);
        self.0.select(self.0.gt(b, zero), a, zero)
    }
}

/// What vectors as plain arrays need of their elements.
pub(super) trait Number: Copy + Default {
    /// `self + x`; whole numbers wrap.
    fn plus(self, x: Self) -> Self;
    /// `self * x`; whole numbers wrap.
    fn times(self, x: Self) -> Self;
}

macro_rules! numbers {
    ($($number:ty: $plus:ident $times:ident,)*) => {
        $(impl Number for $number {
            #[inline(always)]
            fn plus(self, x: Self) -> Self {
                self.$plus(x)
            }
            #[inline(always)]
            fn times(self, x: Self) -> Self {
                self.$times(x)
            }
        })*
    };
}
use std::ops::{Add, Mul};
numbers! {
    f64: add mul,
    i8: wrapping_add wrapping_mul,
    i16: wrapping_add wrapping_mul,
    i32: wrapping_add wrapping_mul,
    i64: wrapping_add wrapping_mul,
}

/// Arrays of eight elements.
#[derive(Clone, Copy)]
pub(super) struct Plain<T>(PhantomData<T>);

impl<T: Number> Lanes for Plain<T> {
    const LANES: usize = 8;
    type T = T;
    type V = [T; 8];

    #[inline(always)]
    unsafe fn assume() -> Self {
        Plain(PhantomData)
    }
    #[inline(always)]
    unsafe fn load(self, from: *const T) -> [T; 8] {
        // SAFETY: the caller promises eight elements.
        unsafe { from.cast::<[T; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T, x: [T; 8]) {
        // SAFETY: as above.
        unsafe { to.cast::<[T; 8]>().write_unaligned(x) }
    }
    #[inline(always)]
    unsafe fn load_first(self, n: usize, from: *const T) -> [T; 8] {
        // SAFETY: only the elements that the caller promises are read.
        std::array::from_fn(|i| if i < n { unsafe { *from.add(i) } } else { T::default() })
    }
    #[inline(always)]
    unsafe fn store_first(self, n: usize, to: *mut T, x: [T; 8]) {
        for (i, x) in x.into_iter().take(n).enumerate() {
            // SAFETY: only the elements that the caller promises are written.
            unsafe { *to.add(i) = x };
        }
    }
    #[inline(always)]
    fn splat(self, x: T) -> [T; 8] {
        [x; 8]
    }
    #[inline(always)]
    fn add(self, a: [T; 8], b: [T; 8]) -> [T; 8] {
        std::array::from_fn(|i| a[i].plus(b[i]))
    }
    #[inline(always)]
    fn mul_add(self, a: [T; 8], b: [T; 8], c: [T; 8]) -> [T; 8] {
        std::array::from_fn(|i| a[i].times(b[i]).plus(c[i]))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Lanes;

    /// Vectors of `f64`: the mask of the first `n` lanes, and the instructions.
    macro_rules! doubles {
        ($(#[$doc:meta])* $name:ident $lanes:literal $v:ty, $n:ident => $mask:expr,
         $load:ident $store:ident $load_first:ident ($($swap:ident)?) $store_first:ident $splat:ident $add:ident $mul_add:ident) => {
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub(in super::super) struct $name(());

            // SAFETY: who has a value has the instructions; the rest is promised by the callers.
            impl Lanes for $name {
                const LANES: usize = $lanes;
                type T = f64;
                type V = $v;
                #[inline(always)]
                unsafe fn assume() -> Self {
                    $name(())
                }
                #[inline(always)]
                unsafe fn load(self, from: *const f64) -> $v {
                    // SAFETY: see above; so below.
                    unsafe { $load(from) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f64, x: $v) {
                    // SAFETY: see above.
                    unsafe { $store(to, x) }
                }
                #[inline(always)]
                unsafe fn load_first(self, $n: usize, from: *const f64) -> $v {
                    // SAFETY: see above; masked lanes are not touched.
                    unsafe { doubles!(@$($swap)? $load_first($mask, from)) }
                }
                #[inline(always)]
                unsafe fn store_first(self, $n: usize, to: *mut f64, x: $v) {
                    // SAFETY: see above; masked lanes are not touched.
                    unsafe { $store_first(to, $mask, x) }
                }
                #[inline(always)]
                fn splat(self, x: f64) -> $v {
                    // SAFETY: see above.
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                fn add(self, a: $v, b: $v) -> $v {
                    // SAFETY: see above.
                    unsafe { $add(a, b) }
                }
                #[inline(always)]
                fn mul_add(self, a: $v, b: $v, c: $v) -> $v {
                    // SAFETY: see above.
                    unsafe { $mul_add(a, b, c) }
                }
            }
        };
        (@ $call:ident($mask:expr, $from:expr)) => { $call($mask, $from) };
        (@ swap $call:ident($mask:expr, $from:expr)) => { $call($from, $mask) };
    }

    doubles! {
        /// Eight lanes of AVX-512.
        Doubles512 8 __m512d, n => ((1u32 << n) - 1) as __mmask8,
        _mm512_loadu_pd _mm512_storeu_pd _mm512_maskz_loadu_pd () _mm512_mask_storeu_pd _mm512_set1_pd _mm512_add_pd
        _mm512_fmadd_pd
    }
    doubles! {
        /// Four lanes of AVX2.
        Doubles256 4 __m256d, n => _mm256_cmpgt_epi64(_mm256_set1_epi64x(n as i64), _mm256_setr_epi64x(0, 1, 2, 3)),
        _mm256_loadu_pd _mm256_storeu_pd _mm256_maskload_pd (swap) _mm256_maskstore_pd _mm256_set1_pd _mm256_add_pd
        _mm256_fmadd_pd
    }
}
