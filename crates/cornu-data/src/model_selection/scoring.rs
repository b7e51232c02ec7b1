//! Scores by scikit-learn's names, as cross-validation asks for them: greater is better.

use std::fmt;
use std::sync::Arc;

use cornu_array::{Array, Error, Result, list, nearest};

use crate::*;

/// What predictions are judged by: a score by scikit-learn's name (`"accuracy"`, `"neg_mean_squared_error"`, …), or a
/// function.
///
/// ```
/// use cornu_data::{Average, f1_score, model_selection::Scoring};
///
/// let named: Scoring = "roc_auc".into();
/// let own = Scoring::of_classes("f1 of all", |y, classes| f1_score(y, classes, Average::Micro));
/// assert_eq!((named.name(), own.name()), ("roc_auc", "f1 of all"));
/// assert!(Scoring::names().any(|name| name == "neg_log_loss"));
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone)]
pub struct Scoring(Kind);

type Plain = dyn Fn(&Array, &Array) -> Result<f64>;
type Function = dyn Fn(&Array, &Array) -> Result<f64> + Send + Sync;

#[derive(Clone)]
enum Kind {
    Named(String),
    Own { name: String, wants: Wants, score: Arc<Function> },
}

/// What a score compares with the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    /// The likeliest class of each row.
    Classes,
    /// What was predicted.
    Predictions,
    /// A score of each class, or of the positive one; the targets are classes.
    Scores,
}

macro_rules! scorings {
    ($($name:literal $wants:ident, |$truth:ident, $predicted:ident| $score:expr;)*) => {
        /// Every score that has a name: its name, what it wants, and how it is computed.
        const SCORINGS: &[(&str, Wants, fn(&Array, &Array) -> Result<f64>)] = &[
            $(($name, Wants::$wants, |$truth, $predicted| $score)),*
        ];
    };
}

scorings! {
    "accuracy" Classes, |y, p| accuracy_score(y, p);
    "balanced_accuracy" Classes, |y, p| balanced_accuracy_score(y, p);
    "matthews_corrcoef" Classes, |y, p| matthews_corrcoef(y, p);
    "precision" Classes, |y, p| precision_score(y, p, Average::Binary);
    "precision_macro" Classes, |y, p| precision_score(y, p, Average::Macro);
    "precision_micro" Classes, |y, p| precision_score(y, p, Average::Micro);
    "precision_weighted" Classes, |y, p| precision_score(y, p, Average::Weighted);
    "recall" Classes, |y, p| recall_score(y, p, Average::Binary);
    "recall_macro" Classes, |y, p| recall_score(y, p, Average::Macro);
    "recall_micro" Classes, |y, p| recall_score(y, p, Average::Micro);
    "recall_weighted" Classes, |y, p| recall_score(y, p, Average::Weighted);
    "f1" Classes, |y, p| f1_score(y, p, Average::Binary);
    "f1_macro" Classes, |y, p| f1_score(y, p, Average::Macro);
    "f1_micro" Classes, |y, p| f1_score(y, p, Average::Micro);
    "f1_weighted" Classes, |y, p| f1_score(y, p, Average::Weighted);
    "jaccard" Classes, |y, p| jaccard_score(y, p, Average::Binary);
    "jaccard_macro" Classes, |y, p| jaccard_score(y, p, Average::Macro);
    "jaccard_micro" Classes, |y, p| jaccard_score(y, p, Average::Micro);
    "jaccard_weighted" Classes, |y, p| jaccard_score(y, p, Average::Weighted);
    "top_k_accuracy" Scores, |y, p| top_k_accuracy_score(y, p, 2);
    "roc_auc" Scores, |y, p| roc_auc_score(y, p);
    "roc_auc_ovr" Scores, |y, p| Ranking::new().multi_class(MultiClass::Ovr).roc_auc_score(y, p);
    "roc_auc_ovo" Scores, |y, p| Ranking::new().multi_class(MultiClass::Ovo).roc_auc_score(y, p);
    "roc_auc_ovr_weighted" Scores, |y, p| {
        Ranking::new().multi_class(MultiClass::Ovr).average(Average::Weighted).roc_auc_score(y, p)
    };
    "roc_auc_ovo_weighted" Scores, |y, p| {
        Ranking::new().multi_class(MultiClass::Ovo).average(Average::Weighted).roc_auc_score(y, p)
    };
    "average_precision" Scores, |y, p| average_precision_score(y, p);
    "neg_log_loss" Scores, |y, p| probabilities(y, p).log_loss(y, p).map(|loss| -loss);
    "neg_brier_score" Scores, |y, p| brier_score_loss(y, p).map(|loss| -loss);
    "r2" Predictions, |y, p| r2_score(y, p);
    "explained_variance" Predictions, |y, p| explained_variance_score(y, p);
    "neg_max_error" Predictions, |y, p| max_error(y, p).map(|error| -error);
    "neg_mean_absolute_error" Predictions, |y, p| mean_absolute_error(y, p).map(|error| -error);
    "neg_mean_squared_error" Predictions, |y, p| mean_squared_error(y, p).map(|error| -error);
    "neg_root_mean_squared_error" Predictions, |y, p| root_mean_squared_error(y, p).map(|error| -error);
    "neg_mean_squared_log_error" Predictions, |y, p| mean_squared_log_error(y, p).map(|error| -error);
    "neg_root_mean_squared_log_error" Predictions, |y, p| root_mean_squared_log_error(y, p).map(|error| -error);
    "neg_median_absolute_error" Predictions, |y, p| median_absolute_error(y, p).map(|error| -error);
    "neg_mean_absolute_percentage_error" Predictions, |y, p| mean_absolute_percentage_error(y, p).map(|error| -error);
}

impl Scoring {
    /// A function of the targets and the predictions as the estimator gives them; greater is better.
    pub fn by(
        name: impl Into<String>,
        score: impl Fn(&Array, &Array) -> Result<f64> + Send + Sync + 'static,
    ) -> Scoring {
        Scoring(Kind::Own { name: name.into(), wants: Wants::Predictions, score: Arc::new(score) })
    }

    /// A function of the true classes and those that the predictions speak for; greater is better.
    pub fn of_classes(
        name: impl Into<String>,
        score: impl Fn(&Array, &Array) -> Result<f64> + Send + Sync + 'static,
    ) -> Scoring {
        Scoring(Kind::Own { name: name.into(), wants: Wants::Classes, score: Arc::new(score) })
    }

    /// The name.
    pub fn name(&self) -> &str {
        match &self.0 {
            Kind::Named(name) | Kind::Own { name, .. } => name,
        }
    }

    /// Every name that is known.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SCORINGS.iter().map(|(name, ..)| *name)
    }

    /// Whether the targets are numbers, not classes.
    pub(super) fn is_of_numbers(&self) -> bool {
        let Kind::Named(name) = &self.0 else { return false };
        SCORINGS.iter().any(|(known, wants, _)| known == name && *wants == Wants::Predictions)
    }

    /// Whether there is a score of that name.
    pub(super) fn check(&self) -> Result<()> {
        match &self.0 {
            Kind::Named(name) if !Scoring::names().any(|known| known == name) => {
                let error = Error::usage(format!("unknown score `{name}`"));
                Err(match nearest(name, Scoring::names()) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error.help(format!("there are {}", list(&Scoring::names().collect::<Vec<_>>()))),
                })
            }
            _ => Ok(()),
        }
    }

    /// The score of predictions.
    pub(super) fn score(&self, truth: &Array, predicted: &Array) -> Result<f64> {
        self.check()?;
        let (wants, score): (Wants, &Plain) = match &self.0 {
            Kind::Named(name) => {
                let (_, wants, score) = SCORINGS.iter().find(|(known, ..)| known == name).expect("it was looked for");
                (*wants, score)
            }
            Kind::Own { wants, score, .. } => (*wants, &**score),
        };
        let value = match wants {
            Wants::Predictions => score(truth, predicted),
            Wants::Classes => score(&true_classes(truth)?, &predicted_classes(predicted)?),
            Wants::Scores => score(&true_classes(truth)?, &scores(predicted)?),
        };
        value.map_err(|error| error.context(format!("`{}`", self.name())))
    }
}

impl fmt::Debug for Scoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scoring").field(&self.name()).finish()
    }
}

impl From<&str> for Scoring {
    fn from(name: &str) -> Scoring {
        Scoring(Kind::Named(name.into()))
    }
}

impl From<&Scoring> for Scoring {
    fn from(scoring: &Scoring) -> Scoring {
        scoring.clone()
    }
}

/// Targets as classes: a column of them, or rows of zeros with a one.
pub(super) fn true_classes(truth: &Array) -> Result<Array> {
    match truth.shape()[..] {
        [_, classes] if classes > 1 => ToArray::to_array(&argmax(truth)?),
        _ => Ok(truth.clone()),
    }
}

/// The class of each row: of several outputs the greatest; one output is a class, or the probability of class 1.
pub(super) fn predicted_classes(predicted: &Array) -> Result<Array> {
    match predicted.shape()[..] {
        [_, classes] if classes > 1 => ToArray::to_array(&argmax(predicted)?),
        _ => ToArray::to_array(&predicted.rounded()?.mapv(|class| class + 0.0)),
    }
}

/// Scores of each class; of two classes, those of the second.
fn scores(predicted: &Array) -> Result<Array> {
    match predicted.shape()[..] {
        [_, 2] => Ok(ToArray::to_array(&predicted.output(1)?)?.cast(predicted.dtype())),
        _ => Ok(predicted.clone()),
    }
}

/// The loss whose classes are the numbers of the outputs, of which a part of the rows may lack some.
fn probabilities(truth: &Array, predicted: &Array) -> Probabilities {
    let outputs = match predicted.shape()[..] {
        [_, outputs] if outputs > 1 => outputs,
        _ => 2,
    };
    match (0..truth.len()).all(|row| (0..outputs).any(|class| truth.get(row) == class as f64)) {
        true => Probabilities::new().labels((0..outputs).collect::<Vec<_>>()),
        false => Probabilities::new(),
    }
}
