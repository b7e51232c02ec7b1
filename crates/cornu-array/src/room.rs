//! Memory that may not be there: asked for before, since an allocation that fails ends the program.

use crate::{Error, Result};

/// Bytes that are not asked for before: there is no program without them.
const SMALL: usize = 4096;

/// A vector with room for as many elements.
///
/// # Errors
/// More than there is.
pub fn empty<T>(what: &str, len: usize) -> Result<Vec<T>> {
    let mut data = Vec::new();
    match data.try_reserve_exact(len) {
        Ok(()) => Ok(data),
        Err(_) => Err(short::<T>(what, &[len])),
    }
}

/// Whether there is room for an array of these sizes: for the number of its elements, and for them in memory.
pub fn has_room<T>(sizes: &[usize]) -> bool {
    // As in `ndarray`, the sizes beside one of zero count too.
    let size = sizes.iter().filter(|&&size| size > 0).try_fold(1usize, |all, &size| all.checked_mul(size));
    let none = sizes.contains(&0);
    let is_there =
        |size: usize| size.saturating_mul(size_of::<T>()) <= SMALL || Vec::<T>::new().try_reserve_exact(size).is_ok();
    size.filter(|&size| isize::try_from(size).is_ok()).is_some_and(|size| none || is_there(size))
}

/// Room for as many elements, which `what` needs (`an array`): what is allocated next may take as much.
///
/// # Errors
/// More than there is.
pub fn room<T>(what: &str, sizes: &[usize]) -> Result<()> {
    if has_room::<T>(sizes) { Ok(()) } else { Err(short::<T>(what, sizes)) }
}

fn short<T>(what: &str, sizes: &[usize]) -> Error {
    let bytes = sizes.iter().fold(size_of::<T>(), |bytes, &size| bytes.saturating_mul(size));
    Error::memory(what, bytes)
}

#[test]
fn what_has_no_room_is_an_error() {
    assert!(has_room::<f64>(&[0, usize::MAX >> 1]) && !has_room::<f64>(&[0, usize::MAX]));
    assert!(!has_room::<f64>(&[1 << 40, 0, 1 << 40]));
    let error = room::<f64>("an array", &[1 << 20, 1 << 30]).expect_err("8 PB");
    assert_eq!(error.message(), "an array needs 8.00 PB of memory, more than there is");
}
