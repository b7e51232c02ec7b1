//! Ends a training whose loss is no number.

use cornu_graph::numbers::repr;
use cornu_graph::{Error, Result};

use crate::train::{Again, Callback, Code, Control};

crate::config! {
    /// Ends the training after the first batch with a running loss that is infinite or not a number, and names the first
    /// layer whose weights or output are no numbers any more.
    "keras.callbacks" pub callback TerminateOnNaN(Kept) {
        /// Whether that is an error.
        raise_error: bool = false,
    }
}

/// What it has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// What is not finite: ``the weight `dense/kernel` ``.
    pub found: Option<String>,
}

impl Callback for TerminateOnNaN {
    fn again(&self) -> Option<Again> {
        Some(Again::copies(self))
    }

    fn on_train_batch_end(&mut self, batch: usize, control: &mut Control) -> Result<()> {
        let Some(loss) = control.logs()?.get("loss").filter(|loss| !loss.is_finite()) else { return Ok(()) };
        let found = control.at().map(|at| {
            let (data, rows, _) = at.feeding.rows();
            control.model.stage().steps()?.not_finite(data, rows)
        });
        self.kept.found = found.transpose()?.flatten();
        let first = self.kept.found.as_ref().map(|found| format!("{found} is the first that is not finite"));
        if self.raise_error {
            let loss = repr(loss);
            let error = Error::data(format!("the loss is {loss} after batch {batch}"));
            return Err(first.map_or(error.clone(), |first| error.help(first)));
        }
        control.print(&format!("Batch {batch}: Invalid loss, terminating training"));
        if let Some(first) = first {
            control.warn(Code::NotFinite, first);
        }
        control.stop();
        Ok(())
    }
}
