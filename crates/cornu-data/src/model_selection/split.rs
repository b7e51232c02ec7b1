//! `train_test_split`: one part to train on, one to test on.

use std::ops::Range;

use cornu_array::room::room;
use cornu_array::{Code, Error, Result, Verbose, Warning, tell};

use super::shuffle::{members, present, stratified};
use super::sizes::{Size, Sizes};
use super::{Parts, count, with_generator};
use crate::{Labels, ToLabels};

/// The share of rows for testing where no size is given.
const FOR_TESTING: f64 = 0.25;

/// The options of scikit-learn's `train_test_split`.
///
/// Without sizes a quarter of the rows is for testing; without one size it is what the other leaves. A fraction of
/// test rows is rounded up, a fraction of training rows down. Without `random_state`, rows are drawn by NumPy's
/// generator of this process.
#[derive(Clone, Debug)]
pub struct Split {
    sizes: Sizes,
    random_state: Option<u32>,
    shuffle: bool,
    stratify: Option<Result<Labels>>,
    silent: bool,
}

impl Default for Split {
    fn default() -> Split {
        Split { sizes: Sizes::default(), random_state: None, shuffle: true, stratify: None, silent: false }
    }
}

impl Split {
    /// A quarter of the rows for testing.
    pub fn new() -> Split {
        Split::default()
    }

    /// A fraction (`0.2`) or a number (`150`) of rows for testing.
    pub fn test_size(size: impl Into<Size>) -> Split {
        Split { sizes: Sizes { test: Some(size.into()), train: None }, ..Split::default() }
    }

    /// A fraction (`0.8`) or a number (`600`) of rows for training.
    #[must_use]
    pub fn train_size(self, size: impl Into<Size>) -> Split {
        Split { sizes: Sizes { train: Some(size.into()), ..self.sizes }, ..self }
    }

    /// The seed of the order. The same seed gives the same split.
    #[must_use]
    pub fn random_state(self, seed: u32) -> Split {
        Split { random_state: Some(seed), ..self }
    }

    /// Whether rows are drawn at random; else the first ones are for training and the next ones for testing.
    #[must_use]
    pub fn shuffle(self, shuffle: bool) -> Split {
        Split { shuffle, ..self }
    }

    /// The label of each row, of any kind: both parts then have about the same share of each class.
    #[must_use]
    pub fn stratify(self, labels: impl ToLabels) -> Split {
        Split { stratify: Some(present("stratify", labels)), ..self }
    }

    /// `0` says nothing of classes that are too small for both parts.
    #[must_use]
    pub fn verbose(self, verbose: impl Into<Verbose>) -> Split {
        Split { silent: verbose.into() == Verbose::Silent, ..self }
    }

    /// What a split of `n` rows says on the standard error: a class so small that one of the parts may lack it.
    pub fn warnings(&self, n: usize) -> Vec<Warning> {
        let (Some(Ok(labels)), Ok((train, test))) = (&self.stratify, self.sizes.of(n, FOR_TESTING)) else {
            return Vec::new();
        };
        let part = train.min(test);
        let least = members(labels).iter().map(Vec::len).min().filter(|&rows| rows * part < n);
        let message = |rows: usize| {
            let class = count(rows);
            format!(
                "the smallest class has {class}, so that a part of {part} of {n} rows may lack it; make that part larger"
            )
        };
        least.map(|rows| Warning::new(Code::SmallClass, message(rows))).into_iter().collect()
    }

    /// The rows to train on and the rows to test on, of `n`.
    ///
    /// # Errors
    /// Fractions must be between 0 and 1, numbers between 1 and `n - 1`, and together they must fit; both parts must
    /// have a row. Stratifying needs shuffling, a label for each row, 2 rows of each class or more, and parts with a
    /// row for each class.
    pub fn indices(&self, n: usize) -> Result<Parts> {
        self.order(n).map(|order| (order.train().to_vec(), order.test().to_vec()))
    }

    /// The same in one row.
    pub(super) fn order(&self, n: usize) -> Result<Order> {
        let (train, test) = self.sizes.of(n, FOR_TESTING)?;
        room::<usize>("an order of the rows", &[2, n])?;
        match (&self.stratify, self.shuffle) {
            (Some(_), false) => Err(Error::usage("a stratified split needs `shuffle(true)`, got `shuffle(false)`")),
            (None, false) => {
                Ok(Order { rows: (0..train + test).collect(), train: 0..train, test: train..train + test })
            }
            (None, true) => {
                let rows = with_generator(self.random_state, |random| random.permutation(n));
                Ok(Order { rows, train: test..test + train, test: 0..test })
            }
            (Some(labels), true) => {
                let labels = labels.as_ref().map_err(Clone::clone)?;
                if !self.silent {
                    self.warnings(n).iter().for_each(tell);
                }
                let draw = |random: &mut _| stratified(labels, n, (train, test), 1, random);
                let rows = with_generator(self.random_state, draw)?.into_iter().flat_map(|(a, b)| [a, b].concat());
                Ok(Order { rows: rows.collect(), train: 0..train, test: train..train + test })
            }
        }
    }
}

/// Rows in order, of which some are for training and some for testing.
pub(super) struct Order {
    rows: Vec<usize>,
    train: Range<usize>,
    test: Range<usize>,
}

impl Order {
    pub(super) fn train(&self) -> &[usize] {
        &self.rows[self.train.clone()]
    }

    pub(super) fn test(&self) -> &[usize] {
        &self.rows[self.test.clone()]
    }
}
