//! The innermost loops of matrix products and convolutions: tiles of the output held in registers.
//!
//! Every element has one accumulator, which starts at zero and takes `a[i][p] * b[p][j]` for ascending `p` with one
//! fused multiply-add each: for one stretch of `p` in a product, for one after the other, each with places of its own in `a`
//! and `b`, in a convolution. Tiles differ in how many elements they compute at once, never in what an element is.

use std::ops::Range;

use super::Ending;
use super::beside::{Sides, beside};
use super::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Doubles256, Doubles512};
use super::lanes::{Plain, Singles};
use super::strips::{along, pack, pack_transposed, sums};
use crate::kernels::operand::{Bases, Span};
#[cfg(target_arch = "x86_64")]
use crate::kernels::simd::{Avx2, Avx512};
use crate::kernels::simd::{Level, Portable};

/// What the tiles of one product have in common.
pub(crate) struct Walk<'a, T> {
    /// Where each stretch begins, in elements of `a` and rows of `b` from where the tile's begin; not read by tiles of
    /// [`ONE`].
    pub(crate) stretches: &'a [[isize; 2]],
    /// How many products each sum takes in one stretch.
    pub(crate) depth: usize,
    /// From a row of `a` to the next, and from a step to the next, where they do not lie side by side.
    pub(crate) a_strides: [usize; 2],
    /// From a row of the output to the next.
    pub(crate) out_stride: usize,
    /// Lanes of the last vector of a row, for tiles with a tail.
    pub(crate) tail: usize,
    /// Whether rows lie one behind the other, so that what is written behind a row is written over by the next.
    pub(crate) in_a_row: bool,
    pub(crate) end: End,
    pub(crate) last: Last<T>,
}

/// What is done to the elements of a tile in the end, with the place of the first that goes along.
pub(crate) enum Last<T> {
    Nothing,
    /// A number for each column is added, and what is below zero becomes zero, if so.
    Bias(*const T, bool),
    /// What stands where another matrix is not above zero becomes zero; its rows are so far apart.
    Slope(*const T, usize),
}

/// What becomes of the sums of a tile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// They are the output.
    Store,
    /// They go on from those in the output.
    Resume,
    /// They are added to those in the output.
    Add,
}

impl<T> Clone for Last<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Last<T> {}

impl<T> Last<T> {
    /// That of an output whose rows are so far apart.
    pub(crate) fn new(end: Option<Ending<Span>>, bases: Bases, stride: usize) -> Self {
        match end.map(|end| end.map(|span| bases.at::<T>(span).cast_const())) {
            None => Last::Nothing,
            Some(Ending::Bias(bias, relu)) => Last::Bias(bias, relu),
            Some(Ending::Slope(slope)) => Last::Slope(slope, stride),
        }
    }

    /// The same from that row and column on.
    pub(crate) fn at(self, row: usize, column: usize) -> Self {
        match self {
            Last::Nothing => Last::Nothing,
            Last::Bias(bias, relu) => Last::Bias(bias.wrapping_add(column), relu),
            Last::Slope(slope, stride) => Last::Slope(slope.wrapping_add(row * stride + column), stride),
        }
    }
}

/// Computes one tile: `(walk, a, b, b_stride, out)`, the pointers at the tile's first elements.
pub(crate) type Tile<T> = unsafe fn(&Walk<T>, *const T, *const T, usize, *mut T);
/// Copies a panel of `b` of `depth` rows so that they are `width` elements apart: `(depth, columns, b, b_stride, width,
/// to)`. All the `width` is written: what is beyond `columns` is unspecified, and less than a vector.
pub(crate) type Pack<T> = unsafe fn(usize, usize, *const T, usize, usize, *mut T);
/// Computes `columns` elements of a vector times a transposed matrix: `(depth, columns, a, b, b_stride, out)`.
pub(crate) type Along<T> = unsafe fn(usize, usize, *const T, *const T, usize, *mut T);
/// Adds `depth` rows of `columns` elements to those at `to`, or to zeros if it does not go on from them: `(depth, columns,
/// b, b_stride, resume, to)`.
pub(crate) type Sums<T> = unsafe fn(usize, usize, *const T, usize, bool, *mut T);

/// Rows of products side by side: `(sides, rows, a, b, out, (sums, last))`, the pointers at the first elements.
pub(crate) type Beside<T> = unsafe fn(&Sides, Range<usize>, *const T, *const T, *mut T, (Option<*mut T>, Last<T>));

/// The kernels of an element type on one instruction set.
pub(crate) struct Kernels<T: 'static> {
    /// Lanes of a vector.
    pub(crate) lanes: usize,
    /// Tiles by `[kind][tail][vectors - 1][rows - 1]`, as many as the registers hold; no element but singles has [`LANES`].
    pub(crate) tiles: [[&'static [&'static [Tile<T>]]; 2]; 5],
    /// Packs `b` as it lies.
    pub(crate) pack: Pack<T>,
    /// Packs a transposed `b`.
    pub(crate) pack_transposed: Pack<T>,
    pub(crate) along: Along<T>,
    pub(crate) sums: Sums<T>,
    pub(crate) beside: Beside<T>,
}

/// How a tile reads `a`: the steps of a row side by side; the rows of a step side by side, as where `a` is transposed; or a
/// number for each column rather than for all of them.
pub(crate) const ALONG: usize = 0;
pub(crate) const ACROSS: usize = 1;
pub(crate) const LANES: usize = 2;
/// Added to the first two: one stretch is all there is. A tile of a small product is done before a list could be read.
pub(crate) const ONE: usize = 3;

/// A tile of `ROWS` rows by `VECTORS` vectors. The last vector has `walk.tail` lanes if `TAIL`; `a` is read as `KIND` says.
///
/// # Safety
/// The pointers must be at tiles of that size inside their matrices.
#[inline(always)]
unsafe fn tile<S: Lanes, const ROWS: usize, const VECTORS: usize, const TAIL: bool, const KIND: usize>(
    s: S,
    walk: &Walk<S::T>,
    a: *const S::T,
    b: *const S::T,
    b_stride: usize,
    out: *mut S::T,
) {
    let mut sums = [[s.splat(S::T::default()); VECTORS]; ROWS];
    // SAFETY: elements of the tile and of the rows and columns of `a` and `b` it needs.
    unsafe {
        if walk.end == End::Resume {
            for (i, sums) in sums.iter_mut().enumerate() {
                *sums = load::<S, VECTORS, TAIL>(s, walk.tail, out.add(i * walk.out_stride));
            }
        }
        if KIND >= ONE {
            stretch::<S, ROWS, VECTORS, TAIL, KIND>(s, walk, a, b, b_stride, &mut sums);
        } else {
            for &[at_a, at_b] in walk.stretches {
                let (a, b) = (a.wrapping_offset(at_a), b.wrapping_offset(at_b * b_stride.cast_signed()));
                stretch::<S, ROWS, VECTORS, TAIL, KIND>(s, walk, a, b, b_stride, &mut sums);
            }
        }
        if walk.end == End::Add {
            add::<S, ROWS, VECTORS, TAIL>(s, walk, &mut sums, out);
        }
        if S::ENDS {
            finish::<S, ROWS, VECTORS, TAIL>(s, walk, &mut sums);
        }
        store::<S, ROWS, VECTORS, TAIL>(s, walk, sums, out);
    }
}

/// Adds the products of one stretch.
///
/// # Safety
/// See [`tile`].
#[inline(always)]
unsafe fn stretch<S: Lanes, const ROWS: usize, const VECTORS: usize, const TAIL: bool, const KIND: usize>(
    s: S,
    walk: &Walk<S::T>,
    mut a: *const S::T,
    mut b: *const S::T,
    b_stride: usize,
    sums: &mut [[S::V; VECTORS]; ROWS],
) {
    let [a_row, a_step] = walk.a_strides;
    let (a_row, a_step) = (if KIND % ONE == ACROSS { 1 } else { a_row }, if KIND % ONE == ALONG { 1 } else { a_step });
    for _ in 0..walk.depth {
        // SAFETY: promised by the caller. `a` and `b` pass the end after the last step only, and are not read then.
        unsafe {
            let row = load::<S, VECTORS, TAIL>(s, walk.tail, b);
            for (i, sums) in sums.iter_mut().enumerate() {
                let a = a.add(i * a_row);
                let x = if KIND == LANES { load::<S, VECTORS, TAIL>(s, walk.tail, a) } else { [s.splat(*a); VECTORS] };
                for ((sum, &y), x) in sums.iter_mut().zip(&row).zip(x) {
                    *sum = s.mul_add(x, y, *sum);
                }
            }
        }
        a = a.wrapping_add(a_step);
        b = b.wrapping_add(b_stride);
    }
}

/// Writes the elements of a tile.
///
/// # Safety
/// See [`tile`].
#[inline(always)]
unsafe fn store<S: Lanes, const ROWS: usize, const VECTORS: usize, const TAIL: bool>(
    s: S,
    walk: &Walk<S::T>,
    sums: [[S::V; VECTORS]; ROWS],
    out: *mut S::T,
) {
    for (i, sums) in sums.into_iter().enumerate() {
        let out = out.wrapping_add(i * walk.out_stride);
        for (j, sum) in sums.into_iter().enumerate() {
            let out = out.wrapping_add(j * S::LANES);
            // A load from what was written through a mask waits until that is in the cache.
            let is_part = TAIL && j == VECTORS - 1 && (i == ROWS - 1 || !walk.in_a_row);
            // SAFETY: promised by the caller.
            unsafe { if is_part { s.store_first(walk.tail, out, sum) } else { s.store(out, sum) } };
        }
    }
}

/// Adds the elements of a tile to those that are there.
///
/// # Safety
/// See [`tile`].
#[inline(always)]
unsafe fn add<S: Lanes, const ROWS: usize, const VECTORS: usize, const TAIL: bool>(
    s: S,
    walk: &Walk<S::T>,
    sums: &mut [[S::V; VECTORS]; ROWS],
    out: *const S::T,
) {
    for (i, sums) in sums.iter_mut().enumerate() {
        // SAFETY: promised by the caller.
        let before = unsafe { load::<S, VECTORS, TAIL>(s, walk.tail, out.add(i * walk.out_stride)) };
        sums.iter_mut().zip(before).for_each(|(sum, before)| *sum = s.add(before, *sum));
    }
}

/// Does the last to the elements of a tile.
///
/// # Safety
/// What goes along must be as large as the tile.
#[inline(always)]
unsafe fn finish<S: Lanes, const ROWS: usize, const VECTORS: usize, const TAIL: bool>(
    s: S,
    walk: &Walk<S::T>,
    sums: &mut [[S::V; VECTORS]; ROWS],
) {
    // SAFETY: promised by the caller.
    unsafe {
        match walk.last {
            Last::Nothing => {}
            Last::Bias(bias, relu) => {
                let bias = load::<S, VECTORS, TAIL>(s, walk.tail, bias);
                for sums in sums {
                    sums.iter_mut().zip(bias).for_each(|(sum, bias)| *sum = s.add(*sum, bias));
                    if relu {
                        sums.iter_mut().for_each(|sum| *sum = s.rectify(*sum));
                    }
                }
            }
            Last::Slope(slope, stride) => {
                for (i, sums) in sums.iter_mut().enumerate() {
                    let slope = load::<S, VECTORS, TAIL>(s, walk.tail, slope.add(i * stride));
                    sums.iter_mut().zip(slope).for_each(|(sum, slope)| *sum = s.keep(*sum, slope));
                }
            }
        }
    }
}

/// # Safety
/// `VECTORS` vectors, the last one of `tail` lanes if `TAIL`, must be readable at `from`.
#[inline(always)]
pub(super) unsafe fn load<S: Lanes, const VECTORS: usize, const TAIL: bool>(
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

/// Tiles of a kind, without and with a tail. The lists say which rows there are for one, two, … vectors.
macro_rules! tiles {
    ($kind:expr, [$([$($rows:literal)*] $vectors:literal),*]) => {
        [
            &[$(&[$(tile::<$rows, $vectors, false, $kind> as Tile<T>),*]),*],
            &[$(&[$(tile::<$rows, $vectors, true, $kind> as Tile<T>),*]),*],
        ]
    };
}

/// Tiles and strips, compiled for one instruction set, in a module of their own.
macro_rules! compile {
    ($module:ident, $lanes:ty, $(#[$feature:meta])?, $tiles:tt, $deep:tt) => {
        pub(super) mod $module {
            #[allow(clippy::wildcard_imports, reason = "the names that make up `$lanes`")]
            use super::*;

            type S = $lanes;
            type T = <S as Lanes>::T;

            $(#[$feature])?
            unsafe fn tile<const ROWS: usize, const VECTORS: usize, const TAIL: bool, const KIND: usize>(
                walk: &Walk<T>,
                a: *const T,
                b: *const T,
                b_stride: usize,
                out: *mut T,
            ) {
                // SAFETY: who calls this has a `Level`, hence the instructions; the rest is promised.
                unsafe { super::tile::<S, ROWS, VECTORS, TAIL, KIND>(S::assume(), walk, a, b, b_stride, out) }
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

            compile! {
                @plain beside, $(#[$feature])?,
                (sides: &Sides, rows: Range<usize>, a: *const T, b: *const T, out: *mut T, along: (Option<*mut T>, Last<T>))
            }

            pub(in crate::kernels::dot) static KERNELS: Kernels<T> = Kernels {
                lanes: S::LANES,
                tiles: [
                    tiles!(ALONG, $tiles),
                    tiles!(ACROSS, $tiles),
                    tiles!(LANES, $deep),
                    tiles!({ ONE + ALONG }, $tiles),
                    tiles!({ ONE + ACROSS }, $tiles),
                ],
                pack,
                pack_transposed,
                along,
                sums,
                beside,
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
    ($module:ident, $lanes:ty, $tiles:tt, $deep:tt) => {
        compile! {
            $module, $lanes, #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")], $tiles, $deep
        }
    };
}
#[cfg(target_arch = "x86_64")]
macro_rules! avx2 {
    ($module:ident, $lanes:ty, $tiles:tt, $deep:tt) => {
        compile! { $module, $lanes, #[target_feature(enable = "avx2,fma")], $tiles, $deep }
    };
}
macro_rules! portable {
    ($tiles:tt $deep:tt: $($module:ident $lanes:ty,)*) => {
        $(compile! { $module, $lanes, , $tiles, $deep })*
    };
}
#[cfg(target_arch = "x86_64")]
avx512! {
    f32_avx512, Singles<Avx512>,
    [[1 2 3 4 5 6 7 8 9 10 11 12] 1, [1 2 3 4 5 6 7 8 9 10 11 12] 2, [1 2 3] 3, [1 2 3] 4, [1] 5, [1] 6, [1] 7, [1] 8],
    [[1 2 3 4 5 6 7 8] 1, [1 2 3 4 5 6] 2, [1 2 3 4] 3, [1 2 3] 4]
}
#[cfg(target_arch = "x86_64")]
avx2! {
    f32_avx2, Singles<Avx2>,
    [[1 2 3 4 5 6 7 8 9 10 11 12] 1, [1 2 3 4 5 6] 2, [1 2 3] 3, [1 2] 4, [1] 5, [1] 6, [1] 7, [1] 8],
    [[1 2 3 4 5 6 7 8] 1, [1 2 3 4] 2]
}
// Fewer for what is rarer: every tile takes its time to compile.
#[cfg(target_arch = "x86_64")]
avx512! { f64_avx512, Doubles512, [[1 2 3 4 5 6] 1, [1 2 3 4 5 6] 2], [] }
#[cfg(target_arch = "x86_64")]
avx2! { f64_avx2, Doubles256, [[1 2 3 4 5 6] 1, [1 2 3 4 5 6] 2], [] }
portable! { [[1 2 3 4] 1, [1 2] 2, [1] 3, [1] 4] [[1 2 3 4] 1, [1 2] 2]: f32_portable Singles<Portable>, }
portable! {
    [[1 2 3 4] 1, [1 2] 2] []:
    f64_portable Plain<f64>,
    i8_portable Plain<i8>,
    i16_portable Plain<i16>,
    i32_portable Plain<i32>,
    i64_portable Plain<i64>,
}

/// An element type that has tiles.
pub(crate) trait Element: Copy + Default + Send + Sync + 'static {
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
