//! Ones above a threshold, zeros elsewhere.

use cornu_array::{Error, Result};

use super::field::fields;
use super::frame::Seen;
use super::{Frame, Transformer, files, learnt, methods, stored};
use crate::{Column, Table, Values};

const CLASS: &str = "Binarizer";

/// One where a value is above the threshold, else zero, as scikit-learn's class of this name does.
///
/// Tables of whole numbers, or of true and false, stay such. What is missing or infinite is refused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Binarizer {
    threshold: f64,
    learnt: Option<Seen>,
}

fields!(Binarizer { threshold, learnt });
methods!(Binarizer);
files!(Binarizer);

impl Binarizer {
    /// Ones for what is above zero.
    pub fn new() -> Self {
        Binarizer::default()
    }

    /// Ones for what is above `threshold` instead.
    #[must_use]
    pub fn threshold(self, threshold: f64) -> Self {
        Binarizer { threshold, ..self }
    }
}

impl Transformer for Binarizer {
    stored!(Binarizer);

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        if !self.threshold.is_finite() {
            return Err(Error::usage(format!("`threshold` needs a finite number, got {}", self.threshold)));
        }
        x.borrowed().into_matrix(CLASS, false)?.learnable(CLASS)?;
        self.learnt = Some(Seen::of(x));
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        self.learnt.iter().try_for_each(|seen| seen.check(CLASS, &x))?;
        let threshold = self.threshold;
        let kinds = |test: fn(&Values) -> bool| match &x {
            Frame::Table(table) => table.columns().iter().all(|column| test(column.values())),
            Frame::Rows(_) => false,
        };
        let (whole, truth) =
            (kinds(|values| matches!(values, Values::Int(_))), kinds(|values| matches!(values, Values::Bool(_))));
        let matrix = x.into_matrix(CLASS, false)?.learnable(CLASS)?;
        let zeros = vec![0.0; matrix.width()];
        let ones = |x: f64, _| if x > threshold { 1.0 } else { 0.0 };
        let frame = matrix.map(CLASS, (&zeros, ones), (&zeros, |x, _| x))?.into_frame()?;
        let Frame::Table(table) = frame else { return Ok(frame) };
        let of_kind = |column: &Column| match column.values() {
            Values::Float(values) if whole => column.with_values(values.iter().map(|&x| x as i64).collect::<Vec<_>>()),
            Values::Float(values) if truth => column.with_values(values.iter().map(|&x| x != 0.0).collect::<Vec<_>>()),
            _ => column.clone(),
        };
        let columns = table.columns().iter().map(of_kind).collect();
        Ok(Table::from_columns(columns)?.with_index(table.index().clone()).into())
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        learnt(CLASS, &self.learnt)?.names_of(input)
    }
}
