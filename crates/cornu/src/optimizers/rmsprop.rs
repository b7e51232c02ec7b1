//! RMSprop (Hinton, Neural Networks for Machine Learning, lecture 6e).

use cornu_graph::Tensor;

use super::{Optimizer, Slot, Update};

super::optimizer! {
    /// Gradient descent with each gradient divided by the root of a running mean of its square.
    ///
    /// ```text
    /// v = rho v + (1 - rho) g²
    /// step = lr g / sqrt(v + epsilon)    centered: sqrt(v - a² + epsilon), a = rho a + (1 - rho) g
    /// w -= step                          with momentum: m = momentum m + step, w -= m
    /// ```
    pub struct RMSprop("rmsprop", 0.001) {
        /// How slowly the running mean of the squared gradient follows.
        rho: f64 = 0.9,
        /// The part of the last step that is taken again.
        momentum: f64 = 0.0,
        /// Keeps divisors from zero.
        epsilon: f64 = 1e-7 => NOT_NEGATIVE,
        /// Whether to subtract the squared mean of the gradient from it.
        centered: bool = false,
    }
}

impl Optimizer for RMSprop {
    super::common!();

    fn slots(&self) -> Vec<Slot> {
        let momentum = (self.momentum > 0.0).then_some("momentum");
        let average = self.centered.then_some("average_gradient");
        ["velocity"].into_iter().chain(momentum).chain(average).map(Slot::from).collect()
    }

    fn parts(&self) -> Vec<(&'static str, f64)> {
        vec![("rho", self.rho), ("momentum", self.momentum)]
    }

    fn update(&self, slots: &mut Update, w: &Tensor, g: &Tensor) -> Tensor {
        let mean = |slot: Tensor, new: &Tensor| slot * self.rho + new * (1.0 - self.rho);
        let mut spread = slots.set("velocity", mean(slots.get("velocity"), &g.square()));
        if self.centered {
            let average = slots.set("average_gradient", mean(slots.get("average_gradient"), g));
            spread = spread - average.square();
        }
        let step = (slots.rate() * g) / (spread + self.epsilon).sqrt();
        if self.momentum > 0.0 {
            w - slots.set("momentum", slots.get("momentum") * self.momentum + step)
        } else {
            w - step
        }
    }
}
