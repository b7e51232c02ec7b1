//! The lesson's two trainings against Keras's own: weights after single steps, histories, predictions.

use std::sync::{Arc, Mutex};

use cornu::Cpu;
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds, set_flavor};
use cornu::train::OptimizerState;
use cornu_graph::Array;
use cornu_testkit::golden::{self, Report, close};
use ndarray::s;
use serde_json::Value;

use crate::lesson::{mnist, pima};
use crate::seeds::seeded;

pub(crate) type Logs = Vec<(String, f64)>;

/// Notes the running figures of the first batches.
#[derive(Clone)]
pub(crate) struct Watch {
    count: usize,
    seen: Arc<Mutex<Vec<Logs>>>,
}

impl Watch {
    pub(crate) fn new(count: usize) -> Watch {
        Watch { count, seen: Arc::default() }
    }

    pub(crate) fn seen(&self) -> Vec<Logs> {
        self.seen.lock().expect("one thread").clone()
    }
}

impl Callback for Watch {
    fn on_train_batch_end(&mut self, _: usize, control: &mut Control) -> cornu::Result<()> {
        let mut seen = self.seen.lock().expect("one thread");
        if seen.len() < self.count {
            seen.push(control.logs()?.iter().map(|(name, value)| (name.to_owned(), value)).collect());
        }
        Ok(())
    }
}

pub(crate) fn list(json: &Value) -> Array {
    Array::vector(json.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect())
}

/// Prints how far numbers are from Keras's, and says whether that is near enough.
fn near(report: &mut Report, what: &str, got: impl IntoIterator<Item = f64>, want: &Array, bar: f64) {
    let got = Array::vector(got.into_iter().collect());
    let far = (0..got.len().min(want.len())).fold(0.0, |far: f64, i| far.max((got.get(i) - want.get(i)).abs()));
    println!("{what}: {far:.1e} from Keras's, {bar:.0e} allowed");
    report.case(what, close(&got, want, 0.0, bar));
}

fn near_running(report: &mut Report, running: &[Logs], golden: &Value) {
    let golden = golden.as_array().expect("figures");
    for (place, (key, bar)) in [("loss", 1e-6), ("accuracy", 0.0)].into_iter().enumerate() {
        let want = golden.iter().map(|logs| logs[place].as_f64().expect("a figure")).collect();
        near(report, &format!("running {key}"), running.iter().map(|logs| logs[place].1), &Array::vector(want), bar);
    }
}

/// What Keras computed of the lesson's trainings.
fn lesson_golden(file: &str) -> Value {
    golden::read(&golden::own("random").join(file))
}

/// Another model that is given weights and optimizer state trains on as the first one does.
#[test]
fn training_goes_on_from_a_saved_state() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (x, y) = ([[0.5, 1.0], [1.5, -0.5], [0.25, 2.0], [-1.0, 0.75]], [1.0, 2.0, 3.0, 4.0]);
    let model = || -> cornu::Result<Sequential> {
        let mut model = Sequential::named("model");
        model.add(Dense::new(1).input_shape([2]).name("only"));
        model.compile(Compile::new().loss("mse").optimizer(Adam::new().amsgrad(true)))?;
        Ok(model)
    };
    let fit = || Fit::new().epochs(3).batch_size(2).shuffle(false).verbose(0);
    let (mut first, mut second) = (model()?, model()?);
    assert_eq!(first.optimizer_state(), None);
    first.fit(&x, &y, fit())?;
    first.set_learning_rate(0.125)?;
    let state = first.optimizer_state().expect("steps were taken");
    assert_eq!((state.iterations, state.learning_rate, state.slots.len()), (6, 0.125, 6));
    second.set_weights(&first.weights())?;
    second.set_optimizer_state(state.clone())?;
    first.fit(&x, &y, fit())?;
    second.fit(&x, &y, fit())?;
    assert_eq!(first.weights(), second.weights());
    assert_eq!(first.optimizer_state(), second.optimizer_state());
    let fewer = OptimizerState { slots: state.slots[..4].to_vec(), ..state };
    let error = second.set_optimizer_state(fewer).expect_err("two slots are missing");
    assert_eq!(error.message(), "the optimizer's state needs 6 slots, got 4");
    Ok(())
}

fn small(flavor: Flavor) -> cornu::Result<Sequential> {
    let _turn = seeded(flavor, 42);
    let mut model = sequential![
        Dense::new(12).input_shape([8]).activation("relu"),
        Dense::new(8).activation("relu"),
        Dense::new(1).activation("sigmoid"),
    ];
    set_flavor(Flavor::Keras2);
    model.compile(Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]))?;
    Ok(model)
}

/// Trains for that many steps, of which an epoch has 62.
fn take_steps(model: &mut Model, (x, y): &(Array, Array), flavor: Flavor, steps: usize) -> cornu::Result<()> {
    let fit = || Fit::new().batch_size(10).seeds(Seeds::new(42)).verbose(0);
    match flavor {
        // The order goes on from one epoch to the next, however short they are.
        Flavor::Keras2 => drop(model.fit(x, y, fit().epochs(steps).steps_per_epoch(1))?),
        // All epochs have the same order, in this fit and in the next.
        Flavor::Keras3 => {
            model.fit(x, y, fit().epochs(steps / 62))?;
            if !steps.is_multiple_of(62) {
                model.fit(x, y, fit().steps_per_epoch(steps % 62))?;
            }
        }
    }
    Ok(())
}

/// The first 4200 steps; later ones depend on the last bit of every sum.
fn pima_weights(flavor: Flavor, file: &str) -> cornu::Result<()> {
    let Some((train, _)) = pima() else { return Ok(()) };
    let golden = lesson_golden(file);
    let mut report = Report::default();
    for (steps, bar) in [(1, 2e-8), (62, 3e-7), (620, 1e-6), (4200, 5e-6)] {
        let mut model = small(flavor)?;
        take_steps(&mut model, &train, flavor, steps)?;
        let key = format!("weights_step_{steps}");
        for (i, (got, want)) in model.weights().iter().zip(golden[&key].as_array().expect("weights")).enumerate() {
            near(&mut report, &format!("{file} {key} {i}"), got.iter().map(|&w| f64::from(w)), &list(want), bar);
        }
    }
    report.finish();
    Ok(())
}

#[test]
fn pima_weights_follow_those_of_keras_2() -> cornu::Result<()> {
    pima_weights(Flavor::Keras2, "keras213_pima_training.json")
}

#[test]
fn pima_weights_follow_those_of_keras_3() -> cornu::Result<()> {
    pima_weights(Flavor::Keras3, "keras3_pima_training.json")
}

#[test]
fn pima_trains_as_in_the_lesson() -> cornu::Result<()> {
    let Some(((x, y), (x_test, y_test))) = pima() else { return Ok(()) };
    let golden = lesson_golden("keras213_pima_training.json");
    let mut model = small(Flavor::Keras2)?;
    let running = Watch::new(62);
    let fit = Fit::new().epochs(150).batch_size(10).seeds(Seeds::new(42)).verbose(0);
    let history = model.fit(&x, &y, fit.callback(running.clone()))?;
    let mut report = Report::default();
    near_running(&mut report, &running.seen(), &golden["batch_logs_epoch1"]);
    for (key, bar) in [("loss", 1e-6), ("accuracy", 0.0)] {
        near(&mut report, key, history[key].to_vec(), &list(&golden[key]), bar);
    }
    let predictions = model.predict_with(&x_test, Predict::new().verbose(0))?;
    let stored = golden::read(&golden::own("../../bench").join("results.json"));
    let printed = cornu::display::numpy(predictions.slice(s![..15, ..]));
    let printed: Vec<&str> = printed.lines().map(|line| line.trim_matches(['[', ']', ' '])).collect();
    assert_eq!(
        serde_json::json!(printed),
        stored["lesson"]["predictions"],
        "bench/results.json, as the readmes show it"
    );
    let first = predictions.iter().take(15).map(|&p| f64::from(p));
    near(&mut report, "the lesson's predictions", first, &list(&golden["tutorial_predictions"]), 1e-5);
    let accuracy =
        |x: &Array, y: &Array| model.evaluate_with(x, y, Evaluate::new().verbose(0)).map(|scores| scores["accuracy"]);
    assert_eq!(accuracy(&x, &y)?, 0.842_019_557_952_880_9);
    assert_eq!(accuracy(&x_test, &y_test)?, f64::from(112.0f32 / 154.0));
    report.finish();
    Ok(())
}

/// After 60 epochs of this order, correct trainings come apart.
#[test]
fn pima_history_follows_that_of_keras_3() -> cornu::Result<()> {
    let Some(((x, y), _)) = pima() else { return Ok(()) };
    let golden = lesson_golden("keras3_pima_training.json");
    let fit = Fit::new().epochs(60).batch_size(10).seeds(Seeds::new(42)).verbose(0);
    let history = small(Flavor::Keras3)?.fit(&x, &y, fit)?;
    let mut report = Report::default();
    for (key, bar) in [("loss", 1e-6), ("accuracy", 0.0)] {
        let want = list(&golden[key]).rows(&(0..60).collect::<Vec<_>>());
        near(&mut report, key, history[key].to_vec(), &want, bar);
    }
    report.finish();
    Ok(())
}

fn large(flavor: Flavor) -> cornu::Result<Sequential> {
    let _turn = seeded(flavor, 42);
    let mut model =
        sequential![Flatten::new().input_shape([28, 28]), Dense::new(128).activation("relu"), Dense::new(10)];
    set_flavor(Flavor::Keras2);
    let loss = SparseCategoricalCrossentropy::new().from_logits(true);
    model.compile(Compile::new().optimizer("adam").loss(loss).metrics(["accuracy"]))?;
    Ok(model)
}

/// The first 1000 steps are in the first epoch, whose order is the same in both flavours.
fn mnist_weights(flavor: Flavor, file: &str) -> cornu::Result<()> {
    let Some(((x, y), _)) = mnist() else { return Ok(()) };
    let golden = lesson_golden(file);
    let mut report = Report::default();
    for (steps, bar) in [(1, 2e-8), (10, 2e-7), (100, 1e-6), (1000, 2e-6)] {
        let mut model = large(flavor)?;
        let running = Watch::new(100);
        let fit = Fit::new().batch_size(32).steps_per_epoch(steps).seeds(Seeds::new(42)).verbose(0);
        model.fit(x, y, fit.callback(running.clone()))?;
        let (key, weights) = (format!("weights_step_{steps}"), model.weights());
        let parts = [
            ("kernel1_row400", weights[0].slice(s![400, ..]).into_dyn()),
            ("bias1", weights[1].view()),
            ("kernel2_rows0_3", weights[2].slice(s![..4, ..]).into_dyn()),
            ("bias2", weights[3].view()),
        ];
        for (part, got) in parts {
            let got = got.iter().map(|&weight| f64::from(weight));
            let want = list(&golden[&key][part]);
            near(&mut report, &format!("{file} {key} {part}"), got, &want, bar);
        }
        if steps == 1000 {
            near_running(&mut report, &running.seen(), &golden["batch_logs"]);
        }
    }
    report.finish();
    Ok(())
}

#[test]
fn mnist_weights_follow_those_of_keras_2() -> cornu::Result<()> {
    mnist_weights(Flavor::Keras2, "keras213_mnist_training.json")
}

#[test]
fn mnist_weights_follow_those_of_keras_3() -> cornu::Result<()> {
    mnist_weights(Flavor::Keras3, "keras3_mnist_training.json")
}

/// Five epochs on one, two and three threads: the same bits, and as good as Keras's.
#[test]
fn mnist_trains_as_in_the_lesson_on_any_number_of_threads() -> cornu::Result<()> {
    let Some(((x, y), (x_test, y_test))) = mnist() else { return Ok(()) };
    let golden = lesson_golden("keras213_mnist_training.json");
    let mut report = Report::default();
    let mut first = None;
    for threads in [1, 2, 3] {
        let mut model = large(Flavor::Keras2)?;
        model.run_on(Cpu::new().threads(threads))?;
        let history = model.fit(x, y, Fit::new().epochs(5).seeds(Seeds::new(42)).verbose(0))?;
        let weights = model.weights();
        if let Some(first) = &first {
            assert!(*first == weights, "{threads} threads make other weights than one");
            continue;
        }
        first = Some(weights);
        for key in ["loss", "accuracy"] {
            let (want, all) = (list(&golden[key]), history[key].to_vec());
            near(&mut report, &format!("{key} of epoch 1"), all[..1].to_vec(), &want.rows(&[0]), 3e-4);
            near(&mut report, &format!("{key} of epochs 2 to 5"), all[1..].to_vec(), &want.rows(&[1, 2, 3, 4]), 1.5e-3);
        }
        let accuracy = model.evaluate_with(x_test, y_test, Evaluate::new().verbose(0))?["accuracy"];
        println!("test accuracy {accuracy}");
        assert!(accuracy >= 0.972, "{accuracy}");
    }
    report.finish();
    Ok(())
}

/// Keras 3 counts the number of steps, the learning rate and the slots once the optimizer has them.
#[test]
fn a_summary_counts_what_the_optimizer_keeps() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut model = sequential![Dense::new(3).input_shape([4]), Dropout::new(0.2), Dense::new(1)];
    model.compile(Compile::new().loss("mse").optimizer("adam"))?;
    let before = model.summary().to_string();
    assert!(before.ends_with(" Non-trainable params: 0 (0.00 B)\n") && before.contains(" Total params: 19 (76.00 B)"));
    model.train_on_batch(&[[0.0; 4]], &[0.0])?;
    let after = model.summary().to_string();
    assert!(after.contains(" Total params: 59 (240.00 B)\n"), "{after}");
    assert!(after.ends_with(" Optimizer params: 40 (164.00 B)\n"), "{after}");
    Ok(())
}
