//! The innermost loops of a matrix product: tiles of the output held in registers.
//!
//! Every element has one accumulator, which starts at zero and takes `a[i][p] * b[p][j]` for ascending `p` with one
//! fused multiply-add each. Tiles differ in how many elements they compute at once, never in what an element is.

use super::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Doubles256, Doubles512};
use super::lanes::{Plain, Singles};
#[cfg(target_arch = "x86_64")]
use crate::kernels::simd::{Avx2, Avx512};
use crate::kernels::simd::{Level, Portable};

/// What the tiles of one product have in common.
pub(super) struct Walk {
    /// How many products each sum takes.
    pub(super) depth: usize,
    /// From a row of `a` to the next; from a column to the next where `a` is transposed.
    pub(super) a_stride: usize,
    /// From a row of the output to the next.
    pub(super) out_stride: usize,
    /// Lanes of the last vector of a row, for tiles with a tail.
    pub(super) tail: usize,
    pub(super) end: End,
}

/// What becomes of the sums of a tile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// They are the output.
    Store,
    /// They go on from those in the output.
    Resume,
    /// They are added to those in the output.
    Add,
}

/// Computes one tile: `(walk, a, b, b_stride, out)`, the pointers at the tile's first elements.
pub(super) type Tile<T> = unsafe fn(&Walk, *const T, *const T, usize, *mut T);
/// Copies a panel of `b` of `depth` rows so that they are `width` elements apart: `(depth, columns, b, b_stride, width,
/// to)`. All the `width` is written: what is beyond `columns` is unspecified, and less than a vector.
pub(super) type Pack<T> = unsafe fn(usize, usize, *const T, usize, usize, *mut T);
/// Computes `columns` elements of a vector times a transposed matrix: `(depth, columns, a, b, b_stride, out)`.
pub(super) type Along<T> = unsafe fn(usize, usize, *const T, *const T, usize, *mut T);
/// Adds `depth` rows of `columns` elements to those at `to`, or to zeros if it does not go on from them: `(depth, columns,
/// b, b_stride, resume, to)`.
pub(super) type Sums<T> = unsafe fn(usize, usize, *const T, usize, bool, *mut T);

/// The kernels of an element type on one instruction set.
pub(super) struct Kernels<T: 'static> {
    /// Lanes of a vector.
    pub(super) lanes: usize,
    /// Tiles by `[transposed a][tail][vectors - 1][rows - 1]`, as many as the registers hold.
    pub(super) tiles: [[&'static [&'static [Tile<T>]]; 2]; 2],
    /// Packs `b` as it lies.
    pub(super) pack: Pack<T>,
    /// Packs a transposed `b`.
    pub(super) pack_transposed: Pack<T>,
    pub(super) along: Along<T>,
    pub(super) sums: Sums<T>,
}

/// A tile of `ROWS` rows by `VECTORS` vectors. The last vector has `walk.tail` lanes if `TAIL`; `a` is transposed if
/// `ACROSS`.
///
/// # Safety
/// The pointers must be at tiles of that size inside their matrices.
#[inline(always)]
unsafe fn tile<S: Lanes, const ROWS: usize, const VECTORS: usize, const TAIL: bool, const ACROSS: bool>(
    s: S,
    walk: &Walk,
    mut a: *const S::T,
    mut b: *const S::T,
    b_stride: usize,
    out: *mut S::T,
) {
    let (a_row, a_column) = if ACROSS { (1, walk.a_stride) } else { (walk.a_stride, 1) };
    let mut sums = [[s.splat(S::T::default()); VECTORS]; ROWS];
    // SAFETY: elements of the tile and of the rows and columns of `a` and `b` it needs. `a` and `b` pass the end after
    // the last step only, and are not read then.
    unsafe {
        if walk.end == End::Resume {
            for (i, sums) in sums.iter_mut().enumerate() {
                *sums = load::<S, VECTORS, TAIL>(s, walk.tail, out.add(i * walk.out_stride));
            }
        }
        for _ in 0..walk.depth {
            let row = load::<S, VECTORS, TAIL>(s, walk.tail, b);
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = s.splat(*a.add(i * a_row));
                for (sum, &y) in sums.iter_mut().zip(&row) {
                    *sum = s.mul_add(x, y, *sum);
                }
            }
            a = a.wrapping_add(a_column);
            b = b.wrapping_add(b_stride);
        }
        if walk.end == End::Add {
            for (i, sums) in sums.iter_mut().enumerate() {
                let before = load::<S, VECTORS, TAIL>(s, walk.tail, out.add(i * walk.out_stride));
                sums.iter_mut().zip(before).for_each(|(sum, before)| *sum = s.add(before, *sum));
            }
        }
        for (i, sums) in sums.into_iter().enumerate() {
            let out = out.add(i * walk.out_stride);
            for (j, sum) in sums.into_iter().enumerate() {
                if TAIL && j == VECTORS - 1 {
                    s.store_first(walk.tail, out.add(j * S::LANES), sum);
                } else {
                    s.store(out.add(j * S::LANES), sum);
                }
            }
        }
    }
}

/// # Safety
/// `VECTORS` vectors, the last one of `tail` lanes if `TAIL`, must be readable at `from`.
#[inline(always)]
unsafe fn load<S: Lanes, const VECTORS: usize, const TAIL: bool>(
    s: S,
    tail: usize,
    from: *const S::T,
) -> [S::V; VECTORS] {
    let mut row = [s.splat(S::T::default()); VECTORS];
    for (j, x) in row.iter_mut().enumerate() {
        let from = from.wrapping_add(j * S::LANES);
        // SAFETY: promised by the caller.
        *x = unsafe { if TAIL && j == VECTORS - 1 { s.load_first(tail, from) } else { s.load(from) } };
    }
    row
}

/// # Safety
/// See [`Pack`]: `b` must have the rows and columns, `to` room for `depth * width` elements.
#[inline(always)]
unsafe fn pack<S: Lanes>(
    s: S,
    depth: usize,
    columns: usize,
    b: *const S::T,
    b_stride: usize,
    width: usize,
    to: *mut S::T,
) {
    for p in 0..depth {
        for j in (0..columns).step_by(S::LANES) {
            // SAFETY: reads within row `p`, and writes within its `width`.
            unsafe {
                let from = b.add(p * b_stride + j);
                let row = if columns - j < S::LANES { s.load_first(columns - j, from) } else { s.load(from) };
                store_within(s, width - j, to.add(p * width + j), row);
            }
        }
    }
}

/// # Safety
/// As for [`pack`], `b` being transposed: columns are `b_stride` apart.
#[inline(always)]
unsafe fn pack_transposed<S: Lanes>(
    s: S,
    depth: usize,
    columns: usize,
    b: *const S::T,
    b_stride: usize,
    width: usize,
    to: *mut S::T,
) {
    for j in (0..columns).step_by(S::LANES) {
        let lanes = (columns - j).min(S::LANES);
        for p in (0..depth).step_by(4) {
            // SAFETY: reads `lanes` columns and at most four rows that exist; writes as in `pack`.
            unsafe {
                let from = b.add(j * b_stride + p);
                let rows = columns_at(s, lanes, from, b_stride, depth - p);
                for (q, row) in rows.into_iter().enumerate() {
                    if q < depth - p {
                        store_within(s, width - j, to.add((p + q) * width + j), row);
                    }
                }
            }
        }
    }
}

/// Writes a vector, or its beginning if only `left` elements are left.
///
/// # Safety
/// They must be writable.
#[inline(always)]
unsafe fn store_within<S: Lanes>(s: S, left: usize, to: *mut S::T, x: S::V) {
    // SAFETY: promised by the caller.
    unsafe { if left < S::LANES { s.store_first(left, to, x) } else { s.store(to, x) } }
}

/// The next four rows, or `left` if fewer, of `lanes` columns of a transposed `b`.
///
/// # Safety
/// They must exist.
#[inline(always)]
unsafe fn columns_at<S: Lanes>(s: S, lanes: usize, from: *const S::T, stride: usize, left: usize) -> [S::V; 4] {
    // SAFETY: promised by the caller. The first arms are the usual ones, with numbers known when this is compiled.
    unsafe {
        if left < 4 {
            s.load_columns(left, lanes, from, stride)
        } else if lanes == S::LANES {
            s.load_columns(4, S::LANES, from, stride)
        } else {
            s.load_columns(4, lanes, from, stride)
        }
    }
}

/// # Safety
/// See [`Along`]: `a` must have `depth` elements, `b` as many in each of `columns` columns, `out` `columns`.
#[inline(always)]
unsafe fn along<S: Lanes>(
    s: S,
    depth: usize,
    columns: usize,
    a: *const S::T,
    b: *const S::T,
    b_stride: usize,
    out: *mut S::T,
) {
    let mut j = 0;
    // Two vectors at a time hide the latency of the sums.
    while columns - j >= 2 * S::LANES {
        // SAFETY: that many columns are left.
        unsafe { along_block::<S, 2>(s, depth, S::LANES, a, b.add(j * b_stride), b_stride, out.add(j)) };
        j += 2 * S::LANES;
    }
    while j < columns {
        let lanes = (columns - j).min(S::LANES);
        // SAFETY: as above.
        unsafe { along_block::<S, 1>(s, depth, lanes, a, b.add(j * b_stride), b_stride, out.add(j)) };
        j += lanes;
    }
}

/// # Safety
/// As for [`along`], for `VECTORS` vectors of columns; the last one has `lanes` of them.
#[inline(always)]
unsafe fn along_block<S: Lanes, const VECTORS: usize>(
    s: S,
    depth: usize,
    lanes: usize,
    a: *const S::T,
    b: *const S::T,
    b_stride: usize,
    out: *mut S::T,
) {
    let mut sums = [s.splat(S::T::default()); VECTORS];
    // SAFETY: promised by the caller.
    unsafe {
        for p in (0..depth).step_by(4) {
            for (v, sum) in sums.iter_mut().enumerate() {
                let lanes = if v == VECTORS - 1 { lanes } else { S::LANES };
                let rows = columns_at(s, lanes, b.add(v * S::LANES * b_stride + p), b_stride, depth - p);
                for (q, row) in rows.into_iter().enumerate() {
                    if q < depth - p {
                        *sum = s.mul_add(s.splat(*a.add(p + q)), row, *sum);
                    }
                }
            }
        }
        for (v, sum) in sums.into_iter().enumerate() {
            let lanes = if v == VECTORS - 1 { lanes } else { S::LANES };
            s.store_first(lanes, out.add(v * S::LANES), sum);
        }
    }
}

/// # Safety
/// See [`Sums`]: `b` must have the rows and columns, `to` the columns.
#[inline(always)]
unsafe fn sums<S: Lanes>(
    s: S,
    depth: usize,
    columns: usize,
    b: *const S::T,
    b_stride: usize,
    resume: bool,
    to: *mut S::T,
) {
    let mut j = 0;
    // Four vectors at a time hide the latency of the sums.
    while columns - j >= 4 * S::LANES {
        // SAFETY: that many columns are left; so below.
        unsafe { sums_block::<S, 4>(s, depth, S::LANES, b.add(j), b_stride, resume, to.add(j)) };
        j += 4 * S::LANES;
    }
    while j < columns {
        let lanes = (columns - j).min(S::LANES);
        // SAFETY: see above.
        unsafe { sums_block::<S, 1>(s, depth, lanes, b.add(j), b_stride, resume, to.add(j)) };
        j += lanes;
    }
}

/// # Safety
/// As for [`sums`], for `VECTORS` vectors of columns; the last one has `lanes` of them.
#[inline(always)]
unsafe fn sums_block<S: Lanes, const VECTORS: usize>(
    s: S,
    depth: usize,
    lanes: usize,
    b: *const S::T,
    b_stride: usize,
    resume: bool,
    to: *mut S::T,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut sums = [s.splat(S::T::default()); VECTORS];
        if resume {
            sums = load::<S, VECTORS, true>(s, lanes, to);
        }
        for p in 0..depth {
            let row = load::<S, VECTORS, true>(s, lanes, b.add(p * b_stride));
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum = s.add(*sum, x));
        }
        for (v, sum) in sums.into_iter().enumerate() {
            let lanes = if v == VECTORS - 1 { lanes } else { S::LANES };
            s.store_first(lanes, to.add(v * S::LANES), sum);
        }
    }
}

/// The kernels above, compiled for one instruction set, in a module of their own. The lists say which rows there are
/// for one, two, … vectors.
macro_rules! compile {
    ($module:ident, $lanes:ty, $(#[$feature:meta])?, [$([$($rows:literal)*] $vectors:literal),*]) => {
        pub(super) mod $module {
            #[allow(clippy::wildcard_imports, reason = "the names that make up `$lanes`")]
            use super::*;

            type S = $lanes;
            type T = <S as Lanes>::T;

            $(#[$feature])?
            unsafe fn tile<const ROWS: usize, const VECTORS: usize, const TAIL: bool, const ACROSS: bool>(
                walk: &Walk,
                a: *const T,
                b: *const T,
                b_stride: usize,
                out: *mut T,
            ) {
                // SAFETY: who calls this has a `Level`, hence the instructions; the rest is promised.
                unsafe { super::tile::<S, ROWS, VECTORS, TAIL, ACROSS>(S::assume(), walk, a, b, b_stride, out) }
            }

            compile! {
                @plain pack, $(#[$feature])?,
                (depth: usize, columns: usize, b: *const T, b_stride: usize, width: usize, to: *mut T)
            }
            compile! {
                @plain pack_transposed, $(#[$feature])?,
                (depth: usize, columns: usize, b: *const T, b_stride: usize, width: usize, to: *mut T)
            }
            compile! {
                @plain along, $(#[$feature])?,
                (depth: usize, columns: usize, a: *const T, b: *const T, b_stride: usize, out: *mut T)
            }

            compile! {
                @plain sums, $(#[$feature])?,
                (depth: usize, columns: usize, b: *const T, b_stride: usize, resume: bool, to: *mut T)
            }

            macro_rules! tiles {
                ($tail:literal, $across:literal) => {
                    &[$(&[$(tile::<$rows, $vectors, $tail, $across> as Tile<T>),*]),*]
                };
            }

            pub(in crate::kernels::dot) static KERNELS: Kernels<T> = Kernels {
                lanes: S::LANES,
                tiles: [[tiles!(false, false), tiles!(true, false)], [tiles!(false, true), tiles!(true, true)]],
                pack,
                pack_transposed,
                along,
                sums,
            };
        }
    };
    (@plain $name:ident, $(#[$feature:meta])?, ($($arg:ident: $ty:ty),*)) => {
        $(#[$feature])?
        unsafe fn $name($($arg: $ty),*) {
            // SAFETY: as for `tile`.
            unsafe { super::$name(S::assume(), $($arg),*) }
        }
    };
}

// Sums, one row of `b` and one number of `a` must fit the registers: thirty-two of AVX-512, sixteen of the others.
#[cfg(target_arch = "x86_64")]
macro_rules! avx512 {
    ($module:ident, $lanes:ty, $tiles:tt) => {
        compile! {
            $module, $lanes, #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")], $tiles
        }
    };
}
#[cfg(target_arch = "x86_64")]
macro_rules! avx2 {
    ($module:ident, $lanes:ty, $tiles:tt) => {
        compile! { $module, $lanes, #[target_feature(enable = "avx2,fma")], $tiles }
    };
}
macro_rules! portable {
    ($tiles:tt: $($module:ident $lanes:ty,)*) => {
        $(compile! { $module, $lanes, , $tiles })*
    };
}
#[cfg(target_arch = "x86_64")]
avx512! {
    f32_avx512, Singles<Avx512>,
    [[1 2 3 4 5 6 7 8 9 10 11 12] 1, [1 2 3 4 5 6 7 8 9 10 11 12] 2, [1 2 3] 3, [1 2 3] 4, [1] 5, [1] 6, [1] 7, [1] 8]
}
#[cfg(target_arch = "x86_64")]
avx2! {
    f32_avx2, Singles<Avx2>,
    [[1 2 3 4 5 6 7 8 9 10 11 12] 1, [1 2 3 4 5 6] 2, [1 2 3] 3, [1 2] 4, [1] 5, [1] 6, [1] 7, [1] 8]
}
// Fewer for what is rarer: every tile takes its time to compile.
#[cfg(target_arch = "x86_64")]
avx512! { f64_avx512, Doubles512, [[1 2 3 4 5 6] 1, [1 2 3 4 5 6] 2] }
#[cfg(target_arch = "x86_64")]
avx2! { f64_avx2, Doubles256, [[1 2 3 4 5 6] 1, [1 2 3 4 5 6] 2] }
portable! { [[1 2 3 4] 1, [1 2] 2, [1] 3, [1] 4]: f32_portable Singles<Portable>, }
portable! {
    [[1 2 3 4] 1, [1 2] 2]:
    f64_portable Plain<f64>,
    i8_portable Plain<i8>,
    i16_portable Plain<i16>,
    i32_portable Plain<i32>,
    i64_portable Plain<i64>,
}

/// An element type that has tiles.
pub(super) trait Element: Copy + Default + Send + Sync + 'static {
    /// Its kernels at that level, for outputs of `n` columns.
    fn kernels(level: Level, n: usize) -> &'static Kernels<Self>;
}

macro_rules! floats {
    ($($t:ty: $portable:ident $avx2:ident $avx512:ident,)*) => {
        $(impl Element for $t {
            #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "one level has one set of tiles"))]
            fn kernels(level: Level, n: usize) -> &'static Kernels<Self> {
                match level {
                    Level::Portable => &$portable::KERNELS,
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2(_) => &$avx2::KERNELS,
                    // Half of each vector would be idle. AVX-512 includes AVX2.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512(_) if n <= $avx2::KERNELS.lanes => &$avx2::KERNELS,
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512(_) => &$avx512::KERNELS,
                }
            }
        })*
    };
}
macro_rules! whole {
    ($($t:ty: $portable:ident,)*) => {
        $(impl Element for $t {
            fn kernels(_: Level, _: usize) -> &'static Kernels<Self> {
                &$portable::KERNELS
            }
        })*
    };
}
floats! { f32: f32_portable f32_avx2 f32_avx512, f64: f64_portable f64_avx2 f64_avx512, }
whole! { i8: i8_portable, i16: i16_portable, i32: i32_portable, i64: i64_portable, }
