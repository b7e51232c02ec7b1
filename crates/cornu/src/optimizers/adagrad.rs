//! Adagrad (Duchi, Hazan and Singer 2011).

use cornu_graph::{Error, Result, Tensor};

use super::{Optimizer, Slot, Update};

super::optimizer! {
    /// Gradient descent with each gradient divided by the root of the sum of its squares so far.
    ///
    /// ```text
    /// a += g²     w -= lr g / sqrt(a + epsilon)
    /// ```
    pub struct Adagrad("adagrad", 0.001) {
        /// What the sums are at first.
        initial_accumulator_value: f64 = 0.1 => NOT_NEGATIVE,
        /// Keeps divisors from zero.
        epsilon: f64 = 1e-7 => NOT_NEGATIVE,
    }
}

impl Optimizer for Adagrad {
    super::common!();

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::from("accumulator").full(self.initial_accumulator_value)]
    }

    fn check_settings(&self) -> Result<()> {
        match self.initial_accumulator_value + self.epsilon > 0.0 {
            true => Ok(()),
            false => Err(Error::usage("`Adagrad` needs an `initial_accumulator_value` or an `epsilon` above 0")),
        }
    }

    fn update(&self, step: &mut Update, w: &Tensor, g: &Tensor) -> Tensor {
        let sum = step.set("accumulator", step.get("accumulator") + g.square());
        w - (step.rate() * g) / (sum + self.epsilon).sqrt()
    }
}
