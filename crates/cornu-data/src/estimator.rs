//! What learns from prepared rows: the last step of a pipeline, and what cross-validation judges.

use std::path::Path;

use cornu_array::{Array, Result};

/// Something that learns from rows with labels and predicts for other rows. `cornu`'s `Model` is one.
pub trait Estimator {
    /// How to learn: for a model, the arguments of its `fit`.
    type Fit: Default;

    /// Learns from the rows of `x`, `[rows, …]`, and their labels, `[rows]` or `[rows, …]`.
    ///
    /// # Errors
    /// What it cannot learn from.
    fn fit(&mut self, x: &Array, y: &Array, fit: Self::Fit) -> Result<()>;

    /// What it predicts for each row of `x`: `[rows, …]`.
    ///
    /// # Errors
    /// Rows that are not like those it learned from.
    fn predict(&mut self, x: &Array) -> Result<Array>;
}

/// An estimator that is kept in a file.
pub trait Stored: Estimator + Sized {
    /// What the names of its files end in, without the point: `keras`.
    const EXTENSION: &'static str;

    /// Writes all it has learned to a file.
    ///
    /// # Errors
    /// A place that cannot be written.
    fn save(&self, place: &Path) -> Result<()>;

    /// Reads what [`Stored::save`] wrote.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    fn load(place: &Path) -> Result<Self>;
}
