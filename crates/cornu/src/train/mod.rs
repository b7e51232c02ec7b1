//! Training: `fit`, `evaluate` and `predict`.
//!
//! A loop says which rows come next, and calls [`Callback`]s; a step computes ([`Compile`] says what). Figures are read
//! once an epoch, or when a callback asks for them.

mod batches;
mod callback;
mod callbacks;
mod feeding;
mod fit;
mod fits;
#[cfg(feature = "interrupt")]
mod interrupt;
mod model;
mod pace;
mod progress;
mod run;
mod snapshot;
mod source;
mod texts;
mod together;

pub use callback::{Again, Callback, Control, Hook, Memory};
pub use callbacks::*;
pub use fit::{Evaluate, Fit, Predict, Resume};
pub use fits::Fits;
pub use source::{Batch, Rows, Source};
pub use together::{fit_together, fit_together_with};

pub use crate::step::{Code, Compile, Figures, History, Metrics, OptimizerState, Params, PerOutput, Scores, Warning};

/// Where Ctrl-C is not noted.
#[cfg(not(feature = "interrupt"))]
mod interrupt {
    pub(super) struct Interrupt;

    impl Interrupt {
        pub(super) fn watch() -> Interrupt {
            Interrupt
        }

        pub(super) fn is_pressed(&self) -> bool {
            false
        }
    }
}
