//! A layer of somebody else, who knows nothing but the public interface: around another one, of two inputs, with a state and a
//! mask.

use cornu::layers::{Argument, Child};
use cornu::prelude::*;

cornu::config! {
    /// `inner(x) * scale`, zero where the mask of `x` hides a place; counts the places that it showed while training.
    "stranger" pub layer Scaled {
        /// The layer.
        inner: LayerRef,
    }
}

impl Layer for Scaled {
    fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> cornu::Result<Vec<Wire>> {
        let (x, scale) = (inputs.needed("x")?, inputs.needed("scale")?);
        let seen = cx.state("seen", [], "zeros");
        let y = inputs.within("inner")?.call(cx, x.tensor.clone()) * &scale.tensor;
        let Some(mask) = &x.mask else { return Ok(vec![y.into()]) };
        if cx.training() {
            cx.update(&seen, &seen + mask.cast(seen.dtype()).sum_all());
        }
        let shown = mask.broadcast(y.shape(), &[0, 1]);
        Ok(vec![Wire::from(shown.select(y, 0.0)).masked(mask.clone())])
    }

    fn arguments(&self) -> Vec<Argument> {
        vec![Argument::needed("x"), Argument::needed("scale"), Argument::mask("mask")]
    }

    fn supports_masking(&self) -> bool {
        true
    }

    fn children(&self) -> Vec<(&'static str, Child)> {
        vec![("inner", (&self.inner).into())]
    }
}
