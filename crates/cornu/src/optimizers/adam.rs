//! Adam (Kingma and Ba 2015), in TensorFlow's order of operations.

use cornu_graph::{Error, Result, Tensor};

use super::{Base, Optimizer, Slot, Slots};

super::optimizer! {
    /// Gradient descent with running means of the gradient and of its square.
    ///
    /// ```text
    /// m += (g - m) (1 - beta_1)        v += (g² - v) (1 - beta_2)
    /// w -= m α / (sqrt(v) + epsilon)   α = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
    /// ```
    pub struct Adam("adam", 0.001) {
        /// How slowly the running mean of the gradient follows.
        beta_1: f64 = 0.9,
        /// How slowly the running mean of its square follows.
        beta_2: f64 = 0.999,
        /// Keeps divisors from zero.
        epsilon: f64 = 1e-7 => NOT_NEGATIVE,
        /// Whether to divide by the largest such mean so far.
        amsgrad: bool = false,
    }
}

impl Optimizer for Adam {
    super::base!();

    fn slots(&self) -> Vec<Slot> {
        let mut slots = ["momentum", "velocity"].map(Slot::weight_by_weight).to_vec();
        slots.extend(self.amsgrad.then_some(Slot::from("velocity_hat")));
        slots
    }

    fn parts(&self) -> Vec<(&'static str, f64)> {
        vec![("beta_1", self.beta_1), ("beta_2", self.beta_2)]
    }

    /// At 1 no mean would ever move, and steps would be divided by 0.
    fn check_settings(&self) -> Result<()> {
        match self.parts().iter().find(|(_, beta)| *beta == 1.0) {
            Some((name, _)) => Err(Error::usage(format!("`Adam.{name}` needs a number below 1, got 1"))),
            None => Ok(()),
        }
    }

    fn update(&self, slots: &mut Slots, w: &Tensor, g: &Tensor, lr: &Tensor, t: &Tensor) -> Tensor {
        let (m, v) = (slots.get("momentum"), slots.get("velocity"));
        // TensorFlow makes a single of the base, whatever the precision of the weight.
        let power = |beta: f64| t.number(f64::from(beta as f32)).pow(t);
        let alpha = (lr * (1.0 - power(self.beta_2)).sqrt()) / (1.0 - power(self.beta_1));
        let m = slots.set("momentum", &m + (g - &m) * (1.0 - self.beta_1));
        let mut v = slots.set("velocity", &v + (g * g - &v) * (1.0 - self.beta_2));
        if self.amsgrad {
            v = slots.set("velocity_hat", slots.get("velocity_hat").maximum(v));
        }
        w - (m * alpha) / (v.sqrt() + self.epsilon)
    }
}
