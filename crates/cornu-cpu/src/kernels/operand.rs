//! Where kernels find their operands: the buffers of one run, spans in them, and steps along axes.

use std::fmt::Display;
use std::ops::Range;

use cornu_graph::{DType, Element, Number, Type};

use super::memory::{LINE, typed};
use super::simd::Level;

/// The buffers that a program works on, numbered as it was planned: scratch memory, inputs, variables, constants. A run
/// resolves them once; the loop of a body moves those of its slices and carries from step to step.
#[derive(Clone, Copy, Debug)]
pub struct Bases<'a>(&'a [*mut u8]);

// SAFETY: kernels read and write behind the pointers only what their callers promise them, part by part.
unsafe impl Send for Bases<'_> {}
// SAFETY: as above.
unsafe impl Sync for Bases<'_> {}

impl<'a> Bases<'a> {
    /// The buffers behind these pointers.
    ///
    /// # Safety
    /// Each must stay valid while it lives, and be aligned to 64 bytes but for slices of bodies. What is asked of them lies
    /// inside: `lower` gives each value a place in its buffer.
    pub unsafe fn new(pointers: &'a [*mut u8]) -> Self {
        Bases(pointers)
    }

    /// Where a span begins.
    #[inline(always)]
    pub fn at<T>(self, span: Span) -> *mut T {
        self.0[span.base as usize].wrapping_add(span.at).cast()
    }

    /// The elements of a value.
    ///
    /// # Safety
    /// They are of that type, and nobody writes them meanwhile.
    #[inline(always)]
    pub unsafe fn slice<T: Element>(self, place: Place) -> &'a [T] {
        // SAFETY: places lie inside their buffers, and begin at a line or at an element of a slice.
        unsafe { std::slice::from_raw_parts(self.at(place.span), place.len) }
    }

    /// The elements of a value, to be written.
    ///
    /// # Safety
    /// They are of that type, and nobody else reads or writes them meanwhile.
    #[inline(always)]
    pub unsafe fn slice_mut<T: Element>(self, place: Place) -> &'a mut [T] {
        // SAFETY: as for `slice`.
        unsafe { std::slice::from_raw_parts_mut(self.at(place.span), place.len) }
    }

    /// The first element of a value.
    pub(crate) fn number(self, place: Place) -> Number {
        // SAFETY: the place lies inside its buffer.
        typed!(place.dtype, T => unsafe { *self.at::<T>(place.span) }.number())
    }

    /// Copies a value over another of the same size. They may overlap.
    pub(crate) fn copy(self, from: Place, to: Place) {
        // SAFETY: both lie inside their buffers.
        unsafe { std::ptr::copy(self.at::<u8>(from.span), self.at::<u8>(to.span), from.bytes().min(to.bytes())) };
    }
}

/// Where a value begins: a buffer of the run, and bytes from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The number of the buffer.
    pub base: u32,
    /// Bytes from its beginning.
    pub at: usize,
}

impl Span {
    /// The beginning of that buffer.
    pub fn of(base: u32) -> Span {
        Span { base, at: 0 }
    }
}

/// Where a value lies: as many elements of its type, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Place {
    pub dtype: DType,
    pub span: Span,
    pub len: usize,
}

impl Place {
    /// That of a value of that type, from the span's beginning on.
    pub fn new(ty: &Type, span: Span) -> Place {
        Place { dtype: ty.dtype, span, len: ty.size() }
    }

    /// The bytes of its elements.
    pub fn bytes(self) -> usize {
        self.len.saturating_mul(self.dtype.size())
    }

    /// The bytes it takes, its padding to whole lines included.
    pub fn padded(self) -> usize {
        self.bytes().checked_next_multiple_of(LINE).unwrap_or(usize::MAX)
    }
}

/// An axis of a walk: how many elements, and how many elements of memory from one to the next. A step of 0 repeats, a
/// negative one runs backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Axis {
    /// Elements.
    pub size: usize,
    /// Elements of memory from one to the next.
    pub step: isize,
}

/// A value as it is walked over: the first element, and the axes from the outermost to the innermost.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Strided {
    /// The first element.
    pub span: Span,
    /// From the outermost to the innermost; axes that lie in a row are one.
    pub axes: Box<[Axis]>,
}

impl Strided {
    /// As many elements in a row.
    pub fn whole(span: Span, len: usize) -> Strided {
        Strided { span, axes: [Axis { size: len, step: 1 }].into() }
    }

    /// Whether the elements lie in a row.
    pub fn is_row(&self) -> bool {
        match *self.axes {
            [] => true,
            [axis] => axis.size <= 1 || axis.step == 1,
            _ => false,
        }
    }

    /// How many elements lie in a row, and the axes along which such rows lie.
    pub fn row(&self) -> (usize, &[Axis]) {
        match self.axes.split_last() {
            Some((&Axis { size, step: 1 }, outer)) => (size, outer),
            _ => (1, &self.axes),
        }
    }
}

/// Work that is divided into units, which any threads may do in any order: rows of a product, elements of a program. Which
/// units go together never shows in the results. It prints what it does, for snapshots of plans.
pub trait Kernel: Display + Send + Sync {
    /// How many units there are. Units of a leading axis of `rows` are `rows` equal stretches of these.
    fn units(&self) -> usize;

    /// Whether so many rows of a leading axis are stretches of units.
    fn has_rows(&self, rows: usize) -> bool {
        rows > 0 && self.units().is_multiple_of(rows)
    }

    /// How many units are worth a thread: a few microseconds of work.
    fn grain(&self) -> usize;

    /// About how many microseconds one thread needs for all units: four for what is worth a thread, or as is known better.
    fn microseconds(&self) -> f64 {
        4.0 * self.units() as f64 / self.grain().max(1) as f64
    }

    /// Bytes of scratch memory that each thread needs.
    fn scratch(&self) -> usize;

    /// Does these units, and writes nothing that belongs to others.
    ///
    /// # Safety
    /// The spans lie in buffers of `bases`; nobody writes what is read, or touches what is written, meanwhile. `scratch`
    /// has as many bytes as asked for and begins at a line of 64 bytes.
    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, scratch: *mut u8);
}
