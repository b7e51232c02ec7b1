//! Keras for Rust.
#![forbid(unsafe_code)]

pub mod initializers;
pub mod model_selection;
pub mod random;
