//! Several tensors become one, element by element.

use cornu_graph::{Error, Result, Tensor};

use super::{Inputs, Layer, Wire};
use crate::trace::Cx;

macro_rules! merges {
    ($($(#[$doc:meta])* $name:ident, $merge:expr;)*) => {$(
        crate::config! {
            $(#[$doc])*
            ///
            /// Inputs of fewer axes get axes of size 1 behind the first, then all are stretched to one shape. Where all
            /// inputs have masks, what comes out counts where one of them does.
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
    Add, |xs| fold(xs, |sum, x| sum + x);
    /// The mean of its inputs.
    Average, |xs| Ok(fold(xs, |sum, x| sum + x)? / xs.len() as f64);
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

fn merged(cx: &Cx, inputs: &Inputs, merge: fn(&[Wire]) -> Result<Tensor>) -> Result<Vec<Wire>> {
    let most = inputs.all().iter().map(|wire| wire.tensor.rank()).max().unwrap_or(0);
    let mut xs = Vec::new();
    for wire in inputs.all() {
        let x = &wire.tensor;
        let shape = x.shape();
        let ones = vec![1; most - x.rank()];
        let (batch, sample) = shape.split_at(shape.rank().min(1));
        let mask = wire.mask.clone().filter(|_| cx.flavor().merges_what_masks_show());
        xs.push(Wire::from(x.reshape([batch, &ones, sample].concat())).masked(mask));
    }
    let masks: Option<Vec<&Tensor>> = inputs.all().iter().map(|wire| wire.mask.as_ref()).collect();
    let mask = masks.and_then(|masks| masks.into_iter().cloned().reduce(|one, other| one.or(other)));
    Ok(vec![Wire::from(merge(&xs)?).masked(mask)])
}

fn fold(xs: &[Wire], join: fn(Tensor, &Tensor) -> Tensor) -> Result<Tensor> {
    let mut tensors = xs.iter().map(|wire| &wire.tensor);
    let first = tensors.next().ok_or_else(|| Error::graph("needs at least one input"))?;
    Ok(tensors.fold(first.clone(), join))
}

/// The mask of a wire, for each of its numbers.
fn spread(wire: &Wire) -> Option<Tensor> {
    let (mask, shape) = (wire.mask.as_ref()?, wire.tensor.shape());
    Some(mask.reshape([&mask.shape()[..], &[1]].concat()).broadcast_to(shape))
}

fn product(xs: &[Wire]) -> Result<Tensor> {
    let masks: Vec<Option<Tensor>> = xs.iter().map(spread).collect();
    let shown = xs.iter().zip(&masks).map(|(wire, mask)| match mask {
        Some(mask) => mask.select(&wire.tensor, 1.0).into(),
        None => wire.clone(),
    });
    let product = fold(&shown.collect::<Vec<_>>(), |product, x| product * x)?;
    let any = masks.into_iter().collect::<Option<Vec<Tensor>>>();
    let any = any.and_then(|masks| masks.into_iter().reduce(|one, other| one.or(&other)));
    Ok(any.map_or(product.clone(), |any| any.select(product, 0.0)))
}

/// As Keras does it: where a mask hides one of two, the other stands for it.
fn extreme(xs: &[Wire], join: fn(&Tensor, &Tensor) -> Tensor) -> Result<Tensor> {
    let mut all = xs.iter();
    let first = all.next().ok_or_else(|| Error::graph("needs at least one input"))?;
    let (mut y, mut shown) = (first.tensor.clone(), spread(first));
    for wire in all {
        let (mut x, mask) = (wire.tensor.clone(), spread(wire));
        if let Some(mask) = &mask {
            x = mask.select(&x, &y);
        }
        if let Some(shown) = &shown {
            y = shown.select(&y, &x);
        }
        shown = shown.zip(mask).map(|(one, other)| one.or(&other));
        y = join(&y, &x);
    }
    Ok(y)
}
