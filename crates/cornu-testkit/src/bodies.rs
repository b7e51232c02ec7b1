//! Loops against the same steps one after the other: values bit by bit, gradients but for the order of sums.

use cornu_graph::{Array, DType, Executor, Graph, Result, Shape, Tensor, Trace, Type, gradients, passes};

use crate::golden::Report;
use crate::ops::{same_bits, within};
use crate::slopes::{double, doubles};

mod cells;

pub use cells::{CELLS, Cell, Step};

/// Lengths of loops.
pub const LENGTHS: [usize; 4] = [0, 1, 7, 100];

/// Numbers that differ from place to place.
fn numbers(ty: &Type, phase: usize) -> Array {
    match ty.dtype {
        DType::U32 => Array::from_fn(ty, |i| [42.0, 7.0].get(i).copied().unwrap_or(0.0)),
        DType::Bool => Array::from_fn(ty, |i| f64::from(!(i * 7 + phase).is_multiple_of(3))),
        dtype if dtype.is_float() => Array::from_fn(ty, |i| ((i * 37 + phase * 11 + 5) as f64 * 1.7).sin() * 0.9),
        _ => Array::from_fn(ty, |i| ((i + phase) % 5) as f64),
    }
}

fn stacked(row: &Type, length: usize) -> Type {
    Type::new(row.dtype, std::iter::once(length).chain(row.shape.iter().copied()).collect::<Shape>())
}

/// A graph of a cell over time, the arrays it is given, and how many outputs are values; gradients follow.
pub struct Case {
    /// The graph.
    pub graph: Graph,
    /// What it is given.
    pub args: Vec<Array>,
    values: usize,
}

impl Cell {
    fn given(&self, trace: &Trace) -> (Vec<Tensor>, Vec<Tensor>) {
        let input = |ty: Type| trace.input(ty);
        ((self.consts)().into_iter().map(input).collect(), (self.carries)().into_iter().map(input).collect())
    }

    /// What the cell computes in a loop.
    ///
    /// # Errors
    /// That of the trace.
    pub fn looped(&self, length: usize) -> Result<Case> {
        let trace = Trace::new();
        let (consts, carries) = self.given(&trace);
        let xs: Vec<Tensor> = (self.xs)().iter().map(|row| trace.input(stacked(row, length))).collect();
        let (last, ys) =
            trace.scan(length, self.reverse, &carries, &xs, |trace, c, x| (self.step)(trace, &consts, c, x));
        let weighed = |(i, y): (usize, &Tensor)| {
            y.dtype().is_float().then(|| (y * trace.constant(numbers(&y.ty(), i))).sum_all())
        };
        let loss = last.iter().chain(&ys).enumerate().filter_map(weighed).reduce(|a, b| a + b);
        let values = last.len() + ys.len();
        let wrt: Vec<Tensor> = consts.iter().chain(&carries).chain(&xs).cloned().collect();
        let args = wrt.iter().enumerate().map(|(i, x)| numbers(&x.ty(), i)).collect();
        let slopes = slopes(loss, wrt);
        Ok(Case { graph: trace.finish(&[last, ys, slopes].concat(), &[])?, args, values })
    }

    /// The same without a loop: constants, inputs and outputs of each step are apart, in the order of the rows. So the
    /// gradient of a constant is there in parts, one for each step.
    fn unrolled(&self, length: usize) -> Result<Case> {
        let trace = Trace::new();
        let inputs = |types: Vec<Type>| types.into_iter().map(|ty| trace.input(ty)).collect::<Vec<_>>();
        let (consts, carries) = ((self.consts)().len(), inputs((self.carries)()));
        let given: Vec<Vec<Tensor>> = (0..length).map(|_| inputs([(self.consts)(), (self.xs)()].concat())).collect();
        let (mut last, mut ys) = (carries.clone(), vec![Vec::new(); length]);
        for t in (0..length).map(|t| if self.reverse { length - 1 - t } else { t }) {
            let (consts, xs) = given[t].split_at(consts);
            (last, ys[t]) = (self.step)(&trace, consts, &last, xs);
        }
        let row = |ty: Type, t: usize, phase: usize| {
            numbers(&stacked(&ty, length), phase).rows(&[t]).reshape(ty.shape).expect("one row")
        };
        let ends = last.iter().enumerate().map(|(i, y)| (y, numbers(&y.ty(), i)));
        let outputs = ys
            .iter()
            .enumerate()
            .flat_map(|(t, ys)| ys.iter().enumerate().map(move |(i, y)| (y, row(y.ty(), t, carries_of(self) + i))));
        let weighed = |(y, w): (&Tensor, Array)| y.dtype().is_float().then(|| (y * trace.constant(w)).sum_all());
        let loss = ends.chain(outputs).filter_map(weighed).reduce(|a, b| a + b);
        let values = last.len() + ys.concat().len();
        let first = carries.iter().enumerate().map(|(i, x)| numbers(&x.ty(), consts + i));
        let args = (0..length).flat_map(|t| {
            let same = (self.consts)().into_iter().enumerate().map(|(i, ty)| numbers(&ty, i));
            let rows = (self.xs)().into_iter().enumerate();
            same.chain(rows.map(move |(i, ty)| row(ty, t, consts + carries_of(self) + i)))
        });
        let args = first.chain(args).collect();
        let slopes = slopes(loss, [carries, given.concat()].concat());
        Ok(Case { graph: trace.finish(&[last, ys.concat(), slopes].concat(), &[])?, args, values })
    }

    /// Whether both compute the same on a machine: values bit by bit; gradients within 1e-6 of the largest element of what
    /// is summed, since sums have another order, that of constants within 1e-6 of the sum of what the steps add, without
    /// signs; of doubles, within 1e-12.
    ///
    /// # Errors
    /// Says what differs.
    pub fn agrees(&self, executor: &dyn Executor, length: usize) -> std::result::Result<(), String> {
        let text = |error: cornu_graph::Error| error.to_string();
        let (looped, unrolled) = (self.looped(length).map_err(text)?, self.unrolled(length).map_err(text)?);
        self.compare(&looped, &unrolled, executor, length, 1e-6)?;
        match (looped.doubled(), unrolled.doubled()) {
            (Some(looped), Some(unrolled)) => self.compare(&looped, &unrolled, executor, length, 1e-12),
            _ => Ok(()),
        }
    }

    fn compare(
        &self,
        looped: &Case,
        unrolled: &Case,
        executor: &dyn Executor,
        length: usize,
        tolerance: f64,
    ) -> std::result::Result<(), String> {
        let run = |case: &Case| case.run(executor).map_err(|error| error.to_string());
        let (got, parts) = (run(looped)?, run(unrolled)?);
        let (values, slopes) = parts.split_at(unrolled.values);
        let (got, got_slopes) = got.split_at(looped.values);
        let carries = carries_of(self);
        for (i, got) in got.iter().enumerate() {
            let want = match i.checked_sub(carries) {
                None => values[i].clone(),
                Some(y) => stack(&values[carries..], looped.values - carries, y, &got.ty()),
            };
            same_bits(got, &want).map_err(|problem| format!("result {i}: {problem}"))?;
        }
        let floats = |types: Vec<Type>| types.into_iter().filter(|ty| ty.dtype.is_float()).count();
        let [consts, first, rows] = [(self.consts)(), (self.carries)(), (self.xs)()].map(floats);
        for (i, got) in got_slopes.iter().enumerate() {
            let steps = |of: usize| stack(&slopes[first..], consts + rows, of, &stacked(&got.ty(), length));
            let (want, sizes) = match i {
                i if i < consts => (total(&steps(i), |x| x), total(&steps(i), f64::abs)),
                i if i < consts + first => (slopes[i - consts].clone(), slopes[i - consts].clone()),
                i => {
                    let rows = stack(&slopes[first..], consts + rows, i - first, &got.ty());
                    (rows.clone(), rows)
                }
            };
            let scale = (0..sizes.len()).map(|i| sizes.get(i).abs()).fold(1.0, f64::max);
            within(got, &want, tolerance * scale).map_err(|problem| format!("gradient {i}: {problem}"))?;
        }
        Ok(())
    }
}

/// Every `count`th row from row `i` on, as one array.
fn stack(rows: &[Array], count: usize, i: usize, ty: &Type) -> Array {
    let rows: Vec<&Array> = rows.iter().skip(i).step_by(count.max(1)).collect();
    let size = ty.shape[1..].iter().product::<usize>().max(1);
    Array::from_numbers(ty, |at| rows[at / size].number(at % size))
}

/// The sum of all rows in doubles, of what `part` says of each element.
fn total(rows: &Array, part: fn(f64) -> f64) -> Array {
    let (ty, width) = (Type::new(rows.dtype(), &rows.shape()[1..]), rows.shape()[1..].iter().product::<usize>());
    Array::from_fn(&ty, |i| (0..rows.shape()[0]).map(|t| part(rows.get(t * width + i))).sum())
}

fn carries_of(cell: &Cell) -> usize {
    (cell.carries)().len()
}

/// The gradients for all operands of floats.
fn slopes(loss: Option<Tensor>, mut wrt: Vec<Tensor>) -> Vec<Tensor> {
    wrt.retain(|x| x.dtype().is_float());
    match loss {
        Some(loss) => gradients(&loss, &wrt),
        None => wrt.iter().map(|x| x.number(0.0).broadcast_to(x.shape())).collect(),
    }
}

impl Case {
    /// The same of doubles; nothing where an op makes singles of its own.
    fn doubled(&self) -> Option<Case> {
        let graph = doubles(&self.graph.to_string()).parse().ok()?;
        Some(Case { graph, args: self.args.iter().map(double).collect(), values: self.values })
    }

    /// What an executor makes of it.
    ///
    /// # Errors
    /// That of the executor.
    pub fn run(&self, executor: &dyn Executor) -> Result<Vec<Array>> {
        executor.open()?.once(&self.graph, &self.args)
    }
}

/// Runs every cell in loops of those lengths, and step by step.
///
/// # Panics
/// If one differs.
pub fn loops_are_their_steps(executor: &dyn Executor, lengths: &[usize]) {
    let mut report = Report::default();
    for (cell, &length) in CELLS.iter().flat_map(|cell| lengths.iter().map(move |length| (cell, length))) {
        report.case(&format!("{} of {length} steps", cell.name), cell.agrees(executor, length));
    }
    report.finish();
}

/// Runs every cell with and without passes: values and gradients have the same bits.
///
/// # Panics
/// If one differs.
pub fn passes_keep_loops(executor: &dyn Executor) {
    let mut report = Report::default();
    for (cell, length) in CELLS.iter().flat_map(|cell| LENGTHS.map(|length| (cell, length))) {
        let compare = || {
            let case = cell.looped(length).map_err(|error| error.to_string())?;
            let graph = passes::run(&case.graph, passes::ALL);
            let want = case.run(executor).map_err(|error| error.to_string())?;
            let got = Case { graph, ..case }.run(executor).map_err(|error| error.to_string())?;
            got.iter().zip(&want).try_for_each(|(got, want)| same_bits(got, want))
        };
        report.case(&format!("{} of {length} steps", cell.name), compare());
    }
    report.finish();
}
