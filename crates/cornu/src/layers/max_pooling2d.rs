//! Images made smaller by the largest of their elements.

use cornu_graph::Result;

use super::pooling::Pooling;
use super::{Inputs, Layer, Wire};
use crate::trace::Cx;

crate::config! {
    /// The largest element under a window that slides over images: `[batch, height, width, channels]`
    /// becomes smaller in height and width.
    "keras.layers" pub layer MaxPooling2D {
        /// Height and width of the window.
        pool_size: [usize; 2] = [2, 2],
        /// Whether there is something around images for the window to stand on.
        padding: String = "valid".into(),
        /// How far the window moves down and along; `None` stands for its size.
        strides: Option<[usize; 2]> = None,
        /// Whether the channels are last, or before height and width.
        data_format: String = "channels_last".into(),
    }
}

impl MaxPooling2D {
    fn pooling(&self) -> Result<Pooling<2>> {
        Pooling::new("MaxPooling2D", self.pool_size, self.strides, &self.padding, &self.data_format)
    }
}

impl Layer for MaxPooling2D {
    fn call_all(&self, _: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        Ok(vec![self.pooling()?.of(&inputs.one()?.tensor, |x, window| x.max_pool(window)[0].clone())?.into()])
    }

    fn check_settings(&self) -> Result<()> {
        self.pooling().map(drop)
    }
}
