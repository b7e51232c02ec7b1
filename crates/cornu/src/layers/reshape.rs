//! Samples laid out anew.

use cornu_graph::{Error, Result, Shape, Tensor};

use super::Layer;
use crate::trace::Cx;

crate::config! {
    /// The numbers of each sample, in their order, in another shape: `[batch, …]` becomes `[batch, target_shape…]`.
    "keras.layers" pub layer Reshape {
        /// The sizes of a sample; one of them may be -1, and is what is left of the others then.
        target_shape: Vec<i64>,
    }
}

impl Layer for Reshape {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        let sample = Shape::from(x.shape().get(1..).unwrap_or_default()).size();
        let known = self.target_shape.iter().filter_map(|&size| usize::try_from(size).ok()).collect::<Shape>().size();
        let rest = if self.target_shape.contains(&-1) { sample / known.max(1) } else { 1 };
        if known.saturating_mul(rest) != sample {
            let needed = format!("`Reshape` needs samples that fit `target_shape` {:?}", self.target_shape);
            cx.fail(Error::graph(format!("{needed}, got {}", x.ty())));
            return x;
        }
        let sizes = self.target_shape.iter().map(|&size| usize::try_from(size).unwrap_or(rest));
        x.reshape([x.dim(0)].into_iter().chain(sizes).collect::<Vec<_>>())
    }

    fn check_settings(&self) -> Result<()> {
        let open = self.target_shape.iter().filter(|&&size| size == -1).count();
        if open > 1 || self.target_shape.iter().any(|&size| size < -1) {
            let needed = "`target_shape` needs sizes of 0 or more, one of which may be -1";
            return Err(Error::usage(format!("{needed}, got {:?}", self.target_shape)));
        }
        Ok(())
    }
}
