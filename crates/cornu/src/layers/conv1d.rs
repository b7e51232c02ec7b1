//! A kernel that slides along rows of numbers.

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
    /// A kernel that slides along rows, `activation(x ∗ kernel + bias)`: `[batch, steps, channels]` becomes `[batch, new
    /// steps, filters]`. With `padding` of `causal` a step depends on none behind it.
    Conv1D along 1, of_row, [1]
}
