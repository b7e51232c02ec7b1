//! Convolutions, and the ways back through them, which are convolutions of other operands.

use cornu_graph::ops::{Slide, Window};
use cornu_graph::{Number, Type};

use super::ops::from_two;
use super::{Val, Writer, listed};

/// A window as StableHLO has it: for each axis its stride, the padding, which takes away where it is negative, and how far
/// elements of the two operands are apart.
struct Along {
    stride: usize,
    padding: [i64; 2],
    apart: [usize; 2],
}

impl Writer {
    /// The kernel over images.
    pub(super) fn conv(&mut self, window: &Window, groups: usize, args: [&Val; 2], ty: &Type) -> Val {
        let along = window.0.iter().map(|slide| Along {
            stride: slide.stride,
            padding: [slide.low, slide.high].map(|n| n as i64),
            apart: [1, slide.dilation],
        });
        self.convolved(["b*f", "*io", "b*f"], along, false, [1, groups], args, ty)
    }

    /// What came back, its places a stride apart, under the kernel turned around.
    pub(super) fn conv_input(&mut self, window: &Window, groups: usize, [dy, w]: [&Val; 2], ty: &Type) -> Val {
        let (axes, size) = (window.0.len(), &ty.shape);
        let along = window.0.iter().enumerate().map(|(axis, slide)| {
            let reach = (slide.size - 1) * slide.dilation + 1;
            let low = reach as i64 - 1 - slide.low as i64;
            let covered = ((dy.ty.shape[axis + 1] - 1) * slide.stride + 1) as i64;
            let high = size[axis + 1] as i64 + reach as i64 - 1 - covered - low;
            Along { stride: 1, padding: [low, high], apart: [slide.stride, slide.dilation] }
        });
        // A group's inputs become its outputs.
        let (taps, [c, k]) = (&w.ty.shape[..axes], [w.ty.shape[axes], w.ty.shape[axes + 1]]);
        let apart = self.reshape(w, &[taps, &[c, groups, k / groups]].concat());
        let order: Vec<usize> = (0..axes).chain([axes + 2, axes + 1, axes]).collect();
        let turned = Type::new(w.ty.dtype, [taps, &[k / groups, groups, c]].concat());
        let turned = self.transposed(&order, &apart, &turned);
        let turned = self.reshape(&turned, &[taps, &[k / groups, groups * c]].concat());
        self.convolved(["b*f", "*io", "b*f"], along, true, [1, groups], [dy, &turned], ty)
    }

    /// What came back as a kernel, its places a stride apart, over the images: channels take the place of images, and images
    /// that of channels.
    pub(super) fn conv_weights(&mut self, window: &Window, groups: usize, [x, dy]: [&Val; 2], ty: &Type) -> Val {
        let along = window.0.iter().enumerate().map(|(axis, slide)| {
            let &Slide { size, stride, dilation, low, .. } = slide;
            let covered = (dy.ty.shape[axis + 1] - 1) * stride + 1;
            let high = ((size - 1) * dilation + covered) as i64 - (x.ty.shape[axis + 1] + low) as i64;
            Along { stride: dilation, padding: [low as i64, high], apart: [1, stride] }
        });
        self.convolved(["f*b", "i*o", "*bf"], along, false, [groups, 1], [x, dy], ty)
    }

    /// `axes` has a letter for each operand's axis and a star for those of the window; groups are of images, and of channels.
    fn convolved(
        &mut self,
        axes: [&str; 3],
        along: impl Iterator<Item = Along>,
        reverse: bool,
        [images, channels]: [usize; 2],
        [a, b]: [&Val; 2],
        ty: &Type,
    ) -> Val {
        if [&a.ty, &b.ty, ty].iter().any(|ty| ty.size() == 0) {
            return self.splat(Number::Whole(0), ty);
        }
        let along: Vec<Along> = along.collect();
        let list = |of: &dyn Fn(&Along) -> String| format!("[{}]", listed(along.iter().map(of)));
        let dims = axes.map(|axes| {
            let of = |c: char| if c == '*' { listed(0..along.len()) } else { c.into() };
            format!("[{}]", listed(axes.chars().map(of)))
        });
        let text = format!(
            "stablehlo.convolution({a}, {b}) dim_numbers = {}x{}->{}, window = {{stride = {}, pad = {}, lhs_dilate = {}, \
             rhs_dilate = {}, reverse = {}}} {{batch_group_count = {images} : i64, feature_group_count = {channels} : i64, \
             precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]}} : {}",
            dims[0],
            dims[1],
            dims[2],
            list(&|along| along.stride.to_string()),
            list(&|along| format!("{:?}", along.padding)),
            list(&|along| along.apart[0].to_string()),
            list(&|along| along.apart[1].to_string()),
            list(&|_| reverse.to_string()),
            from_two(a, b, ty)
        );
        self.add(ty.clone(), text)
    }
}
