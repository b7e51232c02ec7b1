//! What enters and leaves buffers: arrays, and rows of them.

use std::ops::Range;

use cornu_graph::{Array, Buffer, DType, Element, Error, Result, Type};

use super::memory::{LINE, collect, typed};
use super::operand::{Bases, Place};
use super::simd::foresee;
use super::threads::{Threads, share};

/// Bytes of rows to be picked that are worth a thread, and of a whole array, which is copied from end to end.
const GRAIN: usize = 32 * 1024;
const WHOLE: usize = 512 * 1024;

/// Bytes of rows that are asked for ahead, since they lie anywhere, and how many rows ahead.
const FAR: usize = 256;
const AHEAD: usize = 2;

/// Writes an array, or those of its rows, which are of the type and the size of the place.
///
/// # Panics
/// If a row is not in the array.
pub(crate) fn write(bases: Bases, place: Place, array: &Array, rows: Option<&[u32]>, threads: &Threads) {
    let from = typed!(array.dtype(), T => as_bytes(elements::<T>(array.buffer())));
    // SAFETY: whoever feeds a place has it for himself, and all bytes are elements of those types that they are read as.
    let to = unsafe { bases.slice_mut::<u8>(Place { dtype: DType::U8, len: place.bytes(), ..place }) };
    match rows {
        None => by_parts(threads, WHOLE, to, 1, |to, bytes| to.copy_from_slice(&from[bytes])),
        Some(rows) => {
            let width = to.len() / rows.len().max(1);
            by_parts(threads, GRAIN, to, width, |to, part| copy_rows(from, &rows[part], width, to));
        }
    }
}

fn as_bytes<T: Element>(elements: &[T]) -> &[u8] {
    // SAFETY: elements have no gaps.
    unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) }
}

/// Fills `to`, which is rows of so many bytes, on a thread for each `grain` of it: `fill` is given some rows, and which.
fn by_parts(
    threads: &Threads,
    grain: usize,
    to: &mut [u8],
    width: usize,
    fill: impl Fn(&mut [u8], Range<usize>) + Sync,
) {
    let (rows, most) = (to.len() / width.max(1), threads.count().min(to.len() / grain));
    if most <= 1 {
        return fill(to, 0..rows);
    }
    let target = Shared(to.as_mut_ptr());
    threads.run(most, &|part, parts| {
        let part = share(rows, part, parts);
        // SAFETY: `to` has room for the rows and is lent to this call; parts are other rows of it.
        let to = unsafe { std::slice::from_raw_parts_mut(target.at(part.start * width), part.len() * width) };
        fill(to, part);
    });
}

/// A pointer that threads may share, each for its own bytes.
struct Shared(*mut u8);

// SAFETY: `by_parts` hands every thread other bytes of it.
unsafe impl Sync for Shared {}

impl Shared {
    fn at(&self, offset: usize) -> *mut u8 {
        self.0.wrapping_add(offset)
    }
}

/// Small rows without a call for each.
fn copy_rows(from: &[u8], rows: &[u32], width: usize, to: &mut [u8]) {
    match width {
        0 => {}
        1..4 => ends::<1>(from, rows, width, to),
        4..8 => ends::<4>(from, rows, width, to),
        8..16 => ends::<8>(from, rows, width, to),
        16..32 => ends::<16>(from, rows, width, to),
        32..=64 => ends::<32>(from, rows, width, to),
        _ => {
            let row = |row: u32| &from[row as usize * width..][..width];
            for (i, (to, &this)) in to.chunks_exact_mut(width).zip(rows).enumerate() {
                if let Some(&next) = rows.get(i + AHEAD).filter(|_| width >= FAR) {
                    foresee(row(next).as_ptr(), LINE as isize, width.div_ceil(LINE));
                }
                to.copy_from_slice(row(this));
            }
        }
    }
}

/// Copies rows of up to twice `N` bytes: their first and their last; of less than four what lies between as well.
#[inline(always)]
fn ends<const N: usize>(from: &[u8], rows: &[u32], width: usize, to: &mut [u8]) {
    for (to, &row) in to.chunks_exact_mut(width).zip(rows) {
        let from = &from[row as usize * width..][..width];
        if N == 1 {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        } else if let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
            to.first_chunk_mut().into_iter().for_each(|to| *to = *first);
            to.last_chunk_mut().into_iter().for_each(|to| *to = *last);
        }
    }
}

fn elements<T: Element>(buffer: &Buffer) -> &[T] {
    T::slice(buffer).expect("a buffer has elements of its type")
}

/// A value as an array of that type.
///
/// # Errors
/// There must be memory for it.
pub(crate) fn read(bases: Bases, place: Place, ty: &Type) -> Result<Array> {
    // SAFETY: nothing runs while results are read.
    let buffer = typed!(ty.dtype, T => collect(unsafe { bases.slice::<T>(place) }.iter().copied()).map(T::wrap));
    let missing = || Error::memory(format_args!("an array of {ty}"), ty.bytes().unwrap_or(usize::MAX));
    Array::from_buffer(ty.shape.clone(), buffer.ok_or_else(missing)?)
}

/// Copies a value into an array of its type.
pub(crate) fn read_into(bases: Bases, place: Place, to: &mut Array) {
    typed!(place.dtype, T => {
        let to = T::slice_mut(to.buffer_mut()).expect("an array of the value's type");
        // SAFETY: nothing runs while results are read.
        to.copy_from_slice(unsafe { bases.slice::<T>(place) });
    });
}

#[test]
fn large_arrays_arrive_whole_on_any_number_of_threads() {
    let ty = Type::new(DType::U16, [WHOLE + 3]);
    let array = Array::from_fn(&ty, |at| (at % 65_521) as f64);
    for threads in [1, 2, 3, 5] {
        let (threads, place) = (Threads::new(threads), Place::new(&ty, super::operand::Span::of(0)));
        let buffer = super::memory::Buffer::new("a buffer", place.padded()).expect("memory").taken(&threads);
        write(buffer.bases(), place, &array, None, &threads);
        assert!(read(buffer.bases(), place, &ty).expect("memory") == array);
    }
}
