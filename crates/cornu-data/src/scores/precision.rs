//! Means and sums as NumPy makes them: in its order, and in the precision of what is averaged.

use cornu_array::{Array, DType, Error, Result, ToArray};

use crate::stats::sum;

/// The floats that NumPy computes in. A double rounded after each operation is what single precision would have given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Single,
    Double,
}

impl Precision {
    /// Single where there are floats and all of them are single.
    pub(super) fn of_floats(arrays: &[&Array]) -> Precision {
        let mut floats = arrays.iter().map(|array| array.dtype()).filter(|dtype| dtype.is_float()).peekable();
        match floats.peek().is_some() && floats.all(|dtype| dtype == DType::F32) {
            true => Precision::Single,
            false => Precision::Double,
        }
    }

    /// Single where all are.
    pub(super) fn of_all(arrays: &[&Array]) -> Precision {
        match arrays.iter().all(|array| array.dtype() == DType::F32) {
            true => Precision::Single,
            false => Precision::Double,
        }
    }

    /// The nearest number of this precision.
    pub(super) fn round(self, value: f64) -> f64 {
        match self {
            Precision::Single => f64::from(value as f32),
            Precision::Double => value,
        }
    }

    /// The distance from 1 to the next number.
    pub(super) fn epsilon(self) -> f64 {
        match self {
            Precision::Single => f32::EPSILON.into(),
            Precision::Double => f64::EPSILON,
        }
    }

    /// The sum of numbers that lie side by side in memory.
    pub(super) fn sum(self, values: &[f64]) -> f64 {
        match self {
            Precision::Single => sum(&values.iter().map(|&value| value as f32).collect::<Vec<_>>()).into(),
            Precision::Double => sum(values),
        }
    }

    /// The sum of numbers that lie apart in memory, from the first to the last.
    pub(super) fn sum_in_order(self, values: &[f64]) -> f64 {
        values.iter().copied().reduce(|sum, value| self.round(sum + value)).unwrap_or(0.0)
    }

    /// The products of numbers and weights.
    pub(super) fn products(self, values: &[f64], weights: &[f64]) -> Vec<f64> {
        values.iter().zip(weights).map(|(value, weight)| self.round(value * weight)).collect()
    }

    /// NumPy's `average(values, weights=weights)`.
    pub(super) fn average(self, values: &[f64], weights: Option<&[f64]>) -> f64 {
        match weights {
            None => self.round(self.sum(values) / values.len() as f64),
            Some(weights) => self.round(self.sum(&self.products(values, weights)) / self.sum(weights)),
        }
    }
}

/// The weight of each row, as it was given; what is wrong with it is said where it is used.
#[derive(Clone, Debug, Default)]
pub(super) struct Weights(Option<Result<Array>>);

impl Weights {
    pub(super) fn of(weights: impl ToArray) -> Weights {
        Weights(Some(weights.into_array()))
    }

    pub(super) fn are_given(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn array(&self) -> Result<Option<&Array>> {
        self.0.as_ref().map(Result::as_ref).transpose().map_err(Clone::clone)
    }

    /// One finite weight for each of `rows` rows, not all of them zero.
    pub(super) fn rows(&self, rows: usize) -> Result<Option<Vec<f64>>> {
        let Some(array) = self.array()? else { return Ok(None) };
        if array.shape()[..] != [rows] {
            return Err(Error::data(format!(
                "`sample_weight` needs a number for each of {rows} rows, got {}",
                array.ty()
            )));
        }
        let weights = array.to_vec::<f64>();
        if let Some(row) = weights.iter().position(|weight| !weight.is_finite()) {
            let weight = weights[row];
            return Err(Error::data(format!("`sample_weight` needs finite numbers, got {weight} in row {row}")));
        }
        if weights.iter().all(|&weight| weight == 0.0) {
            return Err(Error::data("`sample_weight` needs a number that is not zero, got none"));
        }
        if sum(&weights) == 0.0 {
            return Err(Error::data("`sample_weight` needs weights whose sum is not zero")
                .help("weights say how much a row counts: none is below zero"));
        }
        Ok(Some(weights))
    }
}

/// Refuses numbers that are infinite or not a number.
pub(super) fn finite(name: &str, array: &Array) -> Result<()> {
    let width = array.shape()[1..].iter().product::<usize>().max(1);
    match (0..array.len()).find(|&place| !array.get(place).is_finite()) {
        Some(place) if array.dtype().is_float() => {
            let (value, row) = (array.get(place), place / width);
            Err(Error::data(format!("`{name}` needs finite numbers, got {value} in row {row}"))
                .help("leave such rows out, or find out where the numbers come from: a network may have diverged"))
        }
        _ => Ok(()),
    }
}
