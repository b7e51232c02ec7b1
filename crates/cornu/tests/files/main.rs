//! Files that were changed or made up: no panic, no memory for what is refused, no weight changed. In a program of its
//! own, since it changes what is said of panics.

mod made_up;
mod mutate;
mod tables;

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cornu_testkit::alloc::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time: what is said of a panic belongs to the process.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which files: as many as `CORNU_MUTATIONS` says, or from one to another, as `7..8`; else as many as take a few seconds.
fn seeds() -> Range<u64> {
    let text = std::env::var("CORNU_MUTATIONS").unwrap_or_else(|_| "2500".into());
    let (from, to) = text.split_once("..").unwrap_or(("0", &text));
    let number = |text: &str| text.parse().expect("`CORNU_MUTATIONS` needs a number of files");
    number(from)..number(to)
}

#[test]
fn mutated_files_are_read_or_refused() {
    let _turn = alone();
    let report = mutate::run(seeds());
    assert!(report.wrong.is_empty(), "{report}");
    // Most changes hit what is checked; that some files still open shows that the changes are small.
    let both = report.kinds().iter().all(|kind| kind.tried < 100 || (1..kind.tried).contains(&kind.refused));
    assert!(both, "{report}");
    println!("{report}");
}
