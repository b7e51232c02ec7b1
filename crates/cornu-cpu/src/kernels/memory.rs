//! Memory: buffers that never move, and the table of those that a program works on.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use cornu_graph::{Error, Result};

use super::operand::{Bases, Place, Span};
use super::threads::{Threads, share};

/// Bytes of a line. Buffers and what is planned in them begin at multiples of it, and are padded to multiples of it.
pub const LINE: usize = 64;

/// Runs something with the Rust type of an element type.
macro_rules! typed {
    ($dtype:expr, $t:ident => $run:expr) => {
        $crate::kernels::memory::typed!($dtype, $t => $run; F32 f32, F64 f64, F16 cornu_graph::F16,
            Bf16 cornu_graph::Bf16, I64 i64, I32 i32, I16 i16, I8 i8, U64 u64, U32 u32, U16 u16, U8 u8, Bool bool)
    };
    ($dtype:expr, $t:ident => $run:expr; $($name:ident $rust:ty),*) => {
        match $dtype {
            $(cornu_graph::DType::$name => { type $t = $rust; $run })*
            other => unreachable!("no elements are of type `{other}`"),
        }
    };
}

pub(crate) use typed;

/// Bytes that begin at a line and never move, zero at first. Like a pointer it may be written by whoever has it: who
/// reads and writes when is up to those that run programs on it.
#[derive(Debug)]
pub struct Buffer {
    start: *mut u8,
    bytes: usize,
    /// What the system gave: a line more, of which the first whole one is `start`.
    given: (*mut u8, Layout),
}

/// What the system aligns memory to without filling it with zeros by hand.
const ALIGNED: usize = 16;

/// Bytes of a page, or less.
const PAGE: usize = 4096;

/// How many pages to be taken are worth a thread.
const PAGES: usize = 64;

// SAFETY: it owns its bytes.
unsafe impl Send for Buffer {}
// SAFETY: it only gives pointers.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Room for that many bytes and the line they end in. What the system gives is zero already and is not touched: pages
    /// are taken when they are first written.
    ///
    /// # Errors
    /// There must be memory for `what`.
    pub fn new(what: impl std::fmt::Display, bytes: usize) -> Result<Buffer> {
        let padded = bytes.checked_next_multiple_of(LINE).map(|bytes| bytes.max(LINE));
        let layout = padded.and_then(|bytes| Layout::from_size_align(bytes.checked_add(LINE)?, ALIGNED).ok());
        // SAFETY: the layout has a size.
        let given = layout.and_then(|layout| NonNull::new(unsafe { alloc_zeroed(layout) }));
        let (layout, given) = layout.zip(given).ok_or_else(|| Error::memory(what, bytes))?;
        let given = given.as_ptr();
        let start = given.wrapping_add(given.align_offset(LINE));
        Ok(Buffer { start, bytes: layout.size() - LINE, given: (given, layout) })
    }

    /// The same with all pages taken: for what is read before it is written. A page that is read first is one of zeros which
    /// all share, and to write it then interrupts every other core.
    pub(crate) fn taken(self, threads: &Threads) -> Buffer {
        let pages = self.bytes.div_ceil(PAGE);
        threads.run(pages / PAGES, &|part, parts| {
            for page in share(pages, part, parts) {
                // SAFETY: it is inside, and only this part has it. The compiler may not leave out what writes no news.
                unsafe { self.room().start.wrapping_add(page * PAGE).write_volatile(0) };
            }
        });
        self
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first byte.
    pub fn start(&self) -> *mut u8 {
        self.start
    }

    /// All of it.
    pub fn room(&self) -> Room<'_> {
        Room { start: self.start, bytes: self.bytes, buffer: PhantomData }
    }

    /// As the only one of its kind.
    pub(crate) fn bases(&self) -> Bases<'_> {
        // SAFETY: it is aligned, and borrowed as long.
        unsafe { Bases::new(std::slice::from_ref(&self.start)) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: `new` made it with this layout.
        unsafe { dealloc(self.given.0, self.given.1) };
    }
}

/// A stretch of a buffer that begins at a line. Like the buffer it may be written by whoever has it.
#[derive(Clone, Copy, Debug)]
pub struct Room<'a> {
    start: *mut u8,
    bytes: usize,
    buffer: PhantomData<&'a Buffer>,
}

// SAFETY: as for `Buffer`.
unsafe impl Send for Room<'_> {}
// SAFETY: as for `Buffer`.
unsafe impl Sync for Room<'_> {}

impl<'a> Room<'a> {
    /// Bytes held.
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// The first byte.
    pub fn start(self) -> *mut u8 {
        self.start
    }

    /// The first bytes, to the end of their line, and what is behind them.
    ///
    /// # Panics
    /// If there are fewer.
    pub(crate) fn cut(self, bytes: usize) -> (Room<'a>, Room<'a>) {
        let bytes = bytes.next_multiple_of(LINE);
        assert!(bytes <= self.bytes, "needed {bytes} bytes of scratch, got {}", self.bytes);
        (Room { bytes, ..self }, Room { start: self.start.wrapping_add(bytes), bytes: self.bytes - bytes, ..self })
    }

    /// Bytes from the middle, from the beginning of a line on.
    ///
    /// # Panics
    /// If they are not there.
    pub(crate) fn piece(self, at: usize, bytes: usize) -> Room<'a> {
        self.cut(at).1.cut(bytes).0
    }
}

/// The table of a body, whose pointers its loop moves.
#[derive(Clone, Copy)]
pub(crate) struct Slots<'a> {
    room: Room<'a>,
    count: usize,
}

impl<'a> Slots<'a> {
    /// How many bytes that many pointers take.
    pub(crate) fn bytes(count: usize) -> usize {
        (count * size_of::<*mut u8>()).next_multiple_of(LINE)
    }

    /// Room for that many pointers, and what is behind it.
    pub(crate) fn new(room: Room<'a>, count: usize) -> (Slots<'a>, Room<'a>) {
        let (room, rest) = room.cut(Self::bytes(count));
        let slots = Slots { room, count };
        (0..count).for_each(|number| slots.set(number, room.start));
        (slots, rest)
    }

    pub(crate) fn set(self, number: usize, to: *mut u8) {
        assert!(number < self.count, "buffer {number} of {}", self.count);
        // SAFETY: there is room for it, which is this table's alone.
        unsafe { self.room.start.cast::<*mut u8>().add(number).write(to) };
    }

    pub(crate) fn get(self, number: usize) -> *mut u8 {
        self.bases().at(Span { base: number as u32, at: 0 })
    }

    /// Copies the bytes of a value from where that pointer leads, if it lies elsewhere.
    pub(crate) fn copy(self, number: usize, bases: Bases, to: Place) {
        let (from, at) = (self.get(number), bases.at::<u8>(to.span));
        if from != at {
            // SAFETY: it leads to a value of the same size, apart from this one.
            unsafe { std::ptr::copy_nonoverlapping(from, at, to.bytes()) };
        }
    }

    /// The buffers as they are now: to be asked for again after they have changed.
    pub(crate) fn bases(self) -> Bases<'a> {
        // SAFETY: `new` has written them all; who sets them sees to what they lead to.
        unsafe { Bases::new(std::slice::from_raw_parts(self.room.start.cast(), self.count)) }
    }
}

/// The buffers of a program, in the order of their numbers. Whoever has it keeps those alive that it does not keep itself.
#[derive(Debug)]
pub(crate) struct Table {
    starts: Vec<*mut u8>,
    kept: Vec<Arc<Buffer>>,
}

// SAFETY: it is a list of addresses; `Bases` says what may be done with them.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// A table with that many places that are still to be set.
    pub(crate) fn open(places: usize) -> Table {
        Table { starts: vec![std::ptr::null_mut(); places], kept: Vec::new() }
    }

    /// Adds a buffer, which lives as long as the table, and gives its number.
    pub(crate) fn keep(&mut self, buffer: Arc<Buffer>) -> u32 {
        self.starts.push(buffer.start());
        self.kept.push(buffer);
        u32::try_from(self.starts.len() - 1).expect("a program has fewer inputs, variables and constants than 2^32")
    }

    /// The same buffers, kept alive by whoever has this one.
    pub(crate) fn again(&self) -> Table {
        Table { starts: self.starts.clone(), kept: Vec::new() }
    }

    /// Puts a buffer from that byte on in the place of another.
    pub(crate) fn set(&mut self, number: usize, buffer: &Buffer, at: usize) {
        assert!(at <= buffer.bytes(), "byte {at} of a buffer of {}", buffer.bytes());
        self.starts[number] = buffer.start().wrapping_add(at);
    }

    pub(crate) fn bases(&self) -> Bases<'_> {
        // SAFETY: the owner keeps the buffers alive, which are aligned.
        unsafe { Bases::new(&self.starts) }
    }
}

/// A copy, or nothing where there is no memory for it.
pub fn collect<T>(items: impl ExactSizeIterator<Item = T>) -> Option<Vec<T>> {
    let mut all = Vec::new();
    all.try_reserve_exact(items.len()).ok()?;
    all.extend(items);
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zero_and_whole_lines() {
        for (asked, got) in [(0, 64), (1, 64), (64, 64), (65, 128)] {
            let buffer = Buffer::new("a buffer", asked).expect("memory");
            assert_eq!((buffer.bytes(), buffer.start().align_offset(LINE)), (got, 0));
            // SAFETY: it has as many bytes.
            assert!((0..got).all(|i| unsafe { *buffer.start().add(i) } == 0));
        }
        for asked in [isize::MAX as usize, usize::MAX] {
            let error = Buffer::new("a buffer", asked).expect_err("more than there is");
            assert!(error.to_string().starts_with("a buffer needs "), "{error}");
        }
    }

    #[test]
    fn what_has_no_memory_is_nothing() {
        assert_eq!(collect([1, 2].iter().map(|x| x * 2)), Some(vec![2, 4]));
        assert_eq!(collect(std::iter::repeat_n(0u64, usize::MAX / 8)), None);
    }
}
