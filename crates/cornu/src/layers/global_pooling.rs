//! Images, rows of numbers and spaces as one number for each channel.

use cornu_graph::ops::Reduction;
use cornu_graph::{Result, Shape, Tensor};

use super::DataFormat;
use super::moments::mask_over;

/// The mean of each channel, of the places that a mask shows; with `keepdims` the axes of places stay, with size one.
///
/// # Errors
/// An input of other than `rank` axes, or a mask that is not of its batch and places.
pub(super) fn average(
    (class, rank): (&str, usize),
    x: &Tensor,
    mask: Option<&Tensor>,
    (format, keepdims): (DataFormat, bool),
) -> Result<Tensor> {
    DataFormat::check(class, x, rank)?;
    let (shape, axes) = (x.shape(), Vec::from_iter(format.places(rank)));
    let seen = Vec::from_iter([0].into_iter().chain(axes.iter().copied()));
    let mask = mask_over(class, mask, x, &seen)?;
    // As in Keras, the sum may be larger than floats of 16 bits are.
    let dtype = x.dtype().to_float();
    let sum = |x: &Tensor| x.cast(dtype.widened()).reduce(Reduction::Sum, &axes);
    let mean = match mask {
        Some(mask) => sum(&mask.select(x, 0)) / sum(&mask),
        None => sum(x) / axes.iter().map(|&axis| shape[axis]).product::<usize>().max(1) as f64,
    };
    let kept = |axis: usize| if axes.contains(&axis) { 1 } else { shape[axis] };
    let mean = mean.cast(dtype);
    Ok(if keepdims { mean.reshape((0..rank).map(kept).collect::<Shape>()) } else { mean })
}
