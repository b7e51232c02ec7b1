//! Tensors one behind the other.

use cornu_graph::ops::Reduction;
use cornu_graph::{Array, DType, Result, Tensor};

use super::{Inputs, Layer, Wire};
use crate::trace::Cx;

crate::config! {
    /// Its inputs one behind the other along an axis, in which alone their sizes may differ.
    "keras.layers" pub layer Concatenate {
        /// The axis; negative ones count from the end.
        axis: i64 = -1,
    }
}

impl Layer for Concatenate {
    fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let join = |xs: &[Tensor]| xs[0].concatenate(&xs[1..].iter().collect::<Vec<_>>(), self.axis as isize);
        let y = Wire::from(join(&inputs.tensors()?));
        Ok(vec![if inputs.all().iter().any(|x| x.mask.is_some()) { y.masked(mask(cx, inputs, &join)) } else { y }])
    }

    fn supports_masking(&self) -> bool {
        true
    }
}

/// The masks of all numbers, joined as these are: Keras 3 shows a place where one of its numbers is shown, Keras 2 where all
/// are.
fn mask(cx: &Cx, inputs: &Inputs, join: &dyn Fn(&[Tensor]) -> Tensor) -> Tensor {
    let all = |x: &Tensor| x.trace().constant(Array::scalar(true)).broadcast_to(x.shape());
    let masks = inputs.all().iter().map(|wire| wire.mask_of_each().unwrap_or_else(|| all(&wire.tensor)));
    let masks = join(&masks.collect::<Vec<_>>()).cast(DType::I32);
    let of_a_place = if cx.flavor().merges_what_masks_show() { Reduction::Max } else { Reduction::Min };
    masks.reduce(of_a_place, &[masks.axis(-1)]).ne(0)
}
