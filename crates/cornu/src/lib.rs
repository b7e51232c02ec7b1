//! Keras for Rust.
#![forbid(unsafe_code)]

pub mod data;
pub mod datasets;
