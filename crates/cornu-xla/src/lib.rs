//! Runs graphs wherever XLA has a plugin: on graphics cards and other accelerators, and on the processor to try it.
//!
//! [`Xla`] opens sessions. A graph goes through the passes of `cornu-graph`, is written as StableHLO (`hlo`), and compiled
//! by the plugin, which is spoken to through PJRT's C interface (`ffi`, `plugin`). Variables and data stay on the device;
//! what a step gives comes back when it is asked for.
//!
//! ```no_run
//! use cornu_graph::{Array, Executor, Feed, Trace, Type};
//! use cornu_xla::Xla;
//!
//! let trace = Trace::new();
//! let x = trace.input(Type::f32([2, 2]));
//! let graph = trace.finish(&[x.dot(&x).relu()], &[])?;
//! let mut run = Xla::new("xla_cpu_pjrt.so").open()?.compile(&graph)?.room()?;
//! run.start(&[Feed::Host(&Array::new([2, 2], vec![1.0f32, 2.0, -3.0, 0.5])?)])?;
//! assert_eq!(run.output(0)?.to_vec::<f32>(), [0.0, 3.0, 0.0, 0.0]);
//! # Ok::<(), cornu_graph::Error>(())
//! ```
#![deny(unsafe_code)]
// Both panic where the output takes nothing.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod error;
#[allow(unsafe_code, reason = "structs that start as zeros")]
mod ffi;
mod hlo;
mod options;
#[allow(unsafe_code, reason = "calls of the plugin")]
mod plugin;
mod program;
mod session;

pub use session::Xla;
