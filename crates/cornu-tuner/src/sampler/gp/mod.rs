//! Bayesian optimization by a Gaussian process (Jones, Schonlau and Welch, "Efficient global optimization", 1998).

mod minimize;
mod model;

use std::ops::Range;

use self::minimize::minimize;
use self::model::{At, Model, Parameters};
use super::draw::Draws;
use super::normal;
use super::space::{Space, in_order};
use super::{Axis, Kind, Outcome, Point, Sampler, Told};

/// The most trials that the process is made of: one half the best, the other the newest.
const MOST: usize = 200;
/// Of how many trials parameters are fitted, with how many trials of parameters: each begins where that before it ended.
const FITS: [(usize, usize); 3] = [(24, 60), (64, 30), (MOST, 20)];
/// Points at random that are looked at, and near each of the best trials; and how many are made better.
const ANYWHERE: usize = 512;
const NEAR: usize = 32;
const BEST: usize = 3;
const STARTS: usize = 8;
/// Values of what is hoped for in one search.
const VALUES: usize = 80;
/// Rounds through axes with steps and choices.
const ROUNDS: usize = 3;

/// Where a trial is hoped to be better than the best so far: by a Gaussian process with a length scale for each axis, and
/// the logarithm of the expected improvement. Trials under way count as if they scored what is expected of them; those that
/// failed are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GaussianProcess {
    seed: u64,
    startup: usize,
}

impl GaussianProcess {
    /// A sampler whose points follow from `seed`: 10 trials at random, then the most promising ones.
    pub fn new(seed: u64) -> GaussianProcess {
        GaussianProcess { seed, startup: 10 }
    }

    /// How many trials must be scored before it learns from them; those before are drawn at random.
    pub fn startup(mut self, trials: usize) -> GaussianProcess {
        self.startup = trials;
        self
    }

    /// The points of trials, whose numbers these are.
    fn answer(&self, axes: &[Axis], told: &[Told], trials: Range<u64>) -> Vec<Point> {
        let space = Space::new(axes);
        let clean = |told: &Told| (0..axes.len()).map(|i| space.seen(i, &told.point)).collect::<Point>();
        let of = |told: &Told| match told.outcome {
            Outcome::Score(score) if score.is_finite() => Some((clean(told), score)),
            _ => None,
        };
        let scored = chosen(told.iter().filter_map(of).collect());
        if scored.len() < self.startup.max(2) {
            return trials.map(|trial| space.draw(self.seed, trial)).collect();
        }
        let running = told.iter().filter(|told| told.outcome == Outcome::Running).map(clean).collect();
        let mut search = Search::new(&space, axes.len(), scored, running);
        trials.map(|trial| search.next(self.seed, trial)).collect()
    }
}

impl Sampler for GaussianProcess {
    fn ask(&mut self, axes: &[Axis], told: &[Told], first: u64, count: usize) -> Vec<Point> {
        in_order(axes, told, |axes, told| self.answer(axes, told, first..first + count as u64))
    }
}

/// The trials that the process is made of, in their order.
fn chosen(all: Vec<(Point, f64)>) -> Vec<(Point, f64)> {
    if all.len() <= MOST {
        return all;
    }
    let best = ranks(&all.iter().map(|(_, score)| *score).collect::<Vec<_>>());
    let newest = all.len() - MOST / 2;
    let mut stays = vec![false; all.len()];
    stays[newest..].fill(true);
    best.iter().filter(|&&i| i < newest).take(MOST / 2).for_each(|&i| stays[i] = true);
    all.into_iter().zip(stays).filter(|(_, stays)| *stays).map(|(trial, _)| trial).collect()
}

/// The places of scores, the best first; of equal ones the first.
fn ranks(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
    order
}

/// What is known, and what is expected of it.
struct Search<'a> {
    space: &'a Space<'a>,
    kinds: Vec<Kind>,
    parameters: Parameters,
    /// Trials and their scores, of mean 0 and variance 1; then those under way, with what is expected.
    seen: Vec<Point>,
    scores: Vec<f64>,
    /// How many of them are scored, and the best of these, the best first.
    best: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(space: &'a Space<'a>, axes: usize, scored: Vec<(Point, f64)>, running: Vec<Point>) -> Search<'a> {
        let kinds: Vec<Kind> = (0..axes).map(|i| space.axis(i).kind).collect();
        let (seen, scores): (Vec<Point>, Vec<f64>) = scored.into_iter().unzip();
        let scores = normal::standard(&scores);
        let places: Vec<At> = seen.iter().map(|point| place(&kinds, point)).collect();
        let best = ranks(&scores);
        let mut parameters = Parameters::new(axes);
        for (trials, most) in FITS {
            // Half of them the best, half the newest.
            let mut some: Vec<usize> = best.iter().copied().take(trials.div_ceil(2)).collect();
            let newest: Vec<usize> = (0..seen.len()).rev().filter(|i| !some.contains(i)).collect();
            some.extend(newest.into_iter().take(trials / 2));
            let (at, y) = some.iter().map(|&i| (places[i].clone(), scores[i])).unzip::<_, _, Vec<_>, Vec<_>>();
            parameters = parameters.fit(&kinds, &at, &y, most);
            if trials >= seen.len() {
                break;
            }
        }
        let mut search = Search { space, kinds, parameters, seen, scores, best };
        running.into_iter().for_each(|point| search.believe(point));
        search
    }

    fn model(&self) -> Option<Model<'_>> {
        let places = self.seen.iter().map(|point| place(&self.kinds, point)).collect();
        Model::new(&self.kinds, &self.parameters, places, &self.scores)
    }

    /// Takes in a trial under way, as if it scored what is expected of it.
    fn believe(&mut self, point: Point) {
        let score = self.model().map_or(0.0, |model| self.expected(&model, &point));
        self.take_in(point, score);
    }

    fn expected(&self, model: &Model, point: &Point) -> f64 {
        model.expected(&place(&self.kinds, point)).0
    }

    fn take_in(&mut self, point: Point, score: f64) {
        self.seen.push(point);
        self.scores.push(score);
    }

    /// The most promising point, which is under way from here on.
    fn next(&mut self, seed: u64, trial: u64) -> Point {
        let (point, score) = match self.model() {
            Some(model) => {
                let point = self.promising(&model, seed, trial);
                let score = self.expected(&model, &point);
                (point, score)
            }
            None => (self.space.draw(seed, trial), 0.0),
        };
        self.take_in(point.clone(), score);
        point
    }

    fn promising(&self, model: &Model, seed: u64, trial: u64) -> Point {
        let least = self.scores.iter().copied().fold(f64::INFINITY, f64::min);
        let hope = |full: &[f64]| improvement(model.expected(&place(&self.kinds, &self.point(full))), least).0;
        let mut starts: Vec<(f64, Vec<f64>)> =
            self.candidates(seed, trial).into_iter().map(|full| (hope(&full), full)).collect();
        starts.sort_by(|a, b| b.0.total_cmp(&a.0));
        starts.truncate(STARTS);
        for (value, full) in &mut starts {
            for _ in 0..ROUNDS {
                let before = *value;
                self.slide(model, full, least);
                *value = hope(full);
                let changed = self.step(full, value, &hope);
                if !changed || *value - before < 1e-6 {
                    break;
                }
            }
        }
        let best = starts.into_iter().reduce(|a, b| if b.0 > a.0 { b } else { a });
        best.map_or_else(|| self.space.draw(seed, trial), |(_, full)| self.point(&full))
    }

    /// Coordinates of all axes, as if all existed: at random, and near the best trials.
    fn candidates(&self, seed: u64, trial: u64) -> Vec<Vec<f64>> {
        let mut draws: Vec<Draws> =
            (0..self.kinds.len()).map(|i| Draws::new(seed, trial, &self.space.axis(i).name)).collect();
        let any = |i: usize, draws: &mut [Draws]| match self.kinds[i] {
            Kind::Real => draws[i].unit(),
            Kind::Steps(count) | Kind::Choices(count) => draws[i].below(count) as f64,
        };
        let mut all: Vec<Vec<f64>> =
            (0..ANYWHERE).map(|_| (0..self.kinds.len()).map(|i| any(i, &mut draws)).collect()).collect();
        for &best in self.best.iter().take(BEST) {
            for k in 0..NEAR {
                let reach = [0.1, 0.03, 0.01, 0.001][k % 4];
                let near = |i: usize| match (self.seen[best][i], self.kinds[i]) {
                    (Some(at), Kind::Real) => (at + reach * draws[i].normal()).clamp(0.0, 1.0),
                    (Some(at), _) if k % 4 != 0 => at,
                    _ => any(i, &mut draws),
                };
                all.push((0..self.kinds.len()).map(near).collect());
            }
        }
        all
    }

    /// The coordinates that exist.
    fn point(&self, full: &[f64]) -> Point {
        let mut point = self.space.nowhere();
        for &i in &self.space.order {
            if self.space.exists(i, &point) {
                point[i] = Some(full[i]);
            }
        }
        point
    }

    /// Moves along the axes of real numbers to where the most is hoped for.
    fn slide(&self, model: &Model, full: &mut [f64], least: f64) {
        let point = self.point(full);
        let real = |&i: &usize| point[i].is_some() && self.kinds[i] == Kind::Real;
        let axes: Vec<usize> = (0..self.kinds.len()).filter(real).collect();
        let mut at = place(&self.kinds, &point);
        let start: Vec<f64> = axes.iter().map(|&i| full[i]).collect();
        let fear = |x: &[f64]| {
            axes.iter().zip(x).for_each(|(&i, &x)| at[i] = x);
            let (expected, slopes) = model.slopes(&at, &axes);
            let (log, along) = improvement(expected, least);
            (-log, slopes.into_iter().map(|slopes| -along(slopes)).collect())
        };
        let found = minimize(fear, start, [0.0, 1.0], VALUES, 1e-4);
        axes.iter().zip(found).for_each(|(&i, x)| full[i] = x);
    }

    /// Takes the most hopeful coordinate of each axis with steps or choices; gives whether any changed.
    fn step(&self, full: &mut [f64], value: &mut f64, hope: &impl Fn(&[f64]) -> f64) -> bool {
        let mut changed = false;
        for i in 0..self.kinds.len() {
            let (Kind::Steps(count) | Kind::Choices(count)) = self.kinds[i] else { continue };
            if self.point(full)[i].is_none() {
                continue;
            }
            let own = full[i];
            let mut best = own;
            for other in others(self.kinds[i], own as usize, count) {
                full[i] = other as f64;
                let new = hope(full);
                if new > *value {
                    (*value, best) = (new, other as f64);
                }
            }
            full[i] = best;
            changed |= best.to_bits() != own.to_bits();
        }
        changed
    }
}

/// The logarithm of how far below `least` a score of this mean and variance is expected to be (Jones and others, equation 15;
/// its logarithm: Ament and others, 2023), and its slope where those of mean and variance are known.
fn improvement((mean, variance): (f64, f64), least: f64) -> (f64, impl Fn((f64, f64)) -> f64) {
    let deviation = variance.sqrt();
    let z = (least - mean) / deviation;
    let (log, steep) = normal::log_excess(z);
    let along = move |(mean, variance): (f64, f64)| {
        let share = variance / (2.0 * deviation * deviation);
        share + steep * (-mean / deviation - z * share)
    };
    (deviation.ln() + log, along)
}

/// Other coordinates to be tried: all of few, else those 1, 2, 4, … further on either side.
fn others(kind: Kind, own: usize, count: usize) -> Vec<usize> {
    if matches!(kind, Kind::Choices(_)) || count <= 16 {
        return (0..count).filter(|&other| other != own).collect();
    }
    let far = (0..usize::BITS).map(|k| 1usize << k).take_while(|&far| far < count);
    far.flat_map(|far| [own.checked_sub(far), Some(own + far)]).flatten().filter(|&other| other < count).collect()
}

/// Where a point lies for the process.
fn place(kinds: &[Kind], point: &Point) -> At {
    let along = |(kind, at): (&Kind, &Option<f64>)| match (kind, at) {
        (_, None) => f64::NAN,
        (Kind::Steps(count), Some(at)) => (at + 0.5) / *count as f64,
        (_, Some(at)) => *at,
    };
    kinds.iter().zip(point).map(along).collect()
}
