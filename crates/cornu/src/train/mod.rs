//! Training: `compile`, `fit`, `evaluate` and `predict`.
//!
//! A step is one graph for each shape of batch ([`step`](self)): forward pass, loss, gradients, optimizer, and the
//! running totals of loss and metrics, which are variables like the weights. The loop only says which rows come next;
//! it reads figures once an epoch, or when something on the screen is due.

mod batches;
mod callback;
pub(crate) mod checks;
mod compile;
mod feed;
mod fit;
mod history;
#[cfg(feature = "interrupt")]
mod interrupt;
mod keras2_streams;
mod outputs;
mod progress;
mod run;
mod slips;
mod state;
mod step;
mod variables;

pub(crate) use batches::InOrder;
pub use callback::Callback;
pub(crate) use compile::check_metric;
pub use compile::{Compile, Metrics};
pub use cornu_graph::{Code, Warning};
pub(crate) use feed::{Data, Ends, Given, ORDER};
pub(crate) use fit::positive;
pub use fit::{Evaluate, Fit, Predict};
pub use history::{Figures, History, Params, Scores};
pub use outputs::PerOutput;
pub(crate) use progress::Bar;
pub(crate) use run::{PREDICTIONS, Run};
pub use state::OptimizerState;
pub(crate) use step::Kind;
pub(crate) use step::{Stage, Steps, Training};
