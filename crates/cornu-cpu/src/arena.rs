//! The memory of a session: one row of numbers for each element type, cut into spans that start on 64-byte lines.
//!
//! Booleans live among the singles, as 0 and 1: comparisons and selections then run in the same vector registers as
//! everything else. Only what crosses the session's border is translated.

use cornu_graph::{Array, Bf16, Buffer, DType, Element, Error, F16, Feed, Number, Result, Type};

use crate::kernels::memory::{collect, zeros};
use crate::kernels::parallel;
use crate::kernels::threads::Threads;

/// Bytes between two places where a span may start.
const LINE: usize = 64;
/// Rows of up to twice as many elements are not made smaller.
const SMALLEST: usize = 4096;

/// The element type a value is kept as.
pub(crate) fn storage(dtype: DType) -> DType {
    if dtype == DType::Bool { DType::F32 } else { dtype }
}

/// The number of elements a span takes, its padding to whole lines included.
pub(crate) fn padded(dtype: DType, len: usize) -> usize {
    let line = LINE / storage(dtype).size();
    len.div_ceil(line).saturating_mul(line)
}

/// Where a value is: a span of the row of its storage type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub dtype: DType,
    pub at: usize,
    pub len: usize,
}

impl Place {
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.at..self.at + self.len
    }
}

/// One row of numbers whose element 0 starts a line.
#[derive(Default)]
pub(crate) struct Row<T> {
    data: Vec<T>,
    start: usize,
}

impl<T: Element> Row<T> {
    /// Makes the row `len` elements long; the first `kept` stay.
    fn resize(&mut self, len: usize, kept: usize) -> Result<()> {
        let slack = LINE / size_of::<T>();
        let memory = len.checked_add(slack).and_then(zeros);
        let missing = || Error::memory(format_args!("a row of {}", T::DTYPE), len.saturating_mul(size_of::<T>()));
        let mut data: Vec<T> = memory.ok_or_else(missing)?;
        let start = data.as_ptr().align_offset(LINE).min(slack);
        let kept = kept.min(self.all().len()).min(len);
        data[start..start + kept].copy_from_slice(&self.all()[..kept]);
        *self = Row { data, start };
        Ok(())
    }

    pub(crate) fn all(&self) -> &[T] {
        &self.data[self.start..]
    }

    pub(crate) fn all_mut(&mut self) -> &mut [T] {
        &mut self.data[self.start..]
    }
}

macro_rules! arena {
    ($($dtype:ident $field:ident: $rust:ty,)*) => {
        /// All rows of a session.
        #[derive(Default)]
        pub(crate) struct Arena { $(pub(crate) $field: Row<$rust>,)* }

        impl Arena {
            /// Makes the row of that storage type at least `len` elements long; the first `kept` stay.
            ///
            /// # Errors
            /// There must be memory for it.
            pub(crate) fn grow(&mut self, storage: DType, len: usize, kept: usize) -> Result<()> {
                match storage {
                    $(DType::$dtype if self.$field.all().len() >= len => Ok(()),
                    DType::$dtype => self.$field.resize(len, kept),)*
                    other => unreachable!("{other} is not a storage type"),
                }
            }

            /// Gives back what the row of that storage type has behind `len` elements, if that is most of it.
            pub(crate) fn shrink(&mut self, storage: DType, len: usize, kept: usize) {
                let _ = match storage {
                    $(DType::$dtype if self.$field.all().len() / 2 <= len.max(SMALLEST) => Ok(()),
                    // Where there is no memory for a smaller row, the larger one stays.
                    DType::$dtype => self.$field.resize(len, kept),)*
                    other => unreachable!("{other} is not a storage type"),
                };
            }

            /// Sets a span to zero.
            pub(crate) fn clear(&mut self, place: Place) {
                match storage(place.dtype) {
                    $(DType::$dtype => self.$field.all_mut()[place.range()].fill(<$rust>::default()),)*
                    other => unreachable!("{other} is not a storage type"),
                }
            }

            /// Element `i` of a span.
            pub(crate) fn number(&self, place: Place, i: usize) -> Number {
                match storage(place.dtype) {
                    $(DType::$dtype => self.$field.all()[place.at + i].number(),)*
                    other => unreachable!("{other} is not a storage type"),
                }
            }

            /// Copies one span over another of the same storage type and length.
            pub(crate) fn copy(&mut self, from: Place, to: Place) {
                match storage(from.dtype) {
                    $(DType::$dtype => self.$field.all_mut().copy_within(from.range(), to.at),)*
                    other => unreachable!("{other} is not a storage type"),
                }
            }

            /// Writes an array, or rows of one, into a span of its type.
            pub(crate) fn feed(&mut self, place: Place, feed: &Feed, threads: &Threads) -> Result<()> {
                let (array, rows) = match feed {
                    Feed::Whole(array) => (array, None),
                    Feed::Rows(array, rows) => (array, Some(*rows)),
                };
                match array.buffer() {
                    Buffer::F32(from) if rows.is_some_and(|rows| rows.len() < place.len) => {
                        let (order, to) = (rows.unwrap_or_default(), &mut self.f32.all_mut()[place.range()]);
                        parallel::rows(threads, from, order, place.len / order.len().max(1), to);
                    }
                    Buffer::Bool(from) => spread(from, rows, &mut self.f32.all_mut()[place.range()], |x| f32::from(u8::from(x))),
                    $(Buffer::$dtype(from) => spread(from, rows, &mut self.$field.all_mut()[place.range()], |x| x),)*
                    other => return Err(Error::unsupported(format!("arrays of {}", other.dtype()))),
                }
                Ok(())
            }

            /// A span as an array of that type.
            ///
            /// # Errors
            /// There must be memory for it.
            pub(crate) fn array(&self, place: Place, ty: &Type) -> Result<Array> {
                let buffer = match ty.dtype {
                    DType::Bool => collect(self.f32.all()[place.range()].iter().map(|&x| x != 0.0)).map(Buffer::Bool),
                    $(DType::$dtype => collect(self.$field.all()[place.range()].iter().copied()).map(Buffer::$dtype),)*
                    other => unreachable!("{other} is not a storage type"),
                };
                let missing = || Error::memory(format_args!("an array of {ty}"), ty.bytes().unwrap_or(usize::MAX));
                Array::from_buffer(ty.shape.clone(), buffer.ok_or_else(missing)?)
            }

            /// Bytes held.
            pub(crate) fn bytes(&self) -> usize {
                [$(self.$field.data.len() * size_of::<$rust>(),)*].iter().sum()
            }
        }
    };
}

arena! {
    F32 f32: f32, F64 f64: f64, F16 f16: F16, Bf16 bf16: Bf16, I64 i64: i64, I32 i32: i32, I16 i16: i16, I8 i8: i8,
    U64 u64: u64, U32 u32: u32, U16 u16: u16, U8 u8: u8,
}

/// Copies `from`, or those of its rows, to `to`, which has exactly their size.
fn spread<A: Copy, B>(from: &[A], rows: Option<&[usize]>, to: &mut [B], convert: impl Fn(A) -> B) {
    let put = |to: &mut [B], from: &[A]| to.iter_mut().zip(from).for_each(|(to, &from)| *to = convert(from));
    match rows {
        None => put(to, from),
        Some(rows) => {
            let width = to.len() / rows.len().max(1);
            for (to, &row) in to.chunks_exact_mut(width.max(1)).zip(rows) {
                put(to, &from[row * width..(row + 1) * width]);
            }
        }
    }
}
