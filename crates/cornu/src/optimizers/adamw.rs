//! Adam with a decay of its own (Loshchilov and Hutter 2019).

use cornu_graph::{Result, Tensor};

use super::{Optimizer, Slot, Update};

super::optimizer! {
    /// [`Adam`](super::Adam) with weights that decay: `w -= lr weight_decay w` before each step.
    ///
    /// ```
    /// use cornu::optimizers::AdamW;
    /// let optimizer = AdamW::new().weight_decay(0.01).exclude_from_weight_decay(["bias".to_owned()]);
    /// ```
    pub struct AdamW("adamw", 0.001, Some(0.004)) {
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

super::adam::adam!(AdamW);
