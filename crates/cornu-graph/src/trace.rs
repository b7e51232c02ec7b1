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
use crate::{Array, Body, Check, DType, Error, Origin, Result, Tensor, Type};

/// What makes the outputs of a body of its inputs.
pub(crate) type Function<'a> = Box<dyn FnOnce(&Trace, &[Tensor]) -> Vec<Tensor> + 'a>;

/// A graph being written, and the first mistake made while writing it.
#[derive(Clone, Default)]
pub struct Trace(Rc<RefCell<Tracing>>);

#[derive(Default)]
struct Tracing {
    builder: Builder,
    inputs: usize,
    /// Where nodes are said to come from, if it is not the line that adds them.
    origin: Option<Origin>,
    ended: bool,
    /// The trace whose op this is a body of.
    outer: Option<Trace>,
    /// How many traces there are around it.
    depth: usize,
    /// The values of the outer trace that are inputs of this body behind its own.
    captured: Vec<(Value, Value)>,
    checks: Vec<Check>,
    shared: Rc<Shared>,
}

const LEAVES: &str = "what is made in a body leaves it as a result of the body";

/// What a trace and those of its bodies have in common.
#[derive(Default)]
struct Shared {
    /// The path of the layer that is traced.
    layer: RefCell<Option<Arc<str>>>,
    problem: RefCell<Option<Error>>,
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
        trace.0.borrow_mut().shared = Rc::new(Shared { context: Some(Rc::new(context)), ..Shared::default() });
        trace
    }

    /// A copy of the value of [`Trace::in_context`]; `None` if there is none, or it is of another type than `T`.
    pub fn context<T: Any + Clone>(&self) -> Option<T> {
        self.shared().context.as_ref().and_then(|context| context.downcast_ref::<T>()).cloned()
    }

    fn shared(&self) -> Rc<Shared> {
        Rc::clone(&self.0.borrow().shared)
    }

    /// A tensor given at each step; inputs are given in the order of these calls.
    #[track_caller]
    pub fn input(&self, ty: Type) -> Tensor {
        if self.outer().is_some() {
            let error = Error::graph(format!("a body needs its inputs as parameters, got one more of {ty}"));
            self.fail(error.at(Location::caller()));
        }
        self.parameter(ty)
    }

    #[track_caller]
    pub(crate) fn parameter(&self, ty: Type) -> Tensor {
        let index = self.0.borrow().inputs;
        self.0.borrow_mut().inputs += 1;
        self.push(Leaf::Input { index, ty }, &[])
    }

    /// A variable as it was before the step.
    #[track_caller]
    pub fn var(&self, id: VarId, ty: Type) -> Tensor {
        match self.outer() {
            Some(outer) => outer.var(id, ty),
            None => self.push(Leaf::Var { id, ty }, &[]),
        }
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
        let home = self.home(args.iter().copied());
        let at = Location::caller();
        let pushed = home.try_push(op.into(), args, at);
        let value = pushed.unwrap_or_else(|error| {
            home.refuse(&error.at(at), args.iter().copied());
            home.0.borrow_mut().builder.constant(Array::scalar(0.0f32))
        });
        Tensor { trace: home.clone(), value }
    }

    fn try_push(&self, op: Op, args: &[&Tensor], at: &'static Location) -> Result<Value> {
        let own = |arg: &&Tensor| self.own(arg, &format_args!("`{op:.4}`"));
        let args: Vec<Value> = args.iter().map(own).collect::<Result<_>>()?;
        if self.has_ended() {
            let (what, help) = match self.outer() {
                Some(_) => ("body", LEAVES),
                None => ("trace", "make every tensor before `finish`"),
            };
            return Err(Error::graph(format!("`{op:.4}` cannot be added to a {what} that has ended")).help(help));
        }
        let mut tracing = self.0.borrow_mut();
        let here = || Origin { layer: tracing.shared.layer.borrow().clone(), line: Some(at) };
        let origin = tracing.origin.clone().unwrap_or_else(here);
        tracing.builder.set_origin(origin);
        tracing.builder.push(op, &args).map_err(Error::graph)
    }

    /// Where an op on tensors is added: in the innermost of their traces. Of several traces the one that goes on is told of
    /// a mistake, and takes the result.
    pub(crate) fn home<'a>(&'a self, args: impl Iterator<Item = &'a Tensor>) -> &'a Trace {
        let traces = std::iter::once(self).chain(args.map(|arg| &arg.trace)).filter(|trace| !trace.has_ended());
        let inner = |a: &'a Trace, b: &'a Trace| if b.0.borrow().depth > a.0.borrow().depth { b } else { a };
        traces.reduce(inner).unwrap_or(self)
    }

    /// What a tensor is in this trace, for `what` that asks for it. Every tensor comes into a graph through here. One of a
    /// trace around this body becomes an input of it; a constant is one here as well.
    pub(crate) fn own(&self, tensor: &Tensor, what: &dyn fmt::Display) -> Result<Value> {
        if self.is(&tensor.trace) {
            return Ok(tensor.value);
        }
        if self.is_inside(&tensor.trace) && !self.has_ended() {
            return self.captured(tensor, what);
        }
        let error = Error::graph(format!("{what} needs tensors of one trace, got {} of another trace", tensor.ty()));
        Err(match tensor.trace.outer() {
            Some(_) => error.help(LEAVES),
            None => error.help("a tensor serves only the call it was made in: make it anew there, or keep its numbers"),
        })
    }

    fn captured(&self, tensor: &Tensor, what: &dyn fmt::Display) -> Result<Value> {
        let outer = self.outer().expect("it is inside of another trace");
        let value = outer.own(tensor, what)?;
        let node = outer.node(value);
        if matches!(node.op, Op::Leaf(Leaf::Constant(_))) {
            return self.0.borrow_mut().builder.push(node.op, &[]).map_err(Error::graph);
        }
        let known = self.0.borrow().captured.iter().find(|(of_outer, _)| *of_outer == value).map(|&(_, own)| own);
        if let Some(own) = known {
            return Ok(own);
        }
        let mut tracing = self.0.borrow_mut();
        let op = Leaf::Input { index: tracing.inputs, ty: tensor.ty() };
        let own = tracing.builder.push(op.into(), &[]).map_err(Error::graph)?;
        tracing.inputs += 1;
        tracing.captured.push((value, own));
        Ok(own)
    }

    fn outer(&self) -> Option<Trace> {
        self.0.borrow().outer.clone()
    }

    /// Whether this is the trace of a body in that one, or in a body of it.
    pub(crate) fn is_inside(&self, other: &Trace) -> bool {
        self.outer().is_some_and(|outer| outer.is(other) || outer.is_inside(other))
    }

    /// Traces bodies of one op of this trace: each what a function makes of tensors of those types. They may use tensors of
    /// this trace and of those around it: these are what is given beside the bodies, and their first inputs.
    #[track_caller]
    pub(crate) fn bodies<const N: usize>(&self, types: &[Type], functions: [Function; N]) -> ([Body; N], Vec<Tensor>) {
        let at = Location::caller();
        let inner = self.inner();
        let given: Vec<Tensor> = types.iter().map(|ty| inner.parameter(ty.clone())).collect();
        let ends = functions.map(|function| {
            let outputs = function(&inner, &given);
            let outputs: Vec<Value> = outputs.iter().map(|output| inner.output(output, at)).collect();
            (outputs, std::mem::take(&mut inner.0.borrow_mut().checks))
        });
        let tracing = inner.0.borrow();
        let bodies = ends.map(|(outputs, checks)| {
            let graph = tracing.builder.graph();
            let (own, captured) = graph.inputs.split_at(types.len());
            Body::cut(graph, &[captured, own].concat(), &outputs, &checks)
        });
        let captured = tracing.captured.iter().map(|&(value, _)| self.tensor(value)).collect();
        drop(tracing);
        inner.0.borrow_mut().ended = true;
        (bodies, captured)
    }

    /// The trace of a body in this one.
    pub(crate) fn inner(&self) -> Trace {
        let tracing = self.0.borrow();
        let inner = Tracing {
            outer: Some(self.clone()),
            depth: tracing.depth + 1,
            origin: tracing.origin.clone(),
            shared: Rc::clone(&tracing.shared),
            ..Tracing::default()
        };
        Trace(Rc::new(RefCell::new(inner)))
    }

    /// What a body makes of tensors of this trace, node by node, without its checks.
    pub(crate) fn inline(&self, body: &Body, args: &[Tensor]) -> Vec<Tensor> {
        let args: Vec<Value> = args.iter().map(Tensor::value).collect();
        let (outputs, _) = self.0.borrow_mut().builder.inline(body, &args);
        outputs.into_iter().map(|value| self.tensor(value)).collect()
    }

    /// The graph so far.
    pub(crate) fn graph(&self) -> Graph {
        self.0.borrow().builder.graph().clone()
    }

    /// What a body gives; a number in place of a mistake.
    fn output(&self, tensor: &Tensor, at: &'static Location<'static>) -> Value {
        self.own(tensor, &"a body").unwrap_or_else(|error| {
            self.refuse(&error.at(at), [tensor]);
            self.0.borrow_mut().builder.constant(Array::scalar(0.0f32))
        })
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
        let shared = self.shared();
        let mut problem = shared.problem.borrow_mut();
        if problem.is_none() {
            *problem = Some(match &*shared.layer.borrow() {
                Some(path) => error.context(path),
                None => error,
            });
        }
    }

    /// Runs `body` under a name that goes before the message of its mistakes, and is part of the [`Origin`] of its nodes.
    pub fn scope<T>(&self, name: &str, body: impl FnOnce() -> T) -> T {
        let shared = self.shared();
        let outer = shared.layer.borrow().clone();
        let inner = outer.as_ref().map_or_else(|| name.into(), |outer| format!("{outer}/{name}").into());
        *shared.layer.borrow_mut() = Some(inner);
        let result = body();
        *shared.layer.borrow_mut() = outer;
        result
    }

    /// Where the node of a value was traced.
    pub(crate) fn origin(&self, value: Value) -> Origin {
        self.0.borrow().builder.graph().origin(value).clone()
    }

    /// Runs `body`, whose nodes are said to come from where the node of a value does.
    pub(crate) fn beside<T>(&self, value: Value, body: impl FnOnce() -> T) -> T {
        let origin = self.origin(value);
        let outer = self.0.borrow_mut().origin.replace(origin);
        let result = body();
        self.0.borrow_mut().origin = outer;
        result
    }

    /// Asks for a truth, a boolean scalar: a step that does not find it changes no variable, and fails with `text`, in
    /// which each `{}` is one of `numbers`, scalars that say where or how many. A body may ask as well.
    #[track_caller]
    pub fn require(&self, holds: &Tensor, text: &str, numbers: &[&Tensor]) {
        let (line, all) = (Location::caller(), std::iter::once(holds).chain(numbers.iter().copied()));
        let home = self.home(all.clone());
        let own = |tensor: &Tensor| home.own(tensor, &"a check");
        let truth = Type::scalar(DType::Bool);
        let wrong =
            all.clone().zip(0..).find(|(tensor, i)| if *i == 0 { tensor.ty() != truth } else { tensor.rank() > 0 });
        let values = match wrong {
            Some((tensor, 0)) => Err(Error::graph(format!("a check needs {truth}, got {}", tensor.ty()))),
            Some((tensor, _)) => Err(Error::graph(format!("a check shows scalars, got {}", tensor.ty()))),
            None => all.map(own).collect::<Result<Vec<Value>>>(),
        };
        match values {
            Ok(values) => {
                let layer = self.shared().layer.borrow().clone();
                let (holds, numbers) = (values[0], values[1..].into());
                let text = text.replace([';', '\n', '\r'], ",").trim().into();
                let check = Check { holds, text, numbers, origin: Origin { layer, line: Some(line) } };
                home.0.borrow_mut().checks.push(check);
            }
            Err(error) => home.refuse(&error.at(line), std::iter::once(holds).chain(numbers.iter().copied())),
        }
    }

    /// The first mistake so far, if there was one.
    pub fn check(&self) -> Result<()> {
        self.shared().problem.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// Ends the trace. Its tensors can still be asked what they are, but nothing can be made of them.
    ///
    /// # Errors
    /// The first mistake made, if there was one; an output or a new value of another trace.
    #[track_caller]
    pub fn finish(self, outputs: &[Tensor], updates: &[(VarId, Tensor)]) -> Result<Graph> {
        self.check()?;
        let at = Location::caller();
        if self.outer().is_some() {
            return Err(Error::graph("a body ends where its function does, and needs no `finish`").at(at));
        }
        let output = |(i, output)| self.own(output, &format_args!("output {i}"));
        let update = |(var, new): &(VarId, Tensor)| Ok((*var, self.own(new, &format_args!("the new {var}"))?));
        let outputs: Result<_> = outputs.iter().enumerate().map(output).collect();
        let updates: Result<_> = updates.iter().map(update).collect();
        let (outputs, updates) = (outputs.map_err(|e| e.at(at))?, updates.map_err(|e: Error| e.at(at))?);
        let checks = self.0.borrow().checks.clone();
        let graph = Graph { outputs, updates, checks, ..self.0.borrow().builder.graph().clone() };
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

    /// [`Trace::push_all`], with as many tensors as the op should have results, whatever comes of it.
    #[track_caller]
    pub(crate) fn push_some(&self, count: usize, op: impl Into<Op>, args: &[&Tensor]) -> Vec<Tensor> {
        let mut results = self.push_all(op, args);
        let first = results[0].clone();
        results.resize(count, first);
        results
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
