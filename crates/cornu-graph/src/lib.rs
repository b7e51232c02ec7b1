//! What a neural network computes, apart from how and on what machine.
//!
//! A [`Trace`] hands out [`Tensor`]s; arithmetic on them writes a [`Graph`]; [`gradients`] writes its reverse; passes
//! ([`passes`]) make it smaller; an [`Executor`] opens a [`Session`] that runs it. Numbers are held by [`Array`]s alone.
//! Loops, branches and calls are ops with a [`Body`]: [`Trace::scan`], [`Trace::while_loop`], [`Trace::if_else`],
//! [`Trace::call`]; [`Trace::require`] asks for what must be true of a step.
//!
//! ```
//! use cornu_graph::{Array, Reference, Executor, Feed, Trace, Type, VarId, gradients};
//!
//! let trace = Trace::new();
//! let x = trace.input(Type::f32([2]));
//! let w = trace.var(VarId::new(0), Type::f32([2]));
//! let loss = (&x * &w - 1.0).square().sum_all();
//! let slope = gradients(&loss, &[w.clone()]).remove(0);
//! let graph = trace.finish(&[loss], &[(VarId::new(0), w - slope * 0.1)])?;
//!
//! let mut session = Reference.open()?;
//! session.declare(Type::f32([2]))?;
//! let step = session.compile(&graph)?;
//! session.run(step, &[Feed::Whole(&Array::vector(vec![1.0f32, 2.0]))])?;
//! assert_eq!(session.read(VarId::new(0)).to_vec::<f32>(), [0.2, 0.4]);
//! # Ok::<(), cornu_graph::Error>(())
//! ```
#![forbid(unsafe_code)]
// Both panic where the output takes nothing.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod array;
mod arrays;
mod backward;
mod body;
mod builder;
mod check;
mod convert;
mod error;
mod eval;
mod grad;
mod graph;
mod number;
pub mod numbers;
pub mod ops;
mod origin;
pub mod pad;
pub mod passes;
mod print;
pub mod random;
mod read;
mod rewrite;
pub mod room;
mod session;
mod tensor;
mod trace;
mod types;
mod verify;
mod warning;

pub use array::{Array, Buffer, Element};
pub use arrays::{Arrays, ToArrays};
pub use body::Body;
pub use builder::Builder;
pub use check::Check;
#[cfg(feature = "ndarray")]
pub use convert::from_array;
pub use convert::{AN_ARRAY, Nested, Numeric, ToArray};
pub use error::{Context, Error, ErrorKind, Printable, Result, bytes, list, nearest};
pub use eval::{Reference, evaluate};
pub use grad::gradients;
pub use graph::{Graph, Node, Value, VarId};
pub use number::Number;
pub use origin::Origin;
pub use read::OpText;
pub use rewrite::rewrite;
pub use session::{Executor, Feed, Memory, ProgramId, Session};
pub use tensor::{IntoTensor, Tensor};
pub use trace::Trace;
pub use types::{DType, Shape, Type};
pub use verify::verify;
pub use warning::{Code, Verbose, Warning, tell};
