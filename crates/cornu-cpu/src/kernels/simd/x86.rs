//! The two x86-64 instruction sets. A value of [`Avx2`] or [`Avx512`] is the proof that the machine has it.

use std::arch::x86_64::*;

use super::Simd;

/// AVX2 with FMA: eight lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2(());

/// AVX-512 F, DQ, BW and VL: sixteen lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

impl Avx2 {
    /// The instruction set, if this machine has it.
    pub fn detect() -> Option<Avx2> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2(()))
    }
}

impl Avx512 {
    /// The instruction set, if this machine has it.
    pub fn detect() -> Option<Avx512> {
        let found = Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl");
        found.then_some(Avx512(()))
    }
}

/// Methods of one or a few instructions. Sound because `self` proves that the machine has them.
macro_rules! instructions {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $ret:ident = $body:expr;)*) => {
        $(#[inline(always)]
        fn $name(self, $($arg: $ty),*) -> Self::$ret {
            // SAFETY: see above.
            unsafe { $body }
        })*
    };
}

impl Avx2 {
    /// The mask for the first `n` of eight lanes.
    #[inline(always)]
    fn first(self, n: usize) -> __m256i {
        debug_assert!(n <= 8);
        // SAFETY: `self` proves that the machine has the instructions.
        unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
    }
}

impl Avx512 {
    /// AVX2, which every machine with AVX-512 has: `detect` asks for both.
    #[inline(always)]
    fn avx2(self) -> Avx2 {
        Avx2(())
    }
}

/// The first `columns` floats of row `row`, or of the last row if there are fewer.
macro_rules! quad {
    ($s:expr, $at:ident, $rows:ident, $columns:ident, $row:expr) => {{
        let from = $at(usize::min($row, $rows - 1));
        if $columns == 4 {
            _mm_loadu_ps(from)
        } else {
            _mm_maskload_ps(from, _mm256_castsi256_si128($s.first($columns)))
        }
    }};
}

/// Turns four vectors, whose quarters hold rows 0, 4, …, rows 1, 5, …, and so on, into the four columns.
macro_rules! turn {
    ($rows:expr, $low:ident, $high:ident, $shuffle:ident) => {{
        let [a, b, c, d] = $rows;
        let (low_ab, low_cd, high_ab, high_cd) = ($low(a, b), $low(c, d), $high(a, b), $high(c, d));
        [
            $shuffle::<0x44>(low_ab, low_cd),
            $shuffle::<0xee>(low_ab, low_cd),
            $shuffle::<0x44>(high_ab, high_cd),
            $shuffle::<0xee>(high_ab, high_cd),
        ]
    }};
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const RANK: usize = 1;
    const FUSED: bool = true;
    type F = __m256;
    type I = __m256i;
    type M = __m256;

    #[inline(always)]
    unsafe fn assume() -> Self {
        Avx2(())
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the caller promises the memory, `self` the instruction; so in the next three.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m256) {
        // SAFETY: see `load`.
        unsafe { _mm256_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn load_first(self, n: usize, from: *const f32) -> __m256 {
        // SAFETY: see `load`; masked lanes are not touched.
        unsafe { _mm256_maskload_ps(from, self.first(n)) }
    }

    #[inline(always)]
    unsafe fn store_first(self, n: usize, to: *mut f32, x: __m256) {
        // SAFETY: see `load`; masked lanes are not touched.
        unsafe { _mm256_maskstore_ps(to, self.first(n), x) }
    }

    #[inline(always)]
    unsafe fn load_columns(self, columns: usize, rows: usize, row: impl Fn(usize) -> *const f32) -> [__m256; 4] {
        // SAFETY: see `load`; lanes without a row repeat the last one.
        unsafe {
            macro_rules! quads {
                ($q:literal) => {
                    _mm256_insertf128_ps::<1>(
                        _mm256_castps128_ps256(quad!(self, row, rows, columns, $q)),
                        quad!(self, row, rows, columns, 4 + $q),
                    )
                };
            }
            let rows = [quads!(0), quads!(1), quads!(2), quads!(3)];
            turn!(rows, _mm256_unpacklo_ps, _mm256_unpackhi_ps, _mm256_shuffle_ps)
        }
    }

    #[inline(always)]
    unsafe fn load_truths(self, n: usize, from: *const u8) -> __m256 {
        let mut bytes = [0u8; 8];
        // SAFETY: see `load`; eight bytes are read at once, fewer one by one.
        unsafe {
            let eight = if n == 8 {
                _mm_loadl_epi64(from.cast())
            } else {
                for (i, byte) in bytes.iter_mut().enumerate().take(n) {
                    *byte = *from.add(i);
                }
                _mm_loadl_epi64(bytes.as_ptr().cast())
            };
            _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_cvtepu8_epi32(eight), _mm256_setzero_si256()))
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> __m256 {
        // SAFETY: see `load`.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, x: __m256) {
        // SAFETY: see `load`.
        unsafe {
            let x = _mm256_cvttps_epi32(x);
            let words = _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
        }
    }

    #[inline(always)]
    unsafe fn store_truths(self, n: usize, to: *mut u8, m: __m256) {
        let mut bytes = [0u8; 8];
        // SAFETY: see `load`; eight bytes are written at once, fewer one by one.
        unsafe {
            let m = _mm256_castps_si256(m);
            let words = _mm_packs_epi32(_mm256_castsi256_si128(m), _mm256_extracti128_si256::<1>(m));
            let eight = _mm_and_si128(_mm_packs_epi16(words, words), _mm_set1_epi8(1));
            if n == 8 {
                _mm_storel_epi64(to.cast(), eight);
            } else {
                _mm_storel_epi64(bytes.as_mut_ptr().cast(), eight);
                for (i, byte) in bytes.into_iter().enumerate().take(n) {
                    *to.add(i) = byte;
                }
            }
        }
    }

    instructions! {
        splat(x: f32) -> F = _mm256_set1_ps(x);
        add(a: __m256, b: __m256) -> F = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> F = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> F = _mm256_mul_ps(a, b);
        div(a: __m256, b: __m256) -> F = _mm256_div_ps(a, b);
        mul_add(a: __m256, b: __m256, c: __m256) -> F = _mm256_fmadd_ps(a, b, c);
        max(a: __m256, b: __m256) -> F = _mm256_max_ps(a, b);
        min(a: __m256, b: __m256) -> F = _mm256_min_ps(a, b);
        abs(a: __m256) -> F = _mm256_andnot_ps(_mm256_set1_ps(-0.0), a);
        neg(a: __m256) -> F = _mm256_xor_ps(_mm256_set1_ps(-0.0), a);
        sqrt(a: __m256) -> F = _mm256_sqrt_ps(a);
        eq(a: __m256, b: __m256) -> M = _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b);
        ne(a: __m256, b: __m256) -> M = _mm256_cmp_ps::<_CMP_NEQ_UQ>(a, b);
        lt(a: __m256, b: __m256) -> M = _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
        le(a: __m256, b: __m256) -> M = _mm256_cmp_ps::<_CMP_LE_OQ>(a, b);
        both(a: __m256, b: __m256) -> M = _mm256_and_ps(a, b);
        either(a: __m256, b: __m256) -> M = _mm256_or_ps(a, b);
        select(m: __m256, a: __m256, b: __m256) -> F = _mm256_blendv_ps(b, a, m);
        splat_int(x: i32) -> I = _mm256_set1_epi32(x);
        bits_of(a: __m256) -> I = _mm256_castps_si256(a);
        float_of(a: __m256i) -> F = _mm256_castsi256_ps(a);
        round_int(a: __m256) -> I = _mm256_cvtps_epi32(a);
        to_float(a: __m256i) -> F = _mm256_cvtepi32_ps(a);
        add_int(a: __m256i, b: __m256i) -> I = _mm256_add_epi32(a, b);
        sub_int(a: __m256i, b: __m256i) -> I = _mm256_sub_epi32(a, b);
        and_int(a: __m256i, b: __m256i) -> I = _mm256_and_si256(a, b);
        or_int(a: __m256i, b: __m256i) -> I = _mm256_or_si256(a, b);
        shift_left(a: __m256i, n: u32) -> I = _mm256_sll_epi32(a, _mm_cvtsi32_si128(n as i32));
        shift_right(a: __m256i, n: u32) -> I = _mm256_sra_epi32(a, _mm_cvtsi32_si128(n as i32));
    }
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const RANK: usize = 2;
    const FUSED: bool = true;
    type F = __m512;
    type I = __m512i;
    type M = __mmask16;

    #[inline(always)]
    unsafe fn assume() -> Self {
        Avx512(())
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the caller promises the memory, `self` the instruction; so in the next three.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m512) {
        // SAFETY: see `load`.
        unsafe { _mm512_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn load_first(self, n: usize, from: *const f32) -> __m512 {
        debug_assert!(n <= 16);
        // SAFETY: see `load`; masked lanes are not touched.
        unsafe { _mm512_maskz_loadu_ps(((1u32 << n) - 1) as __mmask16, from) }
    }

    #[inline(always)]
    unsafe fn store_first(self, n: usize, to: *mut f32, x: __m512) {
        debug_assert!(n <= 16);
        // SAFETY: see `load`; masked lanes are not touched.
        unsafe { _mm512_mask_storeu_ps(to, ((1u32 << n) - 1) as __mmask16, x) }
    }

    #[inline(always)]
    unsafe fn load_truths(self, n: usize, from: *const u8) -> __mmask16 {
        debug_assert!(n <= 16);
        // SAFETY: see `load`; masked bytes are not touched.
        unsafe {
            let bytes = _mm_maskz_loadu_epi8(((1u32 << n) - 1) as __mmask16, from.cast());
            _mm_test_epi8_mask(bytes, bytes)
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> __m512 {
        // SAFETY: see `load`.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, x: __m512) {
        // SAFETY: see `load`.
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(x))) }
    }

    #[inline(always)]
    unsafe fn store_truths(self, n: usize, to: *mut u8, m: __mmask16) {
        debug_assert!(n <= 16);
        // SAFETY: see `load`; masked bytes are not touched.
        unsafe { _mm_mask_storeu_epi8(to.cast(), ((1u32 << n) - 1) as __mmask16, _mm_maskz_set1_epi8(m, 1)) }
    }

    #[inline(always)]
    fn both(self, a: __mmask16, b: __mmask16) -> __mmask16 {
        a & b
    }

    #[inline(always)]
    fn either(self, a: __mmask16, b: __mmask16) -> __mmask16 {
        a | b
    }

    #[inline(always)]
    unsafe fn load_columns(self, columns: usize, rows: usize, row: impl Fn(usize) -> *const f32) -> [__m512; 4] {
        // SAFETY: see `load`; lanes without a row repeat the last one.
        unsafe {
            macro_rules! quads {
                ($q:literal) => {{
                    let x = _mm512_castps128_ps512(quad!(self.avx2(), row, rows, columns, $q));
                    let x = _mm512_insertf32x4::<1>(x, quad!(self.avx2(), row, rows, columns, 4 + $q));
                    let x = _mm512_insertf32x4::<2>(x, quad!(self.avx2(), row, rows, columns, 8 + $q));
                    _mm512_insertf32x4::<3>(x, quad!(self.avx2(), row, rows, columns, 12 + $q))
                }};
            }
            let rows = [quads!(0), quads!(1), quads!(2), quads!(3)];
            turn!(rows, _mm512_unpacklo_ps, _mm512_unpackhi_ps, _mm512_shuffle_ps)
        }
    }

    /// One instruction finds subnormal numbers, and one keeps their sign alone.
    #[inline(always)]
    fn flush(self, a: __m512) -> __m512 {
        const SUBNORMAL: i32 = 1 << 5;
        // SAFETY: `self` proves that the machine has the instructions.
        unsafe { _mm512_mask_and_ps(a, _mm512_fpclass_ps_mask::<SUBNORMAL>(a), a, _mm512_set1_ps(-0.0)) }
    }

    instructions! {
        splat(x: f32) -> F = _mm512_set1_ps(x);
        add(a: __m512, b: __m512) -> F = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> F = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> F = _mm512_mul_ps(a, b);
        div(a: __m512, b: __m512) -> F = _mm512_div_ps(a, b);
        mul_add(a: __m512, b: __m512, c: __m512) -> F = _mm512_fmadd_ps(a, b, c);
        max(a: __m512, b: __m512) -> F = _mm512_max_ps(a, b);
        min(a: __m512, b: __m512) -> F = _mm512_min_ps(a, b);
        abs(a: __m512) -> F = _mm512_andnot_ps(_mm512_set1_ps(-0.0), a);
        neg(a: __m512) -> F = _mm512_xor_ps(_mm512_set1_ps(-0.0), a);
        sqrt(a: __m512) -> F = _mm512_sqrt_ps(a);
        eq(a: __m512, b: __m512) -> M = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b);
        ne(a: __m512, b: __m512) -> M = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, b);
        lt(a: __m512, b: __m512) -> M = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
        le(a: __m512, b: __m512) -> M = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b);
        select(m: __mmask16, a: __m512, b: __m512) -> F = _mm512_mask_blend_ps(m, b, a);
        splat_int(x: i32) -> I = _mm512_set1_epi32(x);
        bits_of(a: __m512) -> I = _mm512_castps_si512(a);
        float_of(a: __m512i) -> F = _mm512_castsi512_ps(a);
        round_int(a: __m512) -> I = _mm512_cvtps_epi32(a);
        to_float(a: __m512i) -> F = _mm512_cvtepi32_ps(a);
        add_int(a: __m512i, b: __m512i) -> I = _mm512_add_epi32(a, b);
        sub_int(a: __m512i, b: __m512i) -> I = _mm512_sub_epi32(a, b);
        and_int(a: __m512i, b: __m512i) -> I = _mm512_and_si512(a, b);
        or_int(a: __m512i, b: __m512i) -> I = _mm512_or_si512(a, b);
        shift_left(a: __m512i, n: u32) -> I = _mm512_sll_epi32(a, _mm_cvtsi32_si128(n as i32));
        shift_right(a: __m512i, n: u32) -> I = _mm512_sra_epi32(a, _mm_cvtsi32_si128(n as i32));
    }
}
