//! Samplers: which point of a space the next trials take, given what is known of the trials before.
//!
//! A sampler sees a space as [`Axis`]es without units or bounds, and a trial as a [`Point`] on them. What it answers
//! follows from its settings, its seed and what it is told alone, so a search that goes on from a journal is asked and
//! answers as if it had never stopped.

pub(crate) mod draw;
mod gp;
pub(crate) mod normal;
mod parzen;
mod random;
mod space;
mod tpe;

pub use gp::GaussianProcess;
pub use random::Random;
pub use tpe::Tpe;

/// One hyper-parameter as a sampler sees it. Observations and draws are keyed by its name, never by its place or range.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The parameter's name, with its scopes.
    pub name: String,
    /// What its coordinates are.
    pub kind: Kind,
    /// It exists where all of these hold; none: in every trial.
    pub when: Vec<When>,
}

/// What the coordinates of an [`Axis`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any number of 0 to 1, on the parameter's own scale (linear, log, reverse log).
    Real,
    /// The numbers 0, 1, … below this one, in their order: a number with a step.
    Steps(usize),
    /// The numbers 0, 1, … below this one, without any order: a choice.
    Choices(usize),
}

/// A condition on another axis: a parameter within a conditional scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// The other axis, by its place among the axes.
    pub axis: usize,
    /// The coordinates of it under which this one exists.
    pub among: Vec<usize>,
}

/// Where a trial lies: a coordinate of each axis, `None` where the axis does not exist for it.
pub type Point = Vec<Option<f64>>;

/// What is known of a trial when others are asked for, in the order of the trials' numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Where it lies. Axes that were declared after it are `None`, or missing at the end.
    pub point: Point,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// With this score: less is better.
    Score(f64),
    /// It is under way.
    Running,
    /// It failed, or its score was not a number.
    Failed,
}

/// Chooses the points of the next trials.
pub trait Sampler: Send {
    /// The points of `count` trials, whose numbers begin at `first`, given all that were asked for before.
    fn ask(&mut self, axes: &[Axis], told: &[Told], first: u64, count: usize) -> Vec<Point>;
}
