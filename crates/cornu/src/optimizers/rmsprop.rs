//! RMSprop (Hinton, Neural Networks for Machine Learning, lecture 6e).

use cornu_graph::Tensor;

use super::{Base, Optimizer, Slots};
use crate::config;

config! {
    /// Gradient descent with each gradient divided by the root of a running mean of its square.
    ///
    /// ```text
    /// v = rho v + (1 - rho) g²
    /// step = lr g / sqrt(v + epsilon)    centered: sqrt(v - a² + epsilon), a = rho a + (1 - rho) g
    /// w -= step                          with momentum: m = momentum m + step, w -= m
    /// ```
    "keras.optimizers" pub struct RMSprop {
        /// The name in logs and files.
        name: String = "rmsprop".into(),
        /// How far to go along the gradient.
        learning_rate: f64 = 0.001,
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
        /// How slowly the running mean of the squared gradient follows.
        rho: f64 = 0.9,
        /// The part of the last step that is taken again.
        momentum: f64 = 0.0,
        /// Keeps divisors from zero.
        epsilon: f64 = 1e-7,
        /// Whether to subtract the squared mean of the gradient from it.
        centered: bool = false,
    }
}

impl Optimizer for RMSprop {
    super::base!();

    fn slots(&self) -> Vec<&'static str> {
        let mut slots = vec!["velocity"];
        slots.extend((self.momentum > 0.0).then_some("momentum"));
        slots.extend(self.centered.then_some("average_gradient"));
        slots
    }

    fn update(&self, slots: &mut Slots, w: &Tensor, g: &Tensor, lr: &Tensor, _: &Tensor) -> Tensor {
        let mean = |slot: Tensor, new: &Tensor| slot * self.rho + new * (1.0 - self.rho);
        let mut spread = slots.set("velocity", mean(slots.get("velocity"), &g.square()));
        if self.centered {
            let average = slots.set("average_gradient", mean(slots.get("average_gradient"), g));
            spread = spread - average.square();
        }
        let step = (lr * g) / (spread + self.epsilon).sqrt();
        if self.momentum > 0.0 {
            w - slots.set("momentum", slots.get("momentum") * self.momentum + step)
        } else {
            w - step
        }
    }
}
