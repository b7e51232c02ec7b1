//! Memory that may not be there.

use std::alloc::{Layout, alloc_zeroed};

use cornu_graph::Element;

/// `len` zeros, or nothing where there is no memory for them. What the system gives is zero already and is not touched:
/// pages are taken when they are first written.
pub fn zeros<T: Element>(len: usize) -> Option<Vec<T>> {
    let layout = Layout::array::<T>(len).ok()?;
    if layout.size() == 0 {
        return Some(Vec::new());
    }
    // SAFETY: the layout has a size.
    let memory = unsafe { alloc_zeroed(layout) }.cast::<T>();
    // SAFETY: the global allocator made it for this layout, and every element type has zero for all bits zero.
    (!memory.is_null()).then(|| unsafe { Vec::from_raw_parts(memory, len, len) })
}

/// A copy, or nothing where there is no memory for it.
pub fn collect<T>(items: impl ExactSizeIterator<Item = T>) -> Option<Vec<T>> {
    let mut all = Vec::new();
    all.try_reserve_exact(items.len()).ok()?;
    all.extend(items);
    Some(all)
}

#[test]
fn memory_is_zero_or_not_there() {
    assert_eq!(zeros::<f64>(3), Some(vec![0.0; 3]));
    assert_eq!(zeros::<bool>(2), Some(vec![false; 2]));
    assert_eq!(zeros::<u8>(0), Some(Vec::new()));
    assert_eq!(zeros::<i64>(usize::MAX / 8), None);
    assert_eq!(collect([1, 2].iter().map(|x| x * 2)), Some(vec![2, 4]));
    assert_eq!(collect(std::iter::repeat_n(0u64, usize::MAX / 8)), None);
}
