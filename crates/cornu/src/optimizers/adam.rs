//! Adam (Kingma and Ba 2015), in TensorFlow's order of operations.

use cornu_graph::{Error, Result, Tensor};

use super::{Optimizer, Slot, Update};

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

/// The means of the gradient and of its square.
pub(super) fn means() -> Vec<Slot> {
    ["momentum", "velocity"].map(Slot::weight_by_weight).to_vec()
}

/// The slots: those means, and the largest of the second if it is wanted.
pub(super) fn slots(amsgrad: bool) -> Vec<Slot> {
    let mut slots = means();
    slots.extend(amsgrad.then_some(Slot::from("velocity_hat")));
    slots
}

/// At 1 no mean would ever move, and steps would be divided by 0.
pub(super) fn check(optimizer: &dyn Optimizer) -> Result<()> {
    match optimizer.parts().iter().find(|(_, beta)| *beta == 1.0) {
        Some((name, _)) => {
            Err(Error::usage(format!("`{}.{name}` needs a number below 1, got 1", optimizer.class_name())))
        }
        None => Ok(()),
    }
}

/// `beta^t`. TensorFlow makes a single of the base, whatever the precision of the weight.
pub(super) fn power(beta: f64, t: &Tensor) -> Tensor {
    t.number(f64::from(beta as f32)).pow(t)
}

/// Implements [`Optimizer`] for Adam and its like, which decay.
macro_rules! adam {
    ($class:ident) => {
        impl Optimizer for $class {
            super::common!();

            fn slots(&self) -> Vec<Slot> {
                $crate::optimizers::adam::slots(self.amsgrad)
            }

            fn parts(&self) -> Vec<(&'static str, f64)> {
                vec![("beta_1", self.beta_1), ("beta_2", self.beta_2)]
            }

            fn check_settings(&self) -> Result<()> {
                $crate::optimizers::adam::check(self)
            }

            fn update(&self, step: &mut Update, w: &Tensor, g: &Tensor) -> Tensor {
                let (m, v) = (step.get("momentum"), step.get("velocity"));
                let power = |beta| $crate::optimizers::adam::power(beta, step.count());
                let alpha = (step.rate() * (1.0 - power(self.beta_2)).sqrt()) / (1.0 - power(self.beta_1));
                let m = step.set("momentum", &m + (g - &m) * (1.0 - self.beta_1));
                let mut v = step.set("velocity", &v + (g * g - &v) * (1.0 - self.beta_2));
                if self.amsgrad {
                    v = step.set("velocity_hat", step.get("velocity_hat").maximum(v));
                }
                w - (m * alpha) / (v.sqrt() + self.epsilon)
            }
        }
    };
}
pub(super) use adam;

adam!(Adam);
