//! Runs graphs on this processor.
//!
//! [`Cpu`] opens sessions. A graph goes through the passes of `cornu-graph`; `schedule` orders its work and gathers
//! element-wise nodes into groups; `fuse` makes each group a program, `plan` joins programs that do the same and decides
//! which new variables are written over the old ones, `memory` gives every value its offset, `lower` makes steps of it
//! all, and `step` runs them: one `match` for each, over buffers, without allocating. The kernels are in [`kernels`].
//!
//! ```
//! use cornu_cpu::Cpu;
//! use cornu_graph::{Array, Executor, Feed, Trace, Type};
//!
//! let trace = Trace::new();
//! let x = trace.input(Type::f32([2, 2]));
//! let graph = trace.finish(&[x.dot(&x).relu()], &[])?;
//! let mut run = Cpu::new().open()?.compile(&graph)?.room()?;
//! run.start(&[Feed::Host(&Array::new([2, 2], vec![1.0f32, 2.0, -3.0, 0.5])?)])?;
//! assert_eq!(run.output(0)?.to_vec::<f32>(), [0.0, 3.0, 0.0, 0.0]);
//! # Ok::<(), cornu_graph::Error>(())
//! ```
#![deny(unsafe_code)]
// Both panic where the output takes nothing.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod bands;
mod blocks;
mod bodies;
mod control;
mod convolve;
mod copies;
mod count;
mod ends;
mod environment;
mod fuse;
mod jobs;
pub mod kernels;
mod lower;
mod memory;
mod over;
mod plan;
mod program;
mod reductions;
mod row_programs;
mod rows;
mod schedule;
mod session;
mod step;
mod store;
mod sums;
mod tokens;
mod updates;
mod view;
mod walk;

pub use kernels::simd::Level;
pub use session::Cpu;
