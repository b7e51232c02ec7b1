//! The steps of a program, and the loop that runs them.

use std::fmt;

use cornu_graph::{Check, Result};

use crate::control::Control;
use crate::kernels::memory::Room;
use crate::kernels::operand::{Bases, Kernel, Place};
use crate::kernels::parallel::Task;
use crate::kernels::simd::Level;
use crate::kernels::threads::Threads;

/// One step of a program, with everything about it decided.
pub(crate) enum Step {
    /// Work that is divided among threads.
    Kernel(Task),
    /// Stops where a truth does not hold: the truth, then the numbers to be shown.
    Check(Check, Vec<Place>),
    /// Steps that run more than once, or not at all.
    Control(Control),
}

/// What steps run on.
#[derive(Clone, Copy)]
pub(crate) struct Machine<'a> {
    pub(crate) level: Level,
    pub(crate) threads: &'a Threads,
    pub(crate) bases: Bases<'a>,
    /// Memory for a single step: packed matrices, blocks of registers.
    pub(crate) scratch: Room<'a>,
}

/// Runs steps in order. Allocates nothing.
///
/// # Errors
/// That of the first check that does not hold.
pub(crate) fn run(steps: &[Step], machine: Machine) -> Result<()> {
    let Machine { level, threads, bases, scratch } = machine;
    for step in steps {
        match step {
            Step::Kernel(task) => task.run(level, threads, bases, scratch),
            Step::Control(control) => control.run(machine)?,
            Step::Check(check, places) => {
                let mut numbers = places.iter().map(|&place| bases.number(place));
                if numbers.next().is_some_and(|holds| holds.f64() == 0.0) {
                    return Err(check.error(numbers));
                }
            }
        }
    }
    Ok(())
}

impl Step {
    pub(crate) fn new(kernel: impl Kernel + 'static) -> Step {
        Step::Kernel(Task::new(Box::new(kernel)))
    }

    /// Whether it is a kernel whose units can be cut into so many rows.
    pub(crate) fn has_rows(&self, rows: usize) -> bool {
        matches!(self, Step::Kernel(kernel) if kernel.has_rows(rows))
    }

    /// Whether several threads may work on it.
    pub(crate) fn divides(&self) -> bool {
        match self {
            Step::Kernel(task) => task.divides(),
            Step::Control(_) => true,
            Step::Check(..) => false,
        }
    }

    /// About how many microseconds it takes one thread; not known where steps run more than once.
    pub(crate) fn microseconds(&self) -> f64 {
        match self {
            Step::Kernel(task) => task.microseconds(),
            Step::Control(_) => f64::INFINITY,
            Step::Check(..) => 0.0,
        }
    }

    /// How many bytes of scratch memory it needs.
    pub(crate) fn scratch(&self, threads: &Threads) -> usize {
        match self {
            Step::Kernel(task) => task.scratch(threads.count()),
            Step::Control(control) => control.scratch(threads),
            Step::Check(..) => 0,
        }
    }
}

/// What the step does, for snapshots of plans.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Kernel(task) => write!(f, "{task}"),
            Step::Control(control) => write!(f, "{control}"),
            Step::Check(check, _) => write!(f, "check {}", check.text),
        }
    }
}
