//! Several models in one graph: whatever depends on which of them it is has one more axis, the last, along which they lie
//! side by side. What is the same for all stays single.
//!
//! Axes are counted from the front, so most ops do to such values what they did, and no rule of one op is written twice.
//! Each model has the numbers it has alone: sums keep the order that executors add in. An op for which there is no such way
//! is done for one model after the other.

use std::collections::HashSet;

use crate::builder::Builder;
use crate::check::Check;
use crate::graph::{Graph, Node, Value, VarId};
use crate::ops::{
    Arg, Broadcast, Cast, Compare, Concatenate, Dot, Gather, LONG_ROW, Leaf, Op, Pad, Reduce, Reduction, Reshape,
    Slice, Transpose,
};
use crate::{Array, DType, Shape, Type};

/// What a stack is given in the place of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The same for all models.
    Same,
    /// Each model's own, side by side along a last axis.
    Each,
    /// A table of so many rows, of which each model picks its own by number. The numbers, `u32[rows, models]`, are one more
    /// input, the last.
    Rows(usize),
}

/// What a stack is made of: a graph, and what of it is each model's own.
#[derive(Clone, Debug)]
pub struct Stack {
    /// How many models.
    pub models: usize,
    /// What stands for each input.
    pub inputs: Vec<Given>,
    /// Variables of which each model has its own.
    pub own: HashSet<VarId>,
}

impl Stack {
    /// Makes each model's own whatever new value of a variable depends on what is; says whether there was any.
    pub fn spread(&mut self, graph: &Graph) -> bool {
        let before = self.own.len();
        loop {
            let own = self.depends(graph);
            let known = self.own.len();
            self.own.extend(graph.updates.iter().filter(|(_, new)| own[new.index()]).map(|&(var, _)| var));
            if self.own.len() == known {
                return known > before;
            }
        }
    }

    /// For each value, whether it is each model's own.
    fn depends(&self, graph: &Graph) -> Vec<bool> {
        let mut own = vec![false; graph.values()];
        for (_, node) in graph.nodes() {
            let is_own = match &node.op {
                Op::Leaf(Leaf::Input { index, .. }) => self.inputs[*index] != Given::Same,
                Op::Leaf(Leaf::Var { id, .. }) => self.own.contains(id),
                _ => node.args.iter().any(|arg| own[arg.index()]),
            };
            node.results().for_each(|result| own[result.index()] = is_own);
        }
        own
    }

    /// The graph of all models. Outputs have the last axis, whether or not they depend on it.
    ///
    /// `name` says what a variable is called here, with the axis if it is each model's own.
    pub fn graph(&self, graph: &Graph, name: impl Fn(VarId) -> VarId) -> Graph {
        let (live, own) = (graph.live(), self.depends(graph));
        let mut lanes = Lanes { new: Builder::default(), models: self.models };
        let mut renamed: Vec<Option<Value>> = vec![None; graph.values()];
        for (input, value) in graph.inputs.iter().zip(lanes.inputs(graph, &self.inputs)) {
            renamed[input.index()] = Some(value);
        }
        for (first, node) in graph.nodes().filter(|(first, _)| live[first.index()]) {
            lanes.new.set_origin(graph.origin(first).clone());
            let of = |&arg: &Value| (renamed[arg.index()].expect("arguments come first"), own[arg.index()]);
            let args: Vec<(Value, bool)> = node.args.iter().map(of).collect();
            let made = match &node.op {
                Op::Leaf(Leaf::Input { .. }) => continue,
                Op::Leaf(Leaf::Var { id, .. }) => vec![lanes.var(name(*id), graph.ty(first), own[first.index()])],
                _ if own[first.index()] => lanes.node(node, &args),
                op => lanes.new.add_all(op.clone(), &args.iter().map(|arg| arg.0).collect::<Vec<_>>()),
            };
            node.results().zip(made).for_each(|(value, made)| renamed[value.index()] = Some(made));
        }
        let of = |value: Value| (renamed[value.index()].expect("results are live"), own[value.index()]);
        let outputs = graph.outputs.iter().map(|&output| lanes.each(of(output))).collect();
        let mut new = |var, new| if self.own.contains(&var) { lanes.each(of(new)) } else { of(new).0 };
        let updates = graph.updates.iter().map(|&(var, value)| (name(var), new(var, value))).collect();
        let checks = graph.checks.iter().map(|check| lanes.check(check, &of)).collect();
        lanes.new.finish(outputs, updates, checks)
    }
}

/// The graph of several models while it grows.
struct Lanes {
    new: Builder,
    models: usize,
}

impl Lanes {
    /// A variable of that type, or with the last axis.
    fn var(&mut self, id: VarId, ty: &Type, own: bool) -> Value {
        let ty = if own { wide(ty, self.models) } else { ty.clone() };
        self.new.add(Leaf::Var { id, ty }, &[])
    }

    fn shape(&self, value: Value) -> Shape {
        self.new.graph().ty(value).shape.clone()
    }

    /// The inputs, and what stands in the place of each.
    fn inputs(&mut self, graph: &Graph, given: &[Given]) -> Vec<Value> {
        let mut input = |index, ty| self.new.add(Leaf::Input { index, ty }, &[]);
        let mut all: Vec<Value> = Vec::with_capacity(given.len());
        let mut count = 0;
        for (index, (&value, given)) in graph.inputs.iter().zip(given).enumerate() {
            let ty = graph.ty(value);
            all.push(match given {
                Given::Same => input(index, ty.clone()),
                Given::Each => input(index, wide(ty, self.models)),
                Given::Rows(rows) => {
                    count = ty.shape[0];
                    input(index, Type::new(ty.dtype, ty.shape.with(0, *rows)))
                }
            });
        }
        if given.iter().any(|given| matches!(given, Given::Rows(_))) {
            let numbers = input(given.len(), Type::new(DType::U32, [count, self.models]));
            for (value, given) in all.iter_mut().zip(given) {
                if let Given::Rows(_) = given {
                    *value = self.rows(*value, numbers);
                }
            }
        }
        all
    }

    /// Each model's own rows of a table.
    fn rows(&mut self, table: Value, numbers: Value) -> Value {
        let (rank, inner) = (self.shape(numbers).rank(), self.shape(table).rank() - 1);
        let picked = self.new.add(Gather, &[table, numbers]);
        let order: Vec<usize> = (0..rank - 1).chain(rank..rank + inner).chain([rank - 1]).collect();
        self.new.add(Transpose(order.into()), &[picked])
    }

    /// A value with the last axis, which is repeated along it if it is the same for all.
    fn each(&mut self, (value, own): (Value, bool)) -> Value {
        if own {
            return value;
        }
        let shape = self.shape(value);
        let axes = (0..shape.rank()).collect();
        self.new.add(Broadcast { shape: behind(&shape, self.models), axes }, &[value])
    }

    /// What takes the place of a node of which an operand, at least, is each model's own.
    fn node(&mut self, node: &Node, args: &[(Value, bool)]) -> Vec<Value> {
        match &node.op {
            Op::Gather(_) if args[1].1 && !args[0].1 => return vec![self.rows(args[0].0, args[1].0)],
            Op::Gather(_) if !args[1].1 => return vec![self.new.add(Gather, &[args[0].0, args[1].0])],
            Op::Reduce(reduce) if self.in_rows(reduce, args[0].0) => {
                let axes = reduce.axes.iter().map(|axis| axis + 1).collect();
                return vec![self.in_front(Reduce { kind: reduce.kind, axes }, args)];
            }
            Op::Dot(dot) if !dot.side_by_side && self.rank(args[0]) > 2 => return vec![self.in_front(*dot, args)],
            Op::Pad(pad) if !args[1].1 => {
                let [low, high, between] = [&pad.low, &pad.high, &pad.between].map(|list| longer(list, 0));
                return vec![self.new.add(Pad { low, high, between }, &[args[0].0, args[1].0])];
            }
            _ => {}
        }
        let Some(op) = self.lifted(&node.op) else { return self.one_by_one(&node.op, args) };
        let args: Vec<Value> = args.iter().map(|&arg| self.each(arg)).collect();
        vec![self.new.add(op, &args)]
    }

    /// The op that does to values with the last axis what this one does without it, to each model's apart.
    fn lifted(&self, op: &Op) -> Option<Op> {
        Some(match op {
            op if op.is_elementwise() => op.clone(),
            Op::Dot(dot) => Dot { side_by_side: true, ..*dot }.into(),
            Op::Reduce(_) | Op::Arg(_) | Op::Concatenate(_) | Op::Reverse(_) => op.clone(),
            Op::Reshape(to) => Reshape(behind(&to.0, self.models)).into(),
            Op::Transpose(order) => Transpose(longer(&order.0, order.0.len())).into(),
            Op::Broadcast(to) => {
                let (shape, axes) = (behind(&to.shape, self.models), longer(&to.axes, to.shape.rank()));
                Broadcast { shape, axes }.into()
            }
            Op::Slice(Slice { starts, limits, strides }) => {
                let limits = longer(limits, self.models);
                Slice { starts: longer(starts, 0), limits, strides: longer(strides, 1) }.into()
            }
            _ => return None,
        })
    }

    fn rank(&self, (value, own): (Value, bool)) -> usize {
        self.new.graph().ty(value).rank() - usize::from(own)
    }

    /// Whether a reduction of values with the last axis is a sum that executors add otherwise where elements lie in a row.
    fn in_rows(&self, reduce: &Reduce, value: Value) -> bool {
        let shape = self.shape(value);
        let shape = &shape[..shape.rank() - 1];
        let last = (0..shape.len()).rev().find(|&axis| shape[axis] != 1);
        let count: usize = reduce.axes.iter().map(|&axis| shape[axis]).product();
        let are_in_a_row = last.is_some_and(|last| reduce.axes.contains(&last));
        reduce.kind == Reduction::Sum && are_in_a_row && count >= LONG_ROW
    }

    /// The result of an op that works along any axis in front.
    fn in_front(&mut self, op: impl Into<Op>, args: &[(Value, bool)]) -> Value {
        let turned = |lanes: &mut Self, arg| {
            let value = lanes.each(arg);
            let last = lanes.shape(value).rank() - 1;
            let order: Vec<usize> = std::iter::once(last).chain(0..last).collect();
            lanes.new.add(Transpose(order.into()), &[value])
        };
        let args: Vec<Value> = args.iter().map(|&arg| turned(self, arg)).collect();
        let made = self.new.add(op, &args);
        let order: Vec<usize> = (1..self.shape(made).rank()).chain([0]).collect();
        self.new.add(Transpose(order.into()), &[made])
    }

    /// The results of an op for one model after the other, put side by side.
    fn one_by_one(&mut self, op: &Op, args: &[(Value, bool)]) -> Vec<Value> {
        let mut all: Vec<Vec<Value>> = Vec::with_capacity(self.models);
        for model in 0..self.models {
            let args: Vec<Value> = args.iter().map(|&arg| self.model(arg, model)).collect();
            let made = self.new.add_all(op.clone(), &args);
            all.push(made.into_iter().map(|value| self.thin(value)).collect());
        }
        let beside = |result: usize| {
            let parts: Vec<Value> = all.iter().map(|made| made[result]).collect();
            let axis = self.shape(parts[0]).rank() - 1;
            self.new.add(Concatenate { axis }, &parts)
        };
        (0..all[0].len()).map(beside).collect()
    }

    /// One model's part of a value.
    fn model(&mut self, (value, own): (Value, bool), model: usize) -> Value {
        if !own {
            return value;
        }
        let shape = self.shape(value);
        let rest = &shape[..shape.rank() - 1];
        let part = Slice {
            starts: longer(&vec![0; rest.len()], model),
            limits: longer(rest, model + 1),
            strides: vec![1; shape.rank()].into(),
        };
        let part = self.new.add(part, &[value]);
        self.new.add(Reshape(rest.into()), &[part])
    }

    /// A value with a last axis of one.
    fn thin(&mut self, value: Value) -> Value {
        let shape = behind(&self.shape(value), 1);
        self.new.add(Reshape(shape), &[value])
    }

    /// A check that holds if it does for all models; it shows the numbers of the first for which it does not.
    fn check(&mut self, check: &Check, of: &impl Fn(Value) -> (Value, bool)) -> Check {
        let (holds, own) = of(check.holds);
        if !own && check.numbers.iter().all(|&number| !of(number).1) {
            return check.renamed(|value| of(value).0);
        }
        let holds = self.each((holds, own));
        let whole = self.new.add(Cast(DType::I32), &[holds]);
        let first = self.new.add(Arg { largest: false, axis: 0 }, &[whole]);
        let least = self.new.add(Reduce { kind: Reduction::Min, axes: [0].into() }, &[whole]);
        let one = self.new.constant(Array::scalar(1i32));
        let all = self.new.add(Compare::Eq, &[least, one]);
        let number = |&number: &Value| match of(number) {
            (number, true) => self.new.add(Gather, &[number, first]),
            (number, false) => number,
        };
        Check { holds: all, numbers: check.numbers.iter().map(number).collect(), ..check.clone() }
    }
}

/// Arrays of one type, a model's each, side by side along a last axis.
///
/// # Panics
/// If there are none.
pub fn beside(arrays: &[&Array]) -> Array {
    let (ty, models) = (arrays[0].ty(), arrays.len());
    let wide = wide(&ty, models);
    let singles: Option<Vec<&[f32]>> = arrays.iter().map(|array| array.as_slice()).collect();
    match singles {
        // The type of nearly all variables.
        Some(all) => {
            let numbers: Vec<f32> = (0..ty.size()).flat_map(|i| all.iter().map(move |one| one[i])).collect();
            Array::new(wide.shape, numbers).expect("as many")
        }
        None => Array::from_numbers(&wide, |i| arrays[i % models].number(i / models)),
    }
}

/// A model's part of an array with a last axis of models.
pub fn part(array: &Array, model: usize) -> Array {
    let (rest, models) = (array.shape().rank() - 1, array.shape().last().copied().unwrap_or(1));
    array.pick(Shape::from(&array.shape()[..rest]), |i| i * models + model)
}

/// That type with a last axis of so many models.
pub fn wide(ty: &Type, models: usize) -> Type {
    Type::new(ty.dtype, behind(&ty.shape, models))
}

/// A shape with one more axis.
fn behind(shape: &Shape, last: usize) -> Shape {
    Shape::from(&*longer(shape, last))
}

/// A list with one more at the end.
fn longer(list: &[usize], last: usize) -> Box<[usize]> {
    list.iter().copied().chain([last]).collect()
}
