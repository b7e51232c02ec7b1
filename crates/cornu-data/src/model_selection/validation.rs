//! Cross-validation: a fresh estimator learns from each part of the rows and is judged by the rest.

use std::time::Instant;

use cornu_array::{Array, Context, Error, Result, ToArray};

use super::cross_validator::{CrossValidator, Given};
use super::scoring::{Scoring, true_classes};
use super::{Parts, Rows};
use crate::scores::classes_of;
use crate::{Estimator, Labels, ToLabels};

/// The score of each split: a fresh estimator, with how it is to learn, comes from `build` for each.
///
/// ```
/// # use cornu_data::Estimator;
/// # use cornu_array::Array;
/// use cornu_data::model_selection::{KFold, cross_val_score};
/// # struct Mean(f64);
/// # impl Estimator for Mean {
/// #     type Fit = ();
/// #     fn fit(&mut self, _: &Array, y: &Array, _: ()) -> cornu_array::Result<()> {
/// #         self.0 = y.to_vec::<f64>().iter().sum::<f64>() / y.len() as f64;
/// #         Ok(())
/// #     }
/// #     fn predict(&mut self, x: &Array) -> cornu_array::Result<Array> {
/// #         Ok(Array::vector(vec![self.0; x.shape()[0]]))
/// #     }
/// # }
///
/// let (x, y) = ([[1.0], [2.0], [3.0], [4.0]], [1.0, 2.0, 3.0, 4.0]);
/// let scores = cross_val_score(|| Ok((Mean(0.0), ())), x, y, KFold::new(2), "neg_mean_absolute_error")?;
/// assert_eq!(scores, [-2.0, -2.0]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// A number for `cv` is that many folds, stratified where `y` are classes. Where a score wants classes, they are the
/// greatest of several outputs, or one output rounded.
///
/// # Errors
/// `x` and `y` must have as many rows; and what building, learning, predicting and scoring refuse, with the number of the
/// split.
pub fn cross_val_score<E: Estimator>(
    build: impl FnMut() -> Result<(E, E::Fit)>,
    x: impl ToArray,
    y: impl ToArray,
    cv: impl CrossValidator,
    scoring: impl Into<Scoring>,
) -> Result<Vec<f64>> {
    let validated = CrossValidate::new(cv).scoring([scoring]).run(build, x, y)?;
    Ok(validated.scores.into_iter().next().map(|scores| scores.test).unwrap_or_default())
}

/// What is predicted for each row by the estimator that did not learn from it: `[rows, …]`.
///
/// # Errors
/// As [`cross_val_score`]; each row must be tested on once.
pub fn cross_val_predict<E: Estimator>(
    build: impl FnMut() -> Result<(E, E::Fit)>,
    x: impl ToArray,
    y: impl ToArray,
    cv: impl CrossValidator,
) -> Result<Array> {
    CrossValidate::new(cv).predict(build, x, y)
}

/// Cross-validation by several scores: scikit-learn's `cross_validate`.
///
/// # Errors
/// As [`cross_val_score`].
pub fn cross_validate<E: Estimator, S: Into<Scoring>>(
    build: impl FnMut() -> Result<(E, E::Fit)>,
    x: impl ToArray,
    y: impl ToArray,
    cv: impl CrossValidator,
    scoring: impl IntoIterator<Item = S>,
) -> Result<CrossValidated<E>> {
    CrossValidate::new(cv).scoring(scoring).run(build, x, y)
}

/// The options of cross-validation.
#[derive(Clone, Debug)]
pub struct CrossValidate<C> {
    cv: C,
    scoring: Vec<Scoring>,
    groups: Option<Result<Labels>>,
    train_score: bool,
    estimator: bool,
}

/// What each split gave.
#[derive(Clone, Debug)]
pub struct CrossValidated<E> {
    /// For each score its name, and what it is for each split.
    pub scores: Vec<SplitScores>,
    /// The estimator of each split, as it has learnt, if asked for.
    pub estimators: Vec<E>,
    /// The seconds that learning took, for each split.
    pub fit_time: Vec<f64>,
    /// The seconds that predicting and scoring took, for each split.
    pub score_time: Vec<f64>,
}

/// A score of each split.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitScores {
    /// The name of the score.
    pub name: String,
    /// Of the rows that were tested on.
    pub test: Vec<f64>,
    /// Of the rows that were learnt from, if asked for.
    pub train: Option<Vec<f64>>,
}

impl<E> CrossValidated<E> {
    /// The scores of that name.
    pub fn score(&self, name: &str) -> Option<&SplitScores> {
        self.scores.iter().find(|scores| scores.name == name)
    }
}

impl<C: CrossValidator> CrossValidate<C> {
    /// These splits, and no score yet.
    pub fn new(cv: C) -> CrossValidate<C> {
        CrossValidate { cv, scoring: Vec::new(), groups: None, train_score: false, estimator: false }
    }

    /// Judges by these scores.
    #[must_use]
    pub fn scoring<S: Into<Scoring>>(self, scoring: impl IntoIterator<Item = S>) -> CrossValidate<C> {
        CrossValidate { scoring: scoring.into_iter().map(Into::into).collect(), ..self }
    }

    /// The group of each row, which splits such as [`GroupKFold`](super::GroupKFold) keep together.
    #[must_use]
    pub fn groups(self, groups: impl ToLabels) -> CrossValidate<C> {
        CrossValidate { groups: Some(groups.to_labels().context("`groups`")), ..self }
    }

    /// Also scores the rows that were learnt from.
    #[must_use]
    pub fn return_train_score(self, wanted: bool) -> CrossValidate<C> {
        CrossValidate { train_score: wanted, ..self }
    }

    /// Also keeps the estimators.
    #[must_use]
    pub fn return_estimator(self, wanted: bool) -> CrossValidate<C> {
        CrossValidate { estimator: wanted, ..self }
    }

    fn splits(&self, x: &Array, y: &Array) -> Result<Vec<Parts>> {
        let (rows, targets) = (x.row_count(), y.row_count());
        if rows != targets {
            return Err(Error::data(format!("`y` needs {rows} rows as `x` has, got {targets}"))
                .help("take `x` and `y` from the same rows of one table"));
        }
        let groups = self.groups.as_ref().map(Result::as_ref).transpose().map_err(Clone::clone)?;
        if let Some(groups) = groups.filter(|groups| groups.len() != rows) {
            return Err(Error::data(format!("`groups` needs {rows} groups as `x` has rows, got {}", groups.len())));
        }
        let labels = classes_of("y", &true_classes(y)?).ok();
        let classify = labels.is_some() && !self.scoring.iter().any(Scoring::is_of_numbers);
        self.cv.splits(&Given { rows, labels: labels.as_ref(), groups, classify })
    }

    /// Learns and scores, split by split.
    ///
    /// # Errors
    /// As [`cross_val_score`].
    pub fn run<E: Estimator>(
        &self,
        mut build: impl FnMut() -> Result<(E, E::Fit)>,
        x: impl ToArray,
        y: impl ToArray,
    ) -> Result<CrossValidated<E>> {
        self.scoring.iter().try_for_each(Scoring::check)?;
        let (x, y) = (x.into_array()?, y.into_array()?);
        let splits = self.splits(&x, &y)?;
        let scores = |scoring: &Scoring| SplitScores {
            name: scoring.name().into(),
            test: Vec::with_capacity(splits.len()),
            train: self.train_score.then(Vec::new),
        };
        let mut all = CrossValidated {
            scores: self.scoring.iter().map(scores).collect(),
            estimators: Vec::new(),
            fit_time: Vec::new(),
            score_time: Vec::new(),
        };
        for (number, parts) in splits.iter().enumerate() {
            self.split(&mut all, &mut build, (&x, &y), parts).context(format!("split {number}"))?;
        }
        Ok(all)
    }

    fn split<E: Estimator>(
        &self,
        all: &mut CrossValidated<E>,
        build: &mut impl FnMut() -> Result<(E, E::Fit)>,
        (x, y): (&Array, &Array),
        (train, test): &Parts,
    ) -> Result<()> {
        let start = Instant::now();
        let (mut estimator, fit) = build()?;
        let (x_train, y_train) = (x.rows(train), y.rows(train));
        estimator.fit(&x_train, &y_train, fit)?;
        all.fit_time.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let (predicted, y_test) = (predicted(&mut estimator, &x.rows(test))?, y.rows(test));
        let learnt = if self.train_score { Some(self::predicted(&mut estimator, &x_train)?) } else { None };
        for (scoring, scores) in self.scoring.iter().zip(&mut all.scores) {
            scores.test.push(scoring.score(&y_test, &predicted)?);
            if let (Some(train), Some(learnt)) = (&mut scores.train, &learnt) {
                train.push(scoring.score(&y_train, learnt)?);
            }
        }
        all.score_time.push(start.elapsed().as_secs_f64());
        if self.estimator {
            all.estimators.push(estimator);
        }
        Ok(())
    }

    /// What is predicted for each row by the estimator that did not learn from it: `[rows, …]`.
    ///
    /// # Errors
    /// As [`cross_val_predict`].
    pub fn predict<E: Estimator>(
        &self,
        mut build: impl FnMut() -> Result<(E, E::Fit)>,
        x: impl ToArray,
        y: impl ToArray,
    ) -> Result<Array> {
        let (x, y) = (x.into_array()?, y.into_array()?);
        let splits = self.splits(&x, &y)?;
        let order: Vec<usize> = splits.iter().flat_map(|(_, test)| test).copied().collect();
        let mut places = vec![usize::MAX; x.row_count()];
        order.iter().enumerate().for_each(|(place, &row)| places[row] = place);
        if order.len() != places.len() || places.contains(&usize::MAX) {
            return Err(Error::usage("`cross_val_predict` needs splits that test on each row once")
                .help("use folds, such as `KFold`"));
        }
        let mut parts = Vec::with_capacity(splits.len());
        for (number, (train, test)) in splits.iter().enumerate() {
            let mut one = || {
                let (mut estimator, fit) = build()?;
                estimator.fit(&x.rows(train), &y.rows(train), fit)?;
                predicted(&mut estimator, &x.rows(test))
            };
            parts.push(one().context(format!("split {number}"))?);
        }
        joined(&parts).map(|all| all.rows(&places))
    }
}

/// A prediction for each row.
fn predicted<E: Estimator>(estimator: &mut E, x: &Array) -> Result<Array> {
    let (predicted, needed) = (estimator.predict(x)?, x.row_count());
    match predicted.shape().first() {
        Some(&rows) if rows == needed => Ok(predicted),
        _ => Err(Error::data(format!("an estimator must predict {needed} rows, got {}", predicted.ty()))),
    }
}

/// The rows of all parts, one after the other.
fn joined(parts: &[Array]) -> Result<Array> {
    let Some(first) = parts.first() else { return Err(Error::usage("no split was made")) };
    let (mut data, mut rows) = (Vec::new(), 0);
    for part in parts {
        if part.shape()[1..] != first.shape()[1..] {
            return Err(Error::data(format!("all splits need predictions like {}, got {}", first.ty(), part.ty())));
        }
        rows += part.row_count();
        data.extend(part.to_vec::<f64>());
    }
    Ok(Array::new(first.shape().with(0, rows), data)?.cast(first.dtype()))
}
