//! Images, rows of numbers and spaces made smaller: what the layers that pool them share.

use cornu_graph::ops::Window;
use cornu_graph::{Error, Result, Tensor};

use super::{DataFormat, Padding};

/// The settings of a layer that pools along `N` axes.
pub(super) struct Pooling<const N: usize> {
    class: &'static str,
    pool_size: [usize; N],
    strides: [usize; N],
    padding: Padding,
    data_format: DataFormat,
}

impl<const N: usize> Pooling<N> {
    /// # Errors
    /// A window of nothing, one that does not move, or a name that there is not.
    pub(super) fn new(
        class: &'static str,
        pool_size: [usize; N],
        strides: Option<[usize; N]>,
        padding: &str,
        data_format: &str,
    ) -> Result<Pooling<N>> {
        let strides = strides.unwrap_or(pool_size);
        for (name, sizes) in [("pool_size", pool_size), ("strides", strides)] {
            if sizes.contains(&0) {
                return Err(Error::usage(format!("`{name}` needs numbers of at least 1, got {sizes:?}")));
            }
        }
        let (padding, data_format) = (Padding::of(padding)?, DataFormat::of(data_format)?);
        Ok(Pooling { class, pool_size, strides, padding, data_format })
    }

    /// What `pool` makes of images with the channels last, and of the window that slides over them, laid out as `x` is.
    ///
    /// # Errors
    /// Images of other axes, or smaller than the window.
    pub(super) fn of(&self, x: &Tensor, pool: impl Fn(&Tensor, &Window) -> Tensor) -> Result<Tensor> {
        let Pooling { class, pool_size, .. } = self;
        if x.rank() != N + 2 {
            return Err(Error::graph(format!("`{class}` needs an input of {} axes, got {}", N + 2, x.ty())));
        }
        let images = self.data_format.to_last(x);
        let sizes = &images.shape()[1..=N];
        let window = self.padding.around(Window::new(pool_size).strides(&self.strides), sizes);
        if window.places(sizes).is_none() {
            let needed = format!("`pool_size` of `{class}` needs to be at most {sizes:?} for {}", x.ty());
            let error = Error::graph(format!("{needed}, got {pool_size:?}"));
            return Err(error.help("pool by a smaller window, or with `padding` of `same`"));
        }
        Ok(self.data_format.of_last(&pool(&images, &window)))
    }
}

/// The mean of the elements under a window: what is padding does not count.
pub(super) fn average(x: &Tensor, window: &Window) -> Tensor {
    let (dtype, shape) = (x.dtype().to_float(), x.shape());
    let x = x.cast(dtype.widened());
    let ones = x.number(1.0).broadcast(shape.with(0, 1).with(shape.rank() - 1, 1), &[]);
    (x.sum_pool(window, None) / ones.sum_pool(window, None)).cast(dtype)
}
