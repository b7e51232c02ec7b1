//! Images made smaller by means of their elements.

use cornu_graph::Result;

use super::pooling::{Pooling, average, pooling};
use super::{Inputs, Layer, Wire};
use crate::trace::Cx;

pooling! {
    /// The mean of the elements under a window that slides over images: `[batch, height, width, channels]`
    /// becomes smaller in height and width.
    AveragePooling2D along 2, pool_size, average
}
