//! How many rows the parts of a split have.

use std::fmt;

use cornu_array::{Error, Result};

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

/// How large both parts are asked to be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sizes {
    pub(super) test: Option<Size>,
    pub(super) train: Option<Size>,
}

impl Sizes {
    /// How many rows to train on and to test on.
    /// Without sizes, a share of `default` is for testing.
    pub(super) fn of(self, n: usize, default: f64) -> Result<(usize, usize)> {
        check_size("test_size", self.test, n)?;
        check_size("train_size", self.train, n)?;
        if let (Some(Size::Fraction(test)), Some(Size::Fraction(train))) = (self.test, self.train)
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
        let (train, test) = match (self.train, self.test) {
            (None, test) => {
                let test = count(test.unwrap_or(Size::Fraction(default)), f64::ceil);
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
