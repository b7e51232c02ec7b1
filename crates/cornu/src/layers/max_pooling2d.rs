//! Images made smaller by the largest of their elements.

use cornu_graph::Result;

use super::pooling::{Pooling, pooling};
use super::{Inputs, Layer, Wire};
use crate::trace::Cx;

pooling! {
    /// The largest element under a window that slides over images: `[batch, height, width, channels]`
    /// becomes smaller in height and width.
    MaxPooling2D along 2, pool_size = [2, 2], |x, window| x.max_pool(window)[0].clone()
}
