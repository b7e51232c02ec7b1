//! Keras for Rust.
#![forbid(unsafe_code)]

pub mod initializers;

pub mod data;
pub mod datasets;
pub mod display;
pub mod model_selection;
pub mod random;
