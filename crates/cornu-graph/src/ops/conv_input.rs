//! What comes back through a convolution to its images; or a convolution turned around, which makes larger images.

use super::conv::{Fit, fitting, images, kernel, print, read, samples};
use super::*;

/// `conv_input(dy, w)`: of the gradient `[n, places.., k]` of what [`Conv`] makes of images of those sizes by the kernel
/// `w`, that of the images, `[n, sizes.., c]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConvInput {
    /// The window over the axes of the images.
    pub window: Window,
    /// The groups of channels.
    pub groups: usize,
    /// The sizes of the axes of the images.
    pub size: Box<[usize]>,
}

impl ConvInput {
    fn fit<'a>(&'a self, dy: &Shape, w: &Shape) -> Option<Fit<'a>> {
        let ConvInput { window, groups, size } = self;
        let channels = w.get(w.rank().checked_sub(2)?)?.checked_mul(*groups)?;
        let x = std::iter::once(*dy.first()?).chain(size.iter().copied()).chain([channels]).collect();
        Fit { window, groups: *groups, x, w: w.clone(), y: dy.clone() }.checked()
    }
}

impl OneResult for ConvInput {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let fit = if let [dy, w] = args { self.fit(&dy.shape, &w.shape) } else { None };
        fitting(fit, |fit| fit.x, args).ok_or_else(|| {
            let ConvInput { window, groups, size } = self;
            let places = window.places(size).map_or("as many as there are".into(), |places| places.to_string());
            let needed = format!("images {} of {places} places", images(window, "k"));
            mismatch(&format!("{needed} and a kernel {}", kernel(window, *groups)), args)
        })
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let ConvInput { window, groups, .. } = self;
        vec![Grad::By(ct.conv(&x[1], window, *groups)), Grad::By(ct.conv_weights(&x[0], window, *groups))]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let fit = self.fit(args[0].shape(), args[1].shape()).expect("the type rule was asked first");
        fit.sums(ty, [(args[0], 2), (args[1], 1)], 0)
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        print(f, "conv_input", &self.window, self.groups)?;
        write!(f, " {:?}", self.size)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        let (window, groups) = read(text, "conv_input")?;
        Some(ConvInput { window, groups, size: text.list()? })
    }

    fn samples() -> Vec<Sample> {
        samples(|window, groups, [x, w, y]| {
            let size = x[1..x.rank() - 1].into();
            (ConvInput { window, groups, size }, [y.clone(), w.clone()])
        })
    }
}

impl Tensor {
    /// What comes back from this, `[n, places.., k]`, to images with axes of those sizes on which a kernel `[taps.., c / groups,
    /// k]` lay: `[n, sizes.., c]`. Types are joined as those of a sum.
    #[track_caller]
    pub fn conv_input(&self, kernel: &Tensor, sizes: &[usize], window: &Window, groups: usize) -> Tensor {
        let dtype = self.dtype().joined(kernel.dtype());
        let op = ConvInput { window: window.clone(), groups, size: sizes.into() };
        self.cast(dtype).apply_to(op, &[&kernel.cast(dtype)])
    }
}
