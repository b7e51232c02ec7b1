//! Kernels of layers: mistakes, edges, layouts, types, penalties, and images of any height and width.

use cornu::layers::{Conv1D, Conv2D};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::regularizers::L1;
use cornu_graph::Array;

use crate::seeds::seeded;

/// What a layer makes of numbers of that shape that count up from 0.
fn made(layer: impl IntoLayer, shape: &[usize]) -> cornu::Result<Vec<f64>> {
    let x = Array::from_fn(&Type::f32(shape), |i| i as f64);
    let mut model = Sequential::named("m");
    model.add(Input::new(shape[1..].to_vec())).add(layer);
    let y = model.predict_all(&x)?.remove(0);
    Ok((0..y.len()).map(|at| y.get(at)).collect())
}

/// As Keras 3.15 gives them on TensorFlow.
#[test]
fn edges_are_those_of_keras() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let row = || Conv1D::new(1, 2).kernel_initializer("ones");
    assert_eq!(made(row().padding("causal"), &[1, 4, 1])?, [0.0, 1.0, 3.0, 5.0]);
    assert_eq!(made(row().padding("causal").dilation_rate(2), &[1, 4, 1])?, [0.0, 1.0, 2.0, 4.0]);
    assert_eq!(made(row().padding("Same"), &[1, 4, 1])?, [1.0, 3.0, 5.0, 3.0]);
    assert_eq!(made(row().padding("causal").data_format("channels_first"), &[1, 1, 4])?, [0.0, 1.0, 3.0, 5.0]);
    let image = || Conv2D::new(1, (3, 2)).kernel_initializer("ones");
    assert_eq!(made(image(), &[1, 4, 3, 1])?, [21.0, 27.0, 39.0, 45.0]);
    assert_eq!(made(image().strides((3, 2)).padding("same"), &[1, 4, 3, 1])?, [8.0, 7.0, 32.0, 19.0]);
    // Of several groups each sees its own channels alone.
    let grouped = Conv2D::new(2, 1).groups(2).kernel_initializer("ones").bias_initializer("ones");
    assert_eq!(made(grouped, &[1, 1, 2, 4])?, [2.0, 6.0, 10.0, 14.0]);
    Ok(())
}

/// An activation works on the tensor as it is laid out: along the last axis, which is the width.
#[test]
fn an_activation_sees_the_layout() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let layer = Conv2D::new(3, 1).data_format("channels_first").activation("softmax");
    let y = made(layer, &[2, 2, 3, 4])?;
    assert_eq!(y.len(), 2 * 3 * 3 * 4);
    assert!(y.chunks_exact(4).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-6), "{y:?}");
    Ok(())
}

#[test]
fn what_it_puts_out_can_be_penalised() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let layer = Conv2D::new(1, 2).kernel_initializer("ones").activity_regularizer(L1::new().l1(0.5));
    let mut model = sequential![layer.input_shape([2, 3, 1])];
    model.compile(Compile::new().optimizer("sgd").loss("mse"))?;
    let x = Array::from_fn(&Type::f32([2, 2, 3, 1]), |i| i as f64);
    let y = model.predict_all(&x)?.remove(0);
    // Half of the sum of all outputs, for each of the two samples.
    assert_eq!(model.evaluate(&x, &y)?["loss"], (8.0 + 12.0 + 32.0 + 36.0) * 0.5 / 2.0);
    Ok(())
}

#[test]
fn images_of_any_size_in_any_type() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    for dtype in ["float32", "float64", "mixed_bfloat16", "float16"] {
        let mut model = Sequential::named("m");
        model.add(Input::new([None, None, Some(2)]));
        model.add(Conv2D::new(5, 3).strides(2).activation("relu").dtype(dtype));
        model.add(Conv2D::new(4, (2, 3)).padding("same").groups(1).dtype(dtype));
        assert_eq!(model.output_shape(), Some(vec![None, None, None, Some(4)]));
        for [height, width] in [[4, 8], [7, 5]] {
            let x = Array::from_fn(&Type::f32([2, height, width, 2]), |i| (i % 5) as f64);
            let y = model.predict_all(&x)?.remove(0);
            assert_eq!(y.shape()[..], [2, (height - 1) / 2, (width - 1) / 2, 4]);
        }
    }
    Ok(())
}

#[test]
fn what_cannot_be_convolved_is_said() {
    let _turn = seeded(Flavor::Keras3, 1);
    let mistake = |layer: LayerRef, shape: &[usize]| {
        let mut model = Sequential::named("m");
        model.add(&layer).build(shape).map(drop).expect_err("a mistake").to_string()
    };
    let has = |error: String, part: &str| assert!(error.contains(part), "{error}");
    let image = || Conv2D::new(4, 3);
    has(mistake(image().shared(), &[4, 4]), "`Conv2D` needs an input of 4 axes");
    has(mistake(image().shared(), &[2, 4, 1]), "needs images of at least [3, 3] places for its kernel, got [2, 4]");
    has(mistake(image().shared(), &[2, 4, 1]), "smaller `kernel_size`, or `padding` of `same`");
    has(mistake(image().dilation_rate(2).shared(), &[4, 5, 1]), "at least [5, 5] places");
    has(mistake(image().groups(3).shared(), &[4, 4, 3]), "`filters` must be a multiple of `groups`, 3, got 4");
    has(mistake(image().groups(2).shared(), &[4, 4, 3]), "channels that `groups`, 2, divides, got 3");
    has(mistake(image().groups(0).shared(), &[4, 4, 3]), "`groups` must be at least 1, got 0");
    has(mistake(Conv2D::new(0, 3).shared(), &[4, 4, 3]), "`filters` must be at least 1, got 0");
    has(mistake(image().strides((0, 1)).shared(), &[4, 4, 3]), "`strides` needs numbers of at least 1, got [0, 1]");
    has(mistake(image().strides(2).dilation_rate((1, 2)).shared(), &[9, 9, 3]), "one must be 1 along all axes");
    has(mistake(image().padding("causal").shared(), &[4, 4, 3]), "`padding` is `valid` or `same`, got `causal`");
    has(mistake(Conv1D::new(1, 2).padding("full").shared(), &[4, 3]), "`valid` or `same` or `causal`, got `full`");
    has(mistake(image().data_format("last").shared(), &[4, 4, 1]), "got `last`");
}
