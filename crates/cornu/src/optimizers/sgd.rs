//! Gradient descent, with momentum if wanted.

use cornu_graph::Tensor;

use super::{Base, Optimizer, Slots};
use crate::config;

config! {
    /// Stochastic gradient descent.
    ///
    /// ```text
    /// w -= g lr                                           without momentum
    /// m = momentum m - g lr     w += m                    with momentum
    ///                           w += momentum m - g lr    with Nesterov's
    /// ```
    "keras.optimizers" pub struct SGD {
        /// The name in logs and files.
        name: String = "sgd".into(),
        /// How far to go along the gradient.
        learning_rate: f64 = 0.01,
        /// The part of each weight that is taken off at each step, times the learning rate.
        weight_decay: Option<f64> = None,
        /// The largest norm of each gradient.
        clipnorm: Option<f64> = None,
        /// The largest norm of all gradients together.
        global_clipnorm: Option<f64> = None,
        /// The largest distance from zero of each element of the gradients.
        clipvalue: Option<f64> = None,
        /// Whether to keep running means of the weights. Not supported yet.
        use_ema: bool = false,
        /// How slowly those means follow.
        ema_momentum: f64 = 0.99,
        /// After how many steps those means replace the weights. Of no meaning without `use_ema`.
        ema_overwrite_frequency: Option<i64> = None,
        /// What the loss is multiplied by while gradients are computed. Not supported yet.
        loss_scale_factor: Option<f64> = None,
        /// Over how many batches gradients are gathered. Not supported yet.
        gradient_accumulation_steps: Option<i64> = None,
        /// The part of the last step that is taken again.
        momentum: f64 = 0.0,
        /// Whether to look ahead along that part, as Nesterov's method does.
        nesterov: bool = false,
    }
}

impl Optimizer for SGD {
    super::base!();

    fn slots(&self) -> Vec<&'static str> {
        if self.momentum == 0.0 { Vec::new() } else { vec!["momentum"] }
    }

    fn update(&self, slots: &mut Slots, w: &Tensor, g: &Tensor, lr: &Tensor, _: &Tensor) -> Tensor {
        let step = g * lr;
        if self.momentum == 0.0 {
            return w - step;
        }
        let m = slots.set("momentum", slots.get("momentum") * self.momentum - &step);
        if self.nesterov { w + m * self.momentum - step } else { w + m }
    }
}
