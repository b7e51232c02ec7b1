//! What a neural network computes, apart from how and on what machine.
//!
//! A [`Trace`] hands out [`Tensor`]s; arithmetic on them writes a [`Graph`]; [`gradients`] writes its reverse; passes
//! ([`passes`]) make it smaller; an [`Executor`] opens a [`Session`] that runs it. Numbers are held by [`Array`]s
//! alone, which have a crate of their own, `cornu-array`, named here as well.
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
//! let session = Reference.open()?;
//! session.declare(Type::f32([2]).into())?;
//! let mut run = session.compile(&graph)?.room()?;
//! run.start(&[Feed::Host(&Array::vector(vec![1.0f32, 2.0]))])?;
//! assert_eq!(session.value(VarId::new(0))?.to_vec::<f32>(), [0.2, 0.4]);
//! # Ok::<(), cornu_graph::Error>(())
//! ```
#![forbid(unsafe_code)]
// Both panic where the output takes nothing.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod backward;
mod body;
mod builder;
mod check;
mod common;
mod eval;
mod grad;
mod graph;
pub mod ops;
mod origin;
pub mod passes;
mod print;
mod read;
mod rewrite;
mod session;
mod stack;
mod tensor;
mod trace;
mod verify;

pub use body::Body;
pub use builder::Builder;
pub use check::Check;
pub use common::{Common, Held, are_same_but_names, corner, digest, padded};
pub use cornu_array::{
    AN_ARRAY, AnyArray, Array, Arrays, Bf16, Buffer, Code, Context, DType, DataKind, Element, Elements, Error,
    ErrorKind, F16, Leaf, Loan, Nested, Number, Numeric, Printable, Result, Shape, Storage, TextArray, Texts, ToArray,
    ToArrays, Type, Verbose, Warning, bytes, fingerprint64, lending, list, nearest, numbers, pad, random, room,
    siphash64, tell,
};
#[cfg(feature = "ndarray")]
pub use cornu_array::{from_array, into_ndarray};
pub use eval::{Reference, check_vars, evaluate};
pub use grad::gradients;
pub use graph::{Graph, Node, Value, VarId};
pub use origin::Origin;
pub use read::OpText;
pub use rewrite::rewrite;
pub use session::{
    Data, Executor, Failure, Feed, Memory, Outcome, Program, Role, Run, Session, Start, VarSpec, check_batches,
    check_feeds, missing,
};
pub use stack::{Given, Stack, beside, part, wide};
pub use tensor::{IntoTensor, Tensor};
pub use trace::Trace;
pub use verify::verify;
