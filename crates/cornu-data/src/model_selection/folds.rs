//! Cross-validation: each row is in the test part of one fold.

use cornu_graph::room::room;
use cornu_graph::{Code, Error, Result, Verbose, Warning, tell};

use super::{Classes, Parts, count, with_generator};

/// The options that the kinds of folds share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Options {
    n_splits: usize,
    shuffle: bool,
    random_state: Option<u32>,
    silent: bool,
}

impl Options {
    fn check(self, rows: usize) -> Result<()> {
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
}

macro_rules! options {
    ($kind:ident) => {
        impl $kind {
            /// That many folds, without shuffling.
            pub fn new(n_splits: usize) -> $kind {
                $kind(Options { n_splits, shuffle: false, random_state: None, silent: false })
            }

            /// Whether rows are shuffled first.
            #[must_use]
            pub fn shuffle(self, shuffle: bool) -> $kind {
                $kind(Options { shuffle, ..self.0 })
            }

            /// The seed of the shuffle; without one, NumPy's generator of this process shuffles.
            #[must_use]
            pub fn random_state(self, seed: u32) -> $kind {
                $kind(Options { random_state: Some(seed), ..self.0 })
            }
        }
    };
}

/// Folds of equal size: scikit-learn's `KFold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KFold(Options);
options!(KFold);

impl KFold {
    /// For each fold, the rows to train on and the rows to test on, in ascending order.
    ///
    /// # Errors
    /// There must be 2 folds or more, not more folds than rows, and memory for them; a `random_state` needs shuffling.
    pub fn split(&self, rows: usize) -> Result<Vec<(Vec<usize>, Vec<usize>)>> {
        self.0.check(rows)?;
        let k = self.0.n_splits;
        let order = match self.0.shuffle {
            true => with_generator(self.0.random_state, |random| random.permutation(rows)),
            false => (0..rows).collect(),
        };
        let mut folds = vec![0; rows];
        let mut rest = order.iter();
        for fold in 0..k {
            let size = rows / k + usize::from(fold < rows % k);
            rest.by_ref().take(size).for_each(|&row| folds[row] = fold);
        }
        Ok(parts(&folds, k))
    }
}

/// Folds with about the same share of each class: scikit-learn's `StratifiedKFold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StratifiedKFold(Options);
options!(StratifiedKFold);

impl StratifiedKFold {
    /// `0` says nothing of classes that are smaller than the number of folds.
    #[must_use]
    pub fn verbose(self, verbose: impl Into<Verbose>) -> StratifiedKFold {
        StratifiedKFold(Options { silent: verbose.into() == Verbose::Silent, ..self.0 })
    }

    /// What [`StratifiedKFold::split`] says on the standard error: a class with fewer rows than there are folds.
    pub fn warnings(&self, labels: impl Into<Classes>) -> Vec<Warning> {
        let (members, k) = (labels.into().members(), self.0.n_splits);
        let least = members.iter().map(Vec::len).min().filter(|&rows| rows < k);
        let message = |rows: usize| {
            format!(
                "the smallest class has {} for {k} folds, so that some have none of it; use fewer folds",
                count(rows)
            )
        };
        least.map(|rows| Warning::new(Code::SmallClass, message(rows))).into_iter().collect()
    }

    /// For each fold, the rows to train on and the rows to test on, in ascending order; `labels` has one label a row.
    ///
    /// # Errors
    /// Those of [`KFold::split`]; and some class must have as many rows as there are folds.
    pub fn split(&self, labels: impl Into<Classes>) -> Result<Vec<(Vec<usize>, Vec<usize>)>> {
        let classes = labels.into();
        let rows = classes.codes().len();
        self.0.check(rows)?;
        let k = self.0.n_splits;
        // Classes are numbered by their first row.
        let mut members = classes.members();
        members.sort_by_key(|rows| rows[0]);
        let largest = members.iter().map(Vec::len).max().unwrap_or(0);
        if largest < k {
            let error = format!("{k} stratified folds need a class with {k} rows, got {largest} at most");
            return Err(Error::data(error).help(match largest {
                0 | 1 => "no two rows are of one class: use `KFold`".into(),
                largest => format!("use {largest} folds or fewer"),
            }));
        }
        if !self.0.silent {
            self.warnings(&classes).iter().for_each(tell);
        }
        let mut folds = vec![0; rows];
        let mut assign = |shuffle: &mut dyn FnMut(&mut [usize])| {
            // With rows sorted by class, position p goes to fold p mod k.
            let mut position = 0;
            for rows in &members {
                let mut class_folds: Vec<usize> = (position..position + rows.len()).map(|p| p % k).collect();
                class_folds.sort_unstable();
                shuffle(&mut class_folds);
                rows.iter().zip(class_folds).for_each(|(&row, fold)| folds[row] = fold);
                position += rows.len();
            }
        };
        match self.0.shuffle {
            true => with_generator(self.0.random_state, |random| assign(&mut |folds| random.shuffle(folds))),
            false => assign(&mut |_| ()),
        }
        Ok(parts(&folds, k))
    }
}

/// For each of `k` folds, the rows in other folds and the rows in it.
fn parts(folds: &[usize], k: usize) -> Vec<Parts> {
    (0..k).map(|fold| (0..folds.len()).partition(|&row| folds[row] != fold)).collect()
}
