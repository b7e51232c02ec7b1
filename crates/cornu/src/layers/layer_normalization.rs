//! Numbers brought to mean 0 and variance 1 along axes of each sample.

use cornu_graph::ops::Reduction;
use cornu_graph::{DType, Shape, Tensor};

use super::Layer;
use super::moments::axes_of;
use crate::choice::Choice;
use crate::config::OneOrMany;
use crate::constraints::Constraint;
use crate::initializers::Initializer;
use crate::regularizers::Regularizer;
use crate::trace::Cx;

crate::config! {
    /// `gamma * (x - mean) / sqrt(variance + epsilon) + beta`, with mean and variance along `axis`, in single precision at
    /// least.
    "keras.layers" pub layer LayerNormalization {
        /// The axes that are normalized together; negative ones count from the end.
        axis: OneOrMany<i64> = OneOrMany::One(-1),
        /// What is added to the variance.
        epsilon: f64 = 1e-3,
        /// Whether `beta` is added.
        center: bool = true,
        /// Whether `gamma` is multiplied by.
        scale: bool = true,
        /// Whether the mean stays where it is: `gamma * x / sqrt(variance + epsilon)`.
        rms_scaling: bool = false => KERAS3,
        /// How `beta` starts, of the sizes of the axes.
        beta_initializer: Choice<dyn Initializer> = "zeros".into(),
        /// How `gamma` starts, of the sizes of the axes.
        gamma_initializer: Choice<dyn Initializer> = "ones".into(),
        /// A penalty on `beta`.
        beta_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// A penalty on `gamma`.
        gamma_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// What `beta` is held to.
        beta_constraint: Option<Choice<dyn Constraint>> = None,
        /// What `gamma` is held to.
        gamma_constraint: Option<Choice<dyn Constraint>> = None,
    }
}

impl Layer for LayerNormalization {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        let found = axes_of("LayerNormalization", self.axis.as_slice(), &x).map_err(|error| cx.fail(error));
        let (Ok((axes, sizes)), shape) = (found, x.shape()) else { return x };
        let others: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).collect();
        let wide = x.cast(x.dtype().joined(DType::F32));
        let mean = |x: &Tensor| x.reduce(Reduction::Sum, &axes) / sizes.size().max(1) as f64;
        let spread = |x: Tensor| x.broadcast(shape.clone(), &others);
        let mut weight = |name: &str, start, penalty, constraint| {
            let weight = cx.parameter(name, sizes.clone(), start, penalty, constraint);
            let inner: Shape = axes.iter().map(|&axis| shape[axis]).collect();
            cx.uncast(&weight).cast(wide.dtype()).reshape(inner).broadcast(shape.clone(), &axes)
        };
        let (has_gamma, has_beta) = (self.scale || self.rms_scaling, self.center && !self.rms_scaling);
        let (start, penalty, constraint) = (&self.gamma_initializer, &self.gamma_regularizer, &self.gamma_constraint);
        let gamma = has_gamma.then(|| weight("gamma", start, penalty, constraint));
        let (start, penalty, constraint) = (&self.beta_initializer, &self.beta_regularizer, &self.beta_constraint);
        let beta = has_beta.then(|| weight("beta", start, penalty, constraint));
        let middle = spread(mean(&wide));
        let deviation = (mean(&(&wide - &middle).square()) + self.epsilon).sqrt();
        let scale = spread(deviation.number(1.0) / deviation);
        let scale = gamma.map_or(scale.clone(), |gamma| scale * gamma);
        let offset = beta.map_or(-(&middle * &scale), |beta| beta - middle * &scale);
        let y = if self.rms_scaling { wide * scale } else { wide * scale + offset };
        y.cast(cx.compute_dtype())
    }

    fn autocast(&self) -> bool {
        false
    }

    fn supports_masking(&self) -> bool {
        true
    }
}
