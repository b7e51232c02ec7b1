//! Tensors one behind the other.

use cornu_graph::ops::Reduction;
use cornu_graph::{DType, Error, Result, Tensor, Type};

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
        let axis = self.axis as isize;
        let joined = |tensors: &[Tensor]| match tensors {
            [first, others @ ..] => Ok(first.concatenate(&others.iter().collect::<Vec<_>>(), axis)),
            [] => Err(Error::graph("`Concatenate` needs at least one input")),
        };
        let y = joined(&inputs.all().iter().map(|wire| wire.tensor.clone()).collect::<Vec<_>>())?;
        if inputs.all().iter().all(|wire| wire.mask.is_none()) {
            return Ok(vec![y.into()]);
        }
        let masks = joined(&inputs.all().iter().map(spread).collect::<Vec<_>>())?.cast(DType::I32);
        // Keras 3 shows what one of the numbers of a place shows, Keras 2 what all do.
        let of_a_place = if cx.flavor().merges_what_masks_show() { Reduction::Max } else { Reduction::Min };
        Ok(vec![Wire::from(y).masked(masks.reduce(of_a_place, &[masks.axis(-1)]).ne(0))])
    }

    fn supports_masking(&self) -> bool {
        true
    }
}

/// The mask of a wire, for each of its numbers.
fn spread(wire: &Wire) -> Tensor {
    let x = &wire.tensor;
    match &wire.mask {
        Some(mask) if mask.rank() < x.rank() => {
            mask.reshape([&mask.shape()[..], &[1]].concat()).broadcast_to(x.shape())
        }
        Some(mask) => mask.clone(),
        None => x.trace().constant(cornu_graph::Array::scalar(true)).broadcast_to(Type::new(DType::Bool, x.shape()).shape),
    }
}
