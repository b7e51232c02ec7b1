//! What layers have in common that slide a kernel over images, rows of numbers or spaces.

use cornu_graph::ops::Window;
use cornu_graph::{Error, Result, Tensor};

use super::{DataFormat, Padding, at_least_one};

/// The settings of a layer that slides a kernel along `N` axes.
pub(super) struct Convolution<const N: usize> {
    pub(super) class: &'static str,
    pub(super) filters: usize,
    pub(super) kernel_size: [usize; N],
    pub(super) strides: [usize; N],
    pub(super) padding: Padding,
    pub(super) data_format: DataFormat,
    pub(super) dilation_rate: [usize; N],
    pub(super) groups: usize,
}

impl<const N: usize> Convolution<N> {
    /// # Errors
    /// Numbers that there are no convolutions of.
    pub(super) fn checked(self) -> Result<Self> {
        let Convolution { filters, kernel_size, strides, dilation_rate, groups, .. } = &self;
        let numbers = [("filters", *filters), ("groups", *groups)];
        if let Some((name, _)) = numbers.iter().find(|(_, number)| *number == 0) {
            return Err(Error::usage(format!("`{name}` must be at least 1, got 0")));
        }
        at_least_one(&[("kernel_size", kernel_size), ("strides", strides), ("dilation_rate", dilation_rate)])?;
        if !filters.is_multiple_of(*groups) {
            return Err(Error::usage(format!("`filters` must be a multiple of `groups`, {groups}, got {filters}")));
        }
        if [strides, dilation_rate].iter().all(|sizes| sizes.iter().any(|&size| size > 1)) {
            let got = format!("{strides:?} and {dilation_rate:?}");
            let error = format!("of `strides` and `dilation_rate` one must be 1 along all axes, got {got}");
            return Err(Error::usage(error));
        }
        Ok(self)
    }

    /// The shape of the kernel for such images.
    ///
    /// # Errors
    /// Images of other axes, or whose channels the groups do not divide.
    pub(super) fn kernel(&self, x: &Tensor) -> Result<Vec<usize>> {
        let Convolution { class, groups, .. } = self;
        DataFormat::check(class, x, N + 2)?;
        let channels = self.data_format.to_last(x).dim(-1);
        if !channels.is_multiple_of(*groups) {
            let needed = format!("`{class}` needs channels that `groups`, {groups}, divides");
            return Err(Error::graph(format!("{needed}, got {channels} of {}", x.ty())));
        }
        Ok([&self.kernel_size[..], &[channels / groups, self.filters]].concat())
    }

    /// The images under the kernel, and with the bias, laid out as they are.
    ///
    /// # Errors
    /// Images smaller than the kernel.
    pub(super) fn of(&self, x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let Convolution { class, kernel_size, .. } = self;
        let images = self.data_format.to_last(x).cast(kernel.dtype());
        let sizes = &images.shape()[1..=N];
        let window = Window::new(kernel_size).strides(&self.strides).dilations(&self.dilation_rate);
        let window = self.padding.around(window, sizes);
        if window.places(sizes).is_none() {
            let reach: Vec<usize> = (0..N).map(|i| (kernel_size[i] - 1) * self.dilation_rate[i] + 1).collect();
            let needed = format!("`{class}` needs images of at least {reach:?} places for its kernel");
            let error = Error::graph(format!("{needed}, got {sizes:?} of {}", x.ty()));
            return Err(error.help("give it a smaller `kernel_size`, or `padding` of `same`"));
        }
        let y = images.conv(kernel, &window, self.groups);
        Ok(self.data_format.of_last(&bias.map_or_else(|| y.clone(), |bias| &y + bias)))
    }
}

/// A layer of Keras that slides a kernel along so many axes: its settings, and what it does.
macro_rules! convolution {
    ($(#[$doc:meta])* $name:ident along $axes:literal, $padding:ident, $one:expr) => {
        $crate::config! {
            $(#[$doc])*
            "keras.layers" pub layer $name {
                /// The number of channels it makes.
                filters: usize,
                /// How many elements the kernel has along each axis.
                kernel_size: [usize; $axes],
                /// How far the kernel moves along each axis.
                strides: [usize; $axes] = $one,
                /// Whether there are zeros around images for the kernel to lie on.
                padding: String = "valid".into(),
                /// Whether the channels are last, or the first axis behind the batch.
                data_format: String = "channels_last".into(),
                /// How far elements under the kernel are apart along each axis.
                dilation_rate: [usize; $axes] = $one,
                /// Into how many groups channels are divided, each with filters of its own.
                groups: usize = 1,
                /// What is put after the sum.
                activation: Choice<dyn Activation> = "linear".into(),
                /// Whether a bias is added.
                use_bias: bool = true,
                /// How the kernel starts, `[sizes.., channels / groups, filters]`.
                kernel_initializer: Choice<dyn Initializer> = "glorot_uniform".into(),
                /// How the bias starts, `[filters]`.
                bias_initializer: Choice<dyn Initializer> = "zeros".into(),
                /// A penalty on the kernel.
                kernel_regularizer: Option<Choice<dyn Regularizer>> = None,
                /// A penalty on the bias.
                bias_regularizer: Option<Choice<dyn Regularizer>> = None,
                /// A penalty on what it puts out.
                activity_regularizer: Option<Choice<dyn Regularizer>> = None,
                /// What the kernel is held to.
                kernel_constraint: Option<Choice<dyn Constraint>> = None,
                /// What the bias is held to.
                bias_constraint: Option<Choice<dyn Constraint>> = None,
            }
        }

        impl $name {
            fn convolution(&self) -> Result<Convolution<$axes>> {
                Convolution {
                    class: stringify!($name),
                    filters: self.filters,
                    kernel_size: self.kernel_size,
                    strides: self.strides,
                    padding: Padding::$padding(&self.padding)?,
                    data_format: DataFormat::of(&self.data_format)?,
                    dilation_rate: self.dilation_rate,
                    groups: self.groups,
                }
                .checked()
            }
        }

        impl Layer for $name {
            fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
                let (x, convolution) = (&inputs.one()?.tensor, self.convolution()?);
                let (start, penalty) = (&self.kernel_initializer, &self.kernel_regularizer);
                let kernel = cx.parameter("kernel", convolution.kernel(x)?, start, penalty, &self.kernel_constraint);
                let (start, penalty) = (&self.bias_initializer, &self.bias_regularizer);
                let mut bias = || cx.parameter("bias", [self.filters], start, penalty, &self.bias_constraint);
                let bias = self.use_bias.then(&mut bias);
                let y = convolution.of(x, &kernel, bias.as_ref())?;
                let y = cx.activate(&self.activation, y);
                Ok(vec![Wire { mask: None, logits: cx.logits(&y), tensor: y }])
            }

            fn check_settings(&self) -> Result<()> {
                self.convolution().map(drop)
            }

            fn activity_regularizer(&self) -> Option<&Choice<dyn Regularizer>> {
                self.activity_regularizer.as_ref()
            }
        }
    };
}
pub(super) use convolution;
