//! Random search.

use super::unique::untried;
use super::{Oracle, Proposal};
use crate::draw;
use crate::ledger::Ledger;
use crate::value::Values;

/// Draws each value, by the seed of the search, the number of the trial and the name of the parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RandomSearchOracle;

impl Oracle for RandomSearchOracle {
    fn name(&self) -> &'static str {
        "RandomSearch"
    }

    fn populate(&mut self, ledger: &Ledger) -> Proposal {
        drawn(ledger)
    }

    fn ahead(&self, workers: usize) -> usize {
        32 * workers
    }

    fn looks_back(&self) -> bool {
        false
    }
}

/// Values at random, which were not tried before.
pub(super) fn drawn(ledger: &Ledger) -> Proposal {
    let number = ledger.next_number();
    untried(ledger, |attempt| {
        let mut values = Values::default();
        for parameter in ledger.space.parameters() {
            if parameter.is_active(&values) {
                let seed = ledger.seed.wrapping_add(attempt << 32);
                let drawn = |kind| parameter.value_at(draw::coordinate(seed, number, &parameter.name, kind));
                values.set(&parameter.name, parameter.kind().map_or_else(|| parameter.default(), drawn));
            }
        }
        values
    })
}
