//! Minima of smooth functions within boxes (limited-memory BFGS: Liu and Nocedal, 1989; coordinates at a bound that the
//! slope presses against wait).

use std::collections::VecDeque;

/// How many steps are remembered.
const MEMORY: usize = 8;
/// How often a step is halved before the search ends.
const HALVINGS: usize = 12;

/// A minimum near `x` within the box, of at most `most` values; `of` gives value and slope.
pub(super) fn minimize(
    mut of: impl FnMut(&[f64]) -> (f64, Vec<f64>),
    mut x: Vec<f64>,
    [low, high]: [f64; 2],
    most: usize,
    flat: f64,
) -> Vec<f64> {
    let (mut value, mut slope) = of(&x);
    let mut steps: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
    let mut count = 1;
    while count < most {
        let Some((direction, down)) = downwards(&x, &slope, &steps, [low, high]) else { break };
        if down.iter().all(|g| g.abs() < flat) {
            break;
        }
        let longest = direction.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
        // Without a memory of the curvature a step is short.
        let mut size = if steps.is_empty() { 0.1 * (high - low).min(4.0) / longest } else { 1.0 };
        let mut found = None;
        for _ in 0..HALVINGS {
            let next: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| (x + size * d).clamp(low, high)).collect();
            let step: Vec<f64> = next.iter().zip(&x).map(|(a, b)| a - b).collect();
            let (lower, its_slope) = of(&next);
            count += 1;
            if lower <= value + 1e-4 * dot(&step, &down) && lower.is_finite() {
                found = Some((next, step, lower, its_slope));
                break;
            }
            size *= 0.5;
        }
        let Some((next, step, lower, its_slope)) = found else { break };
        let change: Vec<f64> = its_slope.iter().zip(&slope).map(|(a, b)| a - b).collect();
        let gain = value - lower;
        if dot(&step, &change) > 1e-10 {
            steps.truncate(MEMORY - 1);
            steps.push_front((step, change));
        }
        (x, value, slope) = (next, lower, its_slope);
        if gain < 1e-9 * value.abs().max(1.0) {
            break;
        }
    }
    x
}

/// A direction in which the value falls, and the slope along coordinates that may move; none where no one may.
fn downwards(
    x: &[f64],
    slope: &[f64],
    steps: &VecDeque<(Vec<f64>, Vec<f64>)>,
    [low, high]: [f64; 2],
) -> Option<(Vec<f64>, Vec<f64>)> {
    let waits: Vec<bool> = x.iter().zip(slope).map(|(&x, &g)| x <= low && g > 0.0 || x >= high && g < 0.0).collect();
    let free = |v: &[f64]| v.iter().zip(&waits).map(|(&v, &waits)| if waits { 0.0 } else { v }).collect::<Vec<_>>();
    let down = free(slope);
    let curved = free(&direction(&down, steps));
    let falls = dot(&curved, &down) < 0.0;
    let direction = if falls { curved } else { down.iter().map(|g| -g).collect() };
    direction.iter().any(|&d| d != 0.0).then_some((direction, down))
}

/// Minus the slope times the inverse of the curvature that the steps tell, the newest first.
fn direction(slope: &[f64], steps: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut q = slope.to_vec();
    let mut shares = Vec::new();
    for (step, change) in steps {
        let share = dot(step, &q) / dot(step, change);
        q.iter_mut().zip(change).for_each(|(q, c)| *q -= share * c);
        shares.push(share);
    }
    if let Some((step, change)) = steps.front() {
        let scale = dot(step, change) / dot(change, change);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((step, change), share) in steps.iter().zip(shares).rev() {
        let rest = share - dot(change, &q) / dot(step, change);
        q.iter_mut().zip(step).for_each(|(q, s)| *q += rest * s);
    }
    q.iter().map(|q| -q).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minima_are_found_within_and_at_bounds() {
        let rosenbrock = |x: &[f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            (a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b])
        };
        let inside = minimize(rosenbrock, vec![-1.2, 1.0], [-2.0, 2.0], 500, 1e-9);
        assert!(inside.iter().all(|x| (x - 1.0).abs() < 1e-5), "{inside:?}");
        let bound = minimize(rosenbrock, vec![-0.4, 0.2], [-0.5, 0.5], 500, 1e-9);
        assert!((bound[0] - 0.5).abs() < 1e-6 && (bound[1] - 0.25).abs() < 1e-5, "{bound:?}");
    }
}
