//! What a search shows on the terminal.

use std::time::Instant;

use crate::ledger::Ledger;
use crate::search::Finish;
use crate::trial::Trial;

/// Shows how a search goes on.
pub(crate) struct Display {
    shown: bool,
    begun: Instant,
}

impl Display {
    pub(crate) fn new(shown: cornu::graph::Verbose, _: Option<u64>, _: usize) -> Display {
        let shown = shown != cornu::graph::Verbose::Silent;
        Display { shown, begun: Instant::now() }
    }
    pub(crate) fn began(&mut self, _: u64) {}
    pub(crate) fn ended(&mut self, _: &Ledger, _: &Trial) {}
    pub(crate) fn tick(&mut self, _: &Ledger) {}
    pub(crate) fn end(&mut self, _: &Ledger, _: Option<Finish>) {
        _ = (self.shown, self.begun);
    }
    pub(crate) fn warn(&mut self, text: &str) {
        _ = text;
    }
}
