//! A graph while it is traced: what it is made of so far, where the trace is, and its first mistake.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use crate::builder::Builder;
use crate::graph::{Graph, Node, Value, VarId};
use crate::ops::{Constant, Iota, Leaf, Op};
use crate::verify::{verify, verify_ends};
use crate::{Array, Error, Origin, Result, Tensor, Type};

/// A graph being written, and the first mistake made while writing it.
#[derive(Clone, Default)]
pub struct Trace(Rc<RefCell<Tracing>>);

#[derive(Default)]
struct Tracing {
    builder: Builder,
    inputs: usize,
    /// The path of the layer that is traced.
    layer: Option<Arc<str>>,
    /// Where nodes are said to come from, if it is not the line that adds them.
    origin: Option<Origin>,
    problem: Option<Error>,
    ended: bool,
    context: Option<Rc<dyn Any>>,
}

impl Trace {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty graph that carries one value of any type beside it: what functions want to know that are given nothing but
    /// a tensor, such as the version of Keras that a loss follows. It is kept as long as the trace or a tensor of it, is
    /// never changed, and is no part of the graph: nodes, text and equality know nothing of it.
    pub fn in_context(context: impl Any) -> Self {
        let trace = Self::default();
        trace.0.borrow_mut().context = Some(Rc::new(context));
        trace
    }

    /// A copy of the value of [`Trace::in_context`]; `None` if there is none, or it is of another type than `T`.
    pub fn context<T: Any + Clone>(&self) -> Option<T> {
        self.0.borrow().context.as_ref().and_then(|context| context.downcast_ref::<T>()).cloned()
    }

    /// A tensor given at each step; inputs are given in the order of these calls.
    #[track_caller]
    pub fn input(&self, ty: Type) -> Tensor {
        let index = self.0.borrow().inputs;
        self.0.borrow_mut().inputs += 1;
        self.push(Leaf::Input { index, ty }, &[])
    }

    /// A variable as it was before the step.
    #[track_caller]
    pub fn var(&self, id: VarId, ty: Type) -> Tensor {
        self.push(Leaf::Var { id, ty }, &[])
    }

    /// Numbers known now.
    #[track_caller]
    pub fn constant(&self, array: Array) -> Tensor {
        self.push(Leaf::Constant(Constant::new(array)), &[])
    }

    /// 0, 1, 2, … along an axis.
    #[track_caller]
    pub fn iota(&self, ty: Type, axis: usize) -> Tensor {
        self.push(Iota { ty, axis }, &[])
    }

    /// Adds an op, or notes why it cannot be added.
    #[track_caller]
    pub fn push(&self, op: impl Into<Op>, args: &[&Tensor]) -> Tensor {
        // Of several traces the one that goes on is told, and takes the result.
        let home = std::iter::once(self).chain(args.iter().map(|arg| &arg.trace)).find(|trace| !trace.has_ended());
        let home = home.unwrap_or(self);
        let at = Location::caller();
        let pushed = home.try_push(op.into(), args, at);
        let value = pushed.unwrap_or_else(|error| {
            home.refuse(&error.at(at), args.iter().copied());
            home.0.borrow_mut().builder.constant(Array::scalar(0.0f32))
        });
        Tensor { trace: home.clone(), value }
    }

    fn try_push(&self, op: Op, args: &[&Tensor], at: &'static Location) -> Result<Value> {
        let own = |arg: &&Tensor| self.own(arg, &format_args!("`{op}`"));
        let args: Vec<Value> = args.iter().map(own).collect::<Result<_>>()?;
        if self.has_ended() {
            let late = Error::graph(format!("`{op}` cannot be added to a trace that has ended"));
            return Err(late.help("make every tensor before `finish`"));
        }
        let mut tracing = self.0.borrow_mut();
        let here = || Origin { layer: tracing.layer.clone(), line: Some(at) };
        let origin = tracing.origin.clone().unwrap_or_else(here);
        tracing.builder.set_origin(origin);
        tracing.builder.push(op, &args).map_err(Error::graph)
    }

    /// What a tensor is in this trace, for `what` that asks for it. Every tensor comes into a graph through here.
    pub(crate) fn own(&self, tensor: &Tensor, what: &dyn fmt::Display) -> Result<Value> {
        if self.is(&tensor.trace) {
            return Ok(tensor.value);
        }
        let error = Error::graph(format!("{what} needs tensors of one trace, got {} of another trace", tensor.ty()));
        Err(error.help("a tensor serves only the call it was made in: make it anew there, or keep its numbers"))
    }

    /// Whether a tensor that `what` gave can be used here.
    ///
    /// # Errors
    /// A tensor of another trace.
    pub fn takes(&self, tensor: &Tensor, what: impl fmt::Display) -> Result<()> {
        self.own(tensor, &what).map(drop)
    }

    /// Notes a mistake with tensors, in their traces as well.
    pub(crate) fn refuse<'a>(&self, error: &Error, tensors: impl IntoIterator<Item = &'a Tensor>) {
        self.fail(error.clone());
        let others = tensors.into_iter().filter(|tensor| !self.is(&tensor.trace));
        others.for_each(|tensor| tensor.trace.fail(error.clone()));
    }

    fn has_ended(&self) -> bool {
        self.0.borrow().ended
    }

    /// Notes a mistake, unless there was one before.
    pub fn fail(&self, error: Error) {
        let mut tracing = self.0.borrow_mut();
        if tracing.problem.is_none() {
            tracing.problem = Some(match &tracing.layer {
                Some(path) => error.context(path),
                None => error,
            });
        }
    }

    /// Runs `body` under a name that goes before the message of its mistakes, and is part of the [`Origin`] of its nodes.
    pub fn scope<T>(&self, name: &str, body: impl FnOnce() -> T) -> T {
        let outer = self.0.borrow().layer.clone();
        let inner = outer.as_ref().map_or_else(|| name.into(), |outer| format!("{outer}/{name}").into());
        self.0.borrow_mut().layer = Some(inner);
        let result = body();
        self.0.borrow_mut().layer = outer;
        result
    }

    /// Runs `body`, whose nodes are said to come from where the node of a value does.
    pub(crate) fn beside<T>(&self, value: Value, body: impl FnOnce() -> T) -> T {
        let origin = self.0.borrow().builder.graph().origin(value).clone();
        let outer = self.0.borrow_mut().origin.replace(origin);
        let result = body();
        self.0.borrow_mut().origin = outer;
        result
    }

    /// The first mistake so far, if there was one.
    pub fn check(&self) -> Result<()> {
        self.0.borrow_mut().problem.take().map_or(Ok(()), Err)
    }

    /// Ends the trace. Its tensors can still be asked what they are, but nothing can be made of them.
    ///
    /// # Errors
    /// The first mistake made, if there was one; an output or a new value of another trace.
    #[track_caller]
    pub fn finish(self, outputs: &[Tensor], updates: &[(VarId, Tensor)]) -> Result<Graph> {
        self.check()?;
        let at = Location::caller();
        let output = |(i, output)| self.own(output, &format_args!("output {i}"));
        let update = |(var, new): &(VarId, Tensor)| Ok((*var, self.own(new, &format_args!("the new {var}"))?));
        let outputs: Result<_> = outputs.iter().enumerate().map(output).collect();
        let updates: Result<_> = updates.iter().map(update).collect();
        let (outputs, updates) = (outputs.map_err(|e| e.at(at))?, updates.map_err(|e: Error| e.at(at))?);
        let graph = Graph { outputs, updates, ..self.0.borrow().builder.graph().clone() };
        self.0.borrow_mut().ended = true;
        if cfg!(debug_assertions) {
            verify(&graph)?;
        } else {
            verify_ends(&graph)?;
        }
        Ok(graph)
    }

    pub(crate) fn node(&self, value: Value) -> Node {
        self.0.borrow().builder.graph().node(value).clone()
    }

    /// Adds an op of several results: see [`Trace::push`]. What comes of a mistake is one scalar.
    #[track_caller]
    pub fn push_all(&self, op: impl Into<Op>, args: &[&Tensor]) -> Vec<Tensor> {
        self.push(op, args).results()
    }

    pub(crate) fn tensor(&self, value: Value) -> Tensor {
        Tensor { trace: self.clone(), value }
    }

    /// What `look` finds of the type of a value.
    pub(crate) fn ty<T>(&self, value: Value, look: impl FnOnce(&Type) -> T) -> T {
        look(self.0.borrow().builder.graph().ty(value))
    }

    /// Whether that is this trace.
    pub(crate) fn is(&self, other: &Trace) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Calls `visit` with each node up to that of `last`.
    pub(crate) fn each_node_to(&self, last: Value, mut visit: impl FnMut(Value, &Node)) {
        let tracing = self.0.borrow();
        let nodes = tracing.builder.graph().nodes().take_while(|(first, _)| *first <= last);
        nodes.for_each(|(first, node)| visit(first, node));
    }
}
