//! A learning rate in steps.

use cornu_graph::{Error, Result, Tensor};

use super::Schedule;

crate::config! {
    /// The first rate up to and with the first boundary, then the next.
    "keras.optimizers.schedules" pub struct PiecewiseConstantDecay {
        /// After how many steps the rate changes.
        boundaries: Vec<i64>,
        /// The rates, one more than there are boundaries.
        values: Vec<f64>,
        /// The name in files.
        name: String = "PiecewiseConstant".into(),
    }
}

impl Schedule for PiecewiseConstantDecay {
    fn check_settings(&self) -> Result<()> {
        let (boundaries, values) = (self.boundaries.len(), self.values.len());
        if values != boundaries + 1 {
            let needed = format!("`PiecewiseConstantDecay` needs one value more than boundaries, {}", boundaries + 1);
            return Err(Error::usage(format!("{needed}, got {values}")));
        }
        Ok(())
    }

    fn at(&self, step: &Tensor) -> Tensor {
        let rest = self.boundaries.iter().zip(&self.values).rev();
        let last = step.number(self.values.last().copied().unwrap_or_default());
        rest.fold(last, |after, (boundary, value)| step.le(*boundary as f64).select(step.number(*value), after))
    }
}
