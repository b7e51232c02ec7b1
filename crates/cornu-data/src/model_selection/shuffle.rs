//! Splits at random, again and again: scikit-learn's `ShuffleSplit` and `StratifiedShuffleSplit`.

use cornu_array::random::LegacyRandomState;
use cornu_array::room::room;
use cornu_array::{Context, Error, Result};

use super::cross_validator::{CrossValidator, Given};
use super::sizes::{Size, Sizes};
use super::{Parts, count as count_rows, with_generator};
use crate::{Labels, ToLabels};

/// The share of rows for testing where no size is given.
const FOR_TESTING: f64 = 0.1;

macro_rules! shuffled {
    ($(#[$doc:meta])* $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $kind {
            n_splits: usize,
            sizes: Sizes,
            random_state: Option<u32>,
        }

        impl $kind {
            /// That many splits, with a tenth of the rows for testing.
            pub fn new(n_splits: usize) -> $kind {
                $kind { n_splits, sizes: Sizes::default(), random_state: None }
            }

            /// A fraction (`0.2`) or a number (`150`) of rows for testing.
            #[must_use]
            pub fn test_size(self, size: impl Into<Size>) -> $kind {
                $kind { sizes: Sizes { test: Some(size.into()), ..self.sizes }, ..self }
            }

            /// A fraction (`0.8`) or a number (`600`) of rows for training; without it, what testing leaves.
            #[must_use]
            pub fn train_size(self, size: impl Into<Size>) -> $kind {
                $kind { sizes: Sizes { train: Some(size.into()), ..self.sizes }, ..self }
            }

            /// The seed of all splits; without one, NumPy's generator of this process draws.
            #[must_use]
            pub fn random_state(self, seed: u32) -> $kind {
                $kind { random_state: Some(seed), ..self }
            }

            /// How many rows to train on and to test on.
            fn parts(self, rows: usize) -> Result<(usize, usize)> {
                if self.n_splits == 0 {
                    return Err(Error::usage(concat!("`", stringify!($kind), "` needs at least one split, got none")));
                }
                let (train, test) = self.sizes.of(rows, FOR_TESTING)?;
                room::<usize>("a list of the splits", &[self.n_splits, train + test])?;
                Ok((train, test))
            }
        }
    };
}

shuffled! {
    /// Rows drawn at random, anew for each split.
    ShuffleSplit
}

impl ShuffleSplit {
    /// For each split, the rows to train on and the rows to test on, in random order.
    ///
    /// # Errors
    /// Those of [`Split::indices`](super::Split::indices).
    pub fn split(&self, rows: usize) -> Result<Vec<Parts>> {
        let (train, test) = self.parts(rows)?;
        let draw = |random: &mut LegacyRandomState| {
            let order = random.permutation(rows);
            (order[test..test + train].to_vec(), order[..test].to_vec())
        };
        Ok(with_generator(self.random_state, |random| (0..self.n_splits).map(|_| draw(random)).collect()))
    }
}

impl CrossValidator for ShuffleSplit {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        self.split(given.rows)
    }
}

shuffled! {
    /// Rows drawn at random, with about the same share of each class in both parts.
    StratifiedShuffleSplit
}

impl StratifiedShuffleSplit {
    /// For each split, the rows to train on and the rows to test on, in random order; `labels` has one label a row.
    ///
    /// # Errors
    /// Those of [`Split::indices`](super::Split::indices) with [`Split::stratify`](super::Split::stratify).
    pub fn split(&self, labels: impl ToLabels) -> Result<Vec<Parts>> {
        let labels = present("y", labels)?;
        let sizes = self.parts(labels.len())?;
        with_generator(self.random_state, |random| stratified(&labels, labels.len(), sizes, self.n_splits, random))
    }
}

impl CrossValidator for StratifiedShuffleSplit {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        self.split(given.labels("StratifiedShuffleSplit")?)
    }
}

/// Labels of which none is missing.
pub(super) fn present(name: &str, labels: impl ToLabels) -> Result<Labels> {
    let labels = labels.to_labels().context(format!("`{name}`"))?;
    let missing = |&code: &usize| labels.class(code).is_missing();
    match labels.codes().iter().position(missing).filter(|_| labels.has_missing()) {
        Some(row) => Err(Error::data(format!("`{name}` needs a label in each row, got none in row {row}"))
            .help("leave rows without a label out, or fill them")),
        None => Ok(labels),
    }
}

/// The rows of each class, in ascending order.
pub(super) fn members(labels: &Labels) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); labels.count()];
    labels.codes().iter().enumerate().for_each(|(row, &class)| members[class].push(row));
    members
}

fn check_classes(members: &[Vec<usize>], rows: usize, (train, test): (usize, usize)) -> Result<()> {
    let labels = members.iter().map(Vec::len).sum::<usize>();
    if labels != rows {
        return Err(Error::data(format!("a stratified split needs a label for each of {rows} rows, got {labels}")));
    }
    if members.iter().any(|rows| rows.len() < 2) {
        return Err(Error::data("a stratified split needs 2 rows or more of each class, got a class with one row")
            .help("drop that class, or do not stratify"));
    }
    for (part, size) in [("training", train), ("testing", test)] {
        if size < members.len() {
            let (classes, got) = (members.len(), count_rows(size));
            return Err(Error::usage(format!(
                "a stratified split of {classes} classes needs a row of each, got {got} for {part}"
            ))
            .help(format!("make the part for {part} {classes} rows or more")));
        }
    }
    Ok(())
}

/// That many splits into parts of these sizes.
pub(super) fn stratified(
    labels: &Labels,
    rows: usize,
    sizes: (usize, usize),
    n_splits: usize,
    random: &mut LegacyRandomState,
) -> Result<Vec<Parts>> {
    let members = members(labels);
    check_classes(&members, rows, sizes)?;
    Ok((0..n_splits).map(|_| one_stratified(&members, sizes, random)).collect())
}

fn one_stratified(members: &[Vec<usize>], (train, test): (usize, usize), random: &mut LegacyRandomState) -> Parts {
    let mut counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let for_train = shares(&counts, train, random);
    counts.iter_mut().zip(&for_train).for_each(|(count, taken)| *count -= taken);
    let for_test = shares(&counts, test, random);
    let (mut train, mut test) = (Vec::with_capacity(train), Vec::with_capacity(test));
    for (rows, (first, second)) in members.iter().zip(for_train.into_iter().zip(for_test)) {
        let mut order = random.permutation(rows.len()).into_iter().map(|position| rows[position]);
        train.extend(order.by_ref().take(first));
        test.extend(order.take(second));
    }
    random.shuffle(&mut train);
    random.shuffle(&mut test);
    (train, test)
}

/// Divides `draws` among classes in proportion to `counts`: the mode of the multivariate hypergeometric distribution,
/// about. Rows left over by rounding down go to the largest remainders, ties by lot.
fn shares(counts: &[usize], draws: usize, random: &mut LegacyRandomState) -> Vec<usize> {
    let total = counts.iter().sum::<usize>() as f64;
    let exact: Vec<f64> = counts.iter().map(|&count| count as f64 / total * draws as f64).collect();
    let mut shares: Vec<usize> = exact.iter().map(|share| share.floor() as usize).collect();
    let mut missing = draws.saturating_sub(shares.iter().sum());
    let remainders: Vec<f64> = exact.iter().map(|share| share - share.floor()).collect();
    let mut distinct = remainders.clone();
    distinct.sort_by(|a, b| b.total_cmp(a));
    distinct.dedup();
    for remainder in distinct {
        if missing == 0 {
            break;
        }
        let tied: Vec<usize> = (0..counts.len()).filter(|&class| remainders[class] == remainder).collect();
        let added = missing.min(tied.len());
        random.permutation(tied.len()).into_iter().take(added).for_each(|winner| shares[tied[winner]] += 1);
        missing -= added;
    }
    shares
}
