//! Training: `compile`, `fit`, `evaluate` and `predict`.
//!
//! A step is one graph for each shape of batch ([`step`](self)): forward pass, loss, gradients, optimizer, and the
//! running totals of loss and metrics, which are variables like the weights. The loop only says which rows come next;
//! it reads figures once an epoch, or when something on the screen is due.

mod batches;
mod callback;
mod checks;
mod compile;
#[cfg(feature = "data")]
mod estimator;
mod feed;
mod fit;
mod history;
#[cfg(feature = "interrupt")]
mod interrupt;
mod keras2_streams;
mod model;
mod progress;
mod run;
mod slips;
mod state;
mod step;

pub use callback::Callback;
pub use compile::Compile;
pub(crate) use compile::check_metric;
pub use cornu_graph::{Code, Warning};
pub use fit::{Evaluate, Fit, Predict};
pub use history::{Figures, History, Params, Scores};
pub use state::OptimizerState;
pub(crate) use step::{Stage, Training};
