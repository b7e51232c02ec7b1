//! How well scores put rows in order: ROC and precision-recall curves, the areas under them, hits among the best.

use cornu_array::{Error, Result, ToArray, list};

use super::classification::{Average, share};
use super::curve::{self, Curve};
use super::precision::Weights;
use super::ranked::{Ranked, averaged, each, each_against_each, many_hits, positive, two_hits};
use crate::labels::shown;
use crate::{Scalar, ToLabels, Values};

/// How several classes become problems of two, for [`roc_auc_score`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultiClass {
    /// Each class against all others.
    Ovr,
    /// Each class against each other.
    Ovo,
}

/// The options of scores of rankings. Each score is a method of its name; a plural gives the score of each class.
///
/// ```
/// use cornu_data::{Average, MultiClass, Ranking};
///
/// let y = ["a", "b", "c", "a"];
/// let p = [[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.3, 0.3, 0.4], [0.4, 0.5, 0.1]];
/// let options = Ranking::new().multi_class(MultiClass::Ovr);
/// assert_eq!(options.roc_auc_scores(y, p)?, [1.0, 0.8333333333333334, 1.0]);
/// assert_eq!(options.average(Average::Weighted).roc_auc_score(y, p)?, 0.9583333333333334);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// An option that a score has not is an error.
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    average: Option<Average>,
    pos_label: Option<Scalar>,
    labels: Option<Result<Values>>,
    sample_weight: Weights,
    max_fpr: Option<f64>,
    multi_class: Option<MultiClass>,
    drop_intermediate: Option<bool>,
    k: Option<usize>,
    normalize: Option<bool>,
}

impl Ranking {
    /// scikit-learn's defaults.
    pub fn new() -> Ranking {
        Ranking::default()
    }

    /// How the scores of several classes become one; without it, [`Average::Macro`].
    #[must_use]
    pub fn average(self, average: Average) -> Ranking {
        Ranking { average: Some(average), ..self }
    }

    /// The class that high scores speak for; without it, 1.
    #[must_use]
    pub fn pos_label(self, label: impl Into<Scalar>) -> Ranking {
        Ranking { pos_label: Some(label.into()), ..self }
    }

    /// The classes of the columns of scores, in ascending order; without it, those that occur.
    #[must_use]
    pub fn labels(self, labels: impl ToLabels) -> Ranking {
        Ranking { labels: Some(labels.label_values().map(|labels| (*labels).clone())), ..self }
    }

    /// How much each row counts: `[rows]`.
    #[must_use]
    pub fn sample_weight(self, weights: impl ToArray) -> Ranking {
        Ranking { sample_weight: Weights::of(weights), ..self }
    }

    /// The area of [`roc_auc_score`] up to this share of false positives alone, standardised.
    #[must_use]
    pub fn max_fpr(self, share: f64) -> Ranking {
        Ranking { max_fpr: Some(share), ..self }
    }

    /// How several classes become problems of two.
    #[must_use]
    pub fn multi_class(self, multi_class: MultiClass) -> Ranking {
        Ranking { multi_class: Some(multi_class), ..self }
    }

    /// Whether points are left out that lie on a line between their neighbours; without it they are by [`roc_curve`] and
    /// not by [`precision_recall_curve`].
    #[must_use]
    pub fn drop_intermediate(self, drop: bool) -> Ranking {
        Ranking { drop_intermediate: Some(drop), ..self }
    }

    /// Among how many of the best scores [`top_k_accuracy_score`] looks for the true class; without it, two.
    #[must_use]
    pub fn k(self, k: usize) -> Ranking {
        Ranking { k: Some(k), ..self }
    }

    /// Whether [`top_k_accuracy_score`] is a share (as without it) or a count.
    #[must_use]
    pub fn normalize(self, normalize: bool) -> Ranking {
        Ranking { normalize: Some(normalize), ..self }
    }

    fn only(&self, name: &str, options: &[&str]) -> Result<()> {
        let given = [
            ("average", self.average.is_some()),
            ("pos_label", self.pos_label.is_some()),
            ("labels", self.labels.is_some()),
            ("sample_weight", self.sample_weight.are_given()),
            ("max_fpr", self.max_fpr.is_some()),
            ("multi_class", self.multi_class.is_some()),
            ("drop_intermediate", self.drop_intermediate.is_some()),
            ("k", self.k.is_some()),
            ("normalize", self.normalize.is_some()),
        ];
        match given.iter().find(|(option, given)| *given && !options.contains(option)) {
            Some((option, _)) => Err(Error::usage(format!("`{name}` has no option `{option}`"))
                .help(format!("its options are {}", list(options)))),
            None => Ok(()),
        }
    }
}

/// The ROC curve: how many positives and negatives have a score of at least each threshold, as shares.
///
/// ```
/// use cornu_data::roc_curve;
///
/// let curve = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])?;
/// assert_eq!(curve.fpr, [0.0, 0.0, 0.5, 0.5, 1.0]);
/// assert_eq!(curve.tpr, [0.0, 0.5, 0.5, 1.0, 1.0]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// # Errors
/// There must be a finite score for each label, at most two classes, of which 1 is positive:
/// [`Ranking::pos_label`] names another.
pub fn roc_curve(y_true: impl ToLabels, y_score: impl ToArray) -> Result<RocCurve> {
    Ranking::new().roc_curve(y_true, y_score)
}

/// Precision and recall of the rows whose score is at least each threshold.
///
/// # Errors
/// As [`roc_curve`].
pub fn precision_recall_curve(y_true: impl ToLabels, y_score: impl ToArray) -> Result<PrecisionRecallCurve> {
    Ranking::new().precision_recall_curve(y_true, y_score)
}

/// The area under the ROC curve: how often a row of the greater class has a higher score than one of the other. NaN if
/// all are of one class.
///
/// ```
/// use cornu_data::roc_auc_score;
///
/// assert_eq!(roc_auc_score(["no", "no", "yes", "yes"], [0.1, 0.4, 0.35, 0.8])?, 0.75);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// # Errors
/// There must be a finite score for each label; more than two classes need [`Ranking::multi_class`] and probabilities of
/// each class.
pub fn roc_auc_score(y_true: impl ToLabels, y_score: impl ToArray) -> Result<f64> {
    Ranking::new().roc_auc_score(y_true, y_score)
}

/// The mean of the precisions at each threshold, weighted by how much recall it adds.
///
/// # Errors
/// As [`roc_curve`]; more than two classes need scores `[rows, classes]`.
pub fn average_precision_score(y_true: impl ToLabels, y_score: impl ToArray) -> Result<f64> {
    Ranking::new().average_precision_score(y_true, y_score)
}

/// The share of rows whose true class is among the `k` with the highest scores.
///
/// # Errors
/// There must be a finite score for each row and class.
pub fn top_k_accuracy_score(y_true: impl ToLabels, y_score: impl ToArray, k: usize) -> Result<f64> {
    Ranking::new().k(k).top_k_accuracy_score(y_true, y_score)
}

/// What [`roc_curve`] gives, from the highest threshold (infinite: no row) to the lowest.
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// The share of negatives with such scores; NaN if there are none.
    pub fpr: Vec<f64>,
    /// The share of positives with such scores; NaN if there are none.
    pub tpr: Vec<f64>,
    /// The least score.
    pub thresholds: Vec<f64>,
}

/// What [`precision_recall_curve`] gives, from the lowest threshold to the highest; precision and recall end in 1 and 0,
/// which have no threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecallCurve {
    /// Of the rows with such scores, the share that are positive.
    pub precision: Vec<f64>,
    /// Of the positives, the share with such scores.
    pub recall: Vec<f64>,
    /// The least score.
    pub thresholds: Vec<f64>,
}

impl Ranking {
    fn ranked(&self, y_true: impl ToLabels, y_score: impl ToArray) -> Result<Ranked> {
        Ranked::of(y_true, y_score, &self.sample_weight)
    }

    /// The counts at each threshold, of one class against the rest.
    fn curve(&self, ranked: &Ranked) -> Result<Curve> {
        if ranked.truth.count() > 2 && self.pos_label.is_none() {
            return Err(Error::data(format!("a curve needs two classes, got {}", ranked.truth.count()))
                .help("name the class that high scores speak for: `Ranking::new().pos_label(..)`"));
        }
        let code = positive(&ranked.truth, self.pos_label.as_ref())?;
        Ok(Curve::of(&ranked.is(code), ranked.single()?, ranked.weights.as_deref()))
    }

    /// The ROC curve; options `pos_label`, `sample_weight`, `drop_intermediate`.
    ///
    /// # Errors
    /// As [`roc_curve`]; and the options must fit.
    pub fn roc_curve(&self, y_true: impl ToLabels, y_score: impl ToArray) -> Result<RocCurve> {
        self.only("roc_curve", &["pos_label", "sample_weight", "drop_intermediate"])?;
        Ok(self.curve(&self.ranked(y_true, y_score)?)?.roc(self.drop_intermediate.unwrap_or(true)))
    }

    /// Precision and recall at each threshold; options `pos_label`, `sample_weight`, `drop_intermediate`.
    ///
    /// # Errors
    /// As [`roc_curve`]; and the options must fit.
    pub fn precision_recall_curve(&self, y_true: impl ToLabels, y_score: impl ToArray) -> Result<PrecisionRecallCurve> {
        self.only("precision_recall_curve", &["pos_label", "sample_weight", "drop_intermediate"])?;
        let curve = self.curve(&self.ranked(y_true, y_score)?)?;
        Ok(curve.precision_recall(self.drop_intermediate.unwrap_or(false)))
    }

    /// The area under the ROC curve; options `average`, `sample_weight`, `max_fpr`, `multi_class`, `labels`.
    ///
    /// # Errors
    /// As [`roc_auc_score`]; and the options must fit.
    pub fn roc_auc_score(&self, y_true: impl ToLabels, y_score: impl ToArray) -> Result<f64> {
        self.only("roc_auc_score", &["average", "sample_weight", "max_fpr", "multi_class", "labels"])?;
        let ranked = self.ranked(y_true, y_score)?;
        if let Some(share) = self.max_fpr.filter(|share| !(*share > 0.0 && *share <= 1.0)) {
            return Err(Error::usage(format!("`max_fpr` must be above 0 and at most 1, got {share}")));
        }
        if ranked.truth.count() <= 2 && ranked.outputs <= 2 {
            let positive = ranked.is(ranked.truth.count().checked_sub(1).filter(|&last| last > 0));
            return Ok(curve::roc_auc(&positive, ranked.single()?, ranked.weights.as_deref(), self.max_fpr));
        }
        let columns = self.probabilities_of_classes(&ranked)?;
        let average = self.average.unwrap_or(Average::Macro);
        match self.multi_class {
            Some(MultiClass::Ovr) => averaged(&ranked, &columns, average, |truth, scores, weights| {
                curve::roc_auc(truth, scores, weights, None)
            }),
            Some(MultiClass::Ovo) => each_against_each(&ranked, &columns, average),
            None => Err(Error::usage("`roc_auc_score` of more than two classes needs `multi_class`")
                .help("compare each class with all others: `Ranking::new().multi_class(MultiClass::Ovr)`")),
        }
    }

    /// [`roc_auc_score`] of each class against all others, of more than two.
    ///
    /// # Errors
    /// As [`roc_auc_score`]; and the options must fit.
    pub fn roc_auc_scores(&self, y_true: impl ToLabels, y_score: impl ToArray) -> Result<Vec<f64>> {
        self.only("roc_auc_scores", &["sample_weight", "multi_class", "labels"])?;
        if self.multi_class == Some(MultiClass::Ovo) {
            return Err(Error::usage("classes that are compared with each other have no score of their own")
                .help("compare each class with all others: `Ranking::new().multi_class(MultiClass::Ovr)`"));
        }
        let ranked = self.ranked(y_true, y_score)?;
        let columns = self.probabilities_of_classes(&ranked)?;
        Ok(each(&ranked, &columns, |truth, scores, weights| curve::roc_auc(truth, scores, weights, None)))
    }

    fn probabilities_of_classes(&self, ranked: &Ranked) -> Result<Vec<Option<usize>>> {
        if self.max_fpr.is_some_and(|share| share != 1.0) {
            return Err(Error::usage("`max_fpr` needs two classes, got more"));
        }
        if ranked.outputs == 1 {
            return Err(Error::data(format!(
                "`y_score` needs a probability for each of {} classes, got one score in each row",
                ranked.truth.count()
            )));
        }
        ranked.add_up()?;
        let given = self.labels.as_ref().map(Result::as_ref).transpose().map_err(Clone::clone)?;
        ranked.columns(given)
    }

    /// The mean of the precisions at each threshold; options `average`, `pos_label`, `sample_weight`.
    ///
    /// # Errors
    /// As [`average_precision_score`]; and the options must fit.
    pub fn average_precision_score(&self, y_true: impl ToLabels, y_score: impl ToArray) -> Result<f64> {
        self.only("average_precision_score", &["average", "pos_label", "sample_weight"])?;
        let ranked = self.ranked(y_true, y_score)?;
        if ranked.truth.count() <= 2 {
            let code = self.precise(&ranked)?;
            return Ok(curve::average_precision(&ranked.is(code), ranked.single()?, ranked.weights.as_deref()));
        }
        let columns = self.columns_of_many(&ranked)?;
        averaged(&ranked, &columns, self.average.unwrap_or(Average::Macro), curve::average_precision)
    }

    /// [`average_precision_score`] of each class, of more than two.
    ///
    /// # Errors
    /// As [`average_precision_score`]; and the options must fit.
    pub fn average_precision_scores(&self, y_true: impl ToLabels, y_score: impl ToArray) -> Result<Vec<f64>> {
        self.only("average_precision_scores", &["sample_weight"])?;
        let ranked = self.ranked(y_true, y_score)?;
        Ok(each(&ranked, &self.columns_of_many(&ranked)?, curve::average_precision))
    }

    fn columns_of_many(&self, ranked: &Ranked) -> Result<Vec<Option<usize>>> {
        if self.pos_label.is_some() {
            return Err(Error::usage("`pos_label` needs two classes, got more"));
        }
        ranked.columns(None)
    }

    /// The code of the positive class of two.
    fn precise(&self, ranked: &Ranked) -> Result<Option<usize>> {
        let code = positive(&ranked.truth, Some(self.pos_label.as_ref().unwrap_or(&Scalar::Int(1))))?;
        if code.is_none() && ranked.truth.count() == 2 {
            let names: Vec<String> = ranked.truth.classes().iter().map(shown).collect();
            return Err(Error::usage(format!("`pos_label` must be one of {}", names.join(" and ")))
                .help("without `pos_label`, the positive class is 1"));
        }
        Ok(code)
    }

    /// The share of rows whose true class is among the best scores; options `k`, `normalize`, `sample_weight`, `labels`.
    ///
    /// # Errors
    /// As [`top_k_accuracy_score`]; and the options must fit.
    pub fn top_k_accuracy_score(&self, y_true: impl ToLabels, y_score: impl ToArray) -> Result<f64> {
        self.only("top_k_accuracy_score", &["k", "normalize", "sample_weight", "labels"])?;
        let (ranked, k) = (self.ranked(y_true, y_score)?, self.k.unwrap_or(2));
        if k == 0 {
            return Err(Error::usage("`k` must be at least 1, got 0"));
        }
        let given = self.labels.as_ref().map(Result::as_ref).transpose().map_err(Clone::clone)?;
        let classes = given.map_or(ranked.truth.count(), Values::len);
        let hits = match classes {
            0..=2 => two_hits(&ranked, given, k)?,
            _ => many_hits(&ranked, given, k)?,
        };
        Ok(share(&hits, ranked.weights.as_deref(), self.normalize.unwrap_or(true)))
    }
}
