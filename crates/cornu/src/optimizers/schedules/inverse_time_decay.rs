//! A learning rate that is divided by more and more.

use cornu_graph::Tensor;

use super::{Schedule, floor};

crate::config! {
    /// `initial_learning_rate / (1 + decay_rate step / decay_steps)`
    "keras.optimizers.schedules" pub struct InverseTimeDecay {
        /// The rate of the first step.
        initial_learning_rate: f64,
        /// After how many steps the divisor grows.
        decay_steps: i64,
        /// By how much.
        decay_rate: f64,
        /// Whether it stays the same in between.
        staircase: bool = false,
        /// The name in files.
        name: String = "InverseTimeDecay".into(),
    }
}

impl Schedule for InverseTimeDecay {
    fn at(&self, step: &Tensor) -> Tensor {
        let part = step / self.decay_steps as f64;
        let part = if self.staircase { floor(&part) } else { part };
        self.initial_learning_rate / (part * self.decay_rate + 1.0)
    }
}
