//! Each row brought to the length of one.

use cornu_array::Result;

use super::field::{fields, words};
use super::frame::Seen;
use super::matrix::Matrix;
use super::min_max_scaler::some;
use super::{Frame, Transformer, files, learnt, methods, stored};
use crate::stats::sum;

const CLASS: &str = "Normalizer";

words! {
    /// How long a row is.
    pub enum Norm {
        /// The sum of its absolute values.
        L1 = "l1",
        /// The root of the sum of its squares.
        L2 = "l2",
        /// Its greatest absolute value.
        Max = "max",
    }
}

/// Divides each row by its length, as scikit-learn's class of this name does; rows of zeros stay as they are.
///
/// What is missing or infinite is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalizer {
    norm: Norm,
    learnt: Option<Seen>,
}

fields!(Normalizer { norm, learnt });
methods!(Normalizer);
files!(Normalizer);

impl Default for Normalizer {
    fn default() -> Self {
        Normalizer { norm: Norm::L2, learnt: None }
    }
}

impl Normalizer {
    /// Divides by the root of the sum of squares.
    pub fn new() -> Self {
        Normalizer::default()
    }

    /// Divides by another length.
    #[must_use]
    pub fn norm(self, norm: Norm) -> Self {
        Normalizer { norm, ..self }
    }
}

impl Transformer for Normalizer {
    stored!(Normalizer);

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        x.borrowed().into_matrix(CLASS, false)?.learnable(CLASS)?;
        self.learnt = Some(Seen::of(x));
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        // Nothing is learnt of the rows, so that none need be seen before.
        self.learnt.iter().try_for_each(|seen| seen.check(CLASS, &x))?;
        let matrix = x.into_matrix(CLASS, false)?.learnable(CLASS)?;
        let lengths = lengths(&matrix, self.norm);
        matrix.divide_rows(&lengths).into_frame()
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        learnt(CLASS, &self.learnt)?.names_of(input)
    }
}

/// The length of each row, added up in NumPy's order: that depends on how the numbers lie.
fn lengths(matrix: &Matrix<'_>, norm: Norm) -> Vec<f64> {
    let (round, by_rows) = (matrix.rounding(), matrix.is_by_rows());
    let (mut lengths, mut sizes) = (Vec::with_capacity(matrix.rows()), vec![0.0; matrix.width()]);
    matrix.for_rows(|row| {
        sizes.iter_mut().zip(row).for_each(|(size, value)| *size = value.abs());
        let length = match norm {
            Norm::Max => sizes.iter().copied().fold(0.0, f64::max),
            Norm::L1 if by_rows => sum(&sizes),
            Norm::L1 => sizes.iter().fold(0.0, |sum, size| round(sum + size)),
            Norm::L2 if by_rows => squares(&sizes).sqrt(),
            Norm::L2 => round(sizes.iter().fold(0.0, |sum, size| round(sum + round(size * size))).sqrt()),
        };
        lengths.push(some(length, matrix.epsilon()));
    });
    lengths
}

/// The sum of squares in the order of NumPy's `einsum`: two running sums, eight numbers at a time from the last pair on.
fn squares(sizes: &[f64]) -> f64 {
    let mut sums = [0.0; 2];
    let mut add = |pair: &[f64]| sums.iter_mut().zip(pair).for_each(|(sum, size)| *sum += size * size);
    let chunks = sizes.chunks_exact(8);
    let rest = chunks.remainder();
    chunks.for_each(|chunk| chunk.rchunks_exact(2).for_each(&mut add));
    rest.chunks(2).for_each(add);
    sums[0] + sums[1]
}
