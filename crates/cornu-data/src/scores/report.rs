//! The scores of all classes in one text, word for word as scikit-learn prints them.

use std::fmt;

use cornu_array::numbers::{MOST_DECIMALS, fixed, repr};
use cornu_array::pad::right;
use cornu_array::{Context, Error, Result};

use super::averaged::{Selected, codes_of};
use super::classification::{Average, Classification, distinct, share};
use super::pairs::Counts;
use super::precision::Precision;
use crate::labels::compare;
use crate::{Scalar, ToLabels, Values, print};

/// The scores of one class, or their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScores {
    /// Of the labels predicted to be of the class, the share that are.
    pub precision: f64,
    /// Of the labels of the class, the share predicted to be.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1_score: f64,
    /// How often the class is true, or with what weight.
    pub support: f64,
}

/// Precision, recall and F1 of each class, their means, and the accuracy. Prints as scikit-learn's text.
#[derive(Clone, Debug)]
pub struct ClassificationReport {
    /// The classes that occur, and how often.
    occurring: Values,
    counts: Counts,
    accuracy: f64,
    /// Whether supports are printed as floats.
    floats: bool,
    /// The classes that are scored.
    labels: Values,
    selected: Selected,
    names: Vec<String>,
    digits: usize,
    undefined: f64,
}

/// Scores the predictions of each class.
///
/// ```
/// use cornu_data::classification_report;
///
/// let report = classification_report(&[0, 0, 1, 1], &[0, 1, 1, 1])?.target_names(["no", "yes"])?;
/// println!("{report}");
/// assert_eq!(report.class(1).map(|scores| scores.recall), Some(1.0));
/// let report = classification_report(["no", "no", "yes"], ["no", "yes", "yes"])?;
/// assert_eq!(report.class("no").map(|scores| scores.recall), Some(0.5));
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// # Errors
/// As [`accuracy_score`](super::accuracy_score).
pub fn classification_report(y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<ClassificationReport> {
    Classification::new().classification_report(y_true, y_pred)
}

impl Classification {
    /// Scores the predictions of each class; options `labels`, `sample_weight`, `zero_division`.
    ///
    /// # Errors
    /// As [`accuracy_score`](super::accuracy_score); and the options must fit.
    pub fn classification_report(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<ClassificationReport> {
        self.only("classification_report", &["labels", "sample_weight", "zero_division"])?;
        let undefined = self.undefined_score()?;
        let pairs = self.pairs(y_true, y_pred)?;
        let (counts, occurring, right) = (pairs.counts(), pairs.classes().clone(), pairs.right());
        let accuracy = share(&right, pairs.weights.as_deref(), true);
        // scikit-learn counts in floats where nothing was predicted right, and prints them so.
        let floats = pairs.weights.is_some() || right.iter().all(|&right| right == 0.0);
        drop(pairs);
        let selected = Selected::of(&counts, codes_of(&occurring, None));
        let (names, labels) = (occurring.iter().map(print::label).collect(), occurring.clone());
        let report =
            ClassificationReport { occurring, counts, accuracy, floats, labels, selected, names, digits: 2, undefined };
        match self.given_labels()? {
            Some(labels) => report.labels(&*labels),
            None => Ok(report),
        }
    }
}

impl ClassificationReport {
    /// Prints this many decimals, at most 1,048,576; without it, two.
    #[must_use]
    pub fn digits(self, digits: usize) -> Self {
        ClassificationReport { digits: digits.min(MOST_DECIMALS), ..self }
    }

    /// Scores these classes alone, in this order.
    ///
    /// # Errors
    /// The labels must be different.
    pub fn labels(self, labels: impl ToLabels) -> Result<Self> {
        let labels = labels.label_values().context("`labels`")?;
        distinct(&labels)?;
        let selected = Selected::of(&self.counts, codes_of(&self.occurring, Some(&labels)));
        let names = labels.iter().map(print::label).collect();
        Ok(ClassificationReport { labels: (*labels).clone(), selected, names, ..self })
    }

    /// Prints these names for the classes, in the order of their labels.
    ///
    /// # Errors
    /// There must be one for each class.
    pub fn target_names<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.names.len() {
            let (needed, got) = (self.names.len(), names.len());
            let classes = self.names.join(", ");
            return Err(Error::usage(format!("`target_names` needs {needed} names, for {classes}; got {got}"))
                .help("`labels` chooses the classes that are scored"));
        }
        Ok(ClassificationReport { names, ..self })
    }

    /// Takes this value for scores that divide by zero; without it they are zero and [`warnings`](Self::warnings) tells
    /// of them. NaN leaves them out of the means.
    #[must_use]
    pub fn zero_division(self, value: f64) -> Self {
        ClassificationReport { undefined: value, ..self }
    }

    /// The classes that are scored.
    pub fn classes(&self) -> &Values {
        &self.labels
    }

    /// The scores of the class of that label, if it is scored.
    pub fn class(&self, label: impl Into<Scalar>) -> Option<ClassScores> {
        let label = label.into();
        let place = self.labels.iter().position(|other| compare(other, label.as_value()).is_eq())?;
        Some(self.scores()[place])
    }

    /// The scores of each class, in the order of [`ClassificationReport::classes`].
    pub fn scores(&self) -> Vec<ClassScores> {
        let undefined = self.undefined;
        let (precision, recall) = (self.selected.precision(undefined), self.selected.recall(undefined));
        let (fscore, support) = (self.selected.fscore(1.0, undefined), &self.selected.truth);
        let scores = precision.into_iter().zip(recall).zip(fscore).zip(support);
        scores
            .map(|(((precision, recall), f1_score), &support)| ClassScores { precision, recall, f1_score, support })
            .collect()
    }

    /// The share of all labels that were predicted right.
    pub fn accuracy(&self) -> f64 {
        self.accuracy
    }

    /// Whether all classes that occur are scored.
    fn is_whole(&self) -> bool {
        let scored = codes_of(&self.occurring, Some(&self.labels));
        let mut places: Vec<usize> = scored.into_iter().flatten().collect();
        places.sort_unstable();
        places.dedup();
        places.len() == self.occurring.len()
    }

    /// The scores over all labels at once.
    pub fn micro_avg(&self) -> ClassScores {
        self.average(Average::Micro)
    }

    /// The mean of the classes' scores.
    pub fn macro_avg(&self) -> ClassScores {
        self.average(Average::Macro)
    }

    /// The mean of the classes' scores, weighted by how often each class is true.
    pub fn weighted_avg(&self) -> ClassScores {
        self.average(Average::Weighted)
    }

    fn average(&self, average: Average) -> ClassScores {
        let undefined = self.undefined;
        let one = |score: &dyn Fn(&Selected) -> Vec<f64>| self.selected.scores(Some(average), score)[0];
        ClassScores {
            precision: one(&|selected| selected.precision(undefined)),
            recall: one(&|selected| selected.recall(undefined)),
            f1_score: one(&|selected| selected.fscore(1.0, undefined)),
            support: Precision::Double.sum(&self.selected.truth),
        }
    }

    /// One line for each score that is undefined for some class.
    pub fn warnings(&self) -> Vec<String> {
        let line = |score: &str, what: &str, counts: &[f64]| {
            let names: Vec<&str> =
                counts.iter().zip(&self.names).filter(|(count, _)| **count == 0.0).map(|(_, name)| &**name).collect();
            let (value, names) = (self.undefined, names.join(", "));
            (!names.is_empty()).then(|| format!("{score} is {value} for classes that {what}: {names}"))
        };
        let never_predicted = line("precision", "were never predicted", &self.selected.predicted);
        let never_true = line("recall", "never occur", &self.selected.truth);
        never_predicted.into_iter().chain(never_true).collect()
    }
}

impl fmt::Display for ClassificationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, longest) = (self.digits, self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0));
        let width = longest.max("weighted avg".len()).max(digits);
        let support = |count: f64| if self.floats { repr(count) } else { count.to_string() };
        let row = |f: &mut fmt::Formatter<'_>, name: &str, scores: ClassScores| {
            write!(f, "{} ", right(name, width))?;
            let scores_of_class = [scores.precision, scores.recall, scores.f1_score];
            scores_of_class.iter().try_for_each(|&score| write!(f, " {:>9}", fixed(score, digits)))?;
            writeln!(f, " {:>9}", support(scores.support))
        };
        let space = " ".repeat(width);
        writeln!(f, "{space}  {:>9} {:>9} {:>9} {:>9}\n", "precision", "recall", "f1-score", "support")?;
        for (name, scores) in self.names.iter().zip(self.scores()) {
            row(f, name, scores)?;
        }
        writeln!(f)?;
        let micro = self.micro_avg();
        if self.is_whole() {
            let (accuracy, total) = (fixed(micro.f1_score, digits), support(micro.support));
            writeln!(f, "{}  {:>9} {:>9} {accuracy:>9} {total:>9}", right("accuracy", width), "", "")?;
        } else {
            row(f, "micro avg", micro)?;
        }
        row(f, "macro avg", self.macro_avg())?;
        row(f, "weighted avg", self.weighted_avg())
    }
}
