//! Images, rows of numbers and spaces made smaller: what the layers that pool them share.

use cornu_graph::ops::Window;
use cornu_graph::{Error, Result, Tensor};

use super::{DataFormat, Padding, at_least_one};

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
        at_least_one(&[("pool_size", &pool_size), ("strides", &strides)])?;
        let (padding, data_format) = (Padding::of(padding)?, DataFormat::of(data_format)?);
        Ok(Pooling { class, pool_size, strides, padding, data_format })
    }

    /// What `pool` makes of images with the channels last, and of the window that slides over them, laid out as `x` is.
    ///
    /// # Errors
    /// Images of other axes, or smaller than the window.
    pub(super) fn of(&self, x: &Tensor, pool: impl Fn(&Tensor, &Window) -> Tensor) -> Result<Tensor> {
        let Pooling { class, pool_size, .. } = self;
        DataFormat::check(class, x, N + 2)?;
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

/// A layer of Keras that pools along so many axes: its settings, of which the size of the window may have a default, and what
/// it makes of images and a window.
macro_rules! pooling {
    ($(#[$doc:meta])* $name:ident along $axes:literal, pool_size $(= $size:expr)?, $pool:expr) => {
        $crate::config! {
            $(#[$doc])*
            "keras.layers" pub layer $name {
                /// The size of the window along each axis.
                pool_size: [usize; $axes] $(= $size)?,
                /// Whether there is something around images for the window to stand on.
                padding: String = "valid".into(),
                /// How far the window moves along each axis; `None` stands for its size.
                strides: Option<[usize; $axes]> = None,
                /// Whether the channels are last, or the first axis behind the batch.
                data_format: String = "channels_last".into(),
            }
        }

        impl $name {
            fn pooling(&self) -> Result<Pooling<$axes>> {
                Pooling::new(stringify!($name), self.pool_size, self.strides, &self.padding, &self.data_format)
            }
        }

        impl Layer for $name {
            fn call_all(&self, _: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
                Ok(vec![self.pooling()?.of(&inputs.one()?.tensor, $pool)?.into()])
            }

            fn check_settings(&self) -> Result<()> {
                self.pooling().map(drop)
            }
        }
    };
}
pub(super) use pooling;
