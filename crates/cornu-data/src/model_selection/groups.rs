//! Folds that keep the rows of a group together: scikit-learn's `GroupKFold` and `StratifiedGroupKFold`.

use cornu_array::{Error, Result};

use super::Parts;
use super::cross_validator::{CrossValidator, Given};
use super::folds::{Options, check_members, folds, parts, verbose};
use super::shuffle::present;
use crate::scores::classes_of;
use crate::stats::sum;
use crate::{Labels, ToLabels};

/// Folds of about equal size, each group in one of them: scikit-learn's `GroupKFold`.
///
/// ```
/// use cornu_data::model_selection::GroupKFold;
///
/// let folds = GroupKFold::new(2).split(["ann", "ann", "bob", "eve", "eve"])?;
/// assert_eq!(folds, [(vec![0, 1], vec![2, 3, 4]), (vec![2, 3, 4], vec![0, 1])]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupKFold(Options);
folds!(GroupKFold);

impl GroupKFold {
    /// For each fold, the rows to train on and the rows to test on, in ascending order; `groups` has one for each row.
    ///
    /// # Errors
    /// Those of [`KFold::split`](super::KFold::split); there must be as many groups as folds.
    pub fn split(&self, groups: impl ToLabels) -> Result<Vec<Parts>> {
        let groups = present("groups", groups)?;
        self.0.check(groups.len())?;
        check_groups(&groups, self.0.n_splits)?;
        let fold_of = match self.0.shuffle {
            true => self.shuffled(&groups),
            false => self.by_size(&groups),
        };
        let folds: Vec<usize> = groups.codes().iter().map(|&group| fold_of[group]).collect();
        Ok(parts(&folds, self.0.n_splits))
    }

    /// Groups in random order, as many in each fold.
    fn shuffled(&self, groups: &Labels) -> Vec<usize> {
        let (count, k) = (groups.count(), self.0.n_splits);
        let order = self.0.shuffled(|random| random.map(|random| random.permutation(count)).unwrap_or_default());
        let mut fold_of = vec![0; count];
        let mut rest = order.into_iter();
        for fold in 0..k {
            let size = count / k + usize::from(fold < count % k);
            rest.by_ref().take(size).for_each(|group| fold_of[group] = fold);
        }
        fold_of
    }

    /// The largest group first, each to the fold that has the fewest rows.
    fn by_size(&self, groups: &Labels) -> Vec<usize> {
        let mut sizes = vec![0; groups.count()];
        groups.codes().iter().for_each(|&group| sizes[group] += 1);
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by_key(|&group| sizes[group]);
        let (mut rows, mut fold_of) = (vec![0; self.0.n_splits], vec![0; sizes.len()]);
        for group in order.into_iter().rev() {
            let lightest = (0..rows.len()).min_by_key(|&fold| rows[fold]).unwrap_or(0);
            rows[lightest] += sizes[group];
            fold_of[group] = lightest;
        }
        fold_of
    }
}

impl CrossValidator for GroupKFold {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        self.split(given.groups("GroupKFold")?)
    }
}

fn check_groups(groups: &Labels, k: usize) -> Result<()> {
    match groups.count() {
        count if count < k => Err(Error::data(format!("{k} folds need {k} groups or more, got {count}"))),
        _ => Ok(()),
    }
}

/// Folds with about the same share of each class, each group in one of them: scikit-learn's `StratifiedGroupKFold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StratifiedGroupKFold(Options);
folds!(StratifiedGroupKFold);
verbose!(StratifiedGroupKFold);

impl StratifiedGroupKFold {
    /// For each fold, the rows to train on and the rows to test on, in ascending order; `labels` and `groups` have one
    /// for each row.
    ///
    /// # Errors
    /// Those of [`StratifiedKFold::split`](super::StratifiedKFold::split) and [`GroupKFold::split`].
    pub fn split(&self, labels: impl ToLabels, groups: impl ToLabels) -> Result<Vec<Parts>> {
        let (labels, groups) = (classes_of("y", labels)?, present("groups", groups)?);
        if labels.len() != groups.len() {
            let (needed, got) = (labels.len(), groups.len());
            return Err(Error::data(format!("`groups` needs {needed} groups as there are labels, got {got}")));
        }
        self.0.check(labels.len())?;
        check_members(&labels, self.0)?;
        check_groups(&groups, self.0.n_splits)?;
        let fold_of = self.folds_of_groups(&labels, &groups);
        let folds: Vec<usize> = groups.codes().iter().map(|&group| fold_of[group]).collect();
        Ok(parts(&folds, self.0.n_splits))
    }

    /// Groups whose classes are the most unequal first, each to the fold that keeps the shares of classes most equal.
    fn folds_of_groups(&self, labels: &Labels, groups: &Labels) -> Vec<usize> {
        let mut of_group = vec![vec![0.0; labels.count()]; groups.count()];
        let mut of_class = vec![0.0; labels.count()];
        for (&group, &class) in groups.codes().iter().zip(labels.codes()) {
            of_group[group][class] += 1.0;
            of_class[class] += 1.0;
        }
        let places = 0..groups.count();
        let mut order: Vec<usize> = self.0.shuffled(|random| match random {
            Some(random) => random.permutation(places.len()),
            None => places.collect(),
        });
        let spread: Vec<f64> = of_group.iter().map(|counts| deviation(counts, sum)).collect();
        order.sort_by(|&a, &b| spread[b].total_cmp(&spread[a]));
        let mut of_fold = vec![vec![0.0; labels.count()]; self.0.n_splits];
        let mut fold_of = vec![0; groups.count()];
        for group in order {
            let best = best_fold(&mut of_fold, &of_class, &of_group[group]);
            add(&mut of_fold[best], &of_group[group], 1.0);
            fold_of[group] = best;
        }
        fold_of
    }
}

impl CrossValidator for StratifiedGroupKFold {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        let who = "StratifiedGroupKFold";
        self.split(given.labels(who)?, given.groups(who)?)
    }
}

fn add(counts: &mut [f64], others: &[f64], sign: f64) {
    counts.iter_mut().zip(others).for_each(|(count, other)| *count += sign * other);
}

/// The fold that would leave the shares of classes most equal; of folds that are about as good, that with fewer rows.
fn best_fold(of_fold: &mut [Vec<f64>], of_class: &[f64], of_group: &[f64]) -> usize {
    let (mut best, mut least, mut fewest) = (0, f64::INFINITY, f64::INFINITY);
    for fold in 0..of_fold.len() {
        add(&mut of_fold[fold], of_group, 1.0);
        let spread = |class: usize| {
            let shares: Vec<f64> = of_fold.iter().map(|counts| counts[class] / of_class[class]).collect();
            deviation(&shares, |values| values.iter().fold(0.0, |sum, value| sum + value))
        };
        let spreads: Vec<f64> = (0..of_class.len()).map(spread).collect();
        add(&mut of_fold[fold], of_group, -1.0);
        let uneven = sum(&spreads) / spreads.len() as f64;
        let rows: f64 = sum(&of_fold[fold]);
        let about_as_good = (uneven - least).abs() <= 1e-8 + 1e-5 * least.abs();
        if uneven < least || about_as_good && rows < fewest {
            (best, least, fewest) = (fold, uneven, rows);
        }
    }
    best
}

/// The standard deviation, with sums made by `total`.
fn deviation(values: &[f64], total: impl Fn(&[f64]) -> f64) -> f64 {
    let count = values.len() as f64;
    let mean = total(values) / count;
    let squares: Vec<f64> = values.iter().map(|value| (value - mean) * (value - mean)).collect();
    (total(&squares) / count).sqrt()
}
