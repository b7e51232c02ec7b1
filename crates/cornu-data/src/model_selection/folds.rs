//! Cross-validation: each row is in the test part of one fold.

use cornu_array::random::LegacyRandomState;
use cornu_array::room::room;
use cornu_array::{Code, Error, Result, Verbose, Warning, tell};

use super::cross_validator::{CrossValidator, Given};
use super::shuffle::{members, present};
use super::{Parts, count, with_generator};
use crate::scores::classes_of;
use crate::{Labels, ToLabels};

/// The options that the kinds of folds share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) n_splits: usize,
    pub(super) shuffle: bool,
    pub(super) random_state: Option<u32>,
    pub(super) silent: bool,
}

impl Options {
    pub(super) fn new(n_splits: usize) -> Options {
        Options { n_splits, shuffle: false, random_state: None, silent: false }
    }

    pub(super) fn check(self, rows: usize) -> Result<()> {
        let k = self.n_splits;
        if k < 2 {
            return Err(Error::usage(format!("cross-validation needs 2 folds or more, got {k}")));
        }
        if k > rows {
            return Err(Error::usage(format!("cross-validation cannot make {k} folds of {rows} rows")));
        }
        if self.random_state.is_some() && !self.shuffle {
            return Err(Error::usage("`random_state` of folds needs `shuffle(true)`")
                .help("without shuffling nothing is random; leave `random_state` out"));
        }
        // Each fold lists all rows.
        room::<usize>("a list of the folds", &[k, rows])
    }

    /// Calls `work` with the generator that shuffles, if one does.
    pub(super) fn shuffled<T>(self, work: impl FnOnce(Option<&mut LegacyRandomState>) -> T) -> T {
        match self.shuffle {
            true => with_generator(self.random_state, |random| work(Some(random))),
            false => work(None),
        }
    }
}

macro_rules! folds {
    ($kind:ident) => {
        impl $kind {
            /// That many folds, without shuffling.
            pub fn new(n_splits: usize) -> $kind {
                $kind($crate::model_selection::folds::Options::new(n_splits))
            }

            /// Whether rows are shuffled first.
            #[must_use]
            pub fn shuffle(self, shuffle: bool) -> $kind {
                $kind($crate::model_selection::folds::Options { shuffle, ..self.0 })
            }

            /// The seed of the shuffle; without one, NumPy's generator of this process shuffles.
            #[must_use]
            pub fn random_state(self, seed: u32) -> $kind {
                $kind($crate::model_selection::folds::Options { random_state: Some(seed), ..self.0 })
            }
        }
    };
}
pub(super) use folds;

macro_rules! verbose {
    ($kind:ident) => {
        impl $kind {
            /// `0` says nothing of classes that are smaller than the number of folds.
            #[must_use]
            pub fn verbose(self, verbose: impl Into<cornu_array::Verbose>) -> $kind {
                let silent = verbose.into() == cornu_array::Verbose::Silent;
                $kind($crate::model_selection::folds::Options { silent, ..self.0 })
            }
        }
    };
}
pub(super) use verbose;

/// Folds of equal size: scikit-learn's `KFold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KFold(Options);
folds!(KFold);

impl KFold {
    /// For each fold, the rows to train on and the rows to test on, in ascending order.
    ///
    /// # Errors
    /// There must be 2 folds or more, not more folds than rows, and memory for them; a `random_state` needs shuffling.
    pub fn split(&self, rows: usize) -> Result<Vec<Parts>> {
        self.0.check(rows)?;
        Ok(self.0.shuffled(|random| equal(rows, self.0.n_splits, random)))
    }
}

impl CrossValidator for KFold {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        self.split(given.rows)
    }
}

fn equal(rows: usize, k: usize, random: Option<&mut LegacyRandomState>) -> Vec<Parts> {
    let order = random.map_or_else(|| (0..rows).collect(), |random| random.permutation(rows));
    let mut folds = vec![0; rows];
    let mut rest = order.iter();
    for fold in 0..k {
        let size = rows / k + usize::from(fold < rows % k);
        rest.by_ref().take(size).for_each(|&row| folds[row] = fold);
    }
    parts(&folds, k)
}

/// Folds with about the same share of each class: scikit-learn's `StratifiedKFold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StratifiedKFold(Options);
folds!(StratifiedKFold);
verbose!(StratifiedKFold);

impl StratifiedKFold {
    /// What [`StratifiedKFold::split`] says on the standard error: a class with fewer rows than there are folds.
    pub fn warnings(&self, labels: impl ToLabels) -> Vec<Warning> {
        present("y", labels).map(|labels| small_class(&labels, self.0.n_splits)).unwrap_or_default()
    }

    /// For each fold, the rows to train on and the rows to test on, in ascending order; `labels` has one label a row,
    /// of any kind.
    ///
    /// # Errors
    /// Those of [`KFold::split`]; labels must be classes, one of which has as many rows as there are folds.
    pub fn split(&self, labels: impl ToLabels) -> Result<Vec<Parts>> {
        let labels = classes_of("y", labels)?;
        self.0.check(labels.len())?;
        check_members(&labels, self.0)?;
        Ok(self.0.shuffled(|random| by_class(&labels, self.0.n_splits, random)))
    }
}

impl CrossValidator for StratifiedKFold {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        self.split(given.labels("StratifiedKFold")?)
    }
}

fn small_class(labels: &Labels, k: usize) -> Vec<Warning> {
    let least = members(labels).iter().map(Vec::len).min().filter(|&rows| rows < k);
    let message = |rows: usize| {
        format!("the smallest class has {} for {k} folds, so that some have none of it; use fewer folds", count(rows))
    };
    least.map(|rows| Warning::new(Code::SmallClass, message(rows))).into_iter().collect()
}

/// Refuses folds that no class fills, and tells of classes that do not.
pub(super) fn check_members(labels: &Labels, options: Options) -> Result<()> {
    let k = options.n_splits;
    let largest = members(labels).iter().map(Vec::len).max().unwrap_or(0);
    if largest < k {
        let error = format!("{k} stratified folds need a class with {k} rows, got {largest} at most");
        return Err(Error::data(error).help(match largest {
            0 | 1 => "no two rows are of one class: use `KFold`".into(),
            largest => format!("use {largest} folds or fewer"),
        }));
    }
    if !options.silent {
        small_class(labels, k).iter().for_each(tell);
    }
    Ok(())
}

fn by_class(labels: &Labels, k: usize, mut random: Option<&mut LegacyRandomState>) -> Vec<Parts> {
    // Classes are numbered by their first row.
    let mut members = members(labels);
    members.sort_by_key(|rows| rows[0]);
    let mut folds = vec![0; labels.len()];
    // With rows sorted by class, position p goes to fold p mod k.
    let mut position = 0;
    for rows in &members {
        let mut class_folds: Vec<usize> = (position..position + rows.len()).map(|p| p % k).collect();
        class_folds.sort_unstable();
        if let Some(random) = &mut random {
            random.shuffle(&mut class_folds);
        }
        rows.iter().zip(class_folds).for_each(|(&row, fold)| folds[row] = fold);
        position += rows.len();
    }
    parts(&folds, k)
}

/// For each of `k` folds, the rows in other folds and the rows in it.
pub(super) fn parts(folds: &[usize], k: usize) -> Vec<Parts> {
    (0..k).map(|fold| (0..folds.len()).partition(|&row| folds[row] != fold)).collect()
}

/// How often folds are made, and of how many rows.
fn check_repeats(options: Options, n_repeats: usize, rows: usize) -> Result<()> {
    options.check(rows)?;
    if n_repeats == 0 {
        return Err(Error::usage("repeated folds need at least one repetition, got none"));
    }
    room::<usize>("a list of the folds", &[n_repeats, options.n_splits, rows])
}

macro_rules! repeated {
    ($(#[$doc:meta])* $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $kind {
            folds: Options,
            n_repeats: usize,
        }

        impl $kind {
            /// That many folds, shuffled anew for each of so many repetitions.
            pub fn new(n_splits: usize, n_repeats: usize) -> $kind {
                $kind { folds: Options { shuffle: true, ..Options::new(n_splits) }, n_repeats }
            }

            /// The seed of all shuffles; without one, NumPy's generator of this process shuffles.
            #[must_use]
            pub fn random_state(self, seed: u32) -> $kind {
                $kind { folds: Options { random_state: Some(seed), ..self.folds }, ..self }
            }

            fn repeated(self, mut folds: impl FnMut(Option<&mut LegacyRandomState>) -> Vec<Parts>) -> Vec<Parts> {
                with_generator(self.folds.random_state, |random| {
                    (0..self.n_repeats).flat_map(|_| folds(Some(random))).collect()
                })
            }
        }
    };
}

repeated! {
    /// [`KFold`], several times with other shuffles.
    RepeatedKFold
}

repeated! {
    /// [`StratifiedKFold`], several times with other shuffles.
    RepeatedStratifiedKFold
}

impl RepeatedKFold {
    /// For each fold of each repetition, the rows to train on and the rows to test on, in ascending order.
    ///
    /// # Errors
    /// Those of [`KFold::split`]; there must be a repetition.
    pub fn split(&self, rows: usize) -> Result<Vec<Parts>> {
        check_repeats(self.folds, self.n_repeats, rows)?;
        Ok(self.repeated(|random| equal(rows, self.folds.n_splits, random)))
    }
}

impl CrossValidator for RepeatedKFold {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        self.split(given.rows)
    }
}

impl RepeatedStratifiedKFold {
    /// `0` says nothing of classes that are smaller than the number of folds.
    #[must_use]
    pub fn verbose(self, verbose: impl Into<Verbose>) -> RepeatedStratifiedKFold {
        let silent = verbose.into() == Verbose::Silent;
        RepeatedStratifiedKFold { folds: Options { silent, ..self.folds }, ..self }
    }

    /// For each fold of each repetition, the rows to train on and the rows to test on, in ascending order.
    ///
    /// # Errors
    /// Those of [`StratifiedKFold::split`]; there must be a repetition.
    pub fn split(&self, labels: impl ToLabels) -> Result<Vec<Parts>> {
        let labels = classes_of("y", labels)?;
        check_repeats(self.folds, self.n_repeats, labels.len())?;
        check_members(&labels, self.folds)?;
        Ok(self.repeated(|random| by_class(&labels, self.folds.n_splits, random)))
    }
}

impl CrossValidator for RepeatedStratifiedKFold {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        self.split(given.labels("RepeatedStratifiedKFold")?)
    }
}

/// As many folds as rows, each with one row to test on: scikit-learn's `LeaveOneOut`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaveOneOut;

impl LeaveOneOut {
    /// For each row, all others to train on and itself to test on.
    ///
    /// # Errors
    /// There must be two rows or more, and memory for the square of their number.
    pub fn split(&self, rows: usize) -> Result<Vec<Parts>> {
        if rows < 2 {
            return Err(Error::data(format!("`LeaveOneOut` needs 2 rows or more, got {rows}")));
        }
        room::<usize>("a list of the folds", &[rows, rows])?;
        Ok(parts(&(0..rows).collect::<Vec<_>>(), rows))
    }
}

impl CrossValidator for LeaveOneOut {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        self.split(given.rows)
    }
}
