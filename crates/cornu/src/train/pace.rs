//! How many batches are one run, where no callback looks at them.

use std::time::{Duration, Instant};

/// After how long a loop looks whether it was stopped.
const LOOK: Duration = Duration::from_millis(20);

/// No more batches than this are one run.
const MOST: usize = 1 << 16;

/// As many batches as take about so long that Ctrl-C need not wait: twice as many each time, while they take less.
#[derive(Default)]
pub(super) struct Pace {
    batches: usize,
    began: Option<Instant>,
}

impl Pace {
    /// How many batches are next. Where nothing can stop a loop, no clock is looked at.
    pub(super) fn next(&mut self) -> usize {
        if cfg!(not(feature = "interrupt")) {
            return usize::MAX;
        }
        let now = Instant::now();
        let fast = self.began.replace(now).is_none_or(|began| now - began < LOOK);
        self.batches = if fast { self.batches * 2 } else { self.batches / 2 }.clamp(1, MOST);
        self.batches
    }
}
