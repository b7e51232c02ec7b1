//! The innermost loops of a matrix product: tiles of the output held in registers.
//!
//! Every element has one accumulator, which starts at zero and takes `a[i][p] * b[p][j]` for ascending `p` with one
//! fused multiply-add each. Tiles differ in how many elements they compute at once, never in what an element is.

use crate::kernels::simd::Simd;

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
    /// Whether to go on from the sums in the output instead of from zero.
    pub(super) resume: bool,
}

/// Computes one tile: `(walk, a, b, b_stride, out)`, the pointers at the tile's first elements.
pub(super) type Tile = unsafe fn(&Walk, *const f32, *const f32, usize, *mut f32);
/// Copies a panel of `b` of `depth` rows so that they are `width` floats apart: `(depth, columns, b, b_stride, width,
/// to)`. All the `width` is written: what is beyond `columns` is unspecified, and less than a vector.
pub(super) type Pack = unsafe fn(usize, usize, *const f32, usize, usize, *mut f32);
/// Computes `columns` elements of a vector times a transposed matrix: `(depth, columns, a, b, b_stride, out)`.
pub(super) type Along = unsafe fn(usize, usize, *const f32, *const f32, usize, *mut f32);

/// The kernels of one instruction set.
pub(super) struct Kernels {
    /// Lanes of a vector.
    pub(super) lanes: usize,
    /// Tiles by `[transposed a][tail][vectors - 1][rows - 1]`, as many as the registers hold.
    pub(super) tiles: [[&'static [&'static [Tile]]; 2]; 2],
    /// Packs `b` as it lies.
    pub(super) pack: Pack,
    /// Packs a transposed `b`.
    pub(super) pack_transposed: Pack,
    pub(super) along: Along,
}

/// A tile of `ROWS` rows by `VECTORS` vectors. The last vector has `walk.tail` lanes if `TAIL`; `a` is transposed if
/// `ACROSS`.
///
/// # Safety
/// The pointers must be at tiles of that size inside their matrices.
#[inline(always)]
unsafe fn tile<S: Simd, const ROWS: usize, const VECTORS: usize, const TAIL: bool, const ACROSS: bool>(
    s: S,
    walk: &Walk,
    mut a: *const f32,
    mut b: *const f32,
    b_stride: usize,
    out: *mut f32,
) {
    let (a_row, a_column) = if ACROSS { (1, walk.a_stride) } else { (walk.a_stride, 1) };
    let mut sums = [[s.splat(0.0); VECTORS]; ROWS];
    // SAFETY: elements of the tile and of the rows and columns of `a` and `b` it needs. `a` and `b` pass the end after
    // the last step only, and are not read then.
    unsafe {
        if walk.resume {
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
unsafe fn load<S: Simd, const VECTORS: usize, const TAIL: bool>(
    s: S,
    tail: usize,
    from: *const f32,
) -> [S::F; VECTORS] {
    let mut row = [s.splat(0.0); VECTORS];
    for (j, x) in row.iter_mut().enumerate() {
        let from = from.wrapping_add(j * S::LANES);
        // SAFETY: promised by the caller.
        *x = unsafe { if TAIL && j == VECTORS - 1 { s.load_first(tail, from) } else { s.load(from) } };
    }
    row
}

/// # Safety
/// See [`Pack`]: `b` must have the rows and columns, `to` room for `depth * width` floats.
#[inline(always)]
unsafe fn pack<S: Simd>(
    s: S,
    depth: usize,
    columns: usize,
    b: *const f32,
    b_stride: usize,
    width: usize,
    to: *mut f32,
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
unsafe fn pack_transposed<S: Simd>(
    s: S,
    depth: usize,
    columns: usize,
    b: *const f32,
    b_stride: usize,
    width: usize,
    to: *mut f32,
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

/// Writes a vector, or its beginning if only `left` floats are left.
///
/// # Safety
/// They must be writable.
#[inline(always)]
unsafe fn store_within<S: Simd>(s: S, left: usize, to: *mut f32, x: S::F) {
    // SAFETY: promised by the caller.
    unsafe { if left < S::LANES { s.store_first(left, to, x) } else { s.store(to, x) } }
}

/// The next four rows, or `left` if fewer, of `lanes` columns of a transposed `b`.
///
/// # Safety
/// They must exist.
#[inline(always)]
unsafe fn columns_at<S: Simd>(s: S, lanes: usize, from: *const f32, stride: usize, left: usize) -> [S::F; 4] {
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
/// See [`Along`]: `a` must have `depth` floats, `b` as many in each of `columns` columns, `out` `columns`.
#[inline(always)]
unsafe fn along<S: Simd>(
    s: S,
    depth: usize,
    columns: usize,
    a: *const f32,
    b: *const f32,
    b_stride: usize,
    out: *mut f32,
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
unsafe fn along_block<S: Simd, const VECTORS: usize>(
    s: S,
    depth: usize,
    lanes: usize,
    a: *const f32,
    b: *const f32,
    b_stride: usize,
    out: *mut f32,
) {
    let mut sums = [s.splat(0.0); VECTORS];
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

/// The kernels above, compiled for one instruction set, in a module of their own. The lists say which rows there are
/// for one, two, … vectors.
macro_rules! compile {
    ($module:ident, $simd:ident, $(#[$feature:meta])?, [$([$($rows:literal)*] $vectors:literal),*]) => {
        pub(super) mod $module {
            use super::{Kernels, Simd, Tile, Walk};
            use crate::kernels::simd::$simd as S;

            $(#[$feature])?
            unsafe fn tile<const ROWS: usize, const VECTORS: usize, const TAIL: bool, const ACROSS: bool>(
                walk: &Walk,
                a: *const f32,
                b: *const f32,
                b_stride: usize,
                out: *mut f32,
            ) {
                // SAFETY: who calls this has a `Level`, hence the instructions; the rest is promised.
                unsafe { super::tile::<S, ROWS, VECTORS, TAIL, ACROSS>(S::assume(), walk, a, b, b_stride, out) }
            }

            compile! {
                @plain pack, $(#[$feature])?,
                (depth: usize, columns: usize, b: *const f32, b_stride: usize, width: usize, to: *mut f32)
            }
            compile! {
                @plain pack_transposed, $(#[$feature])?,
                (depth: usize, columns: usize, b: *const f32, b_stride: usize, width: usize, to: *mut f32)
            }
            compile! {
                @plain along, $(#[$feature])?,
                (depth: usize, columns: usize, a: *const f32, b: *const f32, b_stride: usize, out: *mut f32)
            }

            macro_rules! tiles {
                ($tail:literal, $across:literal) => {
                    &[$(&[$(tile::<$rows, $vectors, $tail, $across> as Tile),*]),*]
                };
            }

            pub(in crate::kernels::dot) static KERNELS: Kernels = Kernels {
                lanes: S::LANES,
                tiles: [[tiles!(false, false), tiles!(true, false)], [tiles!(false, true), tiles!(true, true)]],
                pack,
                pack_transposed,
                along,
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
compile! {
    avx512, Avx512, #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")],
    [[1 2 3 4 5 6 7 8 9 10 11 12] 1, [1 2 3 4 5 6 7 8 9 10 11 12] 2, [1 2 3] 3, [1 2 3] 4, [1] 5, [1] 6, [1] 7, [1] 8]
}
#[cfg(target_arch = "x86_64")]
compile! {
    avx2, Avx2, #[target_feature(enable = "avx2,fma")],
    [[1 2 3 4 5 6 7 8 9 10 11 12] 1, [1 2 3 4 5 6] 2, [1 2 3] 3, [1 2] 4, [1] 5, [1] 6, [1] 7, [1] 8]
}
compile! { portable, Portable, , [[1 2 3 4] 1, [1 2] 2, [1] 3, [1] 4] }
