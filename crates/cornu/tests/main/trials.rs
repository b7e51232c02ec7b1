//! What tries the types hardest: sizes left open, layers that keep a state called twice, a layer of somebody else.

use cornu::layers::{Add, BatchNormalization, Concatenate, Conv2D, Embedding, MaxPooling2D};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result, Tensor};
use cornu_graph::Array;
use cornu_testkit::folder::Folder;
use ndarray::{Array2, Array4, s};

use crate::scaled::Scaled;
use crate::seeds::seeded;

cornu::config! {
    /// Twice as many rows and columns, each four alike.
    "trials.tests" pub layer Twofold {}
}

impl Layer for Twofold {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        let [n, h, w, c] = [0, 1, 2, 3].map(|axis| x.dim(axis));
        x.broadcast([n, h, 2, w, 2, c], &[0, 1, 3, 5]).reshape([n, 2 * h, 2 * w, c])
    }
}

fn quiet() -> Fit {
    Fit::new().shuffle(false).verbose(0)
}

/// A picture of each size, with a bright square.
fn pictures(count: usize, [height, width]: [usize; 2]) -> (Array4<f32>, Array4<f32>) {
    let inside = |i: usize, at: usize| (at + i) % 4 < 2;
    let square = |(i, y, x, _)| f32::from(u8::from(inside(i, y) && inside(i, x)));
    let target = Array4::from_shape_fn((count, height, width, 1), square);
    (target.mapv(|ink| ink * 0.5 + 0.25), target)
}

#[test]
fn a_u_net_takes_pictures_of_any_even_size() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let conv = |filters: usize| Conv2D::new(filters, 3).padding("same").activation("relu");
    let x = Input::new([None, None, Some(1)]).symbol()?;
    let fine = conv(4).apply(&x)?;
    let coarse = conv(8).apply(&MaxPooling2D::new().apply(&fine)?)?;
    let both = Concatenate::new().apply([&fine, &Twofold::new().apply(&coarse)?])?;
    let y = Conv2D::new(1, 1).activation("sigmoid").apply(&conv(4).apply(&both)?)?;
    assert_eq!(y.shape(), [None, None, None, Some(1)]);
    let mut model = Model::new([x], [y])?;
    model.compile(Compile::new().loss("binary_crossentropy").optimizer(Adam::from(0.02)))?;
    let (pictures_8, targets) = pictures(8, [8, 8]);
    let history = model.fit(&pictures_8, &targets, quiet().epochs(30))?;
    assert!(history["loss"][29] < 0.5 * history["loss"][0], "{:?}", history["loss"]);
    let (large, targets) = pictures(2, [12, 20]);
    let found = model.predict(&large)?;
    assert_eq!(found.shape(), targets.shape());
    // What lies far enough from a border looks the same in a picture of another size.
    let part = model.predict(large.slice(s![.., ..8, ..8, ..]))?;
    assert_eq!(found.slice(s![.., ..3, ..3, ..]), part.slice(s![.., ..3, ..3, ..]));
    assert!(model.predict(Array4::<f32>::zeros((1, 7, 8, 1))).is_err(), "seven rows have no half");
    Ok(())
}

#[test]
fn sequences_of_any_length_are_added() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let open = || Input::new([None, Some(3)]).symbol();
    let (a, b) = (open()?, open()?);
    let sum = Add::new().apply([&a, &b])?;
    assert_eq!(sum.shape(), [None, None, Some(3)]);
    let model = Model::new([a, b], [sum])?;
    for length in [1, 4, 9] {
        let x = ndarray::Array3::<f32>::ones((2, length, 3));
        assert_eq!(model.predict((&x, &x))?, ndarray::ArrayD::from_elem(vec![2, length, 3], 2.0));
    }
    let (short, long) = (ndarray::Array3::<f32>::ones((2, 4, 3)), ndarray::Array3::<f32>::ones((2, 5, 3)));
    let error = model.predict((&short, &long)).expect_err("lengths that differ").to_string();
    assert!(error.contains('4') && error.contains('5'), "{error}");
    Ok(())
}

/// A layer that is called again sees what its first call left, and noise is drawn anew.
#[test]
fn a_normalization_and_a_dropout_are_called_twice_in_a_step() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let (norm, drop) = (BatchNormalization::new().momentum(0.5).shared(), Dropout::new(0.5).shared());
    let x = Input::new([2]).symbol()?;
    let again = norm.apply(&norm.apply(&x)?)?;
    let (one, two) = (drop.apply(&x)?, drop.apply(&x)?);
    let mut model = Model::new([x], [again, one, two])?;
    model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.0)))?;
    let data = Array2::from_shape_fn((64, 2), |(row, column)| (row + 2 * column) as f32);
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, true)?;
    let input = cx.trace().constant(Array::new([64, 2], data.iter().copied().collect::<Vec<f32>>())?);
    let outputs = net.call(&mut cx, &[input])?;
    let found = variables.session()?.once(&cx.finish(&outputs[1..], &[])?, &[])?;
    assert_ne!(found[0].to_vec::<f32>(), found[1].to_vec::<f32>(), "two calls, two masks");
    model.fit(&data, (&data, &data, &data), quiet().batch_size(64))?;
    // In each of the two steps the first call moves the mean half of the way to the batch's, and the second, which is given
    // a mean of 0, half of the way back.
    let moving = &norm.weights()[2];
    let want = (0..2).fold(0.0, |mean, _| 0.5 * (0.5 * mean + 0.5 * 31.5));
    assert!((moving[[0]] - want).abs() < 1e-4, "{moving}");
    Ok(())
}

#[test]
fn a_layer_of_a_stranger_wraps_counts_hides_and_is_saved() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    assert!(include_str!("scaled.rs").lines().count() < 40);
    cornu::layers::register::<Scaled>();
    let (words, scale) = (Input::new([3]).dtype("int32").symbol()?, Input::new([3, 2]).symbol()?);
    let rows = Embedding::new(5usize, 4usize).mask_zero(true).apply(&words)?;
    let scaled = Scaled::new(Dense::new(2)).name("scaled").shared();
    let y = scaled.apply_named([&rows], [("scale", &scale)])?.remove(0);
    let mut model = Model::new([words, scale], [y])?;
    model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    let (x, by) = (Array2::from(vec![[1, 2, 0], [3, 0, 0]]), ndarray::Array3::<f32>::ones((2, 3, 2)));
    let y = ndarray::Array3::<f32>::zeros((2, 3, 2));
    model.fit((&x, &by), &y, quiet().epochs(2))?;
    let seen = scaled.weights().into_iter().find(|weight| weight.ndim() == 0);
    assert_eq!(seen.and_then(|seen| seen.first().copied()), Some(6.0), "three places in each of two steps");
    let before = model.predict((&x, &by))?;
    assert!(before.slice(s![1, 1.., ..]).iter().all(|&hidden| hidden == 0.0));
    let folder = Folder::new("trials");
    model.save(folder.join("m.keras"))?;
    let again = load_model(folder.join("m.keras"))?;
    assert_eq!(again.predict((&x, &by))?, before);
    assert!(again.to_json()?.contains("stranger"));
    Ok(())
}
