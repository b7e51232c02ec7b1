//! Search for hyper-parameters, in KerasTuner's words: spaces that a build function declares, trials that run side by
//! side, samplers that learn from those that ended, and a journal from which a killed search goes on.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod about;
mod display;
mod draw;
mod hypermodel;
pub mod journal;
mod keras_tuner;
mod ledger;
mod objective;
pub mod oracle;
pub mod plot;
mod pruner;
pub mod sampler;
mod search;
mod space;
mod trial;
mod tuner;
mod value;

pub use cornu::metrics::Direction;
pub use hypermodel::{HyperModel, Results, TrainingData};
pub use keras_tuner::KerasTunerProject;
pub use ledger::Ledger;
pub use objective::Objective;
pub use pruner::{MedianPruner, Pruner, SuccessiveHalvingPruner};
pub use search::Finish;
pub use space::{Boolean, Choice, Condition, Domain, Float, HyperParameters, Int, Parameter, Sampling, Space, Whole};
pub use trial::{Execution, Status, Trial};
pub use tuner::{BayesianOptimization, GridSearch, Hyperband, RandomSearch, TpeSearch, Tuner};
pub use value::{Value, Values};

/// What most searches need: `use cornu_tuner::prelude::*;`
pub mod prelude {
    pub use crate::{
        BayesianOptimization, GridSearch, HyperModel, HyperParameters, Hyperband, MedianPruner, Objective,
        RandomSearch, Status, SuccessiveHalvingPruner, TpeSearch, Trial, Tuner,
    };
}

/// The programs of the documents, so that they are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/search.en.md")]
#[doc = include_str!("../../../docs/search.es.md")]
#[doc = include_str!("../../../docs/tuner.md")]
struct Documents;
