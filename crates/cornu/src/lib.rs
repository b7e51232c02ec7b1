//! Keras for Rust.
#![forbid(unsafe_code)]

pub mod config;
pub mod layers;
pub mod regularizers;

pub use cornu_graph::{Context, Error, ErrorKind, Result};
#[doc(hidden)]
pub use serde_json as json;
