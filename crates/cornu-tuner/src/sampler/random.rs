//! Points at random.

use super::space::Space;
use super::{Axis, Point, Sampler, Told};

/// Draws each coordinate at random, whatever is known: by seed, trial and name of the axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random {
    seed: u64,
}

impl Random {
    /// A sampler whose points follow from `seed`.
    pub fn new(seed: u64) -> Random {
        Random { seed }
    }
}

impl Sampler for Random {
    fn ask(&mut self, axes: &[Axis], _: &[Told], first: u64, count: usize) -> Vec<Point> {
        let space = Space::new(axes);
        (first..first + count as u64).map(|trial| space.draw(self.seed, trial)).collect()
    }
}
