//! Curves over thresholds: how many rows of a class have a score of at least each, and areas under them.

use cornu_array::{Error, Result, ToArray};

use super::precision::{Precision, finite};
use super::ranking::{PrecisionRecallCurve, RocCurve};

/// How many rows (or what weight) have a score of at least each threshold, from the highest to the lowest.
pub(super) struct Curve {
    /// Rows that are not of the class.
    false_positives: Vec<f64>,
    /// Rows of the class.
    true_positives: Vec<f64>,
    thresholds: Vec<f64>,
}

impl Curve {
    pub(super) fn of(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> Curve {
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let mut order: Vec<usize> = (0..scores.len()).filter(|&row| weight(row) != 0.0).collect();
        // Of equal scores the first comes first.
        order.sort_by(|&a, &b| (scores[b] + 0.0).total_cmp(&(scores[a] + 0.0)));
        let mut curve = Curve { false_positives: Vec::new(), true_positives: Vec::new(), thresholds: Vec::new() };
        let (mut wrong, mut right) = (0.0, 0.0);
        for (place, &row) in order.iter().enumerate() {
            if positive[row] {
                right += weight(row);
            } else {
                wrong += weight(row);
            }
            if order.get(place + 1).is_none_or(|&next| scores[next] != scores[row]) {
                curve.false_positives.push(wrong);
                curve.true_positives.push(right);
                curve.thresholds.push(scores[row]);
            }
        }
        curve
    }

    /// Keeps the points of these places.
    fn keep(self, keep: impl Fn(&Curve, usize) -> bool) -> Curve {
        let last = self.thresholds.len().saturating_sub(1);
        let places: Vec<usize> =
            (0..=last).filter(|&place| place == 0 || place == last || keep(&self, place)).collect();
        let pick = |values: &[f64]| places.iter().map(|&place| values[place]).collect();
        Curve {
            false_positives: pick(&self.false_positives),
            true_positives: pick(&self.true_positives),
            thresholds: pick(&self.thresholds),
        }
    }

    /// Shares of all, beginning with the point of no rows.
    pub(super) fn roc(self, drop_intermediate: bool) -> RocCurve {
        let bends = |values: &[f64], place: usize| {
            (values[place + 1] - values[place]) - (values[place] - values[place - 1]) != 0.0
        };
        let corner = |curve: &Curve, place| bends(&curve.false_positives, place) || bends(&curve.true_positives, place);
        let curve = if drop_intermediate && self.thresholds.len() > 2 { self.keep(corner) } else { self };
        let shares = |counts: &[f64]| {
            let all = counts.last().copied().unwrap_or(0.0);
            let share = |&count: &f64| if all <= 0.0 { f64::NAN } else { count / all };
            std::iter::once(&0.0).chain(counts).map(share).collect()
        };
        RocCurve {
            fpr: shares(&curve.false_positives),
            tpr: shares(&curve.true_positives),
            thresholds: std::iter::once(f64::INFINITY).chain(curve.thresholds).collect(),
        }
    }

    pub(super) fn precision_recall(self, drop_intermediate: bool) -> PrecisionRecallCurve {
        let moves = |curve: &Curve, place: usize| {
            let right = &curve.true_positives;
            right[place] - right[place - 1] != 0.0 || right[place + 1] - right[place] != 0.0
        };
        let curve = if drop_intermediate && self.thresholds.len() > 2 { self.keep(moves) } else { self };
        let all = curve.true_positives.last().copied().unwrap_or(0.0);
        let recall = |&right: &f64| if all == 0.0 { 1.0 } else { right / all };
        let precision = |(right, wrong): (&f64, &f64)| {
            let rows = right + wrong;
            if rows == 0.0 { 0.0 } else { right / rows }
        };
        let points = curve.true_positives.iter().zip(&curve.false_positives);
        PrecisionRecallCurve {
            precision: points.rev().map(precision).chain([1.0]).collect(),
            recall: curve.true_positives.iter().rev().map(recall).chain([0.0]).collect(),
            thresholds: curve.thresholds.iter().rev().copied().collect(),
        }
    }
}

/// The area under the ROC curve; up to a share of false positives it is standardised by McClish's correction: 0.5 for
/// guesses, 1 at most.
pub(super) fn roc_auc(positive: &[bool], scores: &[f64], weights: Option<&[f64]>, max_fpr: Option<f64>) -> f64 {
    if positive.iter().all(|&is| is) || positive.iter().all(|&is| !is) {
        return f64::NAN;
    }
    let RocCurve { mut fpr, mut tpr, .. } = Curve::of(positive, scores, weights).roc(true);
    let Some(most) = max_fpr.filter(|&most| most != 1.0) else { return area(&fpr, &tpr) };
    let stop = fpr.partition_point(|&share| share <= most).min(fpr.len() - 1);
    let slope = (tpr[stop] - tpr[stop - 1]) / (fpr[stop] - fpr[stop - 1]);
    let end = slope * (most - fpr[stop - 1]) + tpr[stop - 1];
    fpr.truncate(stop);
    tpr.truncate(stop);
    fpr.push(most);
    tpr.push(end);
    let least = 0.5 * (most * most);
    0.5 * (1.0 + (area(&fpr, &tpr) - least) / (most - least))
}

pub(super) fn average_precision(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> f64 {
    let curve = Curve::of(positive, scores, weights).precision_recall(false);
    let steps = curve.recall.windows(2).zip(&curve.precision);
    let parts: Vec<f64> = steps.map(|(recall, precision)| (recall[1] - recall[0]) * precision).collect();
    // Never the negative zero.
    (-Precision::Double.sum(&parts)).max(0.0) + 0.0
}

/// The area under points by trapezoids.
fn area(x: &[f64], y: &[f64]) -> f64 {
    let part = |(x, y): (&[f64], &[f64])| (x[1] - x[0]) * (y[1] + y[0]) / 2.0;
    Precision::Double.sum(&x.windows(2).zip(y.windows(2)).map(part).collect::<Vec<_>>())
}

/// The area under the curve through the points `(x, y)`, in the order given, by trapezoids.
///
/// ```
/// use cornu_data::{auc, roc_curve};
///
/// let curve = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])?;
/// assert_eq!(auc(curve.fpr, curve.tpr)?, 0.75);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// # Errors
/// There must be two points or more, of finite numbers, and `x` must not both rise and fall.
pub fn auc(x: impl ToArray, y: impl ToArray) -> Result<f64> {
    let column = |name: &str, array: cornu_array::Array| match array.shape()[..] {
        [_] | [_, 1] => finite(name, &array).map(|()| array.to_vec::<f64>()),
        _ => Err(Error::data(format!("`{name}` needs one number in each row, got {}", array.ty()))),
    };
    let (x, y) = (column("x", x.into_array()?)?, column("y", y.into_array()?)?);
    if x.len() != y.len() {
        return Err(Error::data(format!("`y` needs {} numbers as `x` has, got {}", x.len(), y.len())));
    }
    if x.len() < 2 {
        return Err(Error::data(format!("`auc` needs two points or more, got {}", x.len())));
    }
    let falls = x.windows(2).position(|x| x[1] < x[0]);
    let rises = x.windows(2).position(|x| x[1] > x[0]);
    match (falls, rises) {
        (Some(fall), Some(_)) => {
            Err(Error::data(format!("`x` must not both rise and fall, but falls at row {}", fall + 1)))
        }
        (Some(_), None) => Ok(-area(&x, &y)),
        _ => Ok(area(&x, &y)),
    }
}
