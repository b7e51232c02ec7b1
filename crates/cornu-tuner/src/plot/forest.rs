//! A forest of regression trees over boxes of 0 to 1, and how much of its variance each axis has.

use crate::sampler::draw::Draws;

/// How many trees there are, how deep they are, and how few rows a leaf may have.
const TREES: u64 = 48;
const DEPTH: usize = 12;
const LEAF: usize = 2;

/// A box that is a leaf: its sides, and the mean in it.
struct Leaf {
    sides: Vec<(f64, f64)>,
    mean: f64,
}

impl Leaf {
    fn size(&self) -> f64 {
        self.sides.iter().map(|(low, high)| high - low).product()
    }
}

/// The share of each axis, given by its column of places, in the variance of what a forest learned, were its places
/// drawn evenly: that of its mean over all other axes (Hutter and others, "An efficient approach for assessing hyperparameter
/// importance", 2014).
pub(super) fn shares(columns: &[Vec<f64>], scores: &[f64]) -> Vec<f64> {
    let axes = columns.len();
    let mut shares = vec![0.0; axes];
    for tree in 0..TREES {
        let mut draws = Draws::new(0, tree, "forest");
        let rows: Vec<usize> = (0..scores.len()).map(|_| draws.below(scores.len())).collect();
        let mut leaves = Vec::new();
        grow(columns, scores, rows, vec![(0.0, 1.0); axes], DEPTH, &mut leaves);
        let mean: f64 = leaves.iter().map(|leaf| leaf.size() * leaf.mean).sum();
        let all: f64 = leaves.iter().map(|leaf| leaf.size() * (leaf.mean - mean).powi(2)).sum();
        if all > 0.0 {
            (0..axes).for_each(|i| shares[i] += marginal(&leaves, i, mean) / all / TREES as f64);
        }
    }
    shares
}

/// Divides rows in two where that takes most of the squared error away, until there are few.
fn grow(
    columns: &[Vec<f64>],
    scores: &[f64],
    rows: Vec<usize>,
    sides: Vec<(f64, f64)>,
    depth: usize,
    leaves: &mut Vec<Leaf>,
) {
    let cut = if depth == 0 { None } else { best_cut(columns, scores, &rows) };
    let Some((axis, at)) = cut else {
        let mean = rows.iter().map(|&row| scores[row]).sum::<f64>() / rows.len() as f64;
        leaves.push(Leaf { sides, mean });
        return;
    };
    let (left, right) = rows.into_iter().partition(|&row| columns[axis][row] < at);
    let (mut below, mut above) = (sides.clone(), sides);
    below[axis].1 = at;
    above[axis].0 = at;
    grow(columns, scores, left, below, depth - 1, leaves);
    grow(columns, scores, right, above, depth - 1, leaves);
}

/// The axis and the place of the best cut, in the middle between two neighbours.
fn best_cut(columns: &[Vec<f64>], scores: &[f64], rows: &[usize]) -> Option<(usize, f64)> {
    let total: f64 = rows.iter().map(|&row| scores[row]).sum();
    let count = rows.len() as f64;
    // What is gained is the growth of the sum of squares of means; rounding alone is no gain.
    let (mut best, mut most) = (None, total * total / count + 1e-10 * count);
    let mut order = rows.to_vec();
    for (axis, at) in columns.iter().enumerate() {
        order.sort_by(|&a, &b| at[a].total_cmp(&at[b]).then(a.cmp(&b)));
        let mut sum = 0.0;
        for (i, pair) in order.windows(2).enumerate() {
            sum += scores[pair[0]];
            let (low, high) = (at[pair[0]], at[pair[1]]);
            let left = (i + 1) as f64;
            let gain = sum * sum / left + (total - sum).powi(2) / (count - left);
            if high > low && i + 1 >= LEAF && order.len() - i > LEAF && gain > most {
                (best, most) = (Some((axis, low + (high - low) / 2.0)), gain);
            }
        }
    }
    best.filter(|&(axis, at)| rows.iter().any(|&row| columns[axis][row] < at))
}

/// The variance of the mean over all axes but one.
fn marginal(leaves: &[Leaf], axis: usize, mean: f64) -> f64 {
    let mut ends: Vec<f64> = leaves.iter().flat_map(|leaf| [leaf.sides[axis].0, leaf.sides[axis].1]).collect();
    ends.sort_by(f64::total_cmp);
    ends.dedup();
    let within = |leaf: &&Leaf, low: f64, high: f64| leaf.sides[axis].0 <= low && leaf.sides[axis].1 >= high;
    ends.windows(2)
        .map(|end| {
            let width = |leaf: &Leaf| leaf.sides[axis].1 - leaf.sides[axis].0;
            let here = leaves.iter().filter(|leaf| within(leaf, end[0], end[1]));
            let level: f64 = here.map(|leaf| leaf.mean * leaf.size() / width(leaf)).sum();
            (end[1] - end[0]) * (level - mean).powi(2)
        })
        .sum()
}
