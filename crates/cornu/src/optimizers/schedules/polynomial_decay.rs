//! A learning rate that falls along a power.

use cornu_graph::Tensor;

use super::{Schedule, floor};

crate::config! {
    /// `(initial_learning_rate - end_learning_rate) (1 - step / decay_steps)^power + end_learning_rate`
    "keras.optimizers.schedules" pub struct PolynomialDecay {
        /// The rate of the first step.
        initial_learning_rate: f64,
        /// For how many steps it falls.
        decay_steps: i64,
        /// The last rate.
        end_learning_rate: f64 = 0.0001,
        /// The power.
        power: f64 = 1.0,
        /// Whether it falls again and again, each time for the steps until then.
        cycle: bool = false,
        /// The name in files.
        name: String = "PolynomialDecay".into(),
    }
}

impl Schedule for PolynomialDecay {
    fn at(&self, step: &Tensor) -> Tensor {
        let steps = self.decay_steps as f64;
        let part = if self.cycle {
            let times = step / steps;
            let whole = floor(&times);
            let above = whole.lt(&times).cast(times.dtype()) + whole;
            step / (step.eq(0.0).select(above.number(1.0), above) * steps)
        } else {
            step.minimum(steps) / steps
        };
        (1.0 - part).pow(self.power) * (self.initial_learning_rate - self.end_learning_rate) + self.end_learning_rate
    }
}
