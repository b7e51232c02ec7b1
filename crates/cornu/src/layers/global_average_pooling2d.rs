//! Images as their mean.

use cornu_graph::Result;

use super::global_pooling::average;
use super::{DataFormat, Inputs, Layer, Wire};
use crate::trace::Cx;

crate::config! {
    /// The mean over all places: `[batch, height, width, channels]` becomes `[batch, channels]`.
    "keras.layers" pub layer GlobalAveragePooling2D {
        /// Whether the channels are last, or before height and width.
        data_format: String = "channels_last".into(),
        /// Whether height and width stay, with size one.
        keepdims: bool = false,
    }
}

impl Layer for GlobalAveragePooling2D {
    fn call_all(&self, _: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let how = (DataFormat::of(&self.data_format)?, self.keepdims);
        Ok(vec![average(("GlobalAveragePooling2D", 4), &inputs.one()?.tensor, None, how)?.into()])
    }

    fn check_settings(&self) -> Result<()> {
        DataFormat::of(&self.data_format).map(drop)
    }
}
