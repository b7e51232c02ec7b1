//! Each column brought to a mean of 0 and a standard deviation of 1.

use cornu_array::Result;

use super::field::fields;
use super::frame::Seen;
use super::matrix::Matrix;
use super::min_max_scaler::finite_spread;
use super::{Frame, Linear, Transformer, files, learnt, methods, stored};

const CLASS: &str = "StandardScaler";

/// Brings each column to a mean of 0 and a standard deviation of 1, as scikit-learn's class of this name does.
///
/// Works in `f64`; a table whose columns are all `float32` stays so. A column that never changes becomes zeros. NaN stays
/// NaN and is left out of account; infinite numbers are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct StandardScaler {
    with_mean: bool,
    with_std: bool,
    learnt: Option<Learnt>,
}

/// `(x − mean) / scale`
#[derive(Clone, Debug, PartialEq)]
struct Learnt {
    seen: Seen,
    mean: Vec<f64>,
    var: Vec<f64>,
    scale: Vec<f64>,
}

fields!(Learnt { seen, mean, var, scale } check |learnt| {
    learnt.seen.each(&[&learnt.mean, &learnt.var, &learnt.scale])
});
fields!(StandardScaler { with_mean, with_std, learnt });
methods!(StandardScaler inverse);
files!(StandardScaler);

impl Default for StandardScaler {
    fn default() -> Self {
        StandardScaler { with_mean: true, with_std: true, learnt: None }
    }
}

impl StandardScaler {
    /// A scaler that has learnt nothing yet.
    pub fn new() -> Self {
        StandardScaler::default()
    }

    /// Whether the mean is taken off.
    #[must_use]
    pub fn with_mean(self, with_mean: bool) -> Self {
        StandardScaler { with_mean, ..self }
    }

    /// Whether columns are divided by their standard deviation.
    #[must_use]
    pub fn with_std(self, with_std: bool) -> Self {
        StandardScaler { with_std, ..self }
    }

    /// The mean of each column, once learnt; none where neither mean nor deviation is asked for.
    pub fn mean(&self) -> Option<Vec<f64>> {
        let learnt = self.learnt.as_ref().filter(|_| self.with_mean || self.with_std)?;
        Some(learnt.mean.clone())
    }

    /// The variance of each column (with no degree of freedom taken off), once learnt, where it is divided by.
    pub fn var(&self) -> Option<Vec<f64>> {
        self.learnt.as_ref().filter(|_| self.with_std).map(|learnt| learnt.var.clone())
    }

    /// What each column is divided by, once learnt, where it is.
    pub fn scale(&self) -> Option<Vec<f64>> {
        self.learnt.as_ref().filter(|_| self.with_std).map(|learnt| learnt.scale.clone())
    }
}

/// Mean, variance and scale in two passes, the second corrected by what rounding left of the sum of differences: Chan,
/// Golub and LeVeque, "Algorithms for computing the sample variance" (1983), equation 1.7.
fn moments(matrix: &Matrix<'_>) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let totals = matrix.sums(|_, x| if x.is_nan() { [0.0, 0.0] } else { [x, 1.0] });
    let means: Vec<f64> = totals.iter().map(|[sum, count]| sum / count).collect();
    let differences = matrix.sums(|j, x| {
        let difference = x - means[j];
        if x.is_nan() { [0.0, 0.0] } else { [difference, difference * difference] }
    });
    let var: Vec<f64> = totals
        .iter()
        .zip(&differences)
        .map(|([_, count], [left, squares])| (squares - left * left / count) / count)
        .collect();
    // Differences no larger than rounding in the sums can make them are none.
    let scale = |((&[_, count], &mean), &var): ((&[f64; 2], &f64), &f64)| {
        let rounding = count * f64::EPSILON * var + (count * mean * f64::EPSILON).powi(2);
        if var <= rounding { 1.0 } else { var.sqrt() }
    };
    let scale = totals.iter().zip(&means).zip(&var).map(scale).collect();
    (means, var, scale)
}

impl Transformer for StandardScaler {
    stored!(StandardScaler);

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        let matrix = x.borrowed().into_matrix(CLASS, true)?.learnable(CLASS)?;
        let (mean, var, scale) = moments(&matrix);
        finite_spread(CLASS, &mean)?;
        finite_spread(CLASS, &var)?;
        self.learnt = Some(Learnt { seen: Seen::of(x), mean, var, scale });
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        learnt.seen.check(CLASS, &x)?;
        let matrix = x.into_numbers()?;
        let (mean, scale, round) = (&learnt.mean, &learnt.scale, matrix.rounding());
        let (mean, scale) =
            (mean.iter().map(|&m| round(m)).collect::<Vec<_>>(), scale.iter().map(|&s| round(s)).collect::<Vec<_>>());
        match (self.with_mean, self.with_std) {
            (true, true) => matrix.map(CLASS, (&mean, |x, mean| x - mean), (&scale, |x, scale| x / scale)),
            (true, false) => matrix.map(CLASS, (&mean, |x, mean| x - mean), (&mean, |x, _| x)),
            (false, true) => matrix.map(CLASS, (&scale, |x, scale| x / scale), (&scale, |x, _| x)),
            (false, false) => matrix.map(CLASS, (&mean, |x, _| x), (&mean, |x, _| x)),
        }?
        .into_frame()
    }

    fn undo(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        learnt.seen.check_width(CLASS, &x)?;
        let matrix = x.into_numbers()?;
        let round = matrix.rounding();
        let mean: Vec<f64> = learnt.mean.iter().map(|&mean| if self.with_mean { round(mean) } else { -0.0 }).collect();
        let scale: Vec<f64> =
            learnt.scale.iter().map(|&scale| if self.with_std { round(scale) } else { 1.0 }).collect();
        matrix.map(CLASS, (&scale, |x, scale| x * scale), (&mean, |x, mean| x + mean))?.into_frame()
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        learnt(CLASS, &self.learnt)?.seen.names_of(input)
    }
}

impl Linear for StandardScaler {
    fn scale_and_offset(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let learnt = learnt(CLASS, &self.learnt)?;
        Ok(line(&learnt.mean, self.with_mean, &learnt.scale, self.with_std))
    }
}

/// `(x − center) / scale` as one product and one sum.
pub(super) fn line(center: &[f64], centers: bool, scale: &[f64], scales: bool) -> (Vec<f64>, Vec<f64>) {
    let scale: Vec<f64> = scale.iter().map(|&scale| if scales { scale } else { 1.0 }).collect();
    let offset = center.iter().zip(&scale).map(|(center, scale)| if centers { -center / scale } else { 0.0 });
    (scale.iter().map(|scale| 1.0 / scale).collect(), offset.collect())
}
