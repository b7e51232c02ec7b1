//! The gradient of a scan.

use std::collections::{HashMap, HashSet};

use super::sources::{Active, Source, Sources};
use super::zeros;
use crate::grad::pull_back;
use crate::graph::{Graph, Value};
use crate::ops::{Binary, Dot, Grad, Grads, Op, Reduction, Scan, Site};
use crate::{Body, Tensor, Trace};

/// The gradient of a scan: a scan the other way.
///
/// What the way back needs of a step is a constant where it is the same at each, an input where it is one, and else one
/// more stacked output of a larger scan of the same operands, which takes the place of the first one
/// ([`crate::passes::join`]). The gradient of a constant is summed in a carry, but for products, sums of what is stacked
/// anyway, and rows added to a table: these are made of all steps at once, behind the loop.
pub(crate) fn of_scan(scan: &Scan, at: &Site) -> Grads {
    let mut grads = vec![Grad::Flat; at.x.len()];
    if let Some(pullback) = Pullback::new(scan, at) {
        pullback.run(&mut grads);
    }
    Grads::new(at, grads)
}

/// A step and its reverse in one trace.
struct Pullback<'a> {
    scan: &'a Scan,
    at: &'a Site<'a>,
    inner: Trace,
    /// What the body is given, and what it makes.
    given: Vec<Tensor>,
    made: Vec<Tensor>,
    /// The carries that have a gradient, by number, and that of what a step leaves in them.
    carries: Vec<(usize, Tensor)>,
    /// The outputs that have a gradient, by number, and that of a row.
    outputs: Vec<(usize, Tensor)>,
    /// The operands whose gradient is asked for and is not zero at each step, and what a step adds to it; of a carry,
    /// what it leaves in it.
    found: Vec<(usize, Tensor)>,
    /// The constants part of whose gradient is summed step by step, and the sum before and after a step.
    sums: Vec<(usize, Tensor, Tensor)>,
    /// The first value that is not of the body itself.
    end: usize,
}

impl<'a> Pullback<'a> {
    fn new(scan: &'a Scan, at: &'a Site<'a>) -> Option<Pullback<'a>> {
        let inner = at.y[0].trace().inner();
        let given: Vec<Tensor> = scan.body.inputs().into_iter().map(|ty| inner.parameter(ty.clone())).collect();
        let active = Active::new(scan, at);
        let carry = |&i: &usize| active.given[scan.consts + i] && given[scan.consts + i].dtype().is_float();
        let parameter = |i: usize| (i, inner.parameter(scan.body.outputs()[i].clone()));
        let carries: Vec<_> = (0..scan.carries).filter(carry).map(parameter).collect();
        let outputs = (scan.carries..at.ct.len()).filter(|&i| at.ct[i].is_some());
        let outputs: Vec<_> = outputs.map(parameter).collect();
        let made = inner.inline(&scan.body, &given);
        let end = inner.graph().values();
        let seeds = carries.iter().chain(&outputs).map(|(i, ct)| (made[*i].clone(), ct.clone()));
        let is_carry = |i: usize| carries.iter().any(|(carry, _)| scan.consts + carry == i);
        let asked = |&i: &usize| at.wanted[i] && active.given[i] && given[i].dtype().is_float() || is_carry(i);
        let asked: Vec<usize> = (0..given.len()).filter(asked).collect();
        let wrt: Vec<Tensor> = asked.iter().map(|&i| given[i].clone()).collect();
        let grads = pull_back(&seeds.collect::<Vec<_>>(), &wrt);
        let found = asked.into_iter().zip(grads).filter_map(|(i, grad)| {
            let grad = if is_carry(i) { grad.or_else(|| Some(zeros(&given[i]))) } else { grad };
            Some((i, grad?))
        });
        let found: Vec<_> = found.collect();
        (!found.is_empty()).then(|| Pullback {
            scan,
            at,
            given,
            made,
            carries,
            outputs,
            found,
            sums: Vec::new(),
            end,
            inner,
        })
    }
}

/// A part of a constant's gradient that is made of all steps at once.
enum Behind {
    /// The sum of the steps' matrix products.
    Product(Dot, Value, Value),
    /// The sum of a step's value along axes, and of the steps.
    Sum(Box<[usize]>, Value),
    /// The rows that the steps add to those of a table, by number.
    Rows(Value, Value),
}

impl Behind {
    /// The values that must be there for all steps.
    fn operands(&self) -> Vec<Value> {
        match self {
            Behind::Product(_, a, b) | Behind::Rows(a, b) => vec![*a, *b],
            Behind::Sum(_, x) => vec![*x],
        }
    }

    /// The sum, of the operands stacked along the steps, for a constant like that one.
    fn sum(&self, constant: &Tensor, stacked: &[Tensor]) -> Tensor {
        match (self, stacked) {
            (Behind::Product(dot, ..), [a, b]) => {
                let [a, b] = [(a, dot.transpose_a), (b, !dot.transpose_b)].map(|(x, rows_first)| {
                    // `[t, k, m]`, as rows of length m.
                    let x = if rows_first { x.clone() } else { x.transpose(&[0, 2, 1]) };
                    x.reshape([x.dim(0) * x.dim(1), x.dim(2)])
                });
                a.dot_as(&b, true, false)
            }
            (Behind::Sum(axes, _), [x]) => {
                let axes: Vec<usize> = std::iter::once(0).chain(axes.iter().map(|axis| axis + 1)).collect();
                x.reduce(Reduction::Sum, &axes)
            }
            (Behind::Rows(..), [rows, new]) => zeros(constant).scatter_add(rows, new),
            _ => unreachable!("as many operands as it has"),
        }
    }
}

impl Pullback<'_> {
    fn sources(&self, graph: &Graph) -> Sources {
        let given: Vec<Value> = self.given.iter().map(Tensor::value).collect();
        let rows = self.outputs.iter().map(|(_, ct)| ct.value());
        let gradients: Vec<Value> = self.left().into_iter().chain(rows).collect();
        Sources::new(graph, self.scan, &given, &gradients, self.end)
    }

    /// What the step before left: gradients of carries, and sums.
    fn left(&self) -> Vec<Value> {
        let carries = self.carries.iter().map(|(_, ct)| ct.value());
        carries.chain(self.sums.iter().map(|(_, before, _)| before.value())).collect()
    }

    /// Takes apart the gradients of constants: what is made behind the loop, by the number of the constant. The rest is
    /// summed.
    fn split(&mut self) -> Vec<(usize, Behind)> {
        let graph = self.inner.graph();
        let sources = self.sources(&graph);
        let mut terms: Vec<(usize, Value)> = Vec::new();
        for (i, grad) in self.found.iter().filter(|(i, _)| *i < self.scan.consts) {
            self.terms(&graph, grad.value(), &mut |term| terms.push((*i, term)));
        }
        let is_constant = |value: &Value| sources.is_constant(&graph, *value, self.scan);
        let mut behind: Vec<(usize, Behind)> = Vec::new();
        terms.retain(|&(i, term)| match (graph.op(term), &*graph.node(term).args) {
            (Op::Dot(dot), args @ &[a, b]) if graph.ty(a).rank() == 2 && !args.iter().any(is_constant) => {
                behind.push((i, Behind::Product(*dot, a, b)));
                false
            }
            (Op::ScatterAdd(_), &[table, rows, new]) if graph.splat(table) == Some(0.0) => {
                behind.push((i, Behind::Rows(rows, new)));
                false
            }
            _ => true,
        });
        let stacked: Vec<Value> = behind.iter().flat_map(|(_, part)| part.operands()).collect();
        terms.retain(|&(i, term)| match (graph.op(term), &*graph.node(term).args) {
            (Op::Reduce(reduce), &[x]) if reduce.kind == Reduction::Sum && stacked.contains(&x) => {
                behind.push((i, Behind::Sum(reduce.axes.clone(), x)));
                false
            }
            _ => true,
        });
        drop(graph);
        terms.into_iter().for_each(|(i, term)| self.sum(i, &self.inner.tensor(term)));
        behind
    }

    /// The terms of a sum that the reverse of a step makes.
    fn terms(&self, graph: &Graph, value: Value, found: &mut dyn FnMut(Value)) {
        let node = graph.node(value);
        if node.op == Op::Binary(Binary::Add) && value.index() >= self.end {
            node.args.iter().for_each(|&arg| self.terms(graph, arg, found));
        } else {
            found(value);
        }
    }

    /// Adds what a step adds to the gradient of a constant to a carry of its own.
    fn sum(&mut self, of: usize, term: &Tensor) {
        if let Some((_, _, after)) = self.sums.iter_mut().find(|(known, ..)| *known == of) {
            *after = &*after + term;
            return;
        }
        let before = self.inner.parameter(term.ty());
        let after = &before + term;
        self.sums.push((of, before, after));
    }

    fn run(mut self, grads: &mut [Grad]) {
        let behind = self.split();
        let graph = self.inner.graph();
        let mut sources = self.sources(&graph);
        let left = self.left();
        let is_row = |sources: &Sources, value: Value| match sources.of(value) {
            Source::Here => false,
            Source::Gradient => !left.contains(&value),
            // What is the same at each step is no row: stacked, it is one more output.
            Source::Operand(i) => i >= self.scan.consts,
            Source::Stored => true,
        };
        let operands: Vec<Value> = distinct(behind.iter().flat_map(|(_, part)| part.operands()));
        let (rows, stacked): (Vec<Value>, Vec<Value>) =
            operands.into_iter().partition(|&value| is_row(&sources, value));
        let inputs = self.found.iter().filter(|(i, _)| *i >= self.scan.inputs());
        let carries = self.found.iter().filter(|(i, _)| (self.scan.consts..self.scan.inputs()).contains(i));
        let made = carries.map(|(_, grad)| grad).chain(self.sums.iter().map(|(.., after)| after));
        let made = made.chain(inputs.clone().map(|(_, grad)| grad)).map(Tensor::value);
        let outputs: Vec<Value> = made.chain(stacked.iter().copied()).collect();
        let needed: Vec<Value> = sources.needed(&graph, &outputs);
        sources.compute(&graph, &needed.into_iter().filter(|value| !rows.contains(value)).collect::<Vec<_>>());
        let needed = sources.needed(&graph, &outputs);
        let is_row = |value: &Value| is_row(&sources, *value);
        let rows = self.rows(&graph, &sources, distinct(needed.iter().chain(&rows).copied().filter(is_row)));
        let mut results = self.back(&graph, &needed, &rows, &outputs).into_iter();

        let mut totals: Vec<Vec<Tensor>> = vec![Vec::new(); self.scan.consts];
        let mut give = |i: usize, grad: Tensor| grads[i] = Grad::By(grad);
        for (i, _) in &self.carries {
            give(self.scan.consts + i, results.next().expect("one for each carry"));
        }
        self.sums.iter().for_each(|(i, ..)| totals[*i].extend(results.next()));
        inputs.for_each(|(i, _)| give(*i, results.next().expect("one for each input")));
        let all: HashMap<Value, Tensor> = rows.into_iter().chain(stacked.into_iter().zip(results)).collect();
        for (i, part) in behind {
            let operands: Vec<Tensor> = part.operands().iter().map(|value| all[value].clone()).collect();
            totals[i].push(part.sum(&self.at.x[i], &operands));
        }
        for (i, parts) in totals.into_iter().enumerate() {
            parts.into_iter().reduce(|a, b| a + b).into_iter().for_each(|total| give(i, total));
        }
    }

    /// What is there for all steps of the values that a step of the reverse is given: operands of the scan, and what a
    /// larger one stores.
    fn rows(&self, graph: &Graph, sources: &Sources, values: Vec<Value>) -> HashMap<Value, Tensor> {
        let of = |source: Source| values.iter().copied().filter(move |&value| sources.of(value) == source);
        let stored: Vec<Value> = of(Source::Stored).collect();
        let given: Vec<Value> = self.given.iter().map(Tensor::value).collect();
        let made: Vec<Value> = self.made.iter().map(Tensor::value).chain(stored.iter().copied()).collect();
        let mut rows: HashMap<Value, Tensor> = HashMap::new();
        if !stored.is_empty() {
            let larger = Scan { body: Body::cut(graph, &given, &made, &[]), ..self.scan.clone() };
            let results = self.at.y[0].trace().push_all(larger, &self.at.x.iter().collect::<Vec<_>>());
            rows.extend(stored.into_iter().zip(results.into_iter().skip(self.made.len())));
        }
        for value in values {
            match sources.of(value) {
                Source::Operand(i) => _ = rows.insert(value, self.at.x[i].clone()),
                Source::Gradient => {
                    let output = self.outputs.iter().find(|(_, ct)| ct.value() == value);
                    rows.extend(output.and_then(|(i, _)| Some((value, self.at.ct[*i].clone()?))));
                }
                Source::Stored | Source::Here => {}
            }
        }
        rows
    }

    /// The scan back: its results are those of `outputs`.
    fn back(&self, graph: &Graph, needed: &[Value], rows: &HashMap<Value, Tensor>, outputs: &[Value]) -> Vec<Tensor> {
        if outputs.is_empty() {
            return Vec::new();
        }
        let left = self.left();
        let consts = self.given[..self.scan.consts].iter().map(Tensor::value).zip(self.at.x);
        let (consts, mut args): (Vec<Value>, Vec<Tensor>) =
            consts.filter(|(value, _)| needed.contains(value)).map(|(value, x)| (value, x.clone())).unzip();
        let xs = needed.iter().filter(|value| !consts.contains(value) && !left.contains(value));
        let inputs: Vec<Value> = consts.iter().chain(&left).chain(xs.clone()).copied().collect();
        let ct = |&(i, _): &(usize, Tensor)| self.at.ct[i].clone().unwrap_or_else(|| zeros(&self.at.y[i]));
        args.extend(self.carries.iter().map(ct));
        args.extend(self.sums.iter().map(|(i, ..)| zeros(&self.at.x[*i])));
        args.extend(xs.map(|value| rows[value].clone()));
        let body = Body::cut(graph, &inputs, outputs, &[]);
        let (length, reverse) = (self.scan.length, !self.scan.reverse);
        let op = Scan { body, length, reverse, consts: consts.len(), carries: left.len() };
        self.at.y[0].trace().push_all(op, &args.iter().collect::<Vec<_>>())
    }
}

fn distinct(values: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut seen = HashSet::new();
    values.filter(|value| seen.insert(*value)).collect()
}
