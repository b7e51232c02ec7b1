//! Each sample as one row.

use cornu_graph::{Error, Result, Shape, Tensor};

use super::{DataFormat, Layer};
use crate::trace::Cx;

crate::config! {
    /// Lays out each sample as one row: `[batch, 28, 28]` becomes `[batch, 784]`, `[batch]` becomes `[batch, 1]`.
    "keras.layers" pub layer Flatten {
        /// `"channels_last"`, or `"channels_first"`: then the second axis is moved to the end first.
        data_format: String = "channels_last".into(),
    }
}

impl Layer for Flatten {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        // Of one or two axes the channels are last in any case.
        let first =
            x.rank() > 2 && DataFormat::of(&self.data_format).is_ok_and(|format| format == DataFormat::ChannelsFirst);
        let x = if first { DataFormat::ChannelsFirst.to_last(&x) } else { x };
        let sample = Shape::from(x.shape().get(1..).unwrap_or_default());
        let Some(features) = sample.checked_size() else {
            cx.fail(Error::graph(format!("`Flatten` needs samples whose numbers can be counted, got {sample}")));
            return x;
        };
        x.reshape([x.dim(0), features])
    }

    fn check_settings(&self) -> Result<()> {
        DataFormat::of(&self.data_format).map(drop)
    }
}
