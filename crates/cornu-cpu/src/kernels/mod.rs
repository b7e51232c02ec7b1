//! Machine code for the heavy loops: the only place of this crate where `unsafe` is allowed.
//!
//! Each loop is written once over [`simd::Simd`] and compiled for every [`simd::Level`]; the level is chosen at run time.
#![allow(unsafe_code)]

pub mod arg;
pub mod dot;
pub mod fold;
pub mod fused;
pub mod math;
pub mod memory;
pub mod moves;
pub mod num;
pub mod operand;
pub mod parallel;
pub mod random;
pub mod reduce;
pub mod rows;
pub mod simd;
pub mod subnormal;
pub mod threads;
