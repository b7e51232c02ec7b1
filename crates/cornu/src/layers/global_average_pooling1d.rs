//! Rows of numbers as their mean.

use cornu_graph::Result;

use super::global_pooling::average;
use super::{Argument, DataFormat, Inputs, Layer, Wire};
use crate::trace::Cx;

crate::config! {
    /// The mean over all steps, of those that the mask shows: `[batch, steps, features]` becomes `[batch, features]`.
    "keras.layers" pub layer GlobalAveragePooling1D {
        /// Whether the features are last, or before the steps.
        data_format: String = "channels_last".into(),
        /// Whether the axis of steps stays, with size one.
        keepdims: bool = false,
    }
}

impl Layer for GlobalAveragePooling1D {
    fn call_all(&self, _: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let x = inputs.one()?;
        let how = (DataFormat::of(&self.data_format)?, self.keepdims);
        Ok(vec![average(("GlobalAveragePooling1D", 3), &x.tensor, x.mask.as_ref(), how)?.into()])
    }

    fn arguments(&self) -> Vec<Argument> {
        vec![Argument::mask("mask")]
    }

    fn supports_masking(&self) -> bool {
        true
    }

    fn check_settings(&self) -> Result<()> {
        DataFormat::of(&self.data_format).map(drop)
    }
}
