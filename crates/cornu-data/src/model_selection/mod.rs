//! Splitting data into parts to train on and parts to test on, as scikit-learn's `model_selection` does: the same
//! `random_state` gives the same rows in the same order.
//!
//! ```
//! use cornu_data::model_selection::{Split, train_test_split};
//!
//! let x: Vec<f32> = (0..10).map(|i| i as f32).collect();
//! let y: Vec<i64> = (0..10).collect();
//! let (x_train, x_test, y_train, y_test) = train_test_split(&x, &y, &Split::test_size(0.2).random_state(42))?;
//! assert_eq!((x_test, y_test), (vec![8.0, 1.0], vec![8, 1]));
//! assert_eq!((x_train.len(), y_train.len()), (8, 8));
//! # Ok::<(), cornu_array::Error>(())
//! ```

mod cross_validator;
mod folds;
mod grid;
mod groups;
mod rows;
mod scoring;
mod series;
mod shuffle;
mod sizes;
mod split;
mod validation;

pub use cross_validator::{CrossValidator, Given};
pub use folds::{KFold, LeaveOneOut, RepeatedKFold, RepeatedStratifiedKFold, StratifiedKFold};
pub use grid::{Parameter, ParameterGrid, ParameterSampler, Parameters};
pub use groups::{GroupKFold, StratifiedGroupKFold};
pub use rows::{Rows, Several};
pub use scoring::Scoring;
pub use series::TimeSeriesSplit;
pub use shuffle::{ShuffleSplit, StratifiedShuffleSplit};
pub use sizes::Size;
pub use split::Split;
pub use validation::{CrossValidate, CrossValidated, SplitScores, cross_val_predict, cross_val_score, cross_validate};

use std::borrow::Borrow;

use cornu_array::{Error, Result};

use crate::random::with_generator;

/// Splits two things with as many rows: `(x_train, x_test, y_train, y_test)`, in scikit-learn's order.
///
/// # Errors
/// `x` and `y` must have the same number of rows; for the rest see [`Split::indices`].
#[expect(clippy::type_complexity, reason = "four parts, in the order that everybody knows")]
pub fn train_test_split<X: Rows, Y: Rows>(
    x: X,
    y: Y,
    split: impl Borrow<Split>,
) -> Result<(X::Taken, X::Taken, Y::Taken, Y::Taken)> {
    let (rows, labels) = (x.row_count(), y.row_count());
    if rows != labels {
        return Err(Error::data(format!(
            "`train_test_split` needs as many labels as rows, got {rows} rows and {labels}"
        ))
        .help("take `x` and `y` from the same rows of one table"));
    }
    let order = split.borrow().order(rows)?;
    let (train, test) = (order.train(), order.test());
    Ok((x.take_rows(train), x.take_rows(test), y.take_rows(train), y.take_rows(test)))
}

/// Splits any number of things with as many rows, given as a tuple: a pair of parts for each.
///
/// ```
/// use cornu_data::model_selection::{Split, train_test_splits};
///
/// let (x, y, weights) = (vec![1.0, 2.0, 3.0, 4.0], ["a", "b", "c", "d"], vec![1, 1, 2, 2]);
/// let split = Split::test_size(1).random_state(0);
/// let ((x_train, x_test), (y_train, y_test), (_, w_test)) = train_test_splits((&x, &y, &weights), &split)?;
/// assert_eq!((x_train, y_train), (vec![4.0, 2.0, 1.0], vec!["d", "b", "a"]));
/// assert_eq!((x_test, y_test, w_test), (vec![3.0], vec!["c"], vec![2]));
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// # Errors
/// All must have the same number of rows; for the rest see [`Split::indices`].
#[expect(clippy::needless_pass_by_value, reason = "a tuple of references is made for the call")]
pub fn train_test_splits<T: Several>(things: T, split: impl Borrow<Split>) -> Result<T::Parts> {
    let counts = things.row_counts();
    let rows = counts.first().copied().unwrap_or(0);
    if let Some(place) = counts.iter().position(|&count| count != rows) {
        let got = counts[place];
        return Err(Error::data(format!(
            "`train_test_splits` needs {rows} rows as the first has, got {got} in number {place}"
        ))
        .help("take all from the same rows of one table"));
    }
    let order = split.borrow().order(rows)?;
    Ok(things.take_parts(order.train(), order.test()))
}

/// `1 row`, `3 rows`.
fn count(rows: usize) -> String {
    format!("{rows} row{}", if rows == 1 { "" } else { "s" })
}

/// The rows to train on and the rows to test on.
pub type Parts = (Vec<usize>, Vec<usize>);

#[cfg(test)]
mod tests;
