//! How well classes were predicted: the options that scikit-learn's scores of labels have, and those scores that need no
//! average over classes.

use std::sync::Arc;

use cornu_array::{Error, Result, ToArray, list};

use super::pairs::{Pairs, labels};
use super::precision::{Precision, Weights};
use crate::labels::shown;
use crate::{Scalar, ToLabels, Value, Values};

/// How the scores of the classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The score of the positive class, which is 1 unless [`Classification::pos_label`] names another; there must be no
    /// more than two classes.
    Binary,
    /// The score over all labels at once, which is their accuracy where all classes count.
    Micro,
    /// The mean over the classes.
    Macro,
    /// The mean over the classes, each weighted by how often it is true.
    Weighted,
}

/// How far two classes are apart for [`Classification::cohen_kappa_score`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// By the difference of their places.
    Linear,
    /// By its square.
    Quadratic,
}

/// The options of scores of labels. Each score is a method of its name; a plural such as
/// [`f1_scores`](Classification::f1_scores) gives the score of each class (scikit-learn's `average=None`).
///
/// ```
/// use cornu_data::{Average, Classification};
///
/// let (y, predicted) = (["cat", "dog", "cat", "cow"], ["cat", "dog", "dog", "cow"]);
/// let options = Classification::new().labels(["cat", "dog"]);
/// assert_eq!(options.recall_scores(y, predicted)?, [0.5, 1.0]);
/// assert_eq!(options.average(Average::Macro).precision_score(y, predicted)?, 0.75);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// An option that a score has not is an error.
#[derive(Clone, Debug, Default)]
pub struct Classification {
    average: Option<Average>,
    pos_label: Option<Scalar>,
    labels: Option<Result<Arc<Values>>>,
    zero_division: Option<f64>,
    pub(super) sample_weight: Weights,
    normalize: Option<bool>,
    pub(super) adjusted: Option<bool>,
    beta: Option<f64>,
    pub(super) disagreement: Option<Disagreement>,
    pub(super) undefined: Option<f64>,
}

impl Classification {
    /// scikit-learn's defaults.
    pub fn new() -> Classification {
        Classification::default()
    }

    /// How the scores of the classes become one; without it, [`Average::Binary`].
    #[must_use]
    pub fn average(self, average: Average) -> Classification {
        Classification { average: Some(average), ..self }
    }

    /// The positive class of [`Average::Binary`]; without it, 1.
    #[must_use]
    pub fn pos_label(self, label: impl Into<Scalar>) -> Classification {
        Classification { pos_label: Some(label.into()), ..self }
    }

    /// The classes that count, in this order; without it, all that occur.
    #[must_use]
    pub fn labels(self, labels: impl ToLabels) -> Classification {
        Classification { labels: Some(labels.label_values()), ..self }
    }

    /// The value of scores that divide by zero: 0 (as without it), 1, or NaN, which means leave out of account.
    #[must_use]
    pub fn zero_division(self, value: f64) -> Classification {
        Classification { zero_division: Some(value), ..self }
    }

    /// How much each row counts: `[rows]`.
    #[must_use]
    pub fn sample_weight(self, weights: impl ToArray) -> Classification {
        Classification { sample_weight: Weights::of(weights), ..self }
    }

    /// Whether [`accuracy_score`] and [`zero_one_loss`] are shares (as without it) or counts.
    #[must_use]
    pub fn normalize(self, normalize: bool) -> Classification {
        Classification { normalize: Some(normalize), ..self }
    }

    /// Whether [`balanced_accuracy_score`](super::balanced_accuracy_score) is 0 for guesses.
    #[must_use]
    pub fn adjusted(self, adjusted: bool) -> Classification {
        Classification { adjusted: Some(adjusted), ..self }
    }

    /// How many times as much recall counts as precision, in
    /// [`precision_recall_fscore_support`](Classification::precision_recall_fscore_support); without it, once.
    #[must_use]
    pub fn beta(self, beta: f64) -> Classification {
        Classification { beta: Some(beta), ..self }
    }

    /// How far two classes are apart for [`Classification::cohen_kappa_score`]; without it, different ones are equally far.
    #[must_use]
    pub fn weights(self, disagreement: Disagreement) -> Classification {
        Classification { disagreement: Some(disagreement), ..self }
    }

    /// The value of [`Classification::cohen_kappa_score`] where it is undefined; without it, NaN.
    #[must_use]
    pub fn replace_undefined_by(self, value: f64) -> Classification {
        Classification { undefined: Some(value), ..self }
    }

    /// Refuses options that a score has not.
    pub(super) fn only(&self, name: &str, options: &[&str]) -> Result<()> {
        let given = [
            ("average", self.average.is_some()),
            ("pos_label", self.pos_label.is_some()),
            ("labels", self.labels.is_some()),
            ("zero_division", self.zero_division.is_some()),
            ("sample_weight", self.sample_weight.are_given()),
            ("normalize", self.normalize.is_some()),
            ("adjusted", self.adjusted.is_some()),
            ("beta", self.beta.is_some()),
            ("weights", self.disagreement.is_some()),
            ("replace_undefined_by", self.undefined.is_some()),
        ];
        match given.iter().find(|(option, given)| *given && !options.contains(option)) {
            Some((option, _)) => Err(Error::usage(format!("`{name}` has no option `{option}`"))
                .help(format!("its options are {}", list(options)))),
            None => Ok(()),
        }
    }

    pub(super) fn pairs(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<Pairs> {
        Pairs::of(y_true, y_pred, &self.sample_weight)
    }

    pub(super) fn averaging(&self) -> Option<Average> {
        self.average
    }

    pub(super) fn given_labels(&self) -> Result<Option<Arc<Values>>> {
        self.labels.clone().transpose()
    }

    pub(super) fn given_beta(&self) -> f64 {
        self.beta.unwrap_or(1.0)
    }

    /// The value of scores that divide by zero.
    pub(super) fn undefined_score(&self) -> Result<f64> {
        match self.zero_division {
            None => Ok(0.0),
            Some(value) if value == 0.0 || value == 1.0 || value.is_nan() => Ok(value),
            Some(value) => Err(Error::usage(format!("`zero_division` must be 0, 1 or NaN, got {value}"))),
        }
    }

    /// The code of the positive class; `None` if it does not occur, nor any but one other.
    pub(super) fn positive(&self, pairs: &Pairs) -> Result<Option<usize>> {
        let classes = pairs.classes();
        if classes.len() > 2 {
            return Err(Error::data(format!("`Average::Binary` needs at most two classes, got {}", classes.len()))
                .help("choose `Average::Macro`, `Average::Weighted` or `Average::Micro`"));
        }
        let label = self.pos_label.clone().unwrap_or(Scalar::Int(1));
        match pairs.truth.code(label.as_value()) {
            None if classes.len() == 2 => {
                let (label, names) = (shown(label.as_value()), classes.iter().map(shown).collect::<Vec<_>>());
                let names = names.join(" and ");
                Err(Error::data(format!("the positive class {label} does not occur, only {names}")).help(format!(
                    "name the positive class: `Classification::new().pos_label({})`",
                    literal(classes.get(1))
                )))
            }
            code => Ok(code),
        }
    }
}

/// A label as it is written in Rust.
fn literal(label: Value<'_>) -> String {
    match label {
        Value::Text(text) => format!("{text:?}"),
        label => shown(label).to_lowercase(),
    }
}

/// The share of labels that were predicted right.
///
/// Labels are text, whole numbers (also as floats) or booleans, in columns, arrays `[n]` or `[n, 1]`, slices.
///
/// ```
/// use cornu_data::accuracy_score;
///
/// assert_eq!(accuracy_score(&[0, 1, 1, 0], &[0.0, 1.0, 0.0, 0.0])?, 0.75);
/// assert_eq!(accuracy_score(["yes", "no"], ["yes", "yes"])?, 0.5);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// # Errors
/// Both must hold labels, and as many; probabilities are to be rounded first.
pub fn accuracy_score(y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
    Classification::new().accuracy_score(y_true, y_pred)
}

/// The share of labels that were predicted wrong.
///
/// # Errors
/// As [`accuracy_score`].
pub fn zero_one_loss(y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
    Classification::new().zero_one_loss(y_true, y_pred)
}

/// The share of labels that were predicted wrong.
///
/// # Errors
/// As [`accuracy_score`].
pub fn hamming_loss(y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
    Classification::new().hamming_loss(y_true, y_pred)
}

impl Classification {
    /// The share of labels that were predicted right, or their number ([`normalize(false)`](Classification::normalize)).
    ///
    /// # Errors
    /// As [`accuracy_score`].
    pub fn accuracy_score(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
        self.only("accuracy_score", &["normalize", "sample_weight"])?;
        let pairs = self.pairs(y_true, y_pred)?;
        Ok(self.share(&pairs.right(), &pairs))
    }

    fn share(&self, hits: &[f64], pairs: &Pairs) -> f64 {
        share(hits, pairs.weights.as_deref(), self.normalize.unwrap_or(true))
    }

    /// The share of labels that were predicted wrong, or their number ([`normalize(false)`](Classification::normalize)).
    ///
    /// # Errors
    /// As [`accuracy_score`].
    pub fn zero_one_loss(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
        self.only("zero_one_loss", &["normalize", "sample_weight"])?;
        let pairs = self.pairs(y_true, y_pred)?;
        let right = self.share(&pairs.right(), &pairs);
        let all = match (&pairs.weights, self.normalize.unwrap_or(true)) {
            (_, true) => 1.0,
            (Some(weights), false) => Precision::Double.sum(weights),
            (None, false) => pairs.rows() as f64,
        };
        Ok(all - right)
    }

    /// The share of labels that were predicted wrong.
    ///
    /// # Errors
    /// As [`accuracy_score`].
    pub fn hamming_loss(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
        self.only("hamming_loss", &["sample_weight"])?;
        let pairs = self.pairs(y_true, y_pred)?;
        let wrong: Vec<f64> = pairs.right().into_iter().map(|right| 1.0 - right).collect();
        Ok(share(&wrong, pairs.weights.as_deref(), true))
    }
}

/// The weighted share of ones among zeros and ones, or their weight.
pub(super) fn share(hits: &[f64], weights: Option<&[f64]>, normalize: bool) -> f64 {
    let double = Precision::Double;
    match (normalize, weights) {
        (true, weights) => double.average(hits, weights),
        (false, Some(weights)) => double.sum(&double.products(hits, weights)),
        (false, None) => double.sum(hits),
    }
}

/// Labels that are said to be the classes: at least one, all different.
pub(super) fn distinct(given: &Values) -> Result<()> {
    let found = labels("labels", given)?;
    match (given.len(), found.count()) {
        (0, _) => Err(Error::usage("`labels` needs at least one label, got none")),
        (all, different) if all > different => Err(Error::usage("`labels` needs different labels, got one twice")),
        _ => Ok(()),
    }
}
