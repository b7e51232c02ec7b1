//! Search through all configurations, in KerasTuner's order.

use super::{Oracle, Proposal};
use crate::ledger::Ledger;
use crate::space::Parameter;
use crate::trial::Status;

/// Goes through all values of all parameters, the last parameter first, each from its default on; of a range without steps
/// through ten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GridSearchOracle;

impl Oracle for GridSearchOracle {
    fn name(&self) -> &'static str {
        "GridSearch"
    }

    fn populate(&mut self, ledger: &Ledger) -> Proposal {
        // What it has declared says what comes next.
        let Some(last) = ledger.trials().last() else { return Proposal::Run(ledger.space.values(&Vec::new())) };
        if last.status == Status::Running && !last.is_built {
            return Proposal::Idle;
        }
        let mut values = last.values.clone();
        loop {
            values = match ledger.space.next(&values, Parameter::grid) {
                Some(next) if ledger.is_tried(&next) => next,
                Some(next) => return Proposal::Run(next),
                None => return Proposal::UsedUp,
            };
        }
    }

    fn follows_builds(&self) -> bool {
        true
    }

    fn draws_unknown(&self) -> bool {
        false
    }

    fn ends(&self) -> bool {
        true
    }
}
