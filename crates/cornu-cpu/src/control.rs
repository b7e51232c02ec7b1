//! Steps that run steps: loops, branches and calls.
//!
//! A body is planned once, with memory of its own behind that of the steps around it. What it is given is copied in, what
//! it makes is copied out, so that bodies that never run at the same time share memory.

use std::fmt;
use std::sync::Arc;

use cornu_graph::ops::{Op, Scan};
use cornu_graph::{Graph, Result, Value};

use crate::kernels::memory::stored;
use crate::kernels::operand::{Bases, Place, Span};
use crate::kernels::threads::Threads;
use crate::step::{Machine, Step, steps};

/// A planned body.
pub(crate) struct Frame {
    pub(crate) graph: Graph,
    pub(crate) steps: Vec<Step>,
    /// For each step, the values it leaves in memory.
    pub(crate) makes: Vec<Vec<Value>>,
    pub(crate) inputs: Vec<Place>,
    /// No two inputs' memory, so that the outputs of a step can be the inputs of the next.
    pub(crate) outputs: Vec<Place>,
}

/// An op with bodies.
pub(crate) struct Control {
    pub(crate) op: Op,
    pub(crate) frames: Vec<Arc<Frame>>,
    pub(crate) args: Vec<Place>,
    pub(crate) results: Vec<Place>,
}

fn copy(bases: Bases, from: &[Place], to: &[Place]) {
    from.iter().zip(to).for_each(|(&from, &to)| bases.copy(from, to));
}

impl Frame {
    fn run(&self, machine: Machine) -> Result<()> {
        steps(&self.steps, machine)
    }
}

impl Control {
    pub(crate) fn run(&self, machine: Machine) -> Result<()> {
        match &self.op {
            Op::Scan(scan) => self.scan(scan, machine),
            Op::While(op) => self.repeat(op.consts, machine),
            Op::If(_) => {
                let condition = machine.bases.number(self.args[0]).f64();
                self.once(&self.frames[usize::from(condition == 0.0)], &self.args[1..], machine)
            }
            _ => self.once(&self.frames[0], &self.args, machine),
        }
    }

    fn once(&self, frame: &Frame, args: &[Place], machine: Machine) -> Result<()> {
        copy(machine.bases, args, &frame.inputs);
        frame.run(machine)?;
        copy(machine.bases, &frame.outputs, &self.results);
        Ok(())
    }

    fn scan(&self, scan: &Scan, machine: Machine) -> Result<()> {
        let Frame { inputs, outputs, .. } = &*self.frames[0];
        let (same, rows) = inputs.split_at(scan.inputs());
        let (left, made) = outputs.split_at(scan.carries);
        let (carries, stacked) = self.results.split_at(scan.carries);
        let row = |all: &Place, row: &Place, t: usize| {
            let at = all.span.at + t * row.len * stored(row.dtype).size();
            Place { span: Span { at, ..all.span }, ..*row }
        };
        copy(machine.bases, &self.args, same);
        for t in scan.order() {
            for (x, to) in self.args[same.len()..].iter().zip(rows) {
                machine.bases.copy(row(x, to, t), *to);
            }
            self.frames[0].run(machine)?;
            for (y, from) in stacked.iter().zip(made) {
                machine.bases.copy(*from, row(y, from, t));
            }
            copy(machine.bases, left, &same[scan.consts..]);
        }
        copy(machine.bases, &same[scan.consts..], carries);
        Ok(())
    }

    /// The carries lie in the results, since both bodies have the same memory.
    fn repeat(&self, consts: usize, machine: Machine) -> Result<()> {
        let (condition, body) = (&self.frames[0], &self.frames[1]);
        copy(machine.bases, &self.args[consts..], &self.results);
        let enter = |frame: &Frame, machine: Machine| {
            copy(machine.bases, &self.args[..consts], &frame.inputs);
            copy(machine.bases, &self.results, &frame.inputs[consts..]);
            frame.run(machine)
        };
        loop {
            enter(condition, machine)?;
            if machine.bases.number(condition.outputs[0]).f64() == 0.0 {
                return Ok(());
            }
            enter(body, machine)?;
            copy(machine.bases, &body.outputs, &self.results);
        }
    }

    /// How many floats of scratch memory its steps need.
    pub(crate) fn scratch(&self, threads: &Threads) -> usize {
        let steps = self.frames.iter().flat_map(|frame| &frame.steps);
        steps.map(|step| step.scratch(threads)).max().unwrap_or(0)
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.op, f)
    }
}
