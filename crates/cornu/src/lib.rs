//! Keras for Rust.
#![forbid(unsafe_code)]

pub mod choice;
pub mod config;
pub mod data;
pub mod datasets;
pub mod display;
pub mod initializers;
pub mod layers;
pub mod losses;
pub mod metrics;
pub mod model_selection;
pub mod optimizers;
pub mod random;
pub mod regularizers;

pub use cornu_graph::{Context, Error, ErrorKind, Result};
#[doc(hidden)]
pub use serde_json as json;
