//! Random numbers of a stream, and streams that go on.

use std::fmt;
use std::ops::Range;

use cornu_graph::DType;
use cornu_graph::ops::Random;
use cornu_graph::random::{uniform_f64, uniform01};

use super::operand::{Bases, Kernel, Place};
use super::simd::Level;

/// Random numbers that are worth a thread: a few microseconds.
const GRAIN: usize = 8 * 1024;

/// What is drawn from a stream: numbers, or another stream.
#[derive(Debug)]
pub(crate) struct Draw {
    pub(crate) random: Random,
    pub(crate) from: Place,
    pub(crate) to: Place,
}

impl Kernel for Draw {
    fn units(&self) -> usize {
        if matches!(self.random, Random::Uniform(_)) { self.to.len } else { 1 }
    }

    fn grain(&self) -> usize {
        GRAIN
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, _: Level, bases: Bases, units: Range<usize>, _: *mut u8) {
        // SAFETY: promised by the caller; a thread has its own units.
        unsafe {
            let stream = self.random.stream(bases.slice(self.from));
            match self.random {
                Random::Uniform(_) if self.to.dtype == DType::F64 => {
                    let to = bases.at::<f64>(self.to.span).add(units.start);
                    uniform_f64(stream, units.start, 0.0, 1.0, std::slice::from_raw_parts_mut(to, units.len()));
                }
                Random::Uniform(_) => {
                    let to = bases.at::<f32>(self.to.span).add(units.start);
                    uniform01(stream, units.start, std::slice::from_raw_parts_mut(to, units.len()));
                }
                Random::Advance(_) | Random::Stateless(_) => {
                    bases.slice_mut(self.to).copy_from_slice(&stream.pack());
                }
            }
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.random, self.to.len)
    }
}
