//! Adam (Kingma and Ba 2015), in TensorFlow's order of operations.

use cornu_graph::Tensor;

use super::{Base, Optimizer, Slots};
use crate::config;

config! {
    /// Gradient descent with running means of the gradient and of its square.
    ///
    /// ```text
    /// m += (g - m) (1 - beta_1)        v += (g² - v) (1 - beta_2)
    /// w -= m α / (sqrt(v) + epsilon)   α = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
    /// ```
    "keras.optimizers" pub struct Adam {
        name: String = "adam".into(),
        learning_rate: f64 = 0.001,
        weight_decay: Option<f64> = None,
        clipnorm: Option<f64> = None,
        global_clipnorm: Option<f64> = None,
        clipvalue: Option<f64> = None,
        use_ema: bool = false,
        ema_momentum: f64 = 0.99,
        ema_overwrite_frequency: Option<i64> = None,
        loss_scale_factor: Option<f64> = None,
        gradient_accumulation_steps: Option<i64> = None,
        beta_1: f64 = 0.9,
        beta_2: f64 = 0.999,
        epsilon: f64 = 1e-7,
        amsgrad: bool = false,
    }
}

impl Optimizer for Adam {
    super::base!();

    fn slots(&self) -> Vec<&'static str> {
        let mut slots = vec!["momentum", "velocity"];
        slots.extend(self.amsgrad.then_some("velocity_hat"));
        slots
    }

    fn update(&self, slots: &mut Slots, w: &Tensor, g: &Tensor, lr: &Tensor, t: &Tensor) -> Tensor {
        let (m, v) = (slots.get("momentum"), slots.get("velocity"));
        let power = |beta: f64| t.number(beta).pow(t);
        let alpha = (lr * (1.0 - power(self.beta_2)).sqrt()) / (1.0 - power(self.beta_1));
        let m = slots.set("momentum", &m + (g - &m) * (1.0 - self.beta_1));
        let mut v = slots.set("velocity", &v + (g * g - &v) * (1.0 - self.beta_2));
        if self.amsgrad {
            v = slots.set("velocity_hat", slots.get("velocity_hat").maximum(v));
        }
        w - (m * alpha) / (v.sqrt() + self.epsilon)
    }
}
