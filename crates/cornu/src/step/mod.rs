//! One step of training, evaluating or predicting: what it is made of, and what is said of it.
//!
//! A step is one graph for each shape of batch: forward pass, loss, gradients, optimizer, and the running totals of loss
//! and metrics, which are variables like the weights.

mod cast;
pub(crate) mod checks;
mod compile;
mod feed;
mod finite;
mod history;
mod keras2_streams;
mod outputs;
mod slips;
mod stage;
mod state;
mod told;
mod variables;

pub(crate) use compile::check_metric;
pub use compile::{Compile, Metrics};
pub use cornu_graph::{Code, Warning};
pub(crate) use feed::{Data, Ends, Fed, Given, ORDER};
pub use history::{Figures, History, Params, Scores};
pub use outputs::PerOutput;
pub(crate) use stage::{Ended, Kind, Stage, Steps, Training};
pub use state::OptimizerState;
