//! Parzen estimators: the density of what was seen, as a mixture with a kernel for each observation and one for all of
//! the space.

use std::f64::consts::TAU;

use super::Kind;
use super::draw::Draws;
use super::normal;

/// A mixture of products: one kernel for each observation, and last the prior.
pub(super) struct Parzen {
    /// The running sums of the weights.
    shares: Vec<f64>,
    /// The logarithm of each weight, and of what makes the density of the product integrate to one.
    logs: Vec<f64>,
    factors: Vec<Factor>,
}

/// The kernels along one axis.
enum Factor {
    /// Normal distributions cut off at 0 and 1, or their values at the middles of so many cells.
    Normal { cells: Option<usize>, means: Vec<f64>, deviations: Vec<f64> },
    /// What was seen is likelier than the other choices: the logarithms of the two, and of any choice by the prior.
    Choice { seen: Vec<usize>, count: usize, hit: f64, miss: f64 },
}

impl Parzen {
    /// Of the observations, the oldest first: a column for each axis.
    pub(super) fn new(kinds: &[Kind], columns: &[Vec<f64>]) -> Parzen {
        let mut weights = ages(columns.first().map_or(0, Vec::len));
        weights.push(1.0);
        let total: f64 = weights.iter().sum();
        let shares = weights.iter().scan(0.0, |sum, weight| {
            *sum += weight / total;
            Some(*sum)
        });
        let shares = shares.collect();
        let mut logs: Vec<f64> = weights.iter().map(|weight| (weight / total).ln()).collect();
        let factors = kinds.iter().zip(columns).map(|(&kind, seen)| Factor::new(kind, seen, &mut logs)).collect();
        Parzen { shares, logs, factors }
    }

    /// A kernel at random, by weight.
    pub(super) fn pick(&self, draws: &mut Draws) -> usize {
        let at = draws.unit();
        self.shares.partition_point(|&share| share <= at).min(self.shares.len() - 1)
    }

    /// A coordinate of axis `i`, of a kernel.
    pub(super) fn draw(&self, i: usize, kernel: usize, draws: &mut Draws) -> f64 {
        self.factors[i].draw(kernel, draws)
    }

    /// The logarithm of the density at a point. `room` is memory for the work.
    pub(super) fn log_density(&self, point: &[f64], room: &mut Vec<f64>) -> f64 {
        room.clear();
        room.extend_from_slice(&self.logs);
        for (factor, &at) in self.factors.iter().zip(point) {
            factor.add(at, room);
        }
        let largest = room.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // What is below e^-40 of the largest term changes no digit that counts.
        let sum: f64 = room.iter().map(|log| log - largest).filter(|&log| log > -40.0).map(f64::exp).sum();
        largest + sum.ln()
    }
}

impl Factor {
    /// The kernels, whose normalisation is taken off `logs`.
    fn new(kind: Kind, seen: &[f64], logs: &mut [f64]) -> Factor {
        let cells = match kind {
            Kind::Choices(count) => return Factor::choice(count, seen),
            Kind::Steps(count) => Some(count),
            Kind::Real => None,
        };
        let mut means: Vec<f64> = seen.iter().map(|&at| middle(cells, at)).collect();
        let mut deviations = deviations(&means);
        means.push(0.5);
        deviations.push(1.0);
        for ((log, &mean), &deviation) in logs.iter_mut().zip(&means).zip(&deviations) {
            *log -= mass(cells, mean, deviation).ln();
        }
        Factor::Normal { cells, means, deviations }
    }

    fn choice(count: usize, seen: &[f64]) -> Factor {
        let all = (seen.len() + 1 + count) as f64;
        let hit = ((seen.len() + 2) as f64 / all).ln();
        Factor::Choice { seen: seen.iter().map(|&at| at as usize).collect(), count, hit, miss: -all.ln() }
    }

    fn draw(&self, kernel: usize, draws: &mut Draws) -> f64 {
        match self {
            Factor::Normal { cells, means, deviations } => {
                let at = draws.truncated(means[kernel], deviations[kernel]);
                cells.map_or(at, |count| ((at * count as f64) as usize).min(count - 1) as f64)
            }
            Factor::Choice { seen, count, hit, .. } => match seen.get(kernel) {
                // One draw among the choices where the kernel's own is not taken: all of them share the rest.
                Some(&own) if draws.unit() < hit.exp() - 1.0 / (seen.len() + 1 + count) as f64 => own as f64,
                _ => draws.below(*count) as f64,
            },
        }
    }

    /// Adds the logarithm of each kernel at a coordinate.
    fn add(&self, at: f64, logs: &mut [f64]) {
        match self {
            Factor::Normal { cells, means, deviations } => {
                let at = middle(*cells, at);
                for ((log, mean), deviation) in logs.iter_mut().zip(means).zip(deviations) {
                    let z = (at - mean) / deviation;
                    *log -= 0.5 * z * z;
                }
            }
            Factor::Choice { seen, count, hit, miss } => {
                let rows = logs.iter_mut().zip(seen);
                rows.for_each(|(log, &own)| *log += if own as f64 == at { *hit } else { *miss });
                logs[seen.len()] -= (*count as f64).ln();
            }
        }
    }
}

/// The place within 0 to 1 of a coordinate: itself, or the middle of its cell.
fn middle(cells: Option<usize>, at: f64) -> f64 {
    cells.map_or(at, |count| (at + 0.5) / count as f64)
}

/// The weights of so many observations by age: the newest 25 count fully, the others less the older they are.
fn ages(count: usize) -> Vec<f64> {
    let (oldest, ramp) = (1.0 / count as f64, count.saturating_sub(25));
    let slope = (1.0 - oldest) / ramp.saturating_sub(1).max(1) as f64;
    (0..count).map(|age| if age < ramp { oldest + slope * age as f64 } else { 1.0 }).collect()
}

/// How wide each kernel is: as far as the farther of its neighbours, but not narrower than one part of the number of
/// kernels, or than a hundredth.
fn deviations(means: &[f64]) -> Vec<f64> {
    let least = 1.0 / (means.len() as f64 + 2.0).min(100.0);
    let mut order: Vec<usize> = (0..means.len()).collect();
    order.sort_by(|&a, &b| means[a].total_cmp(&means[b]));
    let at = |place: usize| means[order[place]];
    let mut deviations = vec![0.0; means.len()];
    for (place, &i) in order.iter().enumerate() {
        let left = if place > 0 { Some(means[i] - at(place - 1)) } else { None };
        let right = if place + 1 < order.len() { Some(at(place + 1) - means[i]) } else { None };
        let farther = match (left, right) {
            (None, None) => means[i].max(1.0 - means[i]),
            (left, right) => left.unwrap_or(0.0).max(right.unwrap_or(0.0)),
        };
        deviations[i] = farther.clamp(least, 1.0);
    }
    deviations
}

/// What `exp(-z²/2)` of a kernel comes to: its integral over 0 to 1, or its sum over the middles of the cells.
fn mass(cells: Option<usize>, mean: f64, deviation: f64) -> f64 {
    let width = cells.map(|count| 1.0 / count as f64);
    match width {
        // The sum over narrow cells is the integral by their width, to nine digits.
        Some(width) if deviation < width => {
            let reach = 7.0 * deviation;
            let (first, last) = (((mean - reach) / width).max(0.0) as usize, ((mean + reach) / width).min(1.0 / width));
            let middles = (first..=last as usize).map(|cell| (cell as f64 + 0.5) * width).filter(|&at| at < 1.0);
            middles.map(|at| (-0.5 * ((at - mean) / deviation).powi(2)).exp()).sum()
        }
        _ => {
            let (low, high) = (normal::below(-mean / deviation), normal::below((mean - 1.0) / deviation));
            deviation * TAU.sqrt() * (1.0 - low - high) / width.unwrap_or(1.0)
        }
    }
}
