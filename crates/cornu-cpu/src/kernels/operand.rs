//! Where kernels find their operands: the buffers of one run, spans in them, and steps along axes.

use std::ops::Range;

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
    /// Each must stay valid while it lives, and be aligned to 64 bytes but for slices of bodies.
    pub unsafe fn new(pointers: &'a [*mut u8]) -> Self {
        Bases(pointers)
    }

    /// Where a span begins.
    #[inline(always)]
    pub fn at<T>(self, span: Span) -> *mut T {
        self.0[span.base as usize].wrapping_add(span.at).cast()
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

/// Work that is divided into units, which any threads may do in any order: rows of a product, elements of a program. Which
/// units go together never shows in the results.
pub trait Kernel {
    /// How many units there are. Units of a leading axis of `rows` are `rows` equal stretches of these.
    fn units(&self) -> usize;

    /// How many units are worth a thread: a few microseconds of work.
    fn grain(&self) -> usize;

    /// Bytes of scratch memory that each thread needs.
    fn scratch(&self) -> usize;

    /// Does these units, and writes nothing that belongs to others.
    ///
    /// # Safety
    /// The spans lie in buffers of `bases`; nobody writes what is read, or touches what is written, meanwhile. `scratch`
    /// has as many bytes as asked for and begins at a line of 64 bytes.
    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, scratch: *mut u8);
}
