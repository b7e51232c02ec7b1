//! Samplers, by how small they make functions, and by what they must hold to.

mod bars;
mod functions;
mod laws;

use cornu_tuner::sampler::{Outcome, Sampler, Told};
use functions::Function;
pub(crate) use functions::axis;

/// The scores of so many trials, asked for and told by `batch`.
fn search(sampler: &mut dyn Sampler, function: &Function, trials: usize, batch: usize) -> Vec<f64> {
    let mut told: Vec<Told> = Vec::new();
    let mut scores = Vec::new();
    while told.len() < trials {
        for point in sampler.ask(&function.axes, &told, told.len() as u64, batch.min(trials - told.len())) {
            scores.push(function.at(&point));
            told.push(Told { outcome: Outcome::Score(scores[told.len()]), point });
        }
    }
    scores
}
