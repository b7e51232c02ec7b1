//! The scores of all classes in one text, word for word as scikit-learn prints them.

use std::fmt;

use cornu_graph::numbers::{MOST_DECIMALS, fixed};
use cornu_graph::pad::right;
use cornu_graph::{Error, Result};

use super::ToArray;
use super::scores::Counts;

/// The scores of one class, or their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScores {
    /// Of the labels predicted to be of the class, the share that are.
    pub precision: f64,
    /// Of the labels of the class, the share predicted to be.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1_score: f64,
    /// How often the class is true.
    pub support: usize,
}

/// Precision, recall and F1 of each class, their means, and the accuracy. Prints as scikit-learn's text.
#[derive(Clone, Debug)]
pub struct ClassificationReport {
    counts: Counts,
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
/// # Ok::<(), cornu_graph::Error>(())
/// ```
///
/// # Errors
/// As [`accuracy_score`](super::accuracy_score).
pub fn classification_report(y_true: impl ToArray, y_pred: impl ToArray) -> Result<ClassificationReport> {
    let counts = Counts::of(y_true, y_pred)?;
    let names = (0..counts.labels.len()).map(|class| counts.name(class)).collect();
    Ok(ClassificationReport { counts, names, digits: 2, undefined: 0.0 })
}

impl ClassificationReport {
    /// Prints this many decimals, at most 1,048,576; without it, two.
    #[must_use]
    pub fn digits(self, digits: usize) -> Self {
        ClassificationReport { digits: digits.min(MOST_DECIMALS), ..self }
    }

    /// Prints these names for the classes, in the order of their labels.
    ///
    /// # Errors
    /// There must be one for each class that occurs.
    pub fn target_names<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.names.len() {
            let (needed, got) = (self.names.len(), names.len());
            let classes = self.names.join(", ");
            return Err(Error::usage(format!("`target_names` needs {needed} names, for {classes}; got {got}")));
        }
        Ok(ClassificationReport { names, ..self })
    }

    /// Takes this value for scores that divide by zero; without it they are zero and [`warnings`](Self::warnings) tells
    /// of them. NaN leaves them out of the means.
    #[must_use]
    pub fn zero_division(self, value: f64) -> Self {
        ClassificationReport { undefined: value, ..self }
    }

    /// The labels of the classes that occur, sorted.
    pub fn labels(&self) -> &[i64] {
        &self.counts.labels
    }

    /// The scores of the class of that label, if it occurs.
    pub fn class(&self, label: i64) -> Option<ClassScores> {
        self.counts.labels.binary_search(&label).ok().map(|class| self.scores(class))
    }

    fn scores(&self, class: usize) -> ClassScores {
        let (counts, undefined) = (&self.counts, self.undefined);
        ClassScores {
            precision: counts.precision(class, undefined),
            recall: counts.recall(class, undefined),
            f1_score: counts.f1(class, undefined),
            support: counts.support(class),
        }
    }

    /// The share of labels that were predicted right.
    pub fn accuracy(&self) -> f64 {
        self.counts.accuracy()
    }

    /// The mean of the classes' scores.
    pub fn macro_avg(&self) -> ClassScores {
        self.mean(|_| 1.0)
    }

    /// The mean of the classes' scores, weighted by how often each class is true.
    pub fn weighted_avg(&self) -> ClassScores {
        self.mean(|class| self.counts.support(class) as f64)
    }

    fn mean(&self, weight: impl Fn(usize) -> f64) -> ClassScores {
        let mean = |score: fn(ClassScores) -> f64| self.counts.mean(|class| score(self.scores(class)), &weight);
        ClassScores {
            precision: mean(|scores| scores.precision),
            recall: mean(|scores| scores.recall),
            f1_score: mean(|scores| scores.f1_score),
            support: self.counts.total(),
        }
    }

    /// One line for each score that is undefined for some class.
    pub fn warnings(&self) -> Vec<String> {
        let line = |score: &str, what: &str, undefined: &dyn Fn(usize) -> bool| {
            let names: Vec<&str> =
                (0..self.names.len()).filter(|&class| undefined(class)).map(|class| &*self.names[class]).collect();
            let (value, names) = (self.undefined, names.join(", "));
            (!names.is_empty()).then(|| format!("{score} is {value} for classes that {what}: {names}"))
        };
        let never_predicted = line("precision", "were never predicted", &|class| self.counts.predicted(class) == 0);
        let never_true = line("recall", "never occur", &|class| self.counts.support(class) == 0);
        never_predicted.into_iter().chain(never_true).collect()
    }
}

impl fmt::Display for ClassificationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, longest) = (self.digits, self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0));
        let width = longest.max("weighted avg".len()).max(digits);
        // scikit-learn counts in floats where nothing was predicted right, and prints them so.
        let point = if self.counts.all_right() == 0 { ".0" } else { "" };
        let support = |count: usize| format!("{count}{point}");
        let row = |f: &mut fmt::Formatter<'_>, name: &str, scores: ClassScores| {
            write!(f, "{} ", right(name, width))?;
            let scores_of_class = [scores.precision, scores.recall, scores.f1_score];
            scores_of_class.iter().try_for_each(|&score| write!(f, " {:>9}", fixed(score, digits)))?;
            writeln!(f, " {:>9}", support(scores.support))
        };
        let space = " ".repeat(width);
        writeln!(f, "{space}  {:>9} {:>9} {:>9} {:>9}\n", "precision", "recall", "f1-score", "support")?;
        for (class, name) in self.names.iter().enumerate() {
            row(f, name, self.scores(class))?;
        }
        let (accuracy, total) = (fixed(self.accuracy(), digits), support(self.counts.total()));
        writeln!(f, "\n{}  {:>9} {:>9} {accuracy:>9} {total:>9}", right("accuracy", width), "", "")?;
        row(f, "macro avg", self.macro_avg())?;
        row(f, "weighted avg", self.weighted_avg())
    }
}
