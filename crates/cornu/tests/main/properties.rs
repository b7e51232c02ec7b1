//! What must hold for any model: tried on networks drawn at random, the same ones each time.

use cornu::Cpu;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu_graph::{Array, Executor, Reference, Type};
use cornu_testkit::bits::Bits;
use cornu_testkit::golden::Report;
use ndarray::ArrayD;

use crate::seeds::seeded;

const ACTIVATIONS: [&str; 5] = ["linear", "relu", "sigmoid", "softmax", "tanh"];
const LOSSES: [&str; 6] =
    ["mse", "mae", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "logits"];
const LARGEST_BATCH: usize = 17;

/// Numbers for layers, rows and weights.
struct Draw(Bits);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// From -1 to 1, in steps that singles hold exactly.
    fn number(&mut self) -> f64 {
        (self.0.word() >> 44) as f64 / f64::from(1 << 19) - 1.0
    }

    fn array(&mut self, ty: &Type) -> Array {
        Array::from_fn(ty, |_| self.number())
    }
}

/// A network to train, and rows to train it on.
struct Case {
    /// Units and activation of each layer.
    layers: Vec<(usize, &'static str)>,
    loss: &'static str,
    optimizer: usize,
    x: Array,
    y: Array,
    weights: Vec<ArrayD<f32>>,
}

impl Case {
    /// The network number `number`: every activation, loss and size of batch has its turn.
    fn new(number: usize) -> cornu::Result<Case> {
        let mut draw = Draw(Bits(number as u64));
        let (rows, features) = (1 + number % LARGEST_BATCH, 1 + draw.below(6));
        let loss = LOSSES[number % LOSSES.len()];
        let hidden = 1 + draw.below(2);
        let mut layers: Vec<(usize, &str)> =
            (0..hidden).map(|i| (1 + draw.below(8), ACTIVATIONS[(number / 6 + i) % ACTIVATIONS.len()])).collect();
        let units = if loss == "mse" { 1 + draw.below(3) } else { 2 + draw.below(3) };
        layers.push(match loss {
            "mse" | "mae" | "logits" => (units, "linear"),
            "binary_crossentropy" => (units, "sigmoid"),
            _ => (units, "softmax"),
        });
        let x = draw.array(&Type::f32([rows, features]));
        let classes: Vec<i64> = (0..rows).map(|_| draw.below(units) as i64).collect();
        let y = match loss {
            "mse" | "mae" => draw.array(&Type::f32([rows, units])),
            "binary_crossentropy" => Array::from_fn(&Type::f32([rows, units]), |_| draw.below(2) as f64),
            "categorical_crossentropy" => {
                let one_hot = |i: usize| f64::from(u8::from(classes[i / units] == (i % units) as i64));
                Array::from_fn(&Type::f32([rows, units]), one_hot)
            }
            _ => Array::vector(classes),
        };
        let mut case = Case { layers, loss, optimizer: number % 4, x, y, weights: Vec::new() };
        let shapes: Vec<Vec<usize>> = case.model()?.weights().iter().map(|weight| weight.shape().to_vec()).collect();
        case.weights =
            shapes.iter().map(|shape| cornu::data::from_array(&draw.array(&Type::f32(&shape[..])))).collect();
        Ok(case)
    }

    fn name(&self) -> String {
        format!("{} rows, {:?}, {}", self.x.shape()[0], self.layers, self.loss)
    }

    /// The model, not compiled.
    fn model(&self) -> cornu::Result<Sequential> {
        let mut model = Sequential::named("model");
        model.add(Input::new([self.x.shape()[1]]));
        for (i, &(units, activation)) in self.layers.iter().enumerate() {
            model.add(Dense::new(units).activation(activation).name(format!("layer_{i}")));
        }
        if !self.weights.is_empty() {
            model.set_weights(&self.weights)?;
        }
        Ok(model)
    }

    fn settings(&self) -> Compile {
        match self.loss {
            "logits" => Compile::new().loss(SparseCategoricalCrossentropy::new().from_logits(true)),
            name => Compile::new().loss(name),
        }
    }

    /// The model, compiled with an optimizer of the case's.
    fn compiled(&self) -> cornu::Result<Sequential> {
        let mut model = self.model()?;
        model.compile(match self.optimizer {
            0 => self.settings().optimizer("adam"),
            1 => self.settings().optimizer("rmsprop"),
            2 => self.settings().optimizer(SGD::new().momentum(0.5).nesterov(true)),
            _ => self.settings().optimizer(Adam::new().amsgrad(true)),
        })?;
        Ok(model)
    }

    /// A fit in batches that leave a partial one.
    fn fit(&self) -> Fit {
        Fit::new().batch_size(5).shuffle(false).verbose(0)
    }
}

/// Tries as many networks as have every pair of loss and size of batch.
fn for_all(check: impl Fn(&Case) -> cornu::Result<Result<(), String>>) {
    let mut report = Report::default();
    for number in 0..LOSSES.len() * LARGEST_BATCH {
        match Case::new(number).and_then(|case| Ok((case.name(), check(&case)?))) {
            Ok((name, outcome)) => report.case(&format!("network {number}, {name}"), outcome),
            Err(error) => report.case(&format!("network {number}"), Err(error.to_string())),
        }
    }
    report.finish();
}

/// The largest distance of two lists of weights, as a part of the larger of 1 and the size.
fn distance(a: &[ArrayD<f32>], b: &[ArrayD<f32>]) -> f64 {
    let far = |(a, b): (&f32, &f32)| f64::from((a - b).abs()) / f64::from(b.abs().max(1.0));
    a.iter().flatten().zip(b.iter().flatten()).map(far).fold(0.0, f64::max)
}

fn same(a: &Model, b: &Model) -> Result<(), String> {
    let (a, b) = (a.weights(), b.weights());
    if a == b { Ok(()) } else { Err(format!("weights differ by {:.1e}", distance(&a, &b))) }
}

/// A step of `SGD` with the learning rate 1 takes the gradient off the weights; the loss along a line tells it apart.
fn slopes(case: &Case) -> cornu::Result<Result<(), String>> {
    let mut model = case.model()?;
    model.run_on(Reference)?;
    model.compile(case.settings().optimizer(SGD::new().learning_rate(1.0)))?;
    let mut draw = Draw(Bits(0));
    let line: Vec<ArrayD<f32>> =
        case.weights.iter().map(|weight| cornu::data::from_array(&draw.array(&Type::f32(weight.shape())))).collect();
    let mut along = |step: f32| -> cornu::Result<f64> {
        let moved: Vec<_> = case.weights.iter().zip(&line).map(|(weight, line)| weight + line * step).collect();
        model.set_weights(&moved)?;
        Ok(model.test_on_batch(&case.x, &case.y)?["loss"])
    };
    let mut difference =
        |step: f32| -> cornu::Result<f64> { Ok((along(step)? - along(-step)?) / (2.0 * f64::from(step))) };
    let differences = [64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0].map(|part| difference(1.0 / part));
    let differences = differences.into_iter().collect::<cornu::Result<Vec<f64>>>()?;
    model.set_weights(&case.weights)?;
    model.train_on_batch(&case.x, &case.y)?;
    let taken = case.weights.iter().zip(model.weights()).map(|(old, new)| old - new);
    let slope: f64 = taken.zip(&line).map(|(slope, line)| f64::from((slope * line).sum())).sum();
    // Richardson: what a difference leaves of the third derivative goes with the square of the step. A kink near by is
    // left behind as steps become smaller.
    let pairs = differences.windows(2).map(|pair| (4.0 * pair[1] - pair[0]) / 3.0);
    let good = pairs.chain(differences.last().copied()).any(|want| (slope - want).abs() <= 2e-4 * want.abs().max(1.0));
    Ok(if good { Ok(()) } else { Err(format!("the slope is {slope}, differences are {differences:?}")) })
}

#[test]
fn gradients_are_those_of_the_loss() {
    let _turn = seeded(Flavor::Keras2, 3);
    for_all(slopes);
}

fn trained(case: &Case, machine: impl Executor + Send + 'static) -> cornu::Result<Vec<ArrayD<f32>>> {
    let mut model = case.compiled()?;
    model.run_on(machine)?;
    model.fit(&case.x, &case.y, case.fit().epochs(2))?;
    Ok(model.weights())
}

#[test]
fn kernels_agree_with_the_reference() {
    let _turn = seeded(Flavor::Keras2, 3);
    for_all(|case| {
        let far = distance(&trained(case, Cpu::new().threads(2))?, &trained(case, Reference)?);
        Ok(if far <= 2e-6 { Ok(()) } else { Err(format!("weights differ by {far:.1e}")) })
    });
}

/// Without shuffling, and in Keras 3's flavour with it, an epoch does not know what fit it belongs to.
#[test]
fn a_fit_may_be_cut_in_two() {
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let _turn = seeded(flavor, 3);
        for_all(|case| {
            let shuffle = flavor == Flavor::Keras3;
            let fit = || case.fit().shuffle(shuffle);
            let (mut whole, mut cut) = (case.compiled()?, case.compiled()?);
            let history = whole.fit(&case.x, &case.y, fit().epochs(3))?;
            let first = cut.fit(&case.x, &case.y, fit().epochs(1))?;
            let rest = cut.fit(&case.x, &case.y, fit().epochs(3).initial_epoch(1))?;
            assert_eq!((&first.epoch[..], &rest.epoch[..]), (&[0][..], &[1, 2][..]));
            let losses = [&first["loss"][..], &rest["loss"]].concat();
            Ok(if losses == history["loss"] { same(&whole, &cut) } else { Err(format!("losses {losses:?}")) })
        });
    }
    // Keras 2 begins each fit with the same order, and goes on to others.
    let _turn = seeded(Flavor::Keras2, 3);
    let case = Case::new(LARGEST_BATCH - 1).expect("a sound network");
    let train = |fits: &[usize]| -> cornu::Result<Sequential> {
        let mut model = case.compiled()?;
        for epochs in fits {
            model.fit(&case.x, &case.y, case.fit().shuffle(true).epochs(*epochs))?;
        }
        Ok(model)
    };
    let trained = [&[2][..], &[1, 1]].map(|fits| train(fits).expect("a sound fit").weights());
    assert!(trained[0] != trained[1]);
}

#[test]
fn scores_do_not_depend_on_the_size_of_batches() {
    let _turn = seeded(Flavor::Keras2, 3);
    for_all(|case| {
        let mut model = case.model()?;
        model.compile(case.settings().metrics(["accuracy"]))?;
        let scores = |rows: usize| {
            let scores = model.evaluate_with(&case.x, &case.y, Evaluate::new().batch_size(rows).verbose(0))?;
            cornu::Result::Ok((scores["loss"], scores["accuracy"]))
        };
        let (loss, accuracy) = scores(case.x.shape()[0])?;
        for rows in [1, 2, 3, 5, 7, 16] {
            let got = scores(rows)?;
            if (got.0 - loss).abs() > 1e-6 * loss.abs().max(1.0) || (got.1 - accuracy).abs() > 1e-6 {
                return Ok(Err(format!("{:?} at once, {got:?} in batches of {rows}", (loss, accuracy))));
            }
        }
        Ok(Ok(()))
    });
}

#[test]
fn a_state_brought_back_goes_on_to_the_same_bits() {
    let _turn = seeded(Flavor::Keras2, 3);
    for_all(|case| {
        let (mut first, mut second) = (case.compiled()?, case.compiled()?);
        first.fit(&case.x, &case.y, case.fit())?;
        second.set_weights(&first.weights())?;
        second.set_optimizer_state(first.optimizer_state().expect("steps were taken"))?;
        for model in [&mut first, &mut second] {
            model.fit(&case.x, &case.y, case.fit())?;
        }
        let states = first.optimizer_state() == second.optimizer_state();
        Ok(if states { same(&first, &second) } else { Err("the optimizers' states differ".into()) })
    });
}

/// To another number of threads, in the middle of a training with dropout.
#[test]
fn a_model_may_move() {
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let _turn = seeded(flavor, 3);
        for_all(|case| {
            let train = |moves: bool| -> cornu::Result<Sequential> {
                set_random_seed(3);
                let mut model = case.model()?;
                let last = *case.layers.last().expect("an output");
                model.pop();
                model.add(Dropout::new(0.25).seed(11)).add(Dense::new(last.0).activation(last.1).name("last"));
                model.set_weights(&case.weights)?;
                model.compile(case.settings().optimizer("adam"))?;
                model.fit(&case.x, &case.y, case.fit())?;
                if moves {
                    model.run_on(Cpu::new().threads(3))?;
                }
                model.fit(&case.x, &case.y, case.fit())?;
                Ok(model)
            };
            let (moved, stayed) = (train(true)?, train(false)?);
            let states = moved.optimizer_state() == stayed.optimizer_state();
            Ok(if states { same(&moved, &stayed) } else { Err("the optimizers' states differ".into()) })
        });
    }
}
