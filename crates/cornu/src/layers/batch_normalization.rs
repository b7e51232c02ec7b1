//! Numbers brought to mean 0 and variance 1 along all axes but one, as a batch has them.

use cornu_graph::ops::Reduction;
use cornu_graph::random::Stream;
use cornu_graph::{Array, DType, Error, Result, Shape, Tensor, Type};

use super::{Inputs, Layer, Wire};
use crate::choice::Choice;
use crate::config::{Config, Dictionary, OneOrMany, Setting};
use crate::constraints::Constraint;
use crate::initializers::Initializer;
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
        /// The axis of the channels, or in Keras 2 several; negative ones count from the end.
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
        let dtype = self.base.policy()?.compute_dtype;
        let images = cx.flavor().fuses_normalization() && self.is_fused(&wire.tensor);
        let mask = wire.mask.as_ref().filter(|_| !images);
        let y = self.normalized(cx, &self.batch(cx, &wire.tensor, mask)?, images);
        Ok(vec![Wire::from(y.cast(dtype)).masked(wire.mask.clone())])
    }

    fn supports_masking(&self) -> bool {
        true
    }

    fn check_settings(&self) -> Result<()> {
        let Some(clipping) = self.renorm_clipping.as_ref().filter(|_| self.renorm) else { return Ok(()) };
        let [rmax, rmin, dmax] = ["rmax", "rmin", "dmax"].map(|name| clipping.get(name));
        let known = [rmax, rmin, dmax].into_iter().flatten().count();
        if known < clipping.0.len() || rmax < rmin && rmax.is_some() || dmax.is_some_and(|dmax| dmax < 0.0) {
            let needed = "`renorm_clipping` needs `rmax` of `rmin` or more, `dmax` of 0 or more, and nothing else";
            return Err(Error::usage(format!("{needed}, got {clipping}")));
        }
        Ok(())
    }
}

impl BatchNormalization {
    fn batch(&self, cx: &Cx, x: &Tensor, mask: Option<&Tensor>) -> Result<Batch> {
        let (rank, axes) = (x.rank(), self.axis.as_slice());
        let place = |&axis: &i64| usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).ok();
        let mut channels: Vec<usize> = axes.iter().filter_map(place).filter(|axis| (1..rank).contains(axis)).collect();
        channels.sort_unstable();
        channels.dedup();
        let (most, several) = if cx.flavor().normalizes_along_several() { (rank, "axes") } else { (1, "one axis") };
        if channels.len() != axes.len() || !(1..=most).contains(&axes.len()) {
            let needed = format!("`axis` of `BatchNormalization` needs {several} behind the first of {}", x.ty());
            return Err(Error::graph(format!("{needed}, got {axes:?}")));
        }
        let places = x.shape().without(rank - 1);
        if let Some(mask) = mask.filter(|mask| mask.shape() != places) {
            let needed = format!("`BatchNormalization` needs a mask of {places} for {}", x.ty());
            return Err(Error::graph(format!("{needed}, got {}", mask.shape())));
        }
        let others = (0..rank).filter(|axis| !channels.contains(axis)).collect();
        let mask = mask.map(|mask| mask.broadcast(x.shape(), &Vec::from_iter(0..rank - 1)));
        Ok(Batch { x: x.cast(x.dtype().joined(DType::F32)), mask, channels, others })
    }

    /// Whether TensorFlow's fused operation, if it is used at all, takes such a batch.
    fn is_fused(&self, x: &Tensor) -> bool {
        let (rank, axes) = (x.rank() as i64, self.axis.as_slice());
        let images = (4..=5).contains(&rank) && axes.len() == 1 && [1, rank - 1].contains(&axes[0].rem_euclid(rank));
        images && !self.renorm && !self.synchronized && x.dtype() != DType::F64
    }

    fn normalized(&self, cx: &mut Cx, batch: &Batch, images: bool) -> Tensor {
        let shape = batch.weights();
        let mut weight = |name: &str, start, penalty, constraint| {
            let weight = cx.weight(name, shape.clone(), start);
            cx.regularize(&weight, penalty);
            cx.constrain(name, constraint);
            batch.flat(&cx.uncast(&weight))
        };
        let (gamma, beta) = (&self.gamma_initializer, &self.beta_initializer);
        let gamma = self.scale.then(|| weight("gamma", gamma, &self.gamma_regularizer, &self.gamma_constraint));
        let beta = self.center.then(|| weight("beta", beta, &self.beta_regularizer, &self.beta_constraint));
        let mut state = |name: &str, start: &Choice<dyn Initializer>| cx.state(name, shape.clone(), start);
        let running = state("moving_mean", &self.moving_mean_initializer);
        let running = [running, state("moving_variance", &self.moving_variance_initializer)];
        let root: Choice<dyn Initializer> = Root(self.moving_variance_initializer.clone()).into();
        let renorm = self.renorm.then(|| {
            let stddev = state("moving_stddev", &root);
            [stddev, state("renorm_mean", &self.moving_mean_initializer), state("renorm_stddev", &root)]
        });
        if !cx.training() || !cx.trainable() {
            return batch.scaled(running.map(|state| batch.flat(&state)), self.epsilon, gamma, beta);
        }
        let moments = batch.moments();
        let mut kept = |state: &Tensor, new: &Tensor, momentum: f64| {
            let new = batch.flat(state) * momentum + new * (1.0 - momentum);
            cx.update(state, new.reshape(state.shape()).cast(state.dtype()));
            new
        };
        kept(&running[0], &moments[0], self.momentum);
        let Some(renorm) = renorm else {
            kept(&running[1], &(&moments[1] * if images { batch.of_a_sample() } else { 1.0 }), self.momentum);
            return batch.scaled(moments, self.epsilon, gamma, beta);
        };
        let stddev = (&moments[1] + self.epsilon).sqrt();
        let floor = batch.flat(&renorm[2]).maximum(self.epsilon.sqrt());
        let correction = [&stddev / &floor, (&moments[0] - batch.flat(&renorm[1])) / floor];
        let [r, d] = self.clipped(correction).map(|t| t.stop_gradient());
        kept(&renorm[1], &moments[0], self.renorm_momentum);
        kept(&renorm[2], &stddev, self.renorm_momentum);
        let stddev = kept(&renorm[0], &stddev, self.momentum);
        let variance = (stddev.square() - self.epsilon).maximum(0.0);
        cx.update(&running[1], variance.reshape(shape).cast(running[1].dtype()));
        // `(x * r + d) * gamma + beta`
        let [r, d] = [r, d].map(|t| gamma.as_ref().map_or(t.clone(), |gamma| t * gamma));
        let d = beta.map_or(d.clone(), |beta| d + beta);
        batch.scaled(moments, self.epsilon, Some(r), Some(d))
    }

    fn clipped(&self, [r, d]: [Tensor; 2]) -> [Tensor; 2] {
        let end = |name: &str| self.renorm_clipping.as_ref().and_then(|clipping| clipping.get(name));
        let r = end("rmin").map_or(r.clone(), |rmin| r.maximum(rmin));
        let r = end("rmax").map_or(r.clone(), |rmax| r.minimum(rmax));
        [r, end("dmax").map_or(d.clone(), |dmax| d.clip(-dmax, dmax))]
    }
}

/// What is normalized: the numbers, where they are seen, the axes of their channels, and the others.
struct Batch {
    x: Tensor,
    mask: Option<Tensor>,
    channels: Vec<usize>,
    others: Vec<usize>,
}

impl Batch {
    /// The shape of a weight: of several axes, those between them have size one.
    fn weights(&self) -> Shape {
        let size = |axis: usize| if self.channels.contains(&axis) { self.x.shape()[axis] } else { 1 };
        if let [axis] = self.channels[..] { [size(axis)].into() } else { (0..self.x.rank()).map(size).collect() }
    }

    /// A weight as a number for each channel.
    fn flat(&self, weight: &Tensor) -> Tensor {
        let shape = self.channels.iter().map(|&axis| self.x.shape()[axis]);
        weight.cast(self.x.dtype()).reshape(shape.collect::<Shape>())
    }

    /// A number for each channel at all places of it.
    fn spread(&self, numbers: &Tensor) -> Tensor {
        numbers.broadcast(self.x.shape(), &self.channels)
    }

    /// How many places each channel has.
    fn count(&self) -> f64 {
        self.others.iter().map(|&axis| self.x.shape()[axis] as f64).product()
    }

    /// What makes the variance of all that of a sample of more.
    fn of_a_sample(&self) -> f64 {
        self.count() / (self.count() - 1.0).max(1.0)
    }

    /// Mean and variance of each channel, in two passes. The mean that the variance is about is held fixed, which leaves its
    /// gradient as it is and saves a sum; for the gradient of that, the square of its distance from the mean is taken off.
    fn moments(&self) -> [Tensor; 2] {
        let seen = |x: &Tensor| self.mask.as_ref().map_or(x.clone(), |mask| mask.select(x, 0.0));
        let sum = |x: Tensor| x.reduce(Reduction::Sum, &self.others);
        let ones = || self.x.number(1.0).broadcast(self.x.shape(), &[]);
        let count = if self.mask.is_some() { sum(seen(&ones())) + 1e-7 } else { self.x.number(self.count().max(1.0)) };
        let mean = sum(seen(&self.x)) / &count;
        let fixed = mean.stop_gradient();
        let variance = sum(seen(&(&self.x - self.spread(&fixed))).square()) / count - (&mean - fixed).square();
        [mean, variance]
    }

    /// Everything at that mean and variance, as one product and one sum for each element.
    fn scaled(&self, [mean, variance]: [Tensor; 2], epsilon: f64, gamma: Option<Tensor>, beta: Option<Tensor>) -> Tensor {
        let inverse = 1.0 / (variance + epsilon).sqrt();
        let scale = gamma.map_or(inverse.clone(), |gamma| inverse * gamma);
        let shift = beta.map_or(-(&mean * &scale), |beta| beta - &mean * &scale);
        &self.x * self.spread(&scale) + self.spread(&shift)
    }
}

/// The square roots of what another initializer gives: running deviations start where running variances do.
#[derive(Debug)]
struct Root(Choice<dyn Initializer>);

impl Config for Root {
    fn class_name(&self) -> &str {
        "Root"
    }

    fn module(&self) -> &str {
        "keras.initializers"
    }

    fn settings(&self) -> Vec<Setting<'_>> {
        Vec::new()
    }
}

impl Initializer for Root {
    fn array(&self, ty: &Type, stream: Stream) -> Result<Array> {
        let squares = self.0.resolve()?.array(ty, stream)?;
        Ok(Array::from_fn(ty, |i| squares.get(i).sqrt()))
    }
}
