//! Copies of numbers on several threads: memory is handed out by pages when it is first written, which takes longer than
//! the copy itself.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::num::NonZero;
use std::thread;

use crate::{AN_ARRAY, Numeric, Result, room};

/// Bytes that are worth a thread.
const GRAIN: usize = 8 << 20;

/// The elements of numbers.
///
/// # Errors
/// There must be memory for them.
pub(crate) fn elements<N: Numeric>(numbers: &[N]) -> Result<Vec<N::Element>> {
    let mut all = room::empty(AN_ARRAY, numbers.len())?;
    let worth = numbers.len() * size_of::<N::Element>() / GRAIN;
    if worth < 2 || !by_threads(numbers, &mut all, worth) {
        all.extend(numbers.iter().map(|number| number.element()));
    }
    Ok(all)
}

/// Fills a vector that is empty, and has room, on up to so many threads; nothing happens to it if one cannot be started.
fn by_threads<N: Numeric>(numbers: &[N], all: &mut Vec<N::Element>, worth: usize) -> bool {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(worth);
    let each = numbers.len().div_ceil(threads);
    let parts = all.spare_capacity_mut()[..numbers.len()].chunks_mut(each).zip(numbers.chunks(each));
    let started = thread::scope(|scope| {
        let start = |(to, from)| thread::Builder::new().spawn_scoped(scope, move || write::<N>(to, from)).is_ok();
        parts.map(start).fold(true, |all, started| all & started)
    });
    if started {
        // SAFETY: there is room for as many, and each was written: a thread that panics ends the scope with its panic.
        unsafe { all.set_len(numbers.len()) };
    }
    started
}

fn write<N: Numeric>(to: &mut [MaybeUninit<N::Element>], from: &[N]) {
    for (to, number) in to.iter_mut().zip(from) {
        to.write(number.element());
    }
}

#[test]
fn parts_are_where_they_belong() {
    for len in [0, 1, GRAIN / 4 * 2, GRAIN / 4 * 5 + 3] {
        let numbers: Vec<f32> = (0..len).map(|i| i as f32).collect();
        assert!(elements(&numbers).expect("memory") == numbers, "{len}");
    }
}
