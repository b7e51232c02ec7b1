//! What enters and leaves buffers: arrays, and rows of them.

use cornu_graph::{Array, Buffer, Element, Error, Result, Type};

use super::memory::{collect, typed};
use super::operand::{Bases, Place};
use super::parallel;
use super::threads::Threads;

/// Writes an array, or those of its rows, which are of the type and the size of the place.
///
/// # Panics
/// If a row is not in the array.
pub(crate) fn write(bases: Bases, place: Place, array: &Array, rows: Option<&[u32]>, threads: &Threads) {
    match array.buffer() {
        Buffer::F32(from) if rows.is_some_and(|rows| rows.len() < place.len) => {
            let order = rows.unwrap_or_default();
            // SAFETY: whoever feeds a place has it for himself; so below.
            parallel::rows(threads, from, order, place.len / order.len().max(1), unsafe { bases.slice_mut(place) });
        }
        // SAFETY: as above.
        from => typed!(from.dtype(), T => spread(elements(from), rows, unsafe { bases.slice_mut::<T>(place) })),
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

/// Copies `from`, or those of its rows, to `to`, which has exactly their size.
fn spread<T: Copy>(from: &[T], rows: Option<&[u32]>, to: &mut [T]) {
    match rows {
        None => to.copy_from_slice(from),
        Some(rows) => {
            let width = to.len() / rows.len().max(1);
            for (to, &row) in to.chunks_exact_mut(width.max(1)).zip(rows) {
                to.copy_from_slice(&from[row as usize * width..][..width]);
            }
        }
    }
}
