//! Gradient descent, with momentum if wanted.

use cornu_graph::Tensor;

use super::{Base, FileOrder, Optimizer, Slot, Slots};

super::optimizer! {
    /// Stochastic gradient descent.
    ///
    /// ```text
    /// w -= g lr                                           without momentum
    /// m = momentum m - g lr     w += m                    with momentum
    ///                           w += momentum m - g lr    with Nesterov's
    /// ```
    pub struct SGD("sgd", 0.01) {
        /// The part of the last step that is taken again.
        momentum: f64 = 0.0,
        /// Whether to look ahead along that part, as Nesterov's method does.
        nesterov: bool = false,
    }
}

impl Optimizer for SGD {
    super::base!();

    fn slots(&self) -> Vec<Slot> {
        let order = if self.momentum == 0.0 { FileOrder::Idle } else { FileOrder::RoleByRole };
        vec![Slot { name: "momentum", order }]
    }

    fn parts(&self) -> Vec<(&'static str, f64)> {
        vec![("momentum", self.momentum)]
    }

    fn update(&self, slots: &mut Slots, w: &Tensor, g: &Tensor, lr: &Tensor, _: &Tensor) -> Tensor {
        let step = g * lr;
        if self.momentum == 0.0 {
            return w - step;
        }
        let m = slots.set("momentum", slots.get("momentum") * self.momentum - &step);
        if self.nesterov { w + m * self.momentum - step } else { w + m }
    }
}
