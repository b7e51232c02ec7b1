//! Keras for Rust.
#![forbid(unsafe_code)]

pub mod display;
