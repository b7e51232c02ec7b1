//! Runs graphs on this processor.
#![deny(unsafe_code)]

pub mod kernels;
