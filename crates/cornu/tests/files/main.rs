//! Files that were changed or made up: no panic, no memory for what is refused, no weight changed. In a program of its
//! own, since it counts what every thread asks for.
#![allow(unsafe_code, reason = "an allocator that counts")]

mod counting;
mod made_up;
mod mutate;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: another would be counted too.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many files: `CORNU_MUTATIONS`, or as many as take a few seconds.
fn count() -> u64 {
    std::env::var("CORNU_MUTATIONS").map_or(2500, |count| count.parse().expect("a number of files"))
}

#[test]
fn mutated_files_are_read_or_refused() {
    let _turn = alone();
    let report = mutate::run(0..count());
    assert!(report.wrong.is_empty(), "{report}");
    // Most changes hit what is checked; that some files still open shows that the changes are small.
    assert!(report.kinds().iter().all(|kind| kind.refused > 0 && kind.refused < kind.tried), "{report}");
    println!("{report}");
}
