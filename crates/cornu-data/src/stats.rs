//! Statistics of a row of values in the order and the types that pandas and NumPy compute them in, so that the last digits
//! agree: they are all that is left of the mean of a standardised column.

use std::ops::{Add, Sub};

use crate::{Scalar, Value, Values};

/// What can be summed: a number, or several side by side, each on its own.
pub(crate) trait Sum: Copy {
    /// What changes no sum, not even that of negative zeros.
    const NOTHING: Self;
    fn plus(self, other: Self) -> Self;
}

impl<T: Sum, const N: usize> Sum for [T; N] {
    const NOTHING: [T; N] = [T::NOTHING; N];

    #[inline]
    fn plus(self, other: [T; N]) -> [T; N] {
        std::array::from_fn(|i| self[i].plus(other[i]))
    }
}

/// A number that statistics are made of.
pub(crate) trait Float: Sum + PartialOrd + Add<Output = Self> + Sub<Output = Self> + Into<f64> {
    fn order(&self, other: &Self) -> std::cmp::Ordering;
}

macro_rules! float {
    ($($type:ty),*) => {$(
        impl Sum for $type {
            const NOTHING: $type = -0.0;

            #[inline]
            fn plus(self, other: $type) -> $type {
                self + other
            }
        }

        impl Float for $type {
            fn order(&self, other: &$type) -> std::cmp::Ordering {
                self.total_cmp(other)
            }
        }
    )*};
}

float! { f32, f64 }

/// The sum in NumPy's order: pairwise, in blocks of eight running sums.
pub(crate) fn sum<T: Float>(values: &[T]) -> T {
    sum_of(values, |value| value)
}

/// The sum of a function of the values, in the same order.
pub(crate) fn sum_of<T: Copy, R: Sum>(values: &[T], function: impl Fn(T) -> R + Copy) -> R {
    const BLOCK: usize = 128;
    const LANES: usize = 8;
    if values.len() < LANES {
        return values.iter().fold(R::NOTHING, |sum, &value| sum.plus(function(value)));
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % LANES);
        return sum_of(left, function).plus(sum_of(right, function));
    }
    let mut lanes = [R::NOTHING; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &value)| *lane = lane.plus(function(value)));
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let total = (a.plus(b).plus(c.plus(d))).plus(e.plus(f).plus(g.plus(h)));
    rest.iter().fold(total, |sum, &value| sum.plus(function(value)))
}

/// The sum of values that NumPy converts into doubles on the way: in pieces as large as its buffer.
fn sum_converted<T: Copy>(values: &[T], function: impl Fn(T) -> f64 + Copy) -> f64 {
    const BUFFER: usize = 8192;
    values.chunks(BUFFER).fold(-0.0, |sum, chunk| sum + sum_of(chunk, function))
}

/// Numbers as doubles.
pub(crate) fn doubles(values: &Values) -> Option<Vec<f64>> {
    Some(match values {
        Values::Float(values) => values.clone(),
        Values::Float32(values) => values.iter().map(|&value| value.into()).collect(),
        Values::Int(values) => values.iter().map(|&value| value as f64).collect(),
        Values::Bool(values) => values.iter().map(|&value| value.into()).collect(),
        _ => return None,
    })
}

/// How many values are there.
pub(crate) fn count(values: &Values) -> usize {
    match values {
        Values::Int(_) | Values::Bool(_) => values.len(),
        Values::Float(values) => values.iter().filter(|value| !value.is_nan()).count(),
        _ => values.missing().iter().filter(|missing| !**missing).count(),
    }
}

/// The sum of numbers; a missing one counts nothing.
pub(crate) fn total(values: &Values) -> Option<Scalar> {
    Some(match values {
        // A missing value counts as zero, in its place: leaving it out would change the order of the sum.
        Values::Float(_) | Values::Float32(_) if values.is_empty() => Scalar::Float(0.0),
        Values::Float(values) => Scalar::Float(sum_of(values, |value| if value.is_nan() { 0.0 } else { value })),
        Values::Float32(values) => {
            Scalar::Float(sum_of(values, |value: f32| if value.is_nan() { 0.0 } else { value }).into())
        }
        Values::Int(values) => Scalar::Int(values.iter().fold(0, |sum: i64, &value| sum.wrapping_add(value))),
        Values::Bool(values) => Scalar::Int(values.iter().filter(|value| **value).count() as i64),
        _ => return None,
    })
}

/// The mean of numbers; NaN of none.
pub(crate) fn mean(values: &Values) -> Option<f64> {
    let count = count(values);
    let total = match values {
        Values::Int(values) => sum_converted(values, |value| value as f64),
        _ => total(values)?.to_f64()?,
    };
    Some(match values {
        _ if count == 0 => f64::NAN,
        Values::Float32(_) => (total as f32 / count as f32).into(),
        _ => total / count as f64,
    })
}

/// The variance of numbers, with `ddof` degrees of freedom taken off; NaN where none is left.
pub(crate) fn variance(values: &Values, ddof: usize) -> Option<f64> {
    let count = count(values);
    let free = count as f64 - ddof as f64;
    let spread = |total: f64, squares: &dyn Fn(f64) -> f64| {
        if free <= 0.0 { f64::NAN } else { squares(total / count as f64) / free }
    };
    Some(match values {
        Values::Float(values) => {
            let total = sum_of(values, |value| if value.is_nan() { 0.0 } else { value });
            spread(total, &|mean| sum_of(values, |value| if value.is_nan() { 0.0 } else { square(mean - value) }))
        }
        Values::Float32(values) => {
            let total = sum_converted(values, |value| if value.is_nan() { 0.0 } else { value.into() });
            let squares =
                |mean| sum_of(values, |value| if value.is_nan() { 0.0 } else { square(mean - f64::from(value)) });
            f64::from(spread(total, &squares) as f32)
        }
        Values::Int(values) => {
            let total = sum_of(values, |value| value as f64);
            spread(total, &|mean| sum_of(values, |value| square(mean - value as f64)))
        }
        Values::Bool(values) => {
            let total = sum_of(values, f64::from);
            spread(total, &|mean| sum_of(values, |value| square(mean - f64::from(value))))
        }
        _ => return None,
    })
}

fn square(value: f64) -> f64 {
    value * value
}

/// The square root of the variance.
pub(crate) fn deviation(values: &Values, ddof: usize) -> Option<f64> {
    let variance = variance(values, ddof)?;
    Some(if matches!(values, Values::Float32(_)) { (variance as f32).sqrt().into() } else { variance.sqrt() })
}

/// The values below which shares `quantiles` lie, between neighbours by a straight line; NaN of none.
pub(crate) fn quantiles(values: &Values, quantiles: &[f64]) -> Option<Vec<f64>> {
    Some(match values {
        Values::Float32(values) => {
            let mut there: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
            // pandas rounds them to singles where it has left out missing ones.
            let rounded = there.len() < values.len();
            let single = |value: f64| if rounded { f64::from(value as f32) } else { value };
            quantiles_of(&mut there, quantiles).into_iter().map(single).collect()
        }
        _ => {
            let mut there = doubles(values)?;
            there.retain(|value| !value.is_nan());
            quantiles_of(&mut there, quantiles)
        }
    })
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(values: &Values) -> Option<f64> {
    fn middle<T: Float>(mut there: Vec<T>) -> Option<[T; 2]> {
        let half = there.len() / 2;
        if there.is_empty() {
            return None;
        }
        let odd = there.len() % 2 == 1;
        let (below, &mut upper, _) = there.select_nth_unstable_by(half, T::order);
        let lower = below.iter().copied().max_by(T::order).filter(|_| !odd);
        Some([lower.unwrap_or(upper), upper])
    }
    Some(match values {
        Values::Float32(values) => {
            let there = values.iter().copied().filter(|value| !value.is_nan()).collect();
            middle(there).map_or(f64::NAN, |[a, b]| if a == b { a.into() } else { ((a + b) / 2.0).into() })
        }
        _ => {
            let mut there = doubles(values)?;
            there.retain(|value| !value.is_nan());
            middle(there).map_or(f64::NAN, |[a, b]| if a == b { a } else { (a + b) / 2.0 })
        }
    })
}

/// Each quantile, for which the values are put in order as far as it takes.
pub(crate) fn quantiles_of<T: Float>(values: &mut [T], quantiles: &[f64]) -> Vec<f64> {
    let Some(last) = values.len().checked_sub(1) else { return vec![f64::NAN; quantiles.len()] };
    let mut order: Vec<usize> = (0..quantiles.len()).collect();
    order.sort_by(|&a, &b| quantiles[a].total_cmp(&quantiles[b]));
    let mut result = vec![f64::NAN; quantiles.len()];
    let mut sorted = 0;
    for place in order {
        let at = quantiles[place] * last as f64;
        let below = (at.floor() as usize).min(last);
        if below >= sorted {
            values[sorted..].select_nth_unstable_by(below - sorted, T::order);
            sorted = below + 1;
        }
        let a = values[below];
        let b = if below == last {
            a
        } else if sorted > below + 1 {
            values[below + 1]
        } else {
            // The least of those above takes its place.
            let (least, _) = values[below + 1..].iter().enumerate().min_by(|a, b| a.1.order(b.1)).unwrap_or((0, &a));
            values.swap(below + 1, below + 1 + least);
            sorted = below + 2;
            values[below + 1]
        };
        let (t, slope) = (at - below as f64, (b - a).into());
        // NumPy's form, which is exact at the nearer neighbour (and NaN between two equal infinities).
        result[place] = if t < 0.5 { a.into() + slope * t } else { b.into() - slope * (1.0 - t) };
    }
    result
}

/// Least and greatest of what is there; nothing of none, or of categories without an order.
pub(crate) fn extreme(values: &Values, greatest: bool) -> Option<usize> {
    fn find<T: PartialOrd>(values: impl Iterator<Item = Option<T>>, greatest: bool) -> Option<usize> {
        let mut best: Option<(usize, T)> = None;
        for (row, value) in values.enumerate() {
            let Some(value) = value else { continue };
            let better = best.as_ref().is_none_or(|(_, best)| if greatest { value > *best } else { value < *best });
            if better {
                best = Some((row, value));
            }
        }
        best.map(|(row, _)| row)
    }
    match values {
        Values::Float(values) => find(values.iter().map(|&value| (!value.is_nan()).then_some(value)), greatest),
        Values::Float32(values) => find(values.iter().map(|&value| (!value.is_nan()).then_some(value)), greatest),
        Values::Int(values) => find(values.iter().map(|&value| Some(value)), greatest),
        Values::Bool(values) => find(values.iter().map(|&value| Some(value)), greatest),
        Values::Truth(values) => find(values.iter().copied(), greatest),
        Values::Date(_) => {
            find(values.iter().map(|value| if let Value::Date(value) = value { Some(value) } else { None }), greatest)
        }
        Values::Text(texts) => find(texts.iter(), greatest),
        Values::Category(category) if category.ordered => find(category.codes.iter().copied(), greatest),
        Values::Category(_) | Values::Object(_) => None,
    }
}

/// Pearson's correlation of the rows in which both are there, or their covariance, in one pass (after Welford).
pub(crate) fn together(x: &[f64], y: &[f64], covariance: bool) -> f64 {
    let (mut n, mut mean_x, mut mean_y, mut ssx, mut ssy, mut both) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (&x, &y) in x.iter().zip(y) {
        if x.is_nan() || y.is_nan() {
            continue;
        }
        n += 1.0;
        let (dx, dy) = (x - mean_x, y - mean_y);
        mean_x += 1.0 / n * dx;
        mean_y += 1.0 / n * dy;
        ssx += (x - mean_x) * dx;
        ssy += (y - mean_y) * dy;
        both += (x - mean_x) * dy;
    }
    let divisor: f64 = if covariance { n - 1.0 } else { (ssx * ssy).sqrt() };
    match both / divisor {
        _ if n < 1.0 || divisor == 0.0 => f64::NAN,
        value if covariance => value,
        value => value.clamp(-1.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_every_length_are_right() {
        for len in [0, 1, 7, 8, 9, 128, 129, 1000, 4097] {
            let values: Vec<f64> = (0..len).map(f64::from).collect();
            assert_eq!(sum(&values), f64::from(len * (len - 1)) / 2.0);
        }
    }

    #[test]
    fn quantiles_in_any_order_are_those_of_sorted_values() {
        let values = Values::Float((0..101).map(|i| f64::from(i * 37 % 101)).collect());
        let asked = [0.5, 0.0, 1.0, 0.505, 0.5, 0.255, 0.25, 0.99];
        assert_eq!(quantiles(&values, &asked).unwrap(), [50.0, 0.0, 100.0, 50.5, 50.0, 25.5, 25.0, 99.0]);
    }
}
