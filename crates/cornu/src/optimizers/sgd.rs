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
        name: String = "sgd".into(),
        learning_rate: f64 = 0.01,
        weight_decay: Option<f64> = None,
        clipnorm: Option<f64> = None,
        global_clipnorm: Option<f64> = None,
        clipvalue: Option<f64> = None,
        use_ema: bool = false,
        ema_momentum: f64 = 0.99,
        ema_overwrite_frequency: Option<i64> = None,
        loss_scale_factor: Option<f64> = None,
        gradient_accumulation_steps: Option<i64> = None,
        momentum: f64 = 0.0,
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
