//! Means and variances along axes, and what is made of numbers by them: what layers that normalize share.

use cornu_graph::ops::Reduction;
use cornu_graph::{DType, Error, Result, Shape, Tensor};

use crate::trace::Cx;

/// The axis of the channels of `x`, given alone, and maybe from the end.
///
/// # Errors
/// Several, one that there is not, or the first, which is that of the batch.
pub(super) fn channels(class: &str, axes: &[i64], x: &Tensor) -> Result<usize> {
    let place = |axis: i64| usize::try_from(if axis < 0 { axis + x.rank() as i64 } else { axis }).ok();
    let one = if let [axis] = axes { place(*axis) } else { None };
    one.filter(|axis| (1..x.rank()).contains(axis)).ok_or_else(|| {
        Error::graph(format!("`axis` of `{class}` needs one axis behind the first of {}, got {axes:?}", x.ty()))
    })
}

/// Axes of `x` in ascending order, given in any and maybe from the end, and their sizes in the order of weights: as in Keras,
/// -1 comes before 1 there.
///
/// # Errors
/// None, one that there is not, or one twice.
pub(super) fn axes_of(class: &str, given: &[i64], x: &Tensor) -> Result<(Vec<usize>, Shape)> {
    let (shape, rank, mut own) = (x.shape(), x.rank() as i64, given.to_vec());
    own.sort_unstable();
    let there = own.iter().filter(|axis| (-rank..rank).contains(axis));
    let mut axes: Vec<usize> = there.map(|axis| axis.rem_euclid(rank) as usize).collect();
    let sizes = axes.iter().map(|&axis| shape[axis]).collect();
    axes.sort_unstable();
    axes.dedup();
    if axes.len() < own.len() || axes.is_empty() {
        return Err(Error::graph(format!("`axis` of `{class}` needs axes of {}, each once, got {own:?}", x.ty())));
    }
    Ok((axes, sizes))
}

/// Numbers, where they are seen, and the axes along which they keep their mean and along which they share it.
pub(super) struct Moments {
    pub(super) x: Tensor,
    mask: Option<Tensor>,
    kept: usize,
    shared: Vec<usize>,
}

impl Moments {
    /// Those of each channel, in singles or more.
    pub(super) fn new(x: &Tensor, mask: Option<Tensor>, channels: usize) -> Moments {
        let shared = (0..x.rank()).filter(|&axis| axis != channels).collect();
        Moments { x: x.cast(x.dtype().joined(DType::F32)), mask, kept: channels, shared }
    }

    /// How many channels there are.
    pub(super) fn channels(&self) -> usize {
        self.x.shape()[self.kept]
    }

    /// How many numbers of each share a mean.
    pub(super) fn count(&self) -> f64 {
        self.shared.iter().map(|&axis| self.x.shape()[axis] as f64).product()
    }

    /// Mean and variance, in two passes. The mean that the variance is about is held fixed, which leaves its gradient as it
    /// is and saves a sum; for the gradient of that, the square of its distance from the mean is taken off.
    pub(super) fn mean_and_variance(&self) -> [Tensor; 2] {
        let (x, mask) = (&self.x, self.mask.as_ref());
        let seen = |x: &Tensor| mask.map_or(x.clone(), |mask| mask.select(x, 0.0));
        let sum = |x: Tensor| x.reduce(Reduction::Sum, &self.shared);
        let seen_places = |mask: &Tensor| sum(mask.cast(x.dtype())) + 1e-7;
        let count = mask.map_or_else(|| x.number(self.count().max(1.0)), seen_places);
        let mean = sum(seen(x)) / &count;
        let fixed = mean.stop_gradient();
        let variance = sum(seen(&(x - self.spread(&fixed))).square()) / count - (&mean - fixed).square();
        [mean, variance]
    }

    /// A number for each channel at all of its places.
    fn spread(&self, numbers: &Tensor) -> Tensor {
        numbers.broadcast(self.x.shape(), &[self.kept])
    }

    /// `(x - mean) / sqrt(variance + epsilon) * gamma + beta` as one product and one sum for each number.
    pub(super) fn scaled(&self, [mean, variance]: [Tensor; 2], epsilon: f64, gamma: &Tensor, beta: Tensor) -> Tensor {
        let scale = 1.0 / (variance + epsilon).sqrt() * gamma;
        let shift = beta - mean * &scale;
        &self.x * self.spread(&scale) + self.spread(&shift)
    }
}

/// A mask of places, the axes `places` of `x`, for each of its elements.
///
/// # Errors
/// A mask of another shape.
pub(super) fn mask_over(class: &str, mask: Option<&Tensor>, x: &Tensor, places: &[usize]) -> Result<Option<Tensor>> {
    let (shape, Some(mask)) = (x.shape(), mask) else { return Ok(None) };
    let needed: Shape = places.iter().map(|&axis| shape[axis]).collect();
    if mask.shape() == needed {
        return Ok(Some(mask.broadcast(shape, places)));
    }
    let text = format!("`{class}` needs a mask of {needed} for {}, got {}", x.ty(), mask.shape());
    Err(Error::graph(text))
}

/// Moves a running mean towards a new one, and gives what it is then.
pub(super) fn keep(cx: &mut Cx, state: &Tensor, new: &Tensor, momentum: f64) -> Tensor {
    let new = state.cast(new.dtype()) * momentum + new * (1.0 - momentum);
    cx.update(state, new.cast(state.dtype()));
    new
}
