//! Configurations that were not tried before.

use super::Proposal;
use crate::ledger::Ledger;
use crate::space::Parameter;
use crate::value::{Value, Values};

/// How many draws are made before a small space is walked through.
const DRAWS: u64 = 20;

/// A configuration that was not tried: of the first draws one that is new, else the next in the order of the space, from the
/// last draw on. In a space that can be counted all are tried before it is used up.
pub(super) fn untried(ledger: &Ledger, mut draw: impl FnMut(u64) -> Values) -> Proposal {
    let mut last = Values::default();
    for attempt in 0..DRAWS {
        last = draw(attempt);
        if !ledger.is_tried(&last) {
            return Proposal::Run(last);
        }
    }
    if !ledger.space.is_finite() {
        // There are infinitely many numbers between, but none that the draws reach.
        return Proposal::UsedUp;
    }
    let options = |parameter: &Parameter| -> Vec<Value> { parameter.all().unwrap_or_default() };
    let (mut values, mut around) = (last, false);
    loop {
        values = match ledger.space.next(&values, options) {
            Some(next) => next,
            None if around => return Proposal::UsedUp,
            None => {
                around = true;
                ledger.space.values(&Vec::new())
            }
        };
        if !ledger.is_tried(&values) {
            return Proposal::Run(values);
        }
    }
}
