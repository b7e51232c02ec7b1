//! Machine code for the heavy loops, and what stops them: the only place of this crate where `unsafe` is allowed.
//!
//! Each loop is written once over [`simd::Simd`] and compiled for every [`simd::Level`]; the level is chosen at run time.
#![allow(unsafe_code)]

pub mod dot;
pub mod fused;
#[cfg(feature = "interrupt")]
pub mod interrupt;
pub mod math;
pub mod parallel;
pub mod reduce;
pub mod simd;
pub mod subnormal;
pub mod threads;
