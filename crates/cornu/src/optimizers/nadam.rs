//! Adam with Nesterov's momentum (Dozat 2016).

use cornu_graph::{Result, Tensor};

use super::{Optimizer, Slot, Update, adam};

super::optimizer! {
    /// [`Adam`](super::Adam) that looks ahead along the running mean of the gradient.
    ///
    /// ```text
    /// u_t = beta_1 (1 - 0.96^t / 2)    U_t = u_1 u_2 … u_t
    /// m += (g - m) (1 - beta_1)        v += (g² - v) (1 - beta_2)
    /// w -= lr (u_(t+1) m / (1 - U_(t+1)) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)
    /// ```
    ///
    /// Keras 2 multiplies its product `U` once for each weight where it should once for each step, and no file of its own
    /// holds it: here it is that of Keras 3 in both flavours, and begins anew with a file of Keras 2.
    pub struct Nadam("nadam", 0.001) {
        /// How slowly the running mean of the gradient follows.
        beta_1: f64 = 0.9,
        /// How slowly the running mean of its square follows.
        beta_2: f64 = 0.999,
        /// Keeps divisors from zero.
        epsilon: f64 = 1e-7 => NOT_NEGATIVE,
    }
}

impl Nadam {
    /// `u_t`
    fn ahead(&self, t: &Tensor) -> Tensor {
        (1.0 - adam::power(0.96, t) * 0.5) * self.beta_1
    }
}

impl Optimizer for Nadam {
    super::common!();

    fn slots(&self) -> Vec<Slot> {
        adam::means()
    }

    fn scalars(&self) -> Vec<Slot> {
        vec![Slot::from("u_product").full(1.0)]
    }

    fn parts(&self) -> Vec<(&'static str, f64)> {
        vec![("beta_1", self.beta_1), ("beta_2", self.beta_2)]
    }

    fn check_settings(&self) -> Result<()> {
        adam::check(self)
    }

    fn begin(&self, step: &mut Update) {
        let product = step.get("u_product") * self.ahead(step.count());
        step.set("u_product", product);
    }

    fn update(&self, step: &mut Update, w: &Tensor, g: &Tensor) -> Tensor {
        let (t, product) = (step.count().clone(), step.scalar("u_product").cast(w.dtype()));
        let (now, next) = (self.ahead(&t), self.ahead(&(&t + 1.0)));
        let (m, v) = (step.get("momentum"), step.get("velocity"));
        let m = step.set("momentum", &m + (g - &m) * (1.0 - self.beta_1));
        let v = step.set("velocity", &v + (g * g - &v) * (1.0 - self.beta_2));
        let m = (&next * m) / (1.0 - &product * &next) + ((1.0 - now) * g) / (1.0 - &product);
        let v = v / (1.0 - adam::power(self.beta_2, &t));
        w - (m * step.rate()) / (v.sqrt() + self.epsilon)
    }
}
