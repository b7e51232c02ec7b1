//! The steps of a program, and the loop that runs them.

use std::fmt;

use cornu_graph::{Check, Result};

use crate::control::Control;
use crate::kernels::dot::Dot;
use crate::kernels::memory::Buffer;
use crate::kernels::operand::{Bases, Kernel, Place};
use crate::kernels::parallel;
use crate::kernels::simd::Level;
use crate::kernels::subnormal::Flush;
use crate::kernels::threads::Threads;

/// One step of a program, with everything about it decided.
pub(crate) enum Step {
    /// Work that is divided among threads.
    Kernel(Box<dyn Kernel>),
    /// That many matrix products, one after the other: two operands and the result.
    Dot { dot: Dot, batch: usize, places: [Place; 3] },
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
    pub(crate) scratch: &'a Buffer,
}

/// Runs steps in order. Allocates nothing.
///
/// # Errors
/// That of the first check that does not hold.
pub(crate) fn run(all: &[Step], machine: Machine) -> Result<()> {
    let _flush = Flush::new();
    steps(all, machine)
}

/// [`run`], inside of it.
pub(crate) fn steps(steps: &[Step], machine: Machine) -> Result<()> {
    let Machine { level, threads, bases, scratch } = machine;
    for step in steps {
        match step {
            Step::Kernel(kernel) => parallel::run(&**kernel, level, threads, bases, scratch),
            Step::Dot { dot, batch, places } => dot.all(threads, bases, *batch, *places, scratch),
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
        Step::Kernel(Box::new(kernel))
    }

    /// How many bytes of scratch memory it needs.
    pub(crate) fn scratch(&self, threads: &Threads) -> usize {
        match self {
            Step::Kernel(kernel) => parallel::scratch(&**kernel, threads.count()),
            Step::Dot { dot, .. } => dot.scratch().saturating_mul(size_of::<f32>()),
            Step::Control(control) => control.scratch(threads),
            Step::Check(..) => 0,
        }
    }
}

/// What the step does, for snapshots of plans.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Kernel(kernel) => write!(f, "{kernel}"),
            Step::Dot { batch, places: [a, b, out], .. } => {
                write!(f, "dot {batch} x {} {} -> {}", a.len, b.len, out.len)
            }
            Step::Control(control) => write!(f, "{control}"),
            Step::Check(check, _) => write!(f, "check {}", check.text),
        }
    }
}
