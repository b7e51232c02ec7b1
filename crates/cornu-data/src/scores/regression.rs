//! How near numbers were predicted: scikit-learn's scores of regressions.

use cornu_array::{Array, Error, Result, ToArray};

use super::precision::{Precision, Weights, finite};

/// How the scores of several outputs become one.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Multioutput {
    /// Their mean.
    #[default]
    UniformAverage,
    /// Their mean, weighted by how much each output varies; for [`r2_score`] and [`explained_variance_score`].
    VarianceWeighted,
    /// Their mean with these weights, one for each output.
    Weights(Vec<f64>),
}

impl From<Vec<f64>> for Multioutput {
    fn from(weights: Vec<f64>) -> Multioutput {
        Multioutput::Weights(weights)
    }
}

impl<const N: usize> From<[f64; N]> for Multioutput {
    fn from(weights: [f64; N]) -> Multioutput {
        Multioutput::Weights(weights.into())
    }
}

/// The options of scores of numbers; each score is a method of its name, and as a plural one that gives the score of each
/// output (scikit-learn's `multioutput="raw_values"`).
///
/// ```
/// use cornu_data::{Regression, mean_squared_error};
///
/// let (y, predicted) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
/// assert_eq!(mean_squared_error(y, predicted)?, 0.375);
/// let weighted = Regression::new().sample_weight([1.0, 1.0, 2.0, 0.0]);
/// assert_eq!(weighted.mean_squared_error(y, predicted)?, 0.125);
/// assert_eq!(Regression::new().max_error([[1.0], [2.0]], [1.0, 4.0])?, 2.0);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// Targets are `[rows]` or `[rows, outputs]`. Where all floats are of single precision the scores are computed in it, as
/// NumPy does.
#[derive(Clone, Debug)]
pub struct Regression {
    sample_weight: Weights,
    multioutput: Multioutput,
    force_finite: bool,
}

impl Default for Regression {
    fn default() -> Self {
        Regression::new()
    }
}

impl Regression {
    /// Every row counts as one, and every output.
    pub fn new() -> Regression {
        Regression { sample_weight: Weights::default(), multioutput: Multioutput::default(), force_finite: true }
    }

    /// How much each row counts: `[rows]`.
    #[must_use]
    pub fn sample_weight(self, weights: impl ToArray) -> Regression {
        Regression { sample_weight: Weights::of(weights), ..self }
    }

    /// How the scores of several outputs become one.
    #[must_use]
    pub fn multioutput(self, multioutput: impl Into<Multioutput>) -> Regression {
        Regression { multioutput: multioutput.into(), ..self }
    }

    /// Whether [`r2_score`] and [`explained_variance_score`] of a target that never changes are 1 (all predictions are
    /// right) or 0, as without this, or what the division by zero gives.
    #[must_use]
    pub fn force_finite(self, force_finite: bool) -> Regression {
        Regression { force_finite, ..self }
    }

    /// One score of those of the outputs.
    fn averaged(&self, name: &str, Scores { each, variances, precision }: Scores) -> Result<f64> {
        let outputs = each.len();
        match &self.multioutput {
            Multioutput::UniformAverage => Ok(precision.average(&each, None)),
            Multioutput::VarianceWeighted => match variances {
                None => Err(Error::usage(format!("`{name}` has no average that is weighted by variances"))
                    .help("only `r2_score` and `explained_variance_score` have it")),
                Some(variances) if variances.iter().all(|&variance| variance == 0.0) => {
                    Ok(precision.average(&each, None))
                }
                Some(variances) => Ok(precision.average(&each, Some(&variances))),
            },
            Multioutput::Weights(_) if outputs == 1 => {
                Err(Error::usage("weights of outputs need several outputs, got one"))
            }
            Multioutput::Weights(weights) if weights.len() != outputs => {
                let got = weights.len();
                Err(Error::usage(format!("`multioutput` needs a weight for each of {outputs} outputs, got {got}")))
            }
            Multioutput::Weights(weights) => Ok(Precision::Double.average(&each, Some(weights))),
        }
    }

    /// Refuses options that a score has not.
    fn only(&self, name: &str, weights: bool, multioutput: bool, force_finite: bool) -> Result<()> {
        let unknown = [
            ("sample_weight", !weights && self.sample_weight.are_given()),
            ("multioutput", !multioutput && self.multioutput != Multioutput::UniformAverage),
            ("force_finite", !force_finite && !self.force_finite),
        ];
        match unknown.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(Error::usage(format!("`{name}` has no option `{option}`"))),
            None => Ok(()),
        }
    }

    fn targets(&self, y_true: impl ToArray, y_pred: impl ToArray) -> Result<Targets> {
        Targets::of(&y_true.into_array()?, &y_pred.into_array()?, &self.sample_weight)
    }
}

/// The score of each output.
struct Scores {
    each: Vec<f64>,
    /// How much each output varies, for scores that can be weighted by it.
    variances: Option<Vec<f64>>,
    precision: Precision,
}

/// Numbers side by side, output by output.
struct Targets {
    truth: Vec<Vec<f64>>,
    predicted: Vec<Vec<f64>>,
    weights: Option<Vec<f64>>,
    rows: usize,
    /// That of all floats.
    precision: Precision,
    /// That of a difference of the two.
    difference: Precision,
}

impl Targets {
    fn of(truth: &Array, predicted: &Array, weights: &Weights) -> Result<Targets> {
        let outputs = [outputs_of("y_true", truth)?, outputs_of("y_pred", predicted)?];
        let rows = truth.shape()[0];
        if predicted.shape()[0] != rows {
            let got = predicted.shape()[0];
            return Err(Error::data(format!("`y_pred` needs {rows} rows as `y_true` has, got {got}")));
        }
        if outputs[0] != outputs[1] {
            let [needed, got] = outputs;
            let error = Error::data(format!("`y_pred` needs {needed} outputs as `y_true` has, got {got}"));
            return Err(if got > needed {
                error.help("of one score for each class, take the greatest")
            } else {
                error
            });
        }
        if truth.is_empty() {
            return Err(Error::data("`y_true` needs at least one number, got none"));
        }
        finite("y_true", truth)?;
        finite("y_pred", predicted)?;
        let columns = |array: &Array| {
            let values = array.to_vec::<f64>();
            (0..outputs[0]).map(|i| values.iter().skip(i).step_by(outputs[0]).copied().collect()).collect()
        };
        let floats: Vec<&Array> = [truth, predicted].into_iter().chain(weights.array()?).collect();
        Ok(Targets {
            truth: columns(truth),
            predicted: columns(predicted),
            weights: weights.rows(rows)?,
            rows,
            precision: Precision::of_floats(&floats),
            difference: Precision::of_all(&[truth, predicted]),
        })
    }

    /// A score of each output.
    fn each(&self, score: impl Fn(&[f64], &[f64]) -> f64) -> Vec<f64> {
        self.truth.iter().zip(&self.predicted).map(|(truth, predicted)| score(truth, predicted)).collect()
    }

    /// The sum down a column: side by side in memory if there is one, else row after row.
    fn sum(&self, values: &[f64]) -> f64 {
        let precision = self.precision;
        if self.truth.len() == 1 { precision.sum(values) } else { precision.sum_in_order(values) }
    }

    /// The weighted mean down a column.
    fn mean(&self, values: &[f64]) -> f64 {
        let precision = self.precision;
        precision.round(match &self.weights {
            None => self.sum(values) / self.rows as f64,
            Some(weights) => self.sum(&precision.products(values, weights)) / precision.sum(weights),
        })
    }

    /// The mean of an error for each pair, by output.
    fn means(&self, error: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        self.each(|truth, predicted| {
            self.mean(&truth.iter().zip(predicted).map(|(&t, &p)| error(t, p)).collect::<Vec<_>>())
        })
    }

    fn squared(&self) -> Vec<f64> {
        self.means(|truth, predicted| self.square(truth - predicted))
    }

    fn square(&self, difference: f64) -> f64 {
        let difference = self.precision.round(difference);
        self.precision.round(difference * difference)
    }

    /// The logarithms of one more than each number.
    fn logarithms(mut self, name: &str) -> Result<Targets> {
        let precision = self.precision;
        for (side, columns) in [("y_true", &mut self.truth), ("y_pred", &mut self.predicted)] {
            for column in columns {
                if let Some(row) = column.iter().position(|&value| value <= -1.0) {
                    let value = column[row];
                    return Err(Error::data(format!(
                        "`{name}` needs numbers above -1 in `{side}`, got {value} in row {row}"
                    )));
                }
                column.iter_mut().for_each(|value| *value = precision.round(value.ln_1p()));
            }
        }
        Ok(self)
    }

    /// One less what is not explained, by output: `numerators / denominators`.
    fn explained(&self, numerators: &[f64], denominators: Vec<f64>, force_finite: bool) -> Scores {
        let precision = self.precision;
        let score = |(&part, &whole): (&f64, &f64)| match (part == 0.0, whole == 0.0) {
            (true, _) if force_finite => 1.0,
            (false, true) if force_finite => 0.0,
            _ => precision.round(1.0 - precision.round(part / whole)),
        };
        let each = numerators.iter().zip(&denominators).map(score).collect();
        Scores { each, variances: Some(denominators), precision }
    }

    /// How far numbers are from their mean, squared; by output.
    fn squares(&self, mean: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        self.each(|truth, _| {
            let center = self.mean(truth);
            mean(&truth.iter().map(|value| self.square(value - center)).collect::<Vec<_>>())
        })
    }

    fn r2(&self, force_finite: bool) -> Scores {
        if self.rows < 2 {
            let each = vec![f64::NAN; self.truth.len()];
            return Scores { each, variances: Some(vec![1.0; self.truth.len()]), precision: self.precision };
        }
        let total = |squares: &[f64]| match &self.weights {
            None => self.sum(squares),
            Some(weights) => self.sum(&self.precision.products(squares, weights)),
        };
        let errors = self.each(|truth, predicted| {
            total(&truth.iter().zip(predicted).map(|(t, p)| self.square(t - p)).collect::<Vec<_>>())
        });
        self.explained(&errors, self.squares(total), force_finite)
    }

    fn explained_variance(&self, force_finite: bool) -> Scores {
        let round = |value| self.precision.round(value);
        let errors = self.each(|truth, predicted| {
            let errors: Vec<f64> = truth.iter().zip(predicted).map(|(t, p)| round(t - p)).collect();
            let center = self.mean(&errors);
            self.mean(&errors.iter().map(|error| self.square(error - center)).collect::<Vec<_>>())
        });
        self.explained(&errors, self.squares(|squares| self.mean(squares)), force_finite)
    }

    /// The absolute errors of each output.
    fn absolute(&self) -> Vec<Vec<f64>> {
        let errors = |(truth, predicted): (&Vec<f64>, &Vec<f64>)| {
            truth.iter().zip(predicted).map(|(t, p)| self.difference.round(p - t).abs()).collect()
        };
        self.truth.iter().zip(&self.predicted).map(errors).collect()
    }

    fn medians(&self) -> Vec<f64> {
        self.absolute()
            .iter()
            .map(|errors| match &self.weights {
                None => median(errors, self.difference),
                Some(weights) => weighted_median(errors, weights, self.difference),
            })
            .collect()
    }
}

/// The number of outputs of targets: `[rows]` or `[rows, outputs]`.
fn outputs_of(name: &str, array: &Array) -> Result<usize> {
    match array.shape()[..] {
        [_] => Ok(1),
        [_, outputs] => Ok(outputs),
        _ => Err(Error::data(format!("`{name}` needs `[rows]` or `[rows, outputs]`, got {}", array.ty()))),
    }
}

/// The middle number, or the mean of the two in the middle.
fn median(values: &[f64], precision: Precision) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { precision.average(&sorted[middle - 1..=middle], None) }
}

/// The number at which half of the weight is reached; the mean of it and the next one where it is exactly half.
/// Hyndman and Fan, "Sample quantiles in statistical packages" (1996), definition 2.
fn weighted_median(values: &[f64], weights: &[f64], precision: Precision) -> f64 {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut reached = Vec::with_capacity(order.len());
    for &row in &order {
        let before = reached.last().copied().unwrap_or(0.0);
        reached.push(precision.round(before + precision.round(weights[row])));
    }
    let last = order.len() - 1;
    let half = precision.round(0.5 * reached[last]);
    let place = reached.partition_point(|&weight| weight < half).min(last);
    let value = values[order[place]];
    if reached[place] - half > precision.epsilon() {
        return value;
    }
    // The next one that has a weight.
    let next = reached.partition_point(|&weight| weight <= reached[place]);
    let next = if next > last { place } else { next };
    let next = if weights[order[(place + 1).min(last)]] == 0.0 { next } else { (place + 1).min(last) };
    precision.round(precision.round(value + values[order[next]]) / 2.0)
}

macro_rules! scores {
    ($($(#[$doc:meta])* $name:ident $each:ident $explains:literal, |$options:ident, $targets:ident| $scores:expr;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// Both must have as many rows and outputs, and finite numbers.
            pub fn $name(y_true: impl ToArray, y_pred: impl ToArray) -> Result<f64> {
                Regression::new().$name(y_true, y_pred)
            }
        )*

        impl Regression {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// Both must have as many rows and outputs, and finite numbers; and the options must fit.
                pub fn $name(&self, y_true: impl ToArray, y_pred: impl ToArray) -> Result<f64> {
                    let $options = self;
                    $options.only(stringify!($name), true, true, $explains)?;
                    let $targets = $options.targets(y_true, y_pred)?;
                    $options.averaged(stringify!($name), $scores)
                }

                #[doc = concat!("[`", stringify!($name), "`] of each output.")]
                ///
                /// # Errors
                #[doc = concat!("As [`Regression::", stringify!($name), "`].")]
                pub fn $each(&self, y_true: impl ToArray, y_pred: impl ToArray) -> Result<Vec<f64>> {
                    let $options = self;
                    $options.only(stringify!($name), true, false, $explains)?;
                    let $targets = $options.targets(y_true, y_pred)?;
                    Ok($scores.each)
                }
            )*
        }
    };
}

impl Targets {
    /// Scores that are errors.
    fn errors(&self, each: Vec<f64>) -> Scores {
        Scores { each, variances: None, precision: self.precision }
    }

    /// Scores that are roots of errors.
    fn roots(&self, each: &[f64]) -> Scores {
        self.errors(each.iter().map(|error| self.precision.round(error.sqrt())).collect())
    }
}

scores! {
    /// The mean of the squared errors.
    mean_squared_error mean_squared_errors false, |options, targets| targets.errors(targets.squared());
    /// The root of the mean of the squared errors.
    root_mean_squared_error root_mean_squared_errors false, |options, targets| targets.roots(&targets.squared());
    /// The mean of the absolute errors.
    mean_absolute_error mean_absolute_errors false, |options, targets| {
        let round = |value| targets.precision.round(value);
        targets.errors(targets.means(|truth, predicted| round(predicted - truth).abs()))
    };
    /// The median of the absolute errors.
    median_absolute_error median_absolute_errors false, |options, targets| {
        Scores { precision: targets.difference, ..targets.errors(targets.medians()) }
    };
    /// The mean of the squared errors of `ln(1 + x)`, of numbers above -1.
    mean_squared_log_error mean_squared_log_errors false, |options, targets| {
        let targets = targets.logarithms("mean_squared_log_error")?;
        targets.errors(targets.squared())
    };
    /// The root of [`mean_squared_log_error`].
    root_mean_squared_log_error root_mean_squared_log_errors false, |options, targets| {
        let targets = targets.logarithms("root_mean_squared_log_error")?;
        targets.roots(&targets.squared())
    };
    /// The mean of the absolute errors as shares of the absolute targets (1 is a hundred percent).
    mean_absolute_percentage_error mean_absolute_percentage_errors false, |options, targets| {
        let round = |value| targets.precision.round(value);
        let least = round(f64::EPSILON);
        targets.errors(targets.means(|truth, predicted| round(round(predicted - truth).abs() / truth.abs().max(least))))
    };
    /// The share of the variation of the targets that the predictions explain: 1 at best, 0 for always predicting the
    /// mean. NaN for less than two rows.
    r2_score r2_scores true, |options, targets| targets.r2(options.force_finite);
    /// [`r2_score`] as if the predictions were right in the mean.
    explained_variance_score explained_variance_scores true, |options, targets| {
        targets.explained_variance(options.force_finite)
    };
}

/// The greatest absolute error, of one output.
///
/// # Errors
/// Both must have as many rows, one output, and finite numbers.
pub fn max_error(y_true: impl ToArray, y_pred: impl ToArray) -> Result<f64> {
    Regression::new().max_error(y_true, y_pred)
}

impl Regression {
    /// The greatest absolute error, of one output.
    ///
    /// # Errors
    /// Both must have as many rows, one output, and finite numbers; there are no options.
    pub fn max_error(&self, y_true: impl ToArray, y_pred: impl ToArray) -> Result<f64> {
        self.only("max_error", false, false, false)?;
        let targets = self.targets(y_true, y_pred)?;
        match &targets.absolute()[..] {
            [errors] => Ok(errors.iter().copied().fold(0.0, f64::max)),
            outputs => Err(Error::data(format!("`max_error` needs one output, got {}", outputs.len()))),
        }
    }
}
