//! Tree-structured Parzen estimators (Bergstra and others, "Algorithms for hyper-parameter optimization", 2011).

use super::draw::Draws;
use super::parzen::Parzen;
use super::space::Space;
use super::{Axis, Kind, Outcome, Point, Sampler, Told};

/// How many of the trials that are not among the best are looked at: the newest.
const NEWEST: usize = 1000;

/// Learns where good trials lie: of points drawn from the density of the best tenth, the one that the density of the
/// others makes least likely.
///
/// As in Optuna's sampler by default, kernels lie over all axes that exist together, trials under way count among the
/// bad ones, and trials that failed are left out. Axes within a conditional scope learn from the trials that have them,
/// and in one trial of eight what others depend on is drawn at random.
#[derive(Clone, Debug, PartialEq)]
pub struct Tpe {
    seed: u64,
    startup: usize,
    candidates: usize,
}

/// A trial that was scored, or is under way.
struct Known {
    point: Point,
    score: Option<f64>,
}

/// How often the axes that others depend on are drawn at random: else the branch that is best at first is never left.
const EXPLORED: f64 = 0.125;

/// Axes that exist together.
struct Group {
    axes: Vec<usize>,
    /// Which trials have them.
    trials: Vec<bool>,
}

impl Tpe {
    /// A sampler whose points follow from `seed`: 10 trials at random, then the best of 32 candidates.
    pub fn new(seed: u64) -> Tpe {
        Tpe { seed, startup: 10, candidates: 32 }
    }

    /// How many trials must be scored before it learns from them; those before are drawn at random.
    pub fn startup(mut self, trials: usize) -> Tpe {
        self.startup = trials;
        self
    }

    /// Of how many points the next trial is the most promising one.
    pub fn candidates(mut self, points: usize) -> Tpe {
        self.candidates = points;
        self
    }

    /// The most promising point, group by group.
    fn propose(&self, space: &Space, known: &[Known], trial: u64) -> Point {
        let mut point = space.nowhere();
        for mut group in groups(space, known) {
            group.axes.retain(|&i| space.exists(i, &point));
            if let [first, ..] = group.axes[..] {
                let mut picks = Draws::new(self.seed, trial, &format!("{}\0", space.axis(first).name));
                if group.axes.iter().any(|&i| space.is_parent(i)) && picks.unit() < EXPLORED {
                    let any = space.draw(self.seed, trial);
                    group.axes.iter().for_each(|&i| point[i] = any[i]);
                    continue;
                }
                let mut draws: Vec<Draws> =
                    group.axes.iter().map(|&i| Draws::new(self.seed, trial, &space.axis(i).name)).collect();
                let best = self.best(space, known, &group, &mut picks, &mut draws);
                group.axes.iter().zip(best).for_each(|(&i, at)| point[i] = Some(at));
            }
        }
        point
    }

    /// The coordinates, on the axes of a group, of the most promising candidate.
    fn best(&self, space: &Space, known: &[Known], group: &Group, picks: &mut Draws, draws: &mut [Draws]) -> Vec<f64> {
        let (good, bad) = split(known, group);
        let kinds: Vec<Kind> = group.axes.iter().map(|&i| space.axis(i).kind).collect();
        let estimator = |trials: &[&Known]| {
            let column = |&i: &usize| trials.iter().filter_map(|known| known.point[i]).collect();
            Parzen::new(&kinds, &group.axes.iter().map(column).collect::<Vec<_>>())
        };
        let (good, bad) = (estimator(&good), estimator(&bad));
        let (mut room, mut best, mut most) = (Vec::new(), Vec::new(), f64::NEG_INFINITY);
        for _ in 0..self.candidates.max(1) {
            let kernel = good.pick(picks);
            let at: Vec<f64> = draws.iter_mut().enumerate().map(|(i, draws)| good.draw(i, kernel, draws)).collect();
            let promise = good.log_density(&at, &mut room) - bad.log_density(&at, &mut room);
            if best.is_empty() || promise > most {
                (best, most) = (at, promise);
            }
        }
        best
    }
}

impl Sampler for Tpe {
    fn ask(&mut self, axes: &[Axis], told: &[Told], first: u64, count: usize) -> Vec<Point> {
        let space = Space::new(axes);
        let clean = |told: &Told| (0..axes.len()).map(|i| space.seen(i, &told.point)).collect();
        let mut known: Vec<Known> = told
            .iter()
            .filter_map(|told| match told.outcome {
                Outcome::Score(score) if !score.is_nan() => Some(Known { point: clean(told), score: Some(score) }),
                Outcome::Running => Some(Known { point: clean(told), score: None }),
                Outcome::Score(_) | Outcome::Failed => None,
            })
            .collect();
        let learns = known.iter().filter(|known| known.score.is_some()).count() >= self.startup.max(1);
        let asked = known.len();
        for trial in first..first + count as u64 {
            let point = if learns { self.propose(&space, &known, trial) } else { space.draw(self.seed, trial) };
            known.push(Known { point, score: None });
        }
        known.drain(asked..).map(|known| known.point).collect()
    }
}

/// Axes of the same conditions that were there in the same trials, parents before children.
fn groups(space: &Space, known: &[Known]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for &i in &space.order {
        let trials: Vec<bool> = known.iter().map(|known| known.point[i].is_some()).collect();
        let when = &space.axis(i).when;
        match groups.iter_mut().find(|group| space.axis(group.axes[0]).when == *when && group.trials == trials) {
            Some(group) => group.axes.push(i),
            None => groups.push(Group { axes: vec![i], trials }),
        }
    }
    groups
}

/// The best tenth of the trials of a group, at most 25, and the others with those under way; the oldest first.
fn split<'a>(known: &'a [Known], group: &Group) -> (Vec<&'a Known>, Vec<&'a Known>) {
    let there: Vec<&Known> =
        known.iter().zip(&group.trials).filter(|(_, there)| **there).map(|(known, _)| known).collect();
    let mut ranks: Vec<(f64, usize)> =
        there.iter().enumerate().filter_map(|(i, known)| known.score.map(|score| (score, i))).collect();
    ranks.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let best = ranks.len().div_ceil(10).min(25);
    let mut is_good = vec![false; there.len()];
    ranks[..best].iter().for_each(|&(_, i)| is_good[i] = true);
    let pick = |good: bool| there.iter().zip(&is_good).filter(move |(_, is)| **is == good).map(|(known, _)| *known);
    let bad: Vec<&Known> = pick(false).collect();
    (pick(true).collect(), bad[bad.len().saturating_sub(NEWEST)..].to_vec())
}
