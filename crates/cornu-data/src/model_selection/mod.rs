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
//! # Ok::<(), cornu_graph::Error>(())
//! ```

mod classes;
mod folds;
mod rows;
mod split;

pub use classes::{Classes, Label};
pub use folds::{KFold, StratifiedKFold};
pub use rows::Rows;
pub use split::{Size, Split};

use std::borrow::Borrow;

use cornu_graph::{Error, Result};

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
    let (train, test) = split.borrow().indices(rows)?;
    Ok((x.take_rows(&train), x.take_rows(&test), y.take_rows(&train), y.take_rows(&test)))
}

/// `1 row`, `3 rows`.
fn count(rows: usize) -> String {
    format!("{rows} row{}", if rows == 1 { "" } else { "s" })
}

/// The rows to train on and the rows to test on.
type Parts = (Vec<usize>, Vec<usize>);

#[cfg(test)]
mod tests;
