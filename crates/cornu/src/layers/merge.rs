//! Several tensors become one, element by element.

use cornu_graph::{Error, Result, Tensor};

use super::{Inputs, Layer, Wire};
use crate::trace::Cx;

macro_rules! merges {
    ($($(#[$doc:meta])* $name:ident, $merge:expr;)*) => {$(
        crate::config! {
            $(#[$doc])*
            ///
            /// Inputs of fewer axes get axes of size 1 behind the first, then all are stretched to one shape. In Keras 3,
            /// where all inputs have masks, what comes out counts where one of them does; in Keras 2 where all masks do.
            "keras.layers" pub layer $name {}
        }

        impl Layer for $name {
            fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
                merged(cx, inputs, $merge)
            }

            fn supports_masking(&self) -> bool {
                true
            }
        }
    )*};
}

merges! {
    /// The sum of its inputs.
    Add, |xs| Ok(fold(xs, |sum, x| sum + x));
    /// The mean of its inputs.
    Average, |xs| Ok(fold(xs, |sum, x| sum + x) / xs.len() as f64);
    /// The largest of its inputs. In Keras 3 what a mask hides does not count.
    Maximum, |xs| extreme(xs, |most, x| most.maximum(x));
    /// The smallest of its inputs. In Keras 3 what a mask hides does not count.
    Minimum, |xs| extreme(xs, |least, x| least.minimum(x));
    /// The product of its inputs. In Keras 3 what a mask hides does not count; where all do there is zero.
    Multiply, product;
    /// The first of its two inputs less the second.
    Subtract, |xs| match xs {
        [a, b] => Ok(&a.tensor - &b.tensor),
        _ => Err(Error::graph(format!("`Subtract` takes two inputs, got {}", xs.len()))),
    };
}

/// Inputs brought to one number of axes, and merged.
fn merged(cx: &Cx, inputs: &Inputs, merge: fn(&[Wire]) -> Result<Tensor>) -> Result<Vec<Wire>> {
    let most = inputs.tensors()?.iter().map(Tensor::rank).max().unwrap_or(0);
    let mut xs = Vec::new();
    for wire in inputs.all() {
        let (shape, ones) = (wire.tensor.shape(), vec![1; most - wire.tensor.rank()]);
        let (batch, sample) = shape.split_at(shape.rank().min(1));
        let mask = wire.mask.clone().filter(|_| cx.flavor().merges_what_masks_show());
        xs.push(Wire::from(wire.tensor.reshape([batch, &ones, sample].concat())).masked(mask));
    }
    let masks = inputs.all().iter().map(|wire| wire.mask.clone());
    let mask = match cx.flavor().merges_what_masks_show() {
        true => masks.collect::<Option<Vec<Tensor>>>().and_then(either),
        false => masks.flatten().reduce(|one, other| one.and(other)),
    };
    Ok(vec![Wire::from(merge(&xs)?).masked(mask)])
}

/// Where one of some masks is true.
fn either(masks: Vec<Tensor>) -> Option<Tensor> {
    masks.into_iter().reduce(|one, other| one.or(other))
}

fn fold(xs: &[Wire], join: fn(Tensor, &Tensor) -> Tensor) -> Tensor {
    xs[1..].iter().fold(xs[0].tensor.clone(), |y, wire| join(y, &wire.tensor))
}

fn product(xs: &[Wire]) -> Result<Tensor> {
    let masks: Vec<Option<Tensor>> = xs.iter().map(Wire::mask_of_each).collect();
    let shown = xs.iter().zip(&masks).map(|(wire, mask)| match mask {
        Some(mask) => mask.select(&wire.tensor, 1.0).into(),
        None => wire.clone(),
    });
    let product = fold(&shown.collect::<Vec<_>>(), |product, x| product * x);
    let any = masks.into_iter().collect::<Option<Vec<Tensor>>>().and_then(either);
    Ok(any.map_or(product.clone(), |any| any.select(product, 0.0)))
}

/// As Keras does it: where a mask hides one of two, the other stands for it.
fn extreme(xs: &[Wire], join: fn(&Tensor, &Tensor) -> Tensor) -> Result<Tensor> {
    let (mut y, mut shown) = (xs[0].tensor.clone(), xs[0].mask_of_each());
    for wire in &xs[1..] {
        let mask = wire.mask_of_each();
        let x = mask.as_ref().map_or(wire.tensor.clone(), |mask| mask.select(&wire.tensor, &y));
        let kept = shown.as_ref().map_or(y.clone(), |shown| shown.select(&y, &x));
        y = join(&kept, &x);
        shown = shown.zip(mask).map(|(one, other)| one.or(&other));
    }
    Ok(y)
}
