//! A Gaussian process: its likelihood, and what it expects elsewhere (Rasmussen and Williams, "Gaussian processes for
//! machine learning", 2006; the kernel is Matérn's of order 5/2 with a length scale for each axis).

use super::super::Kind;
use super::minimize::minimize;

/// The least variance of noise: it keeps the matrix of equal places regular.
const LEAST_NOISE: f64 = 1e-9;
/// Bounds of the logarithms of the parameters.
const BOUNDS: [f64; 2] = [-18.0, 18.0];

/// Where something lies: its place within 0 to 1 along each axis, or the number of a choice; not a number along axes that
/// do not exist for it.
pub(super) type At = Vec<f64>;

/// The logarithms of: the inverse square of the length scale of each axis; the variance; that of noise.
#[derive(Clone, Debug)]
pub(super) struct Parameters(Vec<f64>);

/// Observations and what follows of them.
pub(super) struct Model<'a> {
    kinds: &'a [Kind],
    seen: Vec<At>,
    weights: Vec<f64>,
    variance: f64,
    /// The inverse of the lower triangular root of the covariances of what was seen, row by row.
    root: Vec<Vec<f64>>,
    /// The inverse of the covariances, times the scores.
    alpha: Vec<f64>,
}

/// How far two places are apart along an axis, squared.
fn apart(kind: Kind, a: f64, b: f64) -> f64 {
    match (a.is_nan(), b.is_nan()) {
        (false, false) if matches!(kind, Kind::Choices(_)) => f64::from(u8::from(a.to_bits() != b.to_bits())),
        (false, false) => (a - b) * (a - b),
        (a, b) => f64::from(u8::from(a != b)),
    }
}

/// Of each axis: how far all pairs of places are apart along it, squared.
fn pairs(kinds: &[Kind], seen: &[At]) -> Vec<Vec<f64>> {
    let along = |(d, &kind): (usize, &Kind)| {
        let rows = (0..seen.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        rows.map(|(i, j)| apart(kind, seen[i][d], seen[j][d])).collect()
    };
    kinds.iter().enumerate().map(along).collect()
}

/// The correlation at a squared distance, and its slope.
fn matern(square: f64) -> (f64, f64) {
    let r = (5.0 * square).sqrt();
    let tail = (-r).exp();
    ((1.0 + r + r * r / 3.0) * tail, -5.0 / 6.0 * (1.0 + r) * tail)
}

/// A product of rows, in lanes.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0; 8];
    for (a, b) in a.0.iter().zip(b.0) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    lanes.iter().sum::<f64>() + a.1.iter().zip(b.1).map(|(a, b)| a * b).sum::<f64>()
}

/// The inverse of the lower triangular root of a matrix, whose lower half is given; and the logarithm of its determinant.
fn inverse_root(mut a: Vec<Vec<f64>>) -> Option<(Vec<Vec<f64>>, f64)> {
    let n = a.len();
    let mut log = 0.0;
    for i in 0..n {
        let (above, rest) = a.split_at_mut(i);
        let row = &mut rest[0];
        for (j, upper) in above.iter().enumerate() {
            row[j] = (row[j] - dot(&row[..j], &upper[..j])) / upper[j];
        }
        let square = row[i] - dot(&row[..i], &row[..i]);
        if square.is_nan() || square <= 0.0 {
            return None;
        }
        row[i] = square.sqrt();
        log += 2.0 * row[i].ln();
    }
    let mut inverse: Vec<Vec<f64>> = Vec::with_capacity(n);
    for (i, row) in a.iter().enumerate() {
        let mut new = vec![0.0; i + 1];
        for (above, &factor) in inverse.iter().zip(&row[..i]) {
            new.iter_mut().zip(above).for_each(|(new, above)| *new -= factor * above);
        }
        new[i] = 1.0;
        new.iter_mut().for_each(|new| *new /= row[i]);
        inverse.push(new);
    }
    Some((inverse, log))
}

/// The inverse of a matrix times a vector, by the inverse of its root.
fn solve(root: &[Vec<f64>], y: &[f64]) -> Vec<f64> {
    back(root, &forth(root, y))
}

fn forth(root: &[Vec<f64>], y: &[f64]) -> Vec<f64> {
    root.iter().map(|row| dot(row, &y[..row.len()])).collect()
}

fn back(root: &[Vec<f64>], y: &[f64]) -> Vec<f64> {
    let mut all = vec![0.0; y.len()];
    for (row, &factor) in root.iter().zip(y) {
        all.iter_mut().zip(row).for_each(|(all, x)| *all += factor * x);
    }
    all
}

impl Parameters {
    /// Length scales, a variance and noise that are likely before anything is seen.
    pub(super) fn new(axes: usize) -> Parameters {
        let mut logs = vec![0.0; axes + 2];
        logs[axes + 1] = 1e-3f64.ln();
        Parameters(logs)
    }

    /// Those under which scores at places are likeliest, beginning with these, after at most so many trials.
    pub(super) fn fit(self, kinds: &[Kind], seen: &[At], scores: &[f64], most: usize) -> Parameters {
        let pairs = pairs(kinds, seen);
        Parameters(minimize(|logs| unlikelihood(logs, &pairs, scores), self.0, BOUNDS, most, 1e-2))
    }
}

/// Minus the logarithm of how likely scores are, with priors, and its slope. Of each axis: the squared distances of all
/// pairs. (Priors: those of Optuna's sampler.)
fn unlikelihood(logs: &[f64], pairs: &[Vec<f64>], y: &[f64]) -> (f64, Vec<f64>) {
    let (n, axes) = (y.len(), pairs.len());
    let weights: Vec<f64> = logs[..axes].iter().map(|log| log.exp()).collect();
    let (variance, noise) = (logs[axes].exp(), logs[axes + 1].exp());
    let mut squares = vec![0.0; n * n.saturating_sub(1) / 2];
    for (pairs, weight) in pairs.iter().zip(&weights) {
        squares.iter_mut().zip(pairs).for_each(|(square, apart)| *square += weight * apart);
    }
    let kernel: Vec<(f64, f64)> = squares.into_iter().map(matern).collect();
    let row = |i: usize| {
        let mut row: Vec<f64> = kernel[i * i.saturating_sub(1) / 2..][..i].iter().map(|k| variance * k.0).collect();
        row.push(variance + noise + LEAST_NOISE);
        row
    };
    let mut slope = vec![0.0; logs.len()];
    let Some((root, log)) = inverse_root((0..n).map(row).collect()) else { return (f64::INFINITY, slope) };
    let alpha = solve(&root, y);
    let mut value = 0.5 * dot(y, &alpha) + 0.5 * log + variance - logs[axes] + 30.0 * noise - 0.1 * logs[axes + 1];
    let (shares, own) = shares(&root, &alpha);
    let along = |of: fn(&(f64, f64)) -> f64| kernel.iter().zip(&shares).map(|(k, share)| of(k) * share).collect();
    let (values, slopes): (Vec<f64>, Vec<f64>) = (along(|k| k.0), along(|k| k.1));
    slope[axes] = variance - 1.0 - variance * (own + values.iter().sum::<f64>());
    slope[axes + 1] = 30.0 * noise - 0.1 - noise * own;
    for ((slope, pairs), &weight) in slope.iter_mut().zip(pairs).zip(&weights) {
        *slope = 0.1 * weight - 0.1 / weight - weight * variance * dot(pairs, &slopes);
        value += 0.1 / weight + 0.1 * weight;
    }
    (value, slope)
}

/// How much more likely scores are with a higher covariance of each pair, and with a higher variance of all.
fn shares(root: &[Vec<f64>], alpha: &[f64]) -> (Vec<f64>, f64) {
    let mut inverse: Vec<Vec<f64>> = (0..alpha.len()).map(|i| vec![0.0; i + 1]).collect();
    for row in root {
        for (i, &factor) in row.iter().enumerate() {
            inverse[i].iter_mut().zip(row).for_each(|(to, x)| *to += factor * x);
        }
    }
    let pairs = (0..alpha.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let own = (0..alpha.len()).map(|i| 0.5 * (alpha[i] * alpha[i] - inverse[i][i])).sum();
    (pairs.map(|(i, j)| alpha[i] * alpha[j] - inverse[i][j]).collect(), own)
}

impl<'a> Model<'a> {
    /// What follows of scores at places, if that can be computed.
    pub(super) fn new(kinds: &'a [Kind], parameters: &Parameters, seen: Vec<At>, y: &[f64]) -> Option<Model<'a>> {
        let axes = kinds.len();
        let weights: Vec<f64> = parameters.0[..axes].iter().map(|log| log.exp()).collect();
        let (variance, noise) = (parameters.0[axes].exp(), parameters.0[axes + 1].exp());
        let covariances = |(i, a): (usize, &At)| {
            let mut row: Vec<f64> =
                seen[..i].iter().map(|b| variance * matern(square(kinds, &weights, a, b)).0).collect();
            row.push(variance + noise + LEAST_NOISE);
            row
        };
        let (root, _) = inverse_root(seen.iter().enumerate().map(covariances).collect())?;
        let alpha = solve(&root, y);
        Some(Model { kinds, seen, weights, variance, root, alpha })
    }

    /// The mean and the variance expected at a place.
    pub(super) fn expected(&self, at: &At) -> (f64, f64) {
        let near: Vec<f64> = self.seen.iter().map(|seen| self.variance * self.kernel(seen, at).0).collect();
        let part = forth(&self.root, &near);
        (dot(&near, &self.alpha), (self.variance - dot(&part, &part)).max(1e-12))
    }

    /// The same, with the slopes of both along an axis each.
    pub(super) fn slopes(&self, at: &At, axes: &[usize]) -> ((f64, f64), Vec<(f64, f64)>) {
        let kernels: Vec<(f64, f64)> = self.seen.iter().map(|seen| self.kernel(seen, at)).collect();
        let near: Vec<f64> = kernels.iter().map(|k| self.variance * k.0).collect();
        let part = forth(&self.root, &near);
        let beta = back(&self.root, &part);
        let along = |&d: &usize| {
            let (mut mean, mut variance) = (0.0, 0.0);
            for (i, seen) in self.seen.iter().enumerate().filter(|(_, seen)| !seen[d].is_nan()) {
                let slope = self.variance * kernels[i].1 * self.weights[d] * 2.0 * (at[d] - seen[d]);
                mean += self.alpha[i] * slope;
                variance -= 2.0 * beta[i] * slope;
            }
            (mean, variance)
        };
        let expected = (dot(&near, &self.alpha), (self.variance - dot(&part, &part)).max(1e-12));
        (expected, axes.iter().map(along).collect())
    }

    fn kernel(&self, a: &At, b: &At) -> (f64, f64) {
        matern(square(self.kinds, &self.weights, a, b))
    }
}

fn square(kinds: &[Kind], weights: &[f64], a: &At, b: &At) -> f64 {
    (0..kinds.len()).map(|d| weights[d] * apart(kinds[d], a[d], b[d])).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::{improvement, normal};
    use super::*;

    const KINDS: [Kind; 3] = [Kind::Real, Kind::Choices(3), Kind::Real];

    fn places() -> (Vec<At>, Vec<f64>) {
        let at = |i: usize| (i as f64 * 0.618_034).fract();
        let place = |i: usize| vec![at(i), (i % 3) as f64, if i % 3 == 1 { f64::NAN } else { at(7 * i + 1) }];
        ((0..12).map(place).collect(), (0..12).map(|i| (i as f64 * 1.7).sin()).collect())
    }

    #[test]
    fn slopes_are_those_of_the_values() {
        let (seen, y) = places();
        let pairs = pairs(&KINDS, &seen);
        let logs = [0.3, -0.5, 1.0, 0.2, -3.0];
        let (_, slope) = unlikelihood(&logs, &pairs, &y);
        for d in 0..5 {
            let moved = |by: f64| {
                let mut logs = logs;
                logs[d] += by;
                unlikelihood(&logs, &pairs, &y).0
            };
            let want = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope[d] - want).abs() < 1e-6 * want.abs().max(1.0), "{d}: {} {want}", slope[d]);
        }
        let model = Model::new(&KINDS, &Parameters(logs.to_vec()), seen, &y).expect("a regular matrix");
        let at = vec![0.4, 2.0, 0.7];
        let (expected, slopes) = model.slopes(&at, &[0, 2]);
        assert_eq!(expected, model.expected(&at));
        for (d, slope) in [0, 2].into_iter().zip(slopes) {
            let moved = |by: f64| {
                let mut at = at.clone();
                at[d] += by;
                model.expected(&at)
            };
            let (up, down) = (moved(1e-5), moved(-1e-5));
            assert!((slope.0 - (up.0 - down.0) / 2e-5).abs() < 1e-7, "{slope:?}");
            assert!((slope.1 - (up.1 - down.1) / 2e-5).abs() < 1e-7, "{slope:?}");
            let want = (improvement(up, -1.0).0 - improvement(down, -1.0).0) / 2e-5;
            assert!((improvement(expected, -1.0).1(slope) - want).abs() < 1e-6 * want.abs().max(1.0), "{want}");
        }
    }

    /// The reference is Optuna's Gaussian process; `scripts/golden_gaussian.py` asks it.
    #[test]
    fn likelihood_fit_and_expected_improvement_are_those_of_a_reference() {
        let golden: Value =
            serde_json::from_str(include_str!("../../../../../testdata/samplers/gaussian.json")).unwrap();
        let numbers = |list: &Value| list.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<f64>>();
        let rows = |key: &str| golden[key].as_array().unwrap().iter().map(numbers).collect::<Vec<At>>();
        let near = |value: &[f64], key: &str, tolerance: f64| {
            let right = match &golden[key] {
                list @ Value::Array(_) => numbers(list),
                one => vec![one.as_f64().unwrap()],
            };
            assert_eq!(value.len(), right.len());
            assert!(value.iter().zip(&right).all(|(a, b)| (a - b).abs() <= tolerance), "{key}: {value:?}, {right:?}");
        };
        let (places, scores) = (rows("places"), normal::standard(&numbers(&golden["raw"])));
        near(&scores, "scores", 1e-12);
        let parameters = Parameters(numbers(&golden["logs"]));
        near(&[unlikelihood(&parameters.0, &pairs(&KINDS, &places), &scores).0], "unlikelihood", 1e-6);

        let model = Model::new(&KINDS, &parameters, places.clone(), &scores).expect("a regular matrix");
        let expected: Vec<(f64, f64)> = rows("elsewhere").iter().map(|at| model.expected(at)).collect();
        let of = |part: &dyn Fn(&(f64, f64)) -> f64| expected.iter().map(part).collect::<Vec<f64>>();
        near(&of(&|expected| expected.0), "mean", 1e-6);
        near(&of(&|expected| expected.1), "variance", 1e-6);
        let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
        near(&of(&|&expected| improvement(expected, least).0), "log_improvement", 1e-4);

        let fitted = Parameters::new(3).fit(&KINDS, &places, &scores, 200);
        near(&[unlikelihood(&fitted.0, &pairs(&KINDS, &places), &scores).0], "fitted_unlikelihood", 1e-4);
        near(&fitted.0, "fitted_logs", 0.05);
    }

    #[test]
    fn what_was_seen_is_expected_without_doubt() {
        let (seen, y) = places();
        let parameters = Parameters(vec![1.0, 0.0, 1.0, 0.0, -20.0]);
        let model = Model::new(&KINDS, &parameters, seen.clone(), &y).expect("a regular matrix");
        for (at, y) in seen.iter().zip(&y) {
            let (mean, variance) = model.expected(at);
            assert!((mean - y).abs() < 1e-3 && variance < 1e-4, "{mean} {variance}, not {y}");
        }
        let (mean, variance) = model.expected(&vec![f64::NAN, f64::NAN, f64::NAN]);
        assert!(mean.abs() < 1.0 && variance > 0.1, "{mean} {variance}");
    }
}
