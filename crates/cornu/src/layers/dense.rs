//! `activation(x · kernel + bias)` on the last axis.

use cornu_graph::{Error, Result, Tensor};

use super::Layer;
use crate::activations::Activation;
use crate::choice::Choice;
use crate::constraints::Constraint;
use crate::initializers::Initializer;
use crate::regularizers::Regularizer;
use crate::trace::Cx;

crate::config! {
    /// Densely connected layer: `activation(x · kernel + bias)` on the last axis.
    ///
    /// `[batch, …, features]` becomes `[batch, …, units]`.
    "keras.layers" pub layer Dense {
        /// The number of outputs.
        units: usize,
        /// What is put after the sum.
        activation: Choice<dyn Activation> = "linear".into(),
        /// Whether a bias is added.
        use_bias: bool = true,
        /// How the weights start, `[features, units]`.
        kernel_initializer: Choice<dyn Initializer> = "glorot_uniform".into(),
        /// How the bias starts, `[units]`.
        bias_initializer: Choice<dyn Initializer> = "zeros".into(),
        /// A penalty on the weights.
        kernel_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// A penalty on the bias.
        bias_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// What the weights are held to.
        kernel_constraint: Option<Choice<dyn Constraint>> = None,
        /// What the bias is held to.
        bias_constraint: Option<Choice<dyn Constraint>> = None,
    }
}

impl Layer for Dense {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        if x.rank() < 2 {
            cx.fail(Error::graph(format!("`Dense` needs a batch of features, got {}", x.ty())));
            return x;
        }
        let (start, penalty) = (&self.kernel_initializer, &self.kernel_regularizer);
        let kernel = cx.parameter("kernel", [x.dim(-1), self.units], start, penalty, &self.kernel_constraint);
        let mut y = x.cast(kernel.dtype()).dot(&kernel);
        if self.use_bias {
            let (start, penalty) = (&self.bias_initializer, &self.bias_regularizer);
            y = y + cx.parameter("bias", [self.units], start, penalty, &self.bias_constraint);
        }
        cx.activate(&self.activation, y)
    }

    fn check_settings(&self) -> Result<()> {
        if self.units == 0 { Err(Error::usage("`units` must be at least 1, got 0")) } else { Ok(()) }
    }

    fn supports_masking(&self) -> bool {
        true
    }
}
