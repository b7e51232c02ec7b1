//! Memory: buffers that never move, and the table of those that a program works on.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::Arc;

use cornu_graph::{DType, Error, Result};

use super::operand::Bases;

/// Bytes of a line. Buffers and what is planned in them begin at multiples of it, and are padded to multiples of it.
pub const LINE: usize = 64;

/// The element type a value is kept as: truths are singles, 1 and 0.
pub fn stored(dtype: DType) -> DType {
    if dtype == DType::Bool { DType::F32 } else { dtype }
}

/// Runs something with the Rust type that a type is stored as.
macro_rules! typed {
    ($dtype:expr, $t:ident => $run:expr) => {
        $crate::kernels::memory::typed!($dtype, $t => $run; F32 f32, F64 f64, F16 cornu_graph::F16,
            Bf16 cornu_graph::Bf16, I64 i64, I32 i32, I16 i16, I8 i8, U64 u64, U32 u32, U16 u16, U8 u8)
    };
    ($dtype:expr, $t:ident => $run:expr; $($name:ident $rust:ty),*) => {
        match $crate::kernels::memory::stored($dtype) {
            $(cornu_graph::DType::$name => { type $t = $rust; $run })*
            other => unreachable!("nothing is stored as {other}"),
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
}

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
        let layout = padded.and_then(|bytes| Layout::from_size_align(bytes, LINE).ok());
        // SAFETY: the layout has a size.
        let start = layout.and_then(|layout| NonNull::new(unsafe { alloc_zeroed(layout) }));
        let (layout, start) = layout.zip(start).ok_or_else(|| Error::memory(what, bytes))?;
        Ok(Buffer { start: start.as_ptr(), bytes: layout.size() })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first byte.
    pub fn start(&self) -> *mut u8 {
        self.start
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
        unsafe { dealloc(self.start, Layout::from_size_align_unchecked(self.bytes, LINE)) };
    }
}

/// The buffers of a program, in the order of their numbers. Whoever has it keeps those alive that it does not keep itself.
#[derive(Debug, Default)]
pub(crate) struct Table {
    starts: Vec<*mut u8>,
    kept: Vec<Arc<Buffer>>,
}

// SAFETY: it is a list of addresses; `Bases` says what may be done with them.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// Adds a buffer, and gives its number.
    pub(crate) fn push(&mut self, buffer: &Buffer) -> u32 {
        self.starts.push(buffer.start());
        u32::try_from(self.starts.len() - 1).expect("a program has fewer inputs, variables and constants than 2^32")
    }

    /// As [`Table::push`]; it lives as long as the table.
    pub(crate) fn keep(&mut self, buffer: Arc<Buffer>) -> u32 {
        let number = self.push(&buffer);
        self.kept.push(buffer);
        number
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
