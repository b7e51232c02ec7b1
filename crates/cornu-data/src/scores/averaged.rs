//! Precision, recall, F-scores and Jaccard's index: of each class, or one average over them.

use cornu_array::{Error, Result};

use super::classification::{Average, Classification};
use super::pairs::Counts;
use super::precision::Precision;
use crate::labels::find;
use crate::{ToLabels, Values};

/// Precision, recall, F-score and support of each class; where an average was asked for, one of each and no support.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecallFscoreSupport {
    /// Of the labels predicted to be of a class, the share that are.
    pub precision: Vec<f64>,
    /// Of the labels of a class, the share predicted to be.
    pub recall: Vec<f64>,
    /// The weighted harmonic mean of the two.
    pub fscore: Vec<f64>,
    /// How often each class is true, or with what weight.
    pub support: Option<Vec<f64>>,
}

/// The counts of the classes that are scored.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    /// Right, true and predicted labels that divide into scores.
    pub(super) right: Vec<f64>,
    pub(super) truth: Vec<f64>,
    pub(super) predicted: Vec<f64>,
}

impl Selected {
    /// The classes of these codes; one that does not occur has none.
    pub(super) fn of(counts: &Counts, codes: impl IntoIterator<Item = Option<usize>>) -> Selected {
        let (mut right, mut truth, mut predicted) = (Vec::new(), Vec::new(), Vec::new());
        for code in codes {
            let at = |counts: &[f64]| code.map_or(0.0, |code| counts[code]);
            let hits = at(&counts.right);
            right.push(hits);
            // By way of what was missed and what was wrong, which weights may round.
            truth.push(hits + (at(&counts.truth) - hits));
            predicted.push(hits + (at(&counts.predicted) - hits));
        }
        Selected { right, truth, predicted }
    }

    /// All of them as if they were one.
    fn together(&self) -> Selected {
        let one = |counts: &[f64]| vec![Precision::Double.sum(counts)];
        Selected { right: one(&self.right), truth: one(&self.truth), predicted: one(&self.predicted) }
    }

    pub(super) fn precision(&self, undefined: f64) -> Vec<f64> {
        divided(&self.right, &self.predicted, undefined)
    }

    pub(super) fn recall(&self, undefined: f64) -> Vec<f64> {
        divided(&self.right, &self.truth, undefined)
    }

    pub(super) fn fscore(&self, beta: f64, undefined: f64) -> Vec<f64> {
        if beta.is_infinite() {
            return self.recall(undefined);
        }
        if beta == 0.0 {
            return self.precision(undefined);
        }
        let squared = beta * beta;
        let parts: Vec<f64> = self.right.iter().map(|right| (1.0 + squared) * right).collect();
        let wholes: Vec<f64> = self.truth.iter().zip(&self.predicted).map(|(t, p)| squared * t + p).collect();
        divided(&parts, &wholes, undefined)
    }

    fn jaccard(&self, undefined: f64) -> Vec<f64> {
        let either = |((right, truth), predicted): ((&f64, &f64), &f64)| right + (predicted - right) + (truth - right);
        let wholes: Vec<f64> = self.right.iter().zip(&self.truth).zip(&self.predicted).map(either).collect();
        divided(&self.right, &wholes, undefined)
    }

    /// The scores of the classes, or one average.
    pub(super) fn scores(&self, average: Option<Average>, score: impl Fn(&Selected) -> Vec<f64>) -> Vec<f64> {
        match average {
            None => score(self),
            Some(Average::Micro) => score(&self.together()),
            Some(Average::Binary | Average::Macro) => vec![mean(&score(self), None)],
            Some(Average::Weighted) => vec![mean(&score(self), Some(&self.truth))],
        }
    }
}

fn divided(parts: &[f64], wholes: &[f64], undefined: f64) -> Vec<f64> {
    parts.iter().zip(wholes).map(|(&part, &whole)| if whole == 0.0 { undefined } else { part / whole }).collect()
}

/// The mean without what is not a number; weights that are all zero do not count.
fn mean(scores: &[f64], weights: Option<&[f64]>) -> f64 {
    let double = Precision::Double;
    let known = scores.iter().filter(|score| !score.is_nan()).count();
    if known == 0 {
        return f64::NAN;
    }
    let plain = || scores.iter().copied().filter(|score| !score.is_nan()).collect::<Vec<_>>();
    match weights {
        // In their places, so that the order of the sum is NumPy's.
        None => {
            double.sum(&scores.iter().map(|&score| if score.is_nan() { 0.0 } else { score }).collect::<Vec<_>>())
                / known as f64
        }
        Some(weights) => {
            let kept = scores.iter().zip(weights).filter(|(score, _)| !score.is_nan()).map(|(_, &weight)| weight);
            let kept: Vec<f64> = kept.collect();
            let weights = (double.sum(&kept) != 0.0).then_some(&kept[..]);
            double.average(&plain(), weights)
        }
    }
}

/// The codes of these labels, in their order; without any, of all classes.
pub(super) fn codes_of(classes: &Values, labels: Option<&Values>) -> Vec<Option<usize>> {
    match labels {
        Some(labels) => labels.iter().map(|label| find(classes, label)).collect(),
        None => (0..classes.len()).map(Some).collect(),
    }
}

/// The options that these scores have.
const OPTIONS: &[&str] = &["average", "pos_label", "labels", "zero_division", "sample_weight"];

impl Classification {
    /// The counts of the classes that are scored.
    fn selected(&self, average: Option<Average>, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<Selected> {
        let pairs = self.pairs(y_true, y_pred)?;
        let codes = match average {
            Some(Average::Binary) => vec![self.positive(&pairs)?],
            _ => codes_of(pairs.classes(), self.given_labels()?.as_deref()),
        };
        Ok(Selected::of(&pairs.counts(), codes))
    }

    /// One score: an average.
    fn one(&self, name: &str, pairs: [impl ToLabels; 2], score: impl Fn(&Selected, f64) -> Vec<f64>) -> Result<f64> {
        self.only(name, OPTIONS)?;
        let undefined = self.undefined_score()?;
        let average = self.averaging().unwrap_or(Average::Binary);
        let [y_true, y_pred] = pairs;
        let selected = self.selected(Some(average), y_true, y_pred)?;
        Ok(selected.scores(Some(average), |selected| score(selected, undefined))[0])
    }

    /// Precision, recall, F-score and support of each class; with [`Classification::average`], one of each without
    /// support.
    ///
    /// # Errors
    /// As [`accuracy_score`](super::accuracy_score); and the options must fit.
    pub fn precision_recall_fscore_support(
        &self,
        y_true: impl ToLabels,
        y_pred: impl ToLabels,
    ) -> Result<PrecisionRecallFscoreSupport> {
        self.only("precision_recall_fscore_support", &[OPTIONS, &["beta"]].concat())?;
        let (average, undefined, beta) = (self.averaging(), self.undefined_score()?, self.given_beta());
        check_beta(beta)?;
        let selected = self.selected(average, y_true, y_pred)?;
        Ok(PrecisionRecallFscoreSupport {
            precision: selected.scores(average, |selected| selected.precision(undefined)),
            recall: selected.scores(average, |selected| selected.recall(undefined)),
            fscore: selected.scores(average, |selected| selected.fscore(beta, undefined)),
            support: average.is_none().then_some(selected.truth),
        })
    }

    /// The F-score that counts recall `beta` times as much as precision.
    ///
    /// # Errors
    /// As [`precision_score`]; and `beta` must not be negative.
    pub fn fbeta_score(&self, y_true: impl ToLabels, y_pred: impl ToLabels, beta: f64) -> Result<f64> {
        check_beta(beta)?;
        self.one("fbeta_score", values(y_true, y_pred)?, |selected, undefined| selected.fscore(beta, undefined))
    }

    /// [`Classification::fbeta_score`] of each class.
    ///
    /// # Errors
    /// As [`Classification::fbeta_score`].
    pub fn fbeta_scores(&self, y_true: impl ToLabels, y_pred: impl ToLabels, beta: f64) -> Result<Vec<f64>> {
        self.only("fbeta_scores", &OPTIONS[2..])?;
        check_beta(beta)?;
        let undefined = self.undefined_score()?;
        Ok(self.selected(None, y_true, y_pred)?.fscore(beta, undefined))
    }
}

/// Two arguments of one type.
fn values(y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<[crate::Labels; 2]> {
    Ok([super::pairs::labels("y_true", y_true)?, super::pairs::labels("y_pred", y_pred)?])
}

fn check_beta(beta: f64) -> Result<()> {
    match beta >= 0.0 {
        true => Ok(()),
        false => Err(Error::usage(format!("`beta` must not be negative, got {beta}"))),
    }
}

/// Precision, recall, F1 and support of each class.
///
/// # Errors
/// As [`accuracy_score`](super::accuracy_score).
pub fn precision_recall_fscore_support(
    y_true: impl ToLabels,
    y_pred: impl ToLabels,
) -> Result<PrecisionRecallFscoreSupport> {
    Classification::new().precision_recall_fscore_support(y_true, y_pred)
}

/// The F-score that counts recall `beta` times as much as precision.
///
/// # Errors
/// As [`precision_score`]; and `beta` must not be negative.
pub fn fbeta_score(y_true: impl ToLabels, y_pred: impl ToLabels, beta: f64, average: Average) -> Result<f64> {
    Classification::new().average(average).fbeta_score(y_true, y_pred, beta)
}

macro_rules! averaged {
    ($($(#[$doc:meta])* $name:ident $each:ident, $score:expr;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// As [`accuracy_score`](super::accuracy_score); [`Average::Binary`] needs at most two classes, one of them 1
            /// (or true): [`Classification::pos_label`] names another.
            pub fn $name(y_true: impl ToLabels, y_pred: impl ToLabels, average: Average) -> Result<f64> {
                Classification::new().average(average).$name(y_true, y_pred)
            }
        )*

        impl Classification {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// As [`accuracy_score`](super::accuracy_score); and the options must fit.
                pub fn $name(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
                    self.one(stringify!($name), values(y_true, y_pred)?, $score)
                }

                #[doc = concat!("[`", stringify!($name), "`] of each class.")]
                ///
                /// # Errors
                /// As [`accuracy_score`](super::accuracy_score); and the options must fit.
                pub fn $each(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<Vec<f64>> {
                    self.only(stringify!($each), &OPTIONS[2..])?;
                    let undefined = self.undefined_score()?;
                    let score: fn(&Selected, f64) -> Vec<f64> = $score;
                    Ok(score(&self.selected(None, y_true, y_pred)?, undefined))
                }
            )*
        }
    };
}

averaged! {
    /// Of the labels predicted to be of a class, the share that are. Zero where a class was never predicted.
    precision_score precision_scores, |selected, undefined| selected.precision(undefined);
    /// Of the labels of a class, the share predicted to be. Zero where a class never occurs.
    recall_score recall_scores, |selected, undefined| selected.recall(undefined);
    /// The harmonic mean of precision and recall. Zero where both are.
    f1_score f1_scores, |selected, undefined| selected.fscore(1.0, undefined);
    /// Of the labels that are of a class or were predicted to be, the share that are both.
    jaccard_score jaccard_scores, |selected, undefined| selected.jaccard(undefined);
}
