//! A learning rate that is multiplied by the same number after so many steps.

use cornu_graph::Tensor;

use super::{Schedule, floor};

crate::config! {
    /// `initial_learning_rate decay_rate^(step / decay_steps)`
    "keras.optimizers.schedules" pub struct ExponentialDecay {
        /// The rate of the first step.
        initial_learning_rate: f64,
        /// After how many steps it is multiplied.
        decay_steps: i64,
        /// By what.
        decay_rate: f64,
        /// Whether it stays the same in between.
        staircase: bool = false,
        /// The name in files.
        name: String = "ExponentialDecay".into(),
    }
}

impl Schedule for ExponentialDecay {
    fn at(&self, step: &Tensor) -> Tensor {
        let part = step / self.decay_steps as f64;
        let part = if self.staircase { floor(&part) } else { part };
        step.number(self.decay_rate).pow(&part) * self.initial_learning_rate
    }
}
