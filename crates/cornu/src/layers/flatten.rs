//! Each sample as one row.

use cornu_graph::{Error, Result, Shape, Tensor};

use super::Layer;
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
        let rank = x.rank();
        let x = if self.data_format == "channels_first" && rank > 2 {
            let order: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
            x.transpose(&order)
        } else {
            x
        };
        let sample = Shape::from(x.shape().get(1..).unwrap_or_default());
        let Some(features) = sample.checked_size() else {
            cx.fail(Error::graph(format!("`Flatten` needs samples whose numbers can be counted, got {sample}")));
            return x;
        };
        x.reshape([x.dim(0), features])
    }

    fn check_settings(&self) -> Result<()> {
        match self.data_format.as_str() {
            "channels_last" | "channels_first" => Ok(()),
            other => Err(Error::usage(format!("`data_format` is `channels_last` or `channels_first`, got `{other}`"))),
        }
    }
}
