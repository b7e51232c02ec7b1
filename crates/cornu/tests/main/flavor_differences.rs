//! Every difference between the two Kerases, and what comes of their seeds, as both of them gave it: the files are written
//! by `scripts/golden_flavors.py`.

use std::path::Path;
use std::sync::mpsc;

use cornu::losses::{Loss, loss};
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds, set_flavor};

use cornu::{Cx, Result, Tensor};
use cornu_graph::Array;
use cornu_graph::ops::Reduction;
use cornu_testkit::golden;
use ndarray::{Array2, ArrayD, Axis};
use serde_json::{Value, json};

use crate::seeds::seeded;

pub(crate) const FLAVORS: [(Flavor, &str); 2] = [(Flavor::Keras2, "keras2.json"), (Flavor::Keras3, "keras3.json")];

pub(crate) fn wanted(file: &str) -> Value {
    golden::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/flavors").join(file))
}

/// The rows of the script.
pub(crate) fn rows() -> (Array2<f32>, Array2<f32>) {
    let x = Array2::from_shape_fn((12, 3), |(i, j)| (((i * 7 + j * 5) % 11) as f64 * 0.1) as f32);
    (x, Array2::from_shape_fn((12, 1), |(i, _)| ((i * 3) % 5) as f32 * 0.25))
}

/// Two layers, with a dropout between them.
fn line(mut model: Sequential, dropout: Option<f64>) -> Result<Sequential> {
    model.add(Dense::new(4).activation("tanh").input_shape([3]));
    if let Some(rate) = dropout {
        model.add(Dropout::new(rate));
    }
    model.add(Dense::new(1));
    model.compile(Compile::new().loss("mse").optimizer("adam"))?;
    Ok(model)
}

fn fit(model: &mut Model, x: &Array2<f32>, y: &Array2<f32>) -> Result<Vec<f64>> {
    Ok(model.fit(x, y, Fit::new().batch_size(5).epochs(3).verbose(0))?["loss"].clone())
}

/// All numbers in nested lists.
pub(crate) fn flat(json: &Value) -> Vec<f64> {
    match json {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().expect("a number")],
    }
}

pub(crate) fn near(what: &str, got: &[f64], want: &Value) {
    let want = flat(want);
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 2e-6 * b.abs().max(1.0);
    assert!(got.len() == want.len() && got.iter().zip(&want).all(close), "{what}: got {got:?}, want {want:?}");
}

pub(crate) fn numbers(weights: &[ArrayD<f32>]) -> Vec<f64> {
    weights.iter().flatten().map(|&x| f64::from(x)).collect()
}

#[test]
fn two_models_draw_from_one_seed_in_turn() -> Result<()> {
    let (x, y) = rows();
    for (flavor, file) in FLAVORS {
        let want = &wanted(file)["two_models"];
        let _turn = seeded(flavor, 42);
        let mut models = [line(Sequential::new(), None)?, line(Sequential::new(), Some(0.5))?];
        for (i, model) in models.iter_mut().enumerate() {
            near(&format!("{file}, model {i}"), &fit(model, &x, &y)?, &want[i]["loss"]);
            near(&format!("{file}, model {i}"), &numbers(&model.weights()), &want[i]["weights"]);
        }
    }
    Ok(())
}

#[test]
fn k_folds_draw_from_one_seed_in_turn() -> Result<()> {
    let (x, y) = rows();
    let of = |array: &Array2<f32>, fold: usize, kept: bool| {
        let rows: Vec<usize> = (0..12).filter(|row| (row % 3 != fold) == kept).collect();
        array.select(Axis(0), &rows)
    };
    for (flavor, file) in FLAVORS {
        let _turn = seeded(flavor, 7);
        for fold in 0..3 {
            let want = &wanted(file)["k_folds"][fold];
            let mut model = line(Sequential::new(), Some(0.25))?;
            near(
                &format!("{file}, fold {fold}"),
                &fit(&mut model, &of(&x, fold, true), &of(&y, fold, true))?,
                &want["loss"],
            );
            let left_out =
                model.evaluate_with(&of(&x, fold, false), &of(&y, fold, false), Evaluate::new().verbose(0))?["loss"];
            near(&format!("{file}, fold {fold}, left out"), &[left_out], &want["left_out"]);
        }
    }
    Ok(())
}

/// A model that follows that Keras, with seeds of its own.
fn model(flavor: Flavor, seed: u32) -> Sequential {
    Sequential::seeded(flavor, Seeds::new(seed))
}

/// Tells the number of each batch, and the loss at its end.
struct Watch(mpsc::Sender<(usize, f64)>);

impl Callback for Watch {
    fn on_train_batch_end(&mut self, batch: usize, control: &mut Control) -> Result<()> {
        self.0.send((batch, control.logs()?["loss"])).expect("a place for it");
        Ok(())
    }
}

fn penalises_frozen(flavor: Flavor) -> Result<Value> {
    let frozen = Dense::new(1).kernel_initializer("ones").kernel_regularizer("l2").trainable(false);
    let mut model = model(flavor, 1);
    model.add(frozen.input_shape([2]));
    model.compile(Compile::new().loss("mse"))?;
    Ok(model.evaluate_with([[0.0, 0.0]; 2], [0.0, 0.0], Evaluate::new().verbose(0))?["loss"].into())
}

fn clips_twice(flavor: Flavor) -> Result<Value> {
    let mut model = model(flavor, 1);
    model.add(Activation::new("linear").input_shape([1]));
    let own = loss("own", |y: &Tensor, p: &Tensor| Loss::call(&BinaryCrossentropy::new(), y, p));
    model.compile(Compile::new().loss(own))?;
    Ok(model.evaluate_with([[0.0], [1.0]], [1.0, 0.0], Evaluate::new().verbose(0))?["loss"].into())
}

fn ignoring_hides_logits(flavor: Flavor) -> Result<Value> {
    let mut model = model(flavor, 1);
    model.add(Activation::new("softmax").input_shape([2]));
    model.compile(Compile::new().loss(SparseCategoricalCrossentropy::new().ignore_class(1)))?;
    Ok(model.evaluate_with([[0.0, 200.0]], [0], Evaluate::new().verbose(0))?["loss"].into())
}

fn rows_run_out(flavor: Flavor) -> Result<Value> {
    let mut model = model(flavor, 1);
    model.add(Dense::new(1).kernel_initializer("zeros").input_shape([3]));
    model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.0)))?;
    let (sender, receiver) = mpsc::channel();
    let fit = Fit::new().batch_size(2).steps_per_epoch(3).epochs(2).verbose(0).callback(Watch(sender));
    let history = model.fit([[1.0; 3]; 4], [0.0; 4], fit)?;
    let batches: Vec<usize> = receiver.try_iter().map(|(batch, _)| batch).collect();
    Ok(json!({ "epochs": history.epoch.len(), "batches": batches }))
}

fn sorts_figures(flavor: Flavor) -> Result<Value> {
    let mut model = model(flavor, 1);
    model.add(Dense::new(1).input_shape([3]));
    model.compile(Compile::new().loss("mse").metrics(["mae", "binary_accuracy"]))?;
    let (x, y) = rows();
    Ok(json!(model.fit(&x, &y, Fit::new().validation_split(0.25).verbose(0))?.keys()))
}

fn order_repeats(flavor: Flavor) -> Result<Value> {
    let mut model = model(flavor, 3);
    model.add(Dense::new(1).kernel_initializer("zeros").use_bias(false).input_shape([1]));
    model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.0)))?;
    let (sender, receiver) = mpsc::channel();
    let fit = Fit::new().batch_size(1).epochs(3).verbose(0).callback(Watch(sender));
    model.fit([[1.0]; 6], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], fit)?;
    let first = receiver.try_iter().filter(|(batch, _)| *batch == 0);
    Ok(first.map(|(_, loss)| loss.sqrt().round() as i64).collect())
}

cornu::config! {
    /// Shows of its input nothing at all.
    "flavors.tests" pub layer Hide {}
}

impl Layer for Hide {
    fn call_all(&self, _: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let x = &inputs.one()?.tensor;
        let mask = x.reduce(Reduction::Max, &[x.rank() - 1]).lt(f64::NEG_INFINITY);
        Ok(vec![Wire::from(x.clone()).masked(mask)])
    }
}

fn fuses_normalization(flavor: Flavor) -> Result<Value> {
    let mut found = Vec::new();
    for shape in [&[4, 3][..], &[2, 2, 3, 2]] {
        let x = Array::from_fn(&Type::f32(shape), |i| (i as f64).powf(1.5));
        for hidden in [false, true] {
            let (mut model, layer) = (model(flavor, 1), BatchNormalization::new().momentum(0.0).shared());
            if hidden {
                model.add(Hide::new());
            }
            model.add(&layer).compile(Compile::new().loss("mse"))?;
            model.fit(&x, &x, Fit::new().verbose(0))?;
            found.push(layer.weights()[2..].iter().map(|w| w.iter().copied().collect()).collect::<Vec<Vec<f32>>>());
        }
    }
    Ok(json!(found))
}

type Case = fn(Flavor) -> Result<Value>;

/// One for each method of `Flavor` that is not about seeds, whose cases are those above and in `random`.
const DIFFERENCES: [(&str, Case); 7] = [
    ("penalises_frozen", penalises_frozen),
    ("clips_twice", clips_twice),
    ("ignoring_hides_logits", ignoring_hides_logits),
    ("rows_run_out", rows_run_out),
    ("sorts_figures", sorts_figures),
    ("order_repeats", order_repeats),
    ("fuses_normalization", fuses_normalization),
];

#[test]
fn every_difference_is_that_of_the_kerases() -> Result<()> {
    let wanted = FLAVORS.map(|(flavor, file)| (flavor, wanted(file)));
    for (name, case) in DIFFERENCES {
        assert_ne!(wanted[0].1[name], wanted[1].1[name], "{name}: the Kerases agree");
        for (flavor, wanted) in &wanted {
            let (got, want) = (case(*flavor)?, &wanted[name]);
            // Numbers with a point are near, all else is the same.
            if want.to_string().contains('.') {
                near(&format!("{name}, {flavor:?}"), &flat(&got), want);
            } else {
                assert_eq!(got, *want, "{name}, {flavor:?}");
            }
        }
    }
    Ok(())
}

/// What becomes of a model of one's own seeds: of its losses, and of its weights in the end.
fn alone(number: u32) -> Result<(Vec<f64>, Vec<ArrayD<f32>>)> {
    let flavor = if number.is_multiple_of(2) { Flavor::Keras2 } else { Flavor::Keras3 };
    let (x, y) = rows();
    let mut model = line(model(flavor, number), Some(0.5))?;
    Ok((fit(&mut model, &x, &y)?, model.weights()))
}

#[test]
fn two_hundred_models_in_eight_threads_are_as_each_alone() -> Result<()> {
    const THREADS: u32 = 8;
    let each = 200 / THREADS;
    let together = |thread: u32| move || (0..each).map(|i| alone(thread * each + i)).collect::<Result<Vec<_>>>();
    let found: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(together(thread))).collect();
        // What the process is set to means nothing to them; no other test may see it.
        let _turn = seeded(Flavor::Keras2, 1);
        while !threads.iter().all(|thread| thread.is_finished()) {
            [Flavor::Keras3, Flavor::Keras2].into_iter().for_each(set_flavor);
            set_random_seed(1);
            std::thread::yield_now();
        }
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<_>>()
    })?;
    let found: Vec<_> = found.into_iter().flatten().collect();
    for (number, found) in found.iter().enumerate() {
        assert_eq!(*found, alone(number as u32)?, "model {number}");
    }
    assert_ne!(found[0], found[2]);
    Ok(())
}
