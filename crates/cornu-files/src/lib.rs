//! The containers Keras and NumPy keep arrays in. This crate knows nothing of models: a file is names, arrays and JSON.
//!
//! * [`keras::Archive`] is a `.keras` file: two JSON texts and the bytes of an HDF5 file.
//! * [`h5::H5`] reads an HDF5 file (`.h5`, `.weights.h5`, the weights inside a `.keras` file) and [`h5::Builder`] writes one.
//! * [`npy`] reads and writes `.npy` and `.npz`.
//! * [`packed`] unpacks gzip files, and zip archives of one file.
//! * [`atomic::write`] puts bytes into a file in one step, so that a crash never leaves half a file.
//!
//! ```
//! use cornu_files::h5::{Builder, H5};
//! use cornu_array::Array;
//!
//! let mut builder = Builder::new();
//! builder.dataset("layers/dense/vars/0", &Array::vector(vec![1.0f32, 2.0]))?;
//! let file = H5::read(builder.finish()?)?;
//! assert_eq!(file.dataset("layers/dense/vars/0")?.as_slice(), Some(&[1.0f32, 2.0][..]));
//! # Ok::<(), cornu_array::Error>(())
//! ```
//!
//! What is read may come from a stranger. Nothing in a file makes another file open, sizes are compared with the bytes
//! that are there before memory is taken, and what does not add up is an error.
#![forbid(unsafe_code)]
// Both panic where the output takes nothing.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod atomic;
pub mod bundle;
pub mod h5;
pub mod json;
pub mod keras;
pub mod npy;
pub mod packed;

mod element;
mod h5_builder;
mod members;
