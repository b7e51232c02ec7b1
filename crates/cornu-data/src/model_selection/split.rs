//! `train_test_split`: one part to train on, one to test on.

use std::fmt;

use cornu_graph::random::LegacyRandomState;
use cornu_graph::room::room;
use cornu_graph::{Code, Error, Result, Verbose, Warning, tell};

use super::{Classes, Parts, count as count_rows, with_generator};

/// How large a part is: a fraction of the rows (`0.2`), or a number of them (`150`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// A fraction, between 0 and 1.
    Fraction(f64),
    /// A number of rows.
    Rows(i64),
}

impl From<f64> for Size {
    fn from(fraction: f64) -> Size {
        Size::Fraction(fraction)
    }
}

impl From<i32> for Size {
    fn from(rows: i32) -> Size {
        Size::Rows(rows.into())
    }
}

impl From<usize> for Size {
    fn from(rows: usize) -> Size {
        Size::Rows(i64::try_from(rows).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Fraction(fraction) => write!(f, "{fraction:?}"),
            Size::Rows(rows) => write!(f, "{rows}"),
        }
    }
}

/// The options of scikit-learn's `train_test_split`.
///
/// Without sizes a quarter of the rows is for testing; without one size it is what the other leaves. A fraction of
/// test rows is rounded up, a fraction of training rows down. Without `random_state`, rows are drawn by NumPy's
/// generator of this process.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    test_size: Option<Size>,
    train_size: Option<Size>,
    random_state: Option<u32>,
    shuffle: bool,
    stratify: Option<Classes>,
    silent: bool,
}

impl Default for Split {
    fn default() -> Split {
        Split { test_size: None, train_size: None, random_state: None, shuffle: true, stratify: None, silent: false }
    }
}

impl Split {
    /// A quarter of the rows for testing.
    pub fn new() -> Split {
        Split::default()
    }

    /// A fraction (`0.2`) or a number (`150`) of rows for testing.
    pub fn test_size(size: impl Into<Size>) -> Split {
        Split { test_size: Some(size.into()), ..Split::default() }
    }

    /// A fraction (`0.8`) or a number (`600`) of rows for training.
    #[must_use]
    pub fn train_size(self, size: impl Into<Size>) -> Split {
        Split { train_size: Some(size.into()), ..self }
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

    /// The label of each row: both parts then have about the same share of each class.
    #[must_use]
    pub fn stratify(self, labels: impl Into<Classes>) -> Split {
        Split { stratify: Some(labels.into()), ..self }
    }

    /// `0` says nothing of classes that are too small for both parts.
    #[must_use]
    pub fn verbose(self, verbose: impl Into<Verbose>) -> Split {
        Split { silent: verbose.into() == Verbose::Silent, ..self }
    }

    /// What a split of `n` rows says on the standard error: a class so small that one of the parts may lack it.
    pub fn warnings(&self, n: usize) -> Vec<Warning> {
        let (Some(classes), Ok((train, test))) = (&self.stratify, self.sizes(n)) else { return Vec::new() };
        let part = train.min(test);
        let least = classes.members().iter().map(Vec::len).min().filter(|&rows| rows * part < n);
        let message = |rows: usize| {
            let class = count_rows(rows);
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
    pub fn indices(&self, n: usize) -> Result<(Vec<usize>, Vec<usize>)> {
        let (train, test) = self.sizes(n)?;
        room::<usize>("an order of the rows", &[2, n])?;
        match (&self.stratify, self.shuffle) {
            (Some(_), false) => Err(Error::usage("a stratified split needs `shuffle(true)`, got `shuffle(false)`")),
            (None, false) => Ok(((0..train).collect(), (train..train + test).collect())),
            (None, true) => {
                let order = with_generator(self.random_state, |random| random.permutation(n));
                Ok((order[test..test + train].to_vec(), order[..test].to_vec()))
            }
            (Some(classes), true) => {
                check_classes(classes, n, train, test)?;
                if !self.silent {
                    self.warnings(n).iter().for_each(tell);
                }
                Ok(with_generator(self.random_state, |random| stratified(classes, train, test, random)))
            }
        }
    }

    /// How many rows to train on and to test on.
    fn sizes(&self, n: usize) -> Result<(usize, usize)> {
        check_size("test_size", self.test_size, n)?;
        check_size("train_size", self.train_size, n)?;
        if let (Some(Size::Fraction(test)), Some(Size::Fraction(train))) = (self.test_size, self.train_size)
            && test + train > 1.0
        {
            return Err(Error::usage(format!(
                "`test_size` and `train_size` must not exceed 1 together, got {test} + {train}"
            )));
        }
        let count = |size, round: fn(f64) -> f64| match size {
            Size::Fraction(fraction) => round(fraction * n as f64) as usize,
            Size::Rows(rows) => rows as usize,
        };
        let (train, test) = match (self.train_size, self.test_size) {
            (None, test) => {
                let test = count(test.unwrap_or(Size::Fraction(0.25)), f64::ceil);
                (n.saturating_sub(test), test)
            }
            (Some(train), None) => {
                let train = count(train, f64::floor);
                (train, n - train)
            }
            (Some(train), Some(test)) => (count(train, f64::floor), count(test, f64::ceil)),
        };
        if train + test > n {
            return Err(Error::usage(format!(
                "a split of {n} rows cannot have {train} for training and {test} for testing"
            ))
            .help("reduce `test_size` or `train_size`"));
        }
        if train == 0 {
            return Err(Error::usage(format!("a split of {n} rows with {test} for testing leaves none for training"))
                .help("give it more rows, or a smaller `test_size`"));
        }
        Ok((train, test))
    }
}

fn check_size(name: &str, size: Option<Size>, n: usize) -> Result<()> {
    let fits = match size {
        None => true,
        Some(Size::Fraction(fraction)) => fraction > 0.0 && fraction < 1.0,
        Some(Size::Rows(rows)) => usize::try_from(rows).is_ok_and(|rows| rows > 0 && rows < n),
    };
    match size {
        Some(size) if !fits => Err(Error::usage(format!(
            "`{name}` must be a fraction between 0 and 1, or a number of rows from 1 to less than all {n}, got {size}"
        ))
        .help(format!("for a fifth of the rows write `{name}(0.2)`"))),
        _ => Ok(()),
    }
}

fn check_classes(classes: &Classes, n: usize, train: usize, test: usize) -> Result<()> {
    if classes.codes().len() != n {
        let labels = classes.codes().len();
        return Err(Error::data(format!("a stratified split needs a label for each of {n} rows, got {labels}")));
    }
    if classes.members().iter().any(|rows| rows.len() < 2) {
        return Err(Error::data("a stratified split needs 2 rows or more of each class, got a class with one row")
            .help("drop that class, or do not stratify"));
    }
    for (part, size) in [("training", train), ("testing", test)] {
        if size < classes.count() {
            let count = classes.count();
            let got = count_rows(size);
            return Err(Error::usage(format!(
                "a stratified split of {count} classes needs a row of each, got {got} for {part}"
            ))
            .help(format!("make the part for {part} {count} rows or more")));
        }
    }
    Ok(())
}

fn stratified(classes: &Classes, train: usize, test: usize, random: &mut LegacyRandomState) -> Parts {
    let members = classes.members();
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
