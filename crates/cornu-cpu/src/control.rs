//! Steps that run steps: loops, branches and calls.
//!
//! A body is planned once, with memory of its own behind that of the steps around it. What it is given is copied in, what
//! it makes is copied out, so that bodies that never run at the same time share memory.

use std::fmt;
use std::sync::Arc;

use cornu_graph::ops::{Op, Scan};
use cornu_graph::{Graph, Result, Value};

use crate::arena::{Arena, Place};
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

fn copy(arena: &mut Arena, from: &[Place], to: &[Place]) {
    from.iter().zip(to).for_each(|(&from, &to)| arena.copy(from, to));
}

impl Frame {
    fn run(&self, machine: &mut Machine) -> Result<()> {
        steps(&self.steps, machine)
    }
}

impl Control {
    pub(crate) fn run(&self, machine: &mut Machine) -> Result<()> {
        match &self.op {
            Op::Scan(scan) => self.scan(scan, machine),
            Op::While(op) => self.repeat(op.consts, machine),
            Op::If(_) => {
                let condition = machine.arena.number(self.args[0], 0).f64();
                self.once(&self.frames[usize::from(condition == 0.0)], &self.args[1..], machine)
            }
            _ => self.once(&self.frames[0], &self.args, machine),
        }
    }

    fn once(&self, frame: &Frame, args: &[Place], machine: &mut Machine) -> Result<()> {
        copy(&mut machine.arena, args, &frame.inputs);
        frame.run(machine)?;
        copy(&mut machine.arena, &frame.outputs, &self.results);
        Ok(())
    }

    fn scan(&self, scan: &Scan, machine: &mut Machine) -> Result<()> {
        let Frame { inputs, outputs, .. } = &*self.frames[0];
        let (same, rows) = inputs.split_at(scan.inputs());
        let (left, made) = outputs.split_at(scan.carries);
        let (carries, stacked) = self.results.split_at(scan.carries);
        let row = |all: &Place, row: &Place, t: usize| Place { at: all.at + t * row.len, ..*row };
        copy(&mut machine.arena, &self.args, same);
        for t in scan.order() {
            for (x, to) in self.args[same.len()..].iter().zip(rows) {
                machine.arena.copy(row(x, to, t), *to);
            }
            self.frames[0].run(machine)?;
            for (y, from) in stacked.iter().zip(made) {
                machine.arena.copy(*from, row(y, from, t));
            }
            copy(&mut machine.arena, left, &same[scan.consts..]);
        }
        copy(&mut machine.arena, &same[scan.consts..], carries);
        Ok(())
    }

    /// The carries lie in the results, since both bodies have the same memory.
    fn repeat(&self, consts: usize, machine: &mut Machine) -> Result<()> {
        let (condition, body) = (&self.frames[0], &self.frames[1]);
        copy(&mut machine.arena, &self.args[consts..], &self.results);
        let enter = |frame: &Frame, machine: &mut Machine| {
            copy(&mut machine.arena, &self.args[..consts], &frame.inputs);
            copy(&mut machine.arena, &self.results, &frame.inputs[consts..]);
            frame.run(machine)
        };
        loop {
            enter(condition, machine)?;
            if machine.arena.number(condition.outputs[0], 0).f64() == 0.0 {
                return Ok(());
            }
            enter(body, machine)?;
            copy(&mut machine.arena, &body.outputs, &self.results);
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
