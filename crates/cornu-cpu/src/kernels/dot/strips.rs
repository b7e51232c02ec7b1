//! What goes along with the tiles of a product: panels that are packed, a vector times a transposed matrix, sums of columns.

use super::lanes::Lanes;
use super::tile::load;

/// # Safety
/// See [`Pack`](super::tile::Pack): `b` must have the rows and columns, `to` room for `depth * width` elements.
#[inline(always)]
pub(super) unsafe fn pack<S: Lanes>(
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
pub(super) unsafe fn pack_transposed<S: Lanes>(
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
/// See [`Along`](super::tile::Along): `a` must have `depth` elements, `b` as many in each of `columns` columns, `out` `columns`.
#[inline(always)]
pub(super) unsafe fn along<S: Lanes>(
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
/// See [`Sums`](super::tile::Sums): `b` must have the rows and columns, `to` the columns.
#[inline(always)]
pub(super) unsafe fn sums<S: Lanes>(
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
