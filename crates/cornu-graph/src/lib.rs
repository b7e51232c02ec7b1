//! What a neural network computes.
#![forbid(unsafe_code)]

mod array;
mod error;
pub mod random;
mod types;

pub use array::{Array, Buffer, Element};
pub use error::{Context, Error, ErrorKind, Result, nearest};
pub use types::{DType, Shape, Type};
