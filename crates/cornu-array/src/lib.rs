//! What graphs, files and tables have in common: numbers in arrays, and what is said when something is wrong.
//!
//! An [`Array`] is a [`Shape`] and elements of one [`DType`]; [`ToArray`] is whatever becomes one. A [`TextArray`] is
//! texts in a shape, an [`AnyArray`] either of them. An [`Error`] is that
//! of the whole workspace, a [`Warning`] what is said and goes on. [`random`] has the streams of TensorFlow, Python and
//! NumPy, [`numbers`] the texts of numbers.
//!
//! ```
//! use cornu_array::{Array, DType, ToArray};
//!
//! let rows = vec![[0.5, 1.0], [2.0, 3.0]].to_array()?;
//! assert_eq!(rows.ty().to_string(), "f64[2,2]");
//! assert_eq!(rows.cast(DType::I32), Array::new([2, 2], vec![0, 1, 2, 3])?);
//! # Ok::<(), cornu_array::Error>(())
//! ```
// Both panic where the output takes nothing.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod array;
mod arrays;
mod convert;
#[cfg(feature = "ndarray")]
mod copy;
mod error;
mod fingerprint;
mod half;
mod number;
pub mod numbers;
pub mod pad;
pub mod random;
pub mod room;
mod storage;
mod text;
mod text_array;
mod texts;
mod types;
mod warning;

pub use array::{Array, Buffer, Element};
pub use arrays::{Arrays, ToArrays};
pub use convert::{AN_ARRAY, Leaf, Nested, Numeric, ToArray};
#[cfg(feature = "ndarray")]
pub use convert::{from_array, into_ndarray};
pub use error::{Context, Error, ErrorKind, Printable, Result, bytes, list, nearest};
pub use fingerprint::{fingerprint64, siphash64};
pub use half::{Bf16, F16};
pub use number::Number;
pub use storage::{Loan, Storage, lending};
pub use text::Elements;
pub use text_array::{AnyArray, DataKind, TextArray};
pub use texts::Texts;
pub use types::{DType, Shape, Type};
pub use warning::{Code, Verbose, Warning, tell};
