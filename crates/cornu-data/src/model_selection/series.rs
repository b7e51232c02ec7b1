//! Splits of what is in the order of time: scikit-learn's `TimeSeriesSplit`.

use cornu_array::room::room;
use cornu_array::{Error, Result};

use super::Parts;
use super::cross_validator::{CrossValidator, Given};

/// Splits that test on rows which come after those that are trained on.
///
/// ```
/// use cornu_data::model_selection::TimeSeriesSplit;
///
/// let splits = TimeSeriesSplit::new(2).split(6)?;
/// assert_eq!(splits, [(vec![0, 1], vec![2, 3]), (vec![0, 1, 2, 3], vec![4, 5])]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSeriesSplit {
    n_splits: usize,
    max_train_size: Option<usize>,
    test_size: Option<usize>,
    gap: usize,
}

impl TimeSeriesSplit {
    /// That many splits.
    pub fn new(n_splits: usize) -> TimeSeriesSplit {
        TimeSeriesSplit { n_splits, max_train_size: None, test_size: None, gap: 0 }
    }

    /// Trains on the last rows alone, at most so many.
    #[must_use]
    pub fn max_train_size(self, rows: usize) -> TimeSeriesSplit {
        TimeSeriesSplit { max_train_size: Some(rows), ..self }
    }

    /// Tests on so many rows; without it, on as many as make all parts equal.
    #[must_use]
    pub fn test_size(self, rows: usize) -> TimeSeriesSplit {
        TimeSeriesSplit { test_size: Some(rows), ..self }
    }

    /// Leaves out so many rows between training and testing.
    #[must_use]
    pub fn gap(self, rows: usize) -> TimeSeriesSplit {
        TimeSeriesSplit { gap: rows, ..self }
    }

    /// For each split, the rows to train on and the rows to test on, in ascending order.
    ///
    /// # Errors
    /// There must be 2 splits or more, a row to test on for each, and some before them to train on.
    pub fn split(&self, rows: usize) -> Result<Vec<Parts>> {
        let (k, gap) = (self.n_splits, self.gap);
        if k < 2 {
            return Err(Error::usage(format!("`TimeSeriesSplit` needs 2 splits or more, got {k}")));
        }
        if k >= rows {
            return Err(Error::usage(format!("`TimeSeriesSplit` cannot make {k} splits of {rows} rows")));
        }
        let test = self.test_size.unwrap_or(rows / (k + 1));
        let tested = test.saturating_mul(k);
        if test == 0 || tested.saturating_add(gap) >= rows {
            return Err(Error::usage(format!(
                "`TimeSeriesSplit` cannot make {k} splits with {test} rows for testing and a gap of {gap} of {rows} rows"
            ))
            .help("use fewer splits, a smaller `test_size`, or a smaller `gap`"));
        }
        room::<usize>("a list of the splits", &[k, rows])?;
        let split = |start: usize| {
            let end = start - gap;
            let first = self.max_train_size.filter(|&most| most > 0).map_or(0, |most| end.saturating_sub(most));
            ((first..end).collect(), (start..start + test).collect())
        };
        Ok((0..k).map(|i| split(rows - tested + i * test)).collect())
    }
}

impl CrossValidator for TimeSeriesSplit {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        self.split(given.rows)
    }
}
