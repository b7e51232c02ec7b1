//! How good probabilities are: the logarithmic loss and Brier's.

use cornu_array::{Array, Error, Result, ToArray, list};

use super::pairs::labels;
use super::precision::{Precision, Weights, finite};
use super::ranked::{outputs_of, positive, same_rows};
use crate::labels::{find, shown};
use crate::{Labels, Scalar, ToLabels, Values};

/// The options of losses of probabilities; each is a method of its name. An option that a loss has not is an error.
///
/// ```
/// use cornu_data::{Probabilities, log_loss};
///
/// let p = [[0.5, 0.5, 0.0], [0.25, 0.5, 0.25]];
/// assert!(log_loss(["a", "b"], p).is_err());
/// let loss = Probabilities::new().labels(["a", "b", "c"]).log_loss(["a", "b"], p)?;
/// assert_eq!(loss, 2f64.ln());
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Probabilities {
    labels: Option<Result<Values>>,
    pos_label: Option<Scalar>,
    sample_weight: Weights,
    normalize: Option<bool>,
    scale_by_half: Option<bool>,
}

/// The probability of each class, and the class of each row.
struct Predicted {
    truth: Vec<usize>,
    /// `[rows, classes]`.
    probabilities: Vec<f64>,
    classes: usize,
    precision: Precision,
}

impl Probabilities {
    /// scikit-learn's defaults.
    pub fn new() -> Probabilities {
        Probabilities::default()
    }

    /// The classes of the columns; without it, those that occur. They count in ascending order.
    #[must_use]
    pub fn labels(self, labels: impl ToLabels) -> Probabilities {
        Probabilities { labels: Some(labels.label_values().map(|labels| (*labels).clone())), ..self }
    }

    /// The class that the probabilities are of, where there is one for each row; without it, 1.
    #[must_use]
    pub fn pos_label(self, label: impl Into<Scalar>) -> Probabilities {
        Probabilities { pos_label: Some(label.into()), ..self }
    }

    /// How much each row counts: `[rows]`.
    #[must_use]
    pub fn sample_weight(self, weights: impl ToArray) -> Probabilities {
        Probabilities { sample_weight: Weights::of(weights), ..self }
    }

    /// Whether [`log_loss`] is a mean (as without it) or a sum.
    #[must_use]
    pub fn normalize(self, normalize: bool) -> Probabilities {
        Probabilities { normalize: Some(normalize), ..self }
    }

    /// Whether [`brier_score_loss`] is half the mean square, so that it is from 0 to 1; without it, for two classes.
    #[must_use]
    pub fn scale_by_half(self, scale: bool) -> Probabilities {
        Probabilities { scale_by_half: Some(scale), ..self }
    }

    fn only(&self, name: &str, options: &[&str]) -> Result<()> {
        let given = [
            ("labels", self.labels.is_some()),
            ("pos_label", self.pos_label.is_some()),
            ("sample_weight", self.sample_weight.are_given()),
            ("normalize", self.normalize.is_some()),
            ("scale_by_half", self.scale_by_half.is_some()),
        ];
        match given.iter().find(|(option, given)| *given && !options.contains(option)) {
            Some((option, _)) => Err(Error::usage(format!("`{name}` has no option `{option}`"))
                .help(format!("its options are {}", list(options)))),
            None => Ok(()),
        }
    }

    /// The mean of the negative logarithm of the probability of the true class; options `labels`, `sample_weight`,
    /// `normalize`.
    ///
    /// # Errors
    /// As [`log_loss`]; and the options must fit.
    pub fn log_loss(&self, y_true: impl ToLabels, y_proba: impl ToArray) -> Result<f64> {
        self.only("log_loss", &["labels", "sample_weight", "normalize"])?;
        let (truth, array) = read(y_true, y_proba)?;
        let weights = self.sample_weight.rows(truth.len())?;
        let all = self.of_classes(&truth, &array)?;
        let (precision, epsilon) = (all.precision, all.precision.epsilon());
        let loss = |(row, &class): (usize, &usize)| {
            let p = all.probabilities[row * all.classes + class].clamp(epsilon, precision.round(1.0 - epsilon));
            -match precision {
                Precision::Single => f64::from((p as f32).ln()),
                Precision::Double => p.ln(),
            }
        };
        let losses: Vec<f64> = all.truth.iter().enumerate().map(loss).collect();
        Ok(total(precision, &losses, weights.as_deref(), self.normalize.unwrap_or(true)))
    }

    /// The mean square of how far the probabilities are from certainty of the truth; options `labels`, `pos_label`,
    /// `sample_weight`, `scale_by_half`.
    ///
    /// # Errors
    /// As [`brier_score_loss`]; and the options must fit.
    pub fn brier_score_loss(&self, y_true: impl ToLabels, y_proba: impl ToArray) -> Result<f64> {
        self.only("brier_score_loss", &["labels", "pos_label", "sample_weight", "scale_by_half"])?;
        let (truth, array) = read(y_true, y_proba)?;
        let weights = self.sample_weight.rows(truth.len())?;
        let all = match outputs_of("y_proba", &array)? {
            1 => self.of_two(&truth, &array)?,
            _ => self.of_classes(&truth, &array)?,
        };
        let precision = all.precision;
        let square = |(row, &class): (usize, &usize)| {
            let row = &all.probabilities[row * all.classes..(row + 1) * all.classes];
            let part = |(i, p): (usize, &f64)| {
                let apart = precision.round(f64::from(i == class) - p);
                precision.round(apart * apart)
            };
            precision.sum(&row.iter().enumerate().map(part).collect::<Vec<_>>())
        };
        let squares: Vec<f64> = all.truth.iter().enumerate().map(square).collect();
        let score = total(precision, &squares, weights.as_deref(), true);
        Ok(if self.scale_by_half.unwrap_or(all.classes < 3) { score * 0.5 } else { score })
    }

    /// Probabilities of all classes, or of the second of two.
    fn of_classes(&self, truth: &Labels, array: &Array) -> Result<Predicted> {
        let given = self.labels.as_ref().map(Result::as_ref).transpose().map_err(Clone::clone)?;
        let classes = match given {
            Some(given) => labels("labels", given)?.classes().clone(),
            None => truth.classes().clone(),
        };
        if classes.len() < 2 {
            let error = Error::data("probabilities need two classes or more, got one");
            return Err(error.help("say what the classes are: `Probabilities::new().labels(..)`"));
        }
        let place = |row: usize| {
            let class = truth.class(truth.codes()[row]);
            let unknown = || Error::data(format!("`labels` needs all classes, but row {row} is of {}", shown(class)));
            find(&classes, class).ok_or_else(unknown)
        };
        let places = (0..truth.len()).map(place).collect::<Result<Vec<usize>>>()?;
        let predicted = Predicted::of(places, array)?;
        match predicted.classes == classes.len() {
            true => Ok(predicted),
            false => {
                let (columns, got) = (predicted.classes, classes.len());
                let error =
                    Error::data(format!("`y_proba` has probabilities of {columns} classes, but there are {got}"));
                Err(if given.is_none() {
                    error.help("say what the classes are: `Probabilities::new().labels(..)`")
                } else {
                    error
                })
            }
        }
    }

    /// Probabilities of the positive class.
    fn of_two(&self, truth: &Labels, array: &Array) -> Result<Predicted> {
        if truth.count() > 2 {
            return Err(Error::data(format!(
                "`y_proba` needs a probability for each of {} classes, got one",
                truth.count()
            )));
        }
        let text = matches!(truth.classes(), Values::Text(_));
        let code = match positive(truth, self.pos_label.as_ref()) {
            // Of other numbers the greater is positive.
            Err(_) if self.pos_label.is_none() && !text => Some(truth.count() - 1),
            code => code?,
        };
        Predicted::of(truth.codes().iter().map(|&other| usize::from(Some(other) == code)).collect(), array)
    }
}

impl Predicted {
    fn of(truth: Vec<usize>, array: &Array) -> Result<Predicted> {
        let precision = Precision::of_all(&[array]);
        let values = array.to_vec::<f64>();
        match outputs_of("y_proba", array)? {
            1 => {
                let both = values.iter().flat_map(|&p| [precision.round(1.0 - p), p]).collect();
                Ok(Predicted { truth, probabilities: both, classes: 2, precision })
            }
            classes => Ok(Predicted { truth, probabilities: values, classes, precision }),
        }
    }
}

/// Labels and probabilities, as many, from 0 to 1.
fn read(y_true: impl ToLabels, y_proba: impl ToArray) -> Result<(Labels, Array)> {
    let (truth, array) = (labels("y_true", y_true)?, y_proba.into_array()?);
    let width = outputs_of("y_proba", &array)?;
    same_rows("y_proba", &truth, &array)?;
    finite("y_proba", &array)?;
    match (0..array.len()).find(|&place| !(0.0..=1.0).contains(&array.get(place))) {
        Some(place) => {
            let (value, row) = (array.get(place), place / width);
            let error = Error::data(format!("`y_proba` needs probabilities from 0 to 1, got {value} in row {row}"));
            Err(error.help("end the model with `sigmoid` or `softmax`"))
        }
        None => Ok((truth, array)),
    }
}

/// The mean or the sum; weights are doubles.
fn total(precision: Precision, values: &[f64], weights: Option<&[f64]>, normalize: bool) -> f64 {
    let double = Precision::Double;
    match (normalize, weights) {
        (true, Some(_)) => double.average(values, weights),
        (true, None) => precision.average(values, None),
        (false, Some(weights)) => double.sum(&double.products(values, weights)),
        (false, None) => precision.sum(values),
    }
}

/// The mean of the negative logarithm of the probability of the true class. Probabilities are kept away from 0 and 1 by
/// the epsilon of their type.
///
/// # Errors
/// There must be a probability from 0 to 1 for each row and class, or for each row that of the greater of two; all classes
/// must occur unless [`Probabilities::labels`] names them.
pub fn log_loss(y_true: impl ToLabels, y_proba: impl ToArray) -> Result<f64> {
    Probabilities::new().log_loss(y_true, y_proba)
}

/// The mean square of how far the probabilities are from certainty of the truth; half of it for two classes.
///
/// # Errors
/// As [`log_loss`]; classes that are text need [`Probabilities::pos_label`], where there is one probability for each row.
pub fn brier_score_loss(y_true: impl ToLabels, y_proba: impl ToArray) -> Result<f64> {
    Probabilities::new().brier_score_loss(y_true, y_proba)
}
