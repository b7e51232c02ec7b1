//! What comes back through a convolution to its kernel.

use super::conv::{Fit, fitting, images, print, read, samples};
use super::*;

/// `conv_weights(x, dy)`: of images `[n, axes.., c]` and the gradient `[n, places.., k]` of what [`Conv`] makes of them, that
/// of the kernel, `[taps.., c / groups, k]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConvWeights {
    /// The window over the axes of the images.
    pub window: Window,
    /// The groups of channels.
    pub groups: usize,
}

impl ConvWeights {
    fn fit<'a>(&'a self, x: &Shape, dy: &Shape) -> Option<Fit<'a>> {
        let ConvWeights { window, groups } = self;
        let channels = x.last()?.checked_div(*groups)?;
        let w = window.sizes().iter().copied().chain([channels, *dy.last()?]).collect();
        Fit { window, groups: *groups, x: x.clone(), w, y: dy.clone() }.checked()
    }
}

impl OneResult for ConvWeights {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let fit = if let [x, dy] = args { self.fit(&x.shape, &dy.shape) } else { None };
        fitting(fit, |fit| fit.w, args).ok_or_else(|| {
            let [x, y] = ["c", "k"].map(|channels| images(&self.window, channels));
            let groups = if self.groups == 1 { String::new() } else { format!(" in {} groups", self.groups) };
            mismatch(&format!("images {x}{groups} and {y}, with as many places as the window has on them"), args)
        })
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let shape = x[0].shape();
        let dx = x[1].conv_input(ct, &shape[1..shape.rank() - 1], &self.window, self.groups);
        vec![Grad::By(dx), Grad::By(x[0].conv(ct, &self.window, self.groups))]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let fit = self.fit(args[0].shape(), args[1].shape()).expect("the type rule was asked first");
        fit.sums(ty, [(args[0], 0), (args[1], 2)], 1)
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        print(f, "conv_weights", &self.window, self.groups)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        read(text, "conv_weights").map(|(window, groups)| ConvWeights { window, groups })
    }

    fn samples() -> Vec<Sample> {
        samples(|window, groups, [x, _, y]| (ConvWeights { window, groups }, [x.clone(), y.clone()]))
    }
}

impl Tensor {
    /// What comes back from `ct`, `[n, places.., k]`, to the kernel `[taps.., c / groups, k]` that lay on these images `[n, axes..,
    /// c]`. Types are joined as those of a sum.
    #[track_caller]
    pub fn conv_weights(&self, ct: &Tensor, window: &Window, groups: usize) -> Tensor {
        let dtype = self.dtype().joined(ct.dtype());
        let op = ConvWeights { window: window.clone(), groups };
        self.cast(dtype).apply_to(op, &[&ct.cast(dtype)])
    }
}
