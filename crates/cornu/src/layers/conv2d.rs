//! A kernel that slides over images.

use cornu_graph::Result;

use super::conv::{Convolution, convolution};
use super::{DataFormat, Inputs, Layer, Padding, Wire};
use crate::activations::Activation;
use crate::choice::Choice;
use crate::constraints::Constraint;
use crate::initializers::Initializer;
use crate::regularizers::Regularizer;
use crate::trace::Cx;

convolution! {
    /// A kernel that slides over images, `activation(x ∗ kernel + bias)`: `[batch, height, width, channels]` becomes
    /// `[batch, new height, new width, filters]`.
    Conv2D along 2, of, [1, 1]
}
