//! Keras for Rust.
#![forbid(unsafe_code)]
