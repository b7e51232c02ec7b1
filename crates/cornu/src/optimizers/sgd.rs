//! Gradient descent, with momentum if wanted.

use cornu_graph::Tensor;

use super::{FileOrder, Optimizer, Slot, Update};

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
    super::common!();

    fn slots(&self) -> Vec<Slot> {
        let order = if self.momentum == 0.0 { FileOrder::Idle } else { FileOrder::RoleByRole };
        vec![Slot { order, ..Slot::from("momentum") }]
    }

    fn parts(&self) -> Vec<(&'static str, f64)> {
        vec![("momentum", self.momentum)]
    }

    fn update(&self, slots: &mut Update, w: &Tensor, g: &Tensor) -> Tensor {
        let step = g * slots.rate();
        if self.momentum == 0.0 {
            return w - step;
        }
        let m = slots.set("momentum", slots.get("momentum") * self.momentum - &step);
        if self.nesterov { w + m * self.momentum - step } else { w + m }
    }
}
