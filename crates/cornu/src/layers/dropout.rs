//! Noise against overfitting: elements dropped at random while training.

use cornu_graph::{Error, Result, Shape, Tensor};

use super::{BatchShape, Layer};
use crate::trace::{Cx, Random};

crate::config! {
    /// Drops elements at random while training, and scales those it keeps so that their sum is the same on average.
    /// Outside training it does nothing.
    "keras.layers" pub layer Dropout {
        /// The share of elements dropped, from 0 to 1.
        rate: f64 => NOISE,
        /// For numbers independent of all other layers.
        seed: Option<i64> = None => SEED,
        /// The shape of the noise, with 1 along axes where all elements share one fate; `None` stands for the size of
        /// the input.
        noise_shape: Option<BatchShape> = None,
    }
}

impl Layer for Dropout {
    fn supports_masking(&self) -> bool {
        true
    }

    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        if self.rate == 0.0 {
            return cx.unchanged(x);
        }
        let random = cx.random(self.seed);
        if !cx.training() {
            return cx.unchanged(x);
        }
        let noise: Shape = match &self.noise_shape {
            None => x.shape(),
            Some(noise) => noise.iter().enumerate().map(|(axis, size)| size.unwrap_or(x.dim(axis as isize))).collect(),
        };
        if !broadcasts(&noise, &x.shape()) {
            let needed = "`noise_shape` needs 1, or the size of the input, along each axis";
            cx.fail(Error::graph(format!("{needed}, got {noise} for {}", x.shape())));
            return x;
        }
        kept(cx, &random, self.rate, noise, &x)
    }

    fn check_settings(&self) -> Result<()> {
        if (0.0..=1.0).contains(&self.rate) {
            return Ok(());
        }
        Err(Error::usage(format!("`rate` must be between 0 and 1, got {}", self.rate)))
    }
}

/// What is left of `x`, scaled up, where noise of that shape drops a share of it.
pub(super) fn kept(cx: &mut Cx, random: &Random, rate: f64, noise: Shape, x: &Tensor) -> Tensor {
    // Rate 1 drops everything; its scale would be infinite.
    let scale = if rate == 1.0 { 0.0 } else { 1.0 / (1.0 - rate) };
    cx.uniform(random, noise).ge(rate).select(x * scale, 0.0)
}

/// Whether noise of that shape has a fate for each element of `x`, and no others.
fn broadcasts(noise: &Shape, x: &Shape) -> bool {
    let fits = |(noise, x): (&usize, &usize)| *noise == 1 || noise == x;
    noise.rank() <= x.rank() && noise.iter().rev().zip(x.iter().rev()).all(fits)
}
