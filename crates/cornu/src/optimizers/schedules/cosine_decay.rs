//! A learning rate that falls as a cosine does, after a rise if one is wanted (Loshchilov and Hutter 2016).

use std::f32::consts::PI;

use cornu_graph::Tensor;

use super::{Schedule, cosine};

crate::config! {
    /// A rate that falls from the first along half a cosine, and stays at its end.
    ///
    /// ```text
    /// initial_learning_rate ((1 - alpha) (1 + cos(pi step / decay_steps)) / 2 + alpha)
    /// ```
    "keras.optimizers.schedules" pub struct CosineDecay {
        /// The rate of the first step.
        initial_learning_rate: f64,
        /// For how many steps it falls.
        decay_steps: i64,
        /// The last rate, as a part of that from which it falls.
        alpha: f64 = 0.0,
        /// The name in files.
        name: String = "CosineDecay".into(),
        /// The rate to rise to before it falls, if it is to rise.
        warmup_target: Option<f64> = None,
        /// For how many steps it rises.
        warmup_steps: i64 = 0,
    }
}

impl CosineDecay {
    fn falls(&self, from: f64, step: &Tensor) -> Tensor {
        let part = step / self.decay_steps as f64;
        let cosine = (cosine(&(part * f64::from(PI))) + 1.0) * 0.5;
        (cosine * (1.0 - self.alpha) + self.alpha) * from
    }
}

impl Schedule for CosineDecay {
    fn at(&self, step: &Tensor) -> Tensor {
        let Some(target) = self.warmup_target else {
            return self.falls(self.initial_learning_rate, &step.minimum(self.decay_steps as f64));
        };
        let warmup = self.warmup_steps as f64;
        let step = step.minimum(self.decay_steps as f64 + warmup);
        let rises = (&step / warmup) * (target - self.initial_learning_rate) + self.initial_learning_rate;
        let falls = self.falls(target, &(&step - warmup).maximum(0.0));
        step.lt(warmup).select(rises, falls)
    }
}
