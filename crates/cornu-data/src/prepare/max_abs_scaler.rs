//! Each column divided by its greatest absolute value.

use cornu_array::{Error, Result};

use super::field::fields;
use super::frame::Seen;
use super::min_max_scaler::{clamp, some};
use super::{Frame, Linear, Transformer, files, learnt, methods, stored};

const CLASS: &str = "MaxAbsScaler";

/// Divides each column by its greatest absolute value, as scikit-learn's class of this name does: zero stays zero.
///
/// NaN stays NaN and is left out of account; infinite numbers are refused. A column of zeros stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MaxAbsScaler {
    clip: bool,
    learnt: Option<Learnt>,
}

/// `x / scale`
#[derive(Clone, Debug, PartialEq)]
struct Learnt {
    seen: Seen,
    max_abs: Vec<f64>,
    scale: Vec<f64>,
}

fields!(Learnt { seen, max_abs, scale } check |learnt| learnt.seen.each(&[&learnt.max_abs, &learnt.scale]));
fields!(MaxAbsScaler { clip, learnt });
methods!(MaxAbsScaler inverse);
files!(MaxAbsScaler);

impl MaxAbsScaler {
    /// A scaler that has learnt nothing yet.
    pub fn new() -> Self {
        MaxAbsScaler::default()
    }

    /// Whether values beyond those of the fit become -1 and 1.
    #[must_use]
    pub fn clip(self, clip: bool) -> Self {
        MaxAbsScaler { clip, ..self }
    }

    /// The greatest absolute value of each column, once learnt.
    pub fn max_abs(&self) -> Option<Vec<f64>> {
        self.learnt.as_ref().map(|learnt| learnt.max_abs.clone())
    }

    /// What each column is divided by, once learnt.
    pub fn scale(&self) -> Option<Vec<f64>> {
        self.learnt.as_ref().map(|learnt| learnt.scale.clone())
    }
}

impl Transformer for MaxAbsScaler {
    stored!(MaxAbsScaler);

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        let matrix = x.borrowed().into_numbers()?.learnable(CLASS)?;
        let (least, most) = matrix.extremes(CLASS)?;
        let max_abs: Vec<f64> = least.iter().zip(&most).map(|(least, most)| least.abs().max(most.abs())).collect();
        let scale = max_abs.iter().map(|&span| some(span, matrix.epsilon())).collect();
        self.learnt = Some(Learnt { seen: Seen::of(x), max_abs, scale });
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        learnt.seen.check(CLASS, &x)?;
        let (matrix, clip) = (x.into_numbers()?, self.clip);
        let end = |x: f64, _| if clip { clamp(x, -1.0, 1.0) } else { x };
        matrix.map(CLASS, (&learnt.scale, |x, scale| x / scale), (&learnt.scale, end))?.into_frame()
    }

    fn undo(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        learnt.seen.check_width(CLASS, &x)?;
        let matrix = x.into_numbers()?;
        matrix.map(CLASS, (&learnt.scale, |x, scale| x * scale), (&learnt.scale, |x, _| x))?.into_frame()
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        learnt(CLASS, &self.learnt)?.seen.names_of(input)
    }
}

impl Linear for MaxAbsScaler {
    fn scale_and_offset(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let learnt = learnt(CLASS, &self.learnt)?;
        if self.clip {
            return Err(Error::usage("a `MaxAbsScaler` that clips is no change of scale").help("leave `clip` out"));
        }
        Ok((learnt.scale.iter().map(|scale| 1.0 / scale).collect(), vec![0.0; learnt.scale.len()]))
    }
}
