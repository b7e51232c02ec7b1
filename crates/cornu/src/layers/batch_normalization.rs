//! Numbers brought to mean 0 and variance 1 along all axes but one, as a batch has them.

use cornu_graph::{DType, Result, Tensor};

use super::moments::{Moments, channels, keep, mask_over};
use super::renorm::Renorm;
use super::{Argument, Inputs, Layer, Wire};
use crate::choice::Choice;
use crate::config::{Dictionary, OneOrMany};
use crate::constraints::Constraint;
use crate::initializers::{Initializer, root};
use crate::regularizers::Regularizer;
use crate::trace::Cx;

crate::config! {
    /// `gamma * (x - mean) / sqrt(variance + epsilon) + beta`, for each channel. While training, mean and variance are those of
    /// the batch, of the places that its mask shows, and their running means are kept; else, and where the layer does not
    /// learn, they are these.
    ///
    /// In Keras 2 images, batches of four or five axes with the channels second or last, ignore the mask, and their running
    /// variance is that of a sample: divided by one less than their number of places. `float64` and `renorm` are excepted.
    "keras.layers" pub layer BatchNormalization {
        /// The axis of the channels, also as a list of one; negative ones count from the end.
        axis: OneOrMany<i64> = OneOrMany::One(-1),
        /// How much of a running mean stays at each step.
        momentum: f64 = 0.99,
        /// What is added to the variance.
        epsilon: f64 = 1e-3,
        /// Whether `beta` is added.
        center: bool = true,
        /// Whether `gamma` is multiplied by.
        scale: bool = true,
        /// How `beta` starts, `[channels]`.
        beta_initializer: Choice<dyn Initializer> = "zeros".into(),
        /// How `gamma` starts, `[channels]`.
        gamma_initializer: Choice<dyn Initializer> = "ones".into(),
        /// How the running mean starts.
        moving_mean_initializer: Choice<dyn Initializer> = "zeros".into(),
        /// How the running variance starts.
        moving_variance_initializer: Choice<dyn Initializer> = "ones".into(),
        /// A penalty on `beta`.
        beta_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// A penalty on `gamma`.
        gamma_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// What `beta` is held to.
        beta_constraint: Option<Choice<dyn Constraint>> = None,
        /// What `gamma` is held to.
        gamma_constraint: Option<Choice<dyn Constraint>> = None,
        /// Whether several devices share their means. There is one.
        synchronized: bool = false,
        /// Whether batches are corrected towards running means of their own: batch renormalization (Ioffe 2017).
        renorm: bool = false,
        /// The ends of that correction: `rmax`, `rmin`, `dmax`.
        renorm_clipping: Option<Dictionary<f64>> = None,
        /// How much of the running means of `renorm` stays at each step.
        renorm_momentum: f64 = 0.99,
    }
}

impl Layer for BatchNormalization {
    fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let wire = inputs.one()?;
        let (x, dtype) = (&wire.tensor, self.base.policy()?.compute_dtype);
        let channels = channels("BatchNormalization", self.axis.as_slice(), x)?;
        let fused = (4..=5).contains(&x.rank()) && [1, x.rank() - 1].contains(&channels) && dtype != DType::F64;
        let fused = fused && cx.flavor().fuses_normalization() && !self.renorm && !self.synchronized;
        let mask = wire.mask.as_ref().filter(|_| !fused);
        let mask = mask_over("BatchNormalization", mask, x, &Vec::from_iter(0..x.rank() - 1))?;
        let y = self.normalized(cx, &Moments::new(x, mask, channels), fused);
        Ok(vec![Wire::from(y.cast(dtype)).masked(wire.mask.clone())])
    }

    fn arguments(&self) -> Vec<Argument> {
        vec![Argument::mask("mask")]
    }

    fn supports_masking(&self) -> bool {
        true
    }

    fn check_settings(&self) -> Result<()> {
        if self.renorm { self.renormalization().check() } else { Ok(()) }
    }
}

impl BatchNormalization {
    fn normalized(&self, cx: &mut Cx, batch: &Moments, fused: bool) -> Tensor {
        let (size, dtype) = ([batch.channels()], batch.x.dtype());
        let mut weight = |name: &str, start, penalty, constraint| {
            let weight = cx.parameter(name, size, start, penalty, constraint);
            cx.uncast(&weight).cast(dtype)
        };
        let [one, zero] = [1.0, 0.0].map(|number| batch.x.number(number));
        let gamma = match self.scale {
            true => weight("gamma", &self.gamma_initializer, &self.gamma_regularizer, &self.gamma_constraint),
            false => one,
        };
        let beta = match self.center {
            true => weight("beta", &self.beta_initializer, &self.beta_regularizer, &self.beta_constraint),
            false => zero,
        };
        let mut state = |name: &str, start: &Choice<dyn Initializer>| cx.state(name, size, start);
        let running = state("moving_mean", &self.moving_mean_initializer);
        let running = [running, state("moving_variance", &self.moving_variance_initializer)];
        let renorm = self.renorm.then(|| {
            let (mean, root) = (&self.moving_mean_initializer, root(&self.moving_variance_initializer));
            [state("moving_stddev", &root), state("renorm_mean", mean), state("renorm_stddev", &root)]
        });
        if !cx.training() || !cx.trainable() {
            return batch.scaled(running.map(|state| state.cast(dtype)), self.epsilon, &gamma, beta);
        }
        let [mean, variance] = batch.mean_and_variance();
        keep(cx, &running[0], &mean, self.momentum);
        let Some(renorm) = renorm else {
            let of_a_sample = if fused { batch.count() / (batch.count() - 1.0).max(1.0) } else { 1.0 };
            keep(cx, &running[1], &(&variance * of_a_sample), self.momentum);
            return batch.scaled([mean, variance], self.epsilon, &gamma, beta);
        };
        let [r, d] = self.renormalization().corrections(cx, [&mean, &variance], &renorm, &running[1]);
        // `(x * r + d) * gamma + beta`
        batch.scaled([mean, variance], self.epsilon, &(r * &gamma), d * gamma + beta)
    }

    fn renormalization(&self) -> Renorm<'_> {
        let (epsilon, momentum, own) = (self.epsilon, self.momentum, self.renorm_momentum);
        Renorm { epsilon, momentum, own, clipping: self.renorm_clipping.as_ref() }
    }
}
