//! An allocator that counts, for tests of how memory grows. A test binary installs it with
//! `#[global_allocator] static ALLOCATOR: Counting = Counting;`.
// `GlobalAlloc` is an unsafe trait; every call goes to the system's allocator with the arguments it came with.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

/// The system's allocator, counted. Its own counts are those of the whole process.
#[derive(Debug)]
pub struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

impl Counting {
    /// Bytes the process has asked for, given back or not. Growing a block asks for all of its new size.
    pub fn allocated() -> usize {
        ALLOCATED.load(Relaxed)
    }

    /// Bytes the process has held at once, at most.
    pub fn peak() -> usize {
        PEAK.load(Relaxed).unsigned_abs()
    }

    /// How often the process has asked for memory.
    pub fn count() -> usize {
        COUNT.load(Relaxed)
    }
}

/// What a piece of work asked of the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Bytes asked for, given back or not. Growing a block asks for all of its new size.
    pub bytes: usize,
    /// Bytes held at once beyond those from before, at most.
    pub peak: usize,
    /// How often memory was asked for.
    pub count: usize,
}

/// The counts of a thread. What is held is below zero where a thread frees what others asked for.
#[derive(Clone, Copy)]
struct Thread {
    bytes: usize,
    count: usize,
    held: isize,
    peak: isize,
    limit: isize,
}

thread_local! {
    static THREAD: Cell<Thread> =
        const { Cell::new(Thread { bytes: 0, count: 0, held: 0, peak: 0, limit: isize::MAX }) };
}

/// Runs `work`, and says what it asked for on this thread: tests beside it are not seen, nor are threads it starts.
pub fn used<R>(work: impl FnOnce() -> R) -> (R, Used) {
    let before = THREAD.get();
    THREAD.set(Thread { peak: before.held, ..before });
    let result = work();
    let after = THREAD.get();
    THREAD.set(Thread { peak: before.peak.max(after.peak), ..after });
    let peak = (after.peak - before.held).unsigned_abs();
    (result, Used { bytes: after.bytes - before.bytes, peak, count: after.count - before.count })
}

/// Runs `work` on this thread with no more than `bytes` beyond what is held already: further requests fail, as they do
/// where memory is short. What does not expect that aborts.
pub fn limited<R>(bytes: usize, work: impl FnOnce() -> R) -> R {
    let Thread { held, limit, .. } = THREAD.get();
    THREAD.set(Thread { limit: held.saturating_add_unsigned(bytes), ..THREAD.get() });
    let result = work();
    THREAD.set(Thread { limit, ..THREAD.get() });
    result
}

/// Counts a request of `new` bytes in place of `old` ones; false if it is beyond the limit.
fn ask(new: usize, old: usize) -> bool {
    let thread = THREAD.get();
    let held = thread.held.saturating_add_unsigned(new).saturating_sub_unsigned(old);
    if held > thread.limit && new > old {
        return false;
    }
    let (bytes, count, peak) = (thread.bytes + new, thread.count + 1, thread.peak.max(held));
    THREAD.set(Thread { bytes, count, held, peak, ..thread });
    ALLOCATED.fetch_add(new, Relaxed);
    COUNT.fetch_add(1, Relaxed);
    let change = new.cast_signed() - old.cast_signed();
    PEAK.fetch_max(HELD.fetch_add(change, Relaxed) + change, Relaxed);
    true
}

fn give_back(size: usize) {
    let thread = THREAD.get();
    THREAD.set(Thread { held: thread.held.saturating_sub_unsigned(size), ..thread });
    HELD.fetch_sub(size.cast_signed(), Relaxed);
}

// SAFETY: blocks come from `System` and go back to it, with their own layouts; counting touches cells without
// destructors that are part of the thread, and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one `System` needs.
        if ask(layout.size(), 0) { unsafe { System.alloc(layout) } } else { std::ptr::null_mut() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one `System` needs.
        if ask(layout.size(), 0) { unsafe { System.alloc_zeroed(layout) } } else { std::ptr::null_mut() }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is the one `System` needs.
        if ask(size, layout.size()) { unsafe { System.realloc(block, layout, size) } } else { std::ptr::null_mut() }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller's promise is the one `System` needs.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    #[test]
    fn requests_are_counted() {
        let before = (Counting::allocated(), Counting::count());
        let (kept, outer) = used(|| {
            let ((), inner) = used(|| drop(Vec::<u8>::with_capacity(3000)));
            assert_eq!(inner, Used { bytes: 3000, peak: 3000, count: 1 });
            let mut kept = Vec::<u8>::with_capacity(1000);
            kept.reserve_exact(2000);
            kept
        });
        assert_eq!((outer, kept.capacity()), (Used { bytes: 6000, peak: 3000, count: 3 }, 2000));
        assert_eq!(used(|| drop(kept)).1, Used { bytes: 0, peak: 0, count: 0 });
        assert!(Counting::allocated() >= before.0 + 6000 && Counting::count() >= before.1 + 3);
        assert!(Counting::peak() >= 3000);
    }

    #[test]
    fn requests_beyond_a_limit_fail() {
        let reserve = |bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
        assert!(limited(1000, || reserve(1000) && !reserve(1001)));
        assert!(reserve(1001));
    }
}
