//! Windows of layers: mistakes, ties, edges, types, and images of any height and width.

use cornu::layers::{AveragePooling2D, GlobalAveragePooling1D, MaxPooling2D};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result};
use cornu_graph::Array;

use crate::seeds::seeded;

/// What a layer makes of an image of those sizes and one channel, filled by a function.
fn made(layer: impl IntoLayer, [height, width]: [usize; 2], of: fn(usize) -> f64) -> Result<Vec<f64>> {
    let x = Array::from_fn(&Type::f32([1, height, width, 1]), of);
    let mut model = Sequential::named("m");
    model.add(Input::new([height, width, 1])).add(layer);
    let y = model.predict_all(&x)?.remove(0);
    Ok((0..y.len()).map(|at| y.get(at)).collect())
}

/// As Keras 3.15 gives them on TensorFlow.
#[test]
fn edges_are_those_of_keras() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let rising = |i: usize| i as f64;
    // Of an uneven number of places of padding the larger part is below and to the right, and it never counts.
    assert_eq!(made(AveragePooling2D::new(2).padding("same"), [3, 3], rising)?, [2.0, 3.5, 6.5, 8.0]);
    assert_eq!(made(MaxPooling2D::new().padding("SAME"), [3, 3], |i| -(i as f64))?, [0.0, -2.0, -6.0, -8.0]);
    // What is left over below and to the right is left out, and so is what a long stride steps over.
    assert_eq!(made(MaxPooling2D::new(), [3, 5], rising)?, [6.0, 8.0]);
    assert_eq!(made(AveragePooling2D::new(2).strides(3), [5, 5], rising)?, [3.0, 6.0, 18.0, 21.0]);
    assert_eq!(made(MaxPooling2D::new().pool_size((1, 2)).strides((3, 1)), [4, 3], rising)?, [1.0, 2.0, 10.0, 11.0]);
    assert_eq!(made(AveragePooling2D::new(1).strides((2, 3)).padding("same"), [3, 4], rising)?, [0.0, 3.0, 8.0, 11.0]);
    Ok(())
}

/// The gradient of equal elements goes to the first of them, as in TensorFlow.
#[test]
fn the_first_of_equal_elements_learns() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut model = sequential![MaxPooling2D::new().pool_size((1, 3)).strides(1).input_shape([1, 5, 1])];
    let x = Array::new([1, 1, 5, 1], vec![2.0f32, 1.0, 2.0, 2.0, 2.0])?;
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, true)?;
    let input = cx.input(x.ty());
    let y = net.call(&mut cx, std::slice::from_ref(&input))?.remove(0);
    let slope = gradients(&y.sum_all(), &[input]).remove(0);
    let graph = cx.finish(&[slope], &[])?;
    let slope = variables.session()?.once(&graph, &[x])?.remove(0);
    assert_eq!(slope.to_vec::<f32>(), [1.0, 0.0, 2.0, 0.0, 0.0]);
    Ok(())
}

#[test]
fn images_of_any_size_are_pooled_in_any_type() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    for dtype in ["float32", "float64", "mixed_bfloat16", "float16"] {
        let mut model = Sequential::named("m");
        model.add(Input::new([None, None, Some(2)]).dtype(if dtype == "float64" { dtype } else { "float32" }));
        model.add(MaxPooling2D::new().dtype(dtype)).add(AveragePooling2D::new(2).padding("same").dtype(dtype));
        assert_eq!(model.output_shape(), Some(vec![None, None, None, Some(2)]));
        for sizes in [[4, 8], [7, 5]] {
            let x = Array::from_fn(&Type::f32([2, sizes[0], sizes[1], 2]), |i| (i % 5) as f64);
            let y = model.predict_all(&x)?.remove(0);
            let smaller = sizes.map(|size: usize| (size / 2).div_ceil(2));
            assert_eq!(y.shape()[..], [2, smaller[0], smaller[1], 2]);
        }
    }
    Ok(())
}

#[test]
fn what_cannot_be_pooled_is_said() {
    let _turn = seeded(Flavor::Keras3, 1);
    let mistake = |layer: LayerRef, shape: &[usize]| {
        let mut model = Sequential::named("m");
        model.add(&layer).build(shape).map(drop).expect_err("a mistake").to_string()
    };
    let has = |text: String, part: &str| assert!(text.contains(part), "{text}");
    let largest = MaxPooling2D::new;
    has(mistake(largest().pool_size((2, 5)).shared(), &[4, 4, 1]), "needs to be at most [4, 4]");
    has(mistake(largest().shared(), &[4, 4]), "`MaxPooling2D` needs an input of 4 axes");
    has(mistake(largest().pool_size(0).shared(), &[4, 4, 1]), "`pool_size` needs numbers of at least 1, got [0, 0]");
    has(mistake(largest().strides((0, 1)).shared(), &[4, 4, 1]), "`strides` needs numbers of at least 1, got [0, 1]");
    has(mistake(largest().padding("full").shared(), &[4, 4, 1]), "`padding` is `valid` or `same`, got `full`");
    has(mistake(AveragePooling2D::new(2).data_format("last").shared(), &[4, 4, 1]), "got `last`");
    has(mistake(GlobalAveragePooling1D::new().shared(), &[4, 4, 1]), "needs an input of 3 axes");
    let layer = r#"{"class_name": "MaxPooling2D", "config": {"pool_size": [1, 2, 3]}}"#;
    let json = format!(r#"{{"class_name": "Sequential", "config": {{"layers": [{layer}]}}}}"#);
    let error = Sequential::from_json(&json).map(drop).expect_err("three sizes").to_string();
    has(error, "MaxPooling2D.pool_size: expected a size, or a list of 2, got [1,2,3]");
}
