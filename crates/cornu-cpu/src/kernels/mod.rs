//! Machine code for the heavy loops: the only place of this crate where `unsafe` is allowed.
//!
//! Each loop is written once over [`simd::Simd`] and compiled for every [`simd::Level`]; the level is chosen at run time.
#![allow(unsafe_code)]

pub(crate) mod arg;
pub(crate) mod bands;
pub mod conv;
pub mod dot;
pub mod fused;
pub mod math;
pub mod memory;
pub(crate) mod moves;
pub(crate) mod num;
pub mod operand;
pub(crate) mod order;
pub(crate) mod over_rows;
pub mod parallel;
pub(crate) mod picked;
pub(crate) mod pool;
pub(crate) mod random;
pub(crate) mod reduce;
pub(crate) mod rows;
pub mod shuffle;
pub mod simd;
pub mod threads;
pub(crate) mod transfer;
