//! Callbacks: what is called when, what is printed and written, against both Kerases (`testdata/callbacks`), and what a
//! callback may do.

use std::sync::{Arc, Mutex};

use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::train::{
    CSVLogger, EarlyStopping, Hook, LearningRateScheduler, ModelCheckpoint, Params, ReduceLROnPlateau, TerminateOnNaN,
};
use cornu::{Error, ErrorKind, Result, Sequential};
use cornu_testkit::folder::Folder;
use cornu_testkit::{golden, process};
use serde_json::{Value, json};

use crate::seeds::seeded;

const X: [[f64; 1]; 5] = [[1.0], [0.5], [0.25], [1.0], [0.5]];
const Y: [f64; 5] = [1.0, 0.5, 0.25, 0.0, 1.0];
const BOTH: [Flavor; 2] = [Flavor::Keras2, Flavor::Keras3];

fn recorded(flavor: Flavor) -> Value {
    let file = if flavor == Flavor::Keras2 { "keras2.json" } else { "keras3.json" };
    golden::read(&golden::own("../callbacks").join(file))
}

/// A weight of zeros; with figures for the loss and the mean error.
fn model() -> Result<Sequential> {
    let mut model = sequential![Dense::new(1).kernel_initializer("zeros").input_shape([1]).name("only")];
    model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.25)).metrics(["mae"]))?;
    Ok(model)
}

fn settings(epochs: usize) -> Fit {
    Fit::new().epochs(epochs).batch_size(2).shuffle(false).verbose(0)
}

/// Notes each call as `record.py` does. May stop at one of them.
#[derive(Clone, Default)]
struct Recorder {
    name: &'static str,
    calls: Arc<Mutex<Vec<Value>>>,
    stop: Option<(Hook, Option<usize>)>,
    extra: bool,
}

impl Recorder {
    fn note(&self, hook: Hook, at: Option<usize>, control: &mut Control) -> Result<()> {
        let mut keys: Vec<String> = control.logs()?.iter().map(|(name, _)| name.to_owned()).collect();
        keys.sort();
        self.calls.lock().expect("one thread").push(json!([self.name, hook.name(), at, keys]));
        if hook == Hook::EpochEnd && self.extra {
            control.log("extra", 1.0)?;
        }
        if self.stop == Some((hook, at)) {
            control.stop();
        }
        Ok(())
    }
}

macro_rules! note {
    ($($method:ident $hook:ident $(($at:ident))?;)*) => {
        impl Callback for Recorder {
            $(fn $method(&mut self, $($at: usize,)? control: &mut Control) -> Result<()> {
                let at: Option<usize> = None $(.or(Some($at)))?;
                self.note(Hook::$hook, at, control)
            })*
        }
    };
}

note! {
    on_train_begin TrainBegin;
    on_train_end TrainEnd;
    on_epoch_begin EpochBegin(epoch);
    on_epoch_end EpochEnd(epoch);
    on_train_batch_begin TrainBatchBegin(batch);
    on_train_batch_end TrainBatchEnd(batch);
    on_test_begin TestBegin;
    on_test_end TestEnd;
    on_test_batch_begin TestBatchBegin(batch);
    on_test_batch_end TestBatchEnd(batch);
    on_predict_begin PredictBegin;
    on_predict_end PredictEnd;
    on_predict_batch_begin PredictBatchBegin(batch);
    on_predict_batch_end PredictBatchEnd(batch);
}

/// The calls of a case of `record.py`.
fn calls(name: &str) -> Result<Vec<Value>> {
    let calls = Arc::default();
    let recorder = |name, extra, stop| Recorder { name, calls: Arc::clone(&calls), extra, stop };
    let (a, b) = (recorder("a", true, None), recorder("b", false, None));
    let validated = |epochs| settings(epochs).validation_data(&X[..3], &Y[..3]);
    let mut model = model()?;
    match name.strip_prefix("stop ") {
        Some(hook) => {
            let hook = Hook::ALL.iter().find(|known| known.name().strip_prefix("on_") == Some(hook));
            let hook = *hook.expect("a hook");
            let at = match hook {
                Hook::TrainBegin => None,
                Hook::EpochEnd | Hook::TestBatchEnd => Some(0),
                _ => Some(1),
            };
            model.fit(&X, &Y, validated(3).callback(recorder("a", false, Some((hook, at)))))?;
        }
        None if name == "fit" => drop(model.fit(&X, &Y, validated(2).callbacks([a, b]))?),
        None if name == "evaluate" => {
            let settings = Evaluate::new().batch_size(2).verbose(0).callback(a).callback(b);
            model.evaluate_with(&X, &Y, settings)?;
        }
        None => {
            let callbacks: Vec<Box<dyn Callback>> = vec![Box::new(a), Box::new(b)];
            model.predict_watched(&X, Predict::new().batch_size(2).verbose(0), callbacks)?;
        }
    }
    let calls = calls.lock().expect("one thread").clone();
    Ok(calls)
}

#[test]
fn hooks_are_called_in_the_order_of_keras() -> Result<()> {
    for flavor in BOTH {
        let _turn = seeded(flavor, 1);
        let recorded = recorded(flavor);
        let orders = recorded["orders"].as_object().expect("orders");
        assert_eq!(orders.len(), 9);
        for (name, wanted) in orders {
            let (got, wanted) = (calls(name)?, wanted.as_array().expect("calls"));
            for (place, (got, wanted)) in got.iter().zip(wanted).enumerate() {
                assert_eq!(got, wanted, "{flavor:?} {name}: call {place}");
            }
            assert_eq!(got.len(), wanted.len(), "{flavor:?} {name}");
        }
    }
    Ok(())
}

/// The callback of a case of messages, and epochs.
fn of_message(name: &str) -> (Box<dyn Callback>, usize) {
    let best = || ModelCheckpoint::new("b.weights.h5").save_weights_only(true).save_best_only(true).verbose(1);
    match name {
        "early_stopping" => {
            let stop = EarlyStopping::new().monitor("loss").patience(1).min_delta(10).verbose(1);
            (Box::new(stop.restore_best_weights(true)), 5)
        }
        "reduce_lr" => {
            let reduce = ReduceLROnPlateau::new().monitor("loss").factor(0.1).patience(1).min_delta(10);
            (Box::new(reduce.min_lr(0.001).verbose(1)), 6)
        }
        "scheduler" => (Box::new(LearningRateScheduler::new(|epoch, _| 0.1 / (epoch + 1) as f64).verbose(1)), 2),
        "every" => (Box::new(ModelCheckpoint::new("m-{epoch:02d}-{loss:.3f}.keras").verbose(1)), 2),
        "best" => (Box::new(best().monitor("loss")), 2),
        "worse" => (Box::new(best().monitor("mae").mode("max")), 2),
        "weights" => {
            let weights = ModelCheckpoint::new("w.weights.h5").save_weights_only(true);
            (Box::new(weights.save_freq(2usize).verbose(1)), 2)
        }
        "terminate" => (Box::new(TerminateOnNaN::new()), 5),
        other => panic!("no callback for {other}"),
    }
}

#[test]
fn messages_are_those_of_keras() -> Result<()> {
    const NAME: &str = "callbacks::messages_are_those_of_keras";
    if let Some(word) = process::word() {
        let word = word.into_string().expect("a name");
        let (flavor, name) = word.split_once(' ').expect("two words");
        let _turn = seeded(if flavor == "Keras2" { Flavor::Keras2 } else { Flavor::Keras3 }, 1);
        let (callback, epochs) = of_message(name);
        let folder = Folder::new("messages");
        std::env::set_current_dir(folder.join("")).expect("a folder");
        let y = Y.map(|y| if name == "terminate" { y * 1e30 } else { y });
        println!("<<");
        let history = model()?.fit(&X, &y, settings(epochs).callbacks([callback]))?;
        println!(">>{}", history.epoch.len());
        return Ok(());
    }
    for flavor in BOTH {
        for (name, wanted) in recorded(flavor)["messages"].as_object().expect("messages") {
            let output = process::again(NAME, "", format!("{flavor:?} {name}")).output().expect("a process");
            process::assert_passed(&output);
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            let (_, printed) = printed.split_once("<<\n").expect("a beginning");
            let (printed, _) = printed.split_once(">>").expect("an end");
            assert_eq!(Some(printed), wanted.as_str(), "{flavor:?} {name}");
        }
    }
    Ok(())
}

#[test]
fn a_csv_logger_writes_the_text_of_keras() -> Result<()> {
    let folder = Folder::new("csv");
    for flavor in BOTH {
        let _turn = seeded(flavor, 1);
        let path = folder.join("log.csv");
        let fit = || settings(2).validation_data(&X[..2], &Y[..2]).validation_freq(2);
        for (name, wanted) in recorded(flavor)["files"].as_object().expect("files") {
            let logger = CSVLogger::new(&path);
            let fit = match name.as_str() {
                "plain" => fit().callback(logger),
                "append" => fit().callback(logger.append(true)),
                _ => {
                    let rates = LearningRateScheduler::new(|epoch, _| 0.1 / (epoch + 1) as f64);
                    fit().callback(rates).callback(logger.separator(';'))
                }
            };
            model()?.fit(&X, &Y, fit)?;
            let text = std::fs::read_to_string(&path).expect("a text");
            assert_eq!(Some(&*text), wanted.as_str(), "{flavor:?} {name}");
        }
        let rates = LearningRateScheduler::new(|epoch, _| 0.1 / (epoch + 1) as f64);
        let history = model()?.fit(&X, &Y, settings(2).validation_data(&X[..2], &Y[..2]).callback(rates))?;
        assert_eq!(json!(history.keys()), recorded(flavor)["keys"], "{flavor:?}");
    }
    Ok(())
}

/// Fails after so many batches.
struct Fails(usize);

impl Callback for Fails {
    fn on_train_batch_end(&mut self, batch: usize, _: &mut Control) -> Result<()> {
        self.0 -= 1;
        if self.0 == 0 { Err(Error::file(format!("the disk is full after batch {batch}"))) } else { Ok(()) }
    }
}

#[test]
fn the_error_of_a_callback_ends_a_fit_that_keeps_history_and_weights() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (mut model, mut same) = (model()?, model()?);
    let error = model.fit(&X, &Y, settings(9).callback(Fails(7))).expect_err("a callback fails");
    assert_eq!(error.to_string(), "on_train_batch_end: the disk is full after batch 0");
    assert_eq!(error.kind(), ErrorKind::File);
    let history = model.history().expect("the history of two epochs");
    let whole = same.fit(&X, &Y, settings(2))?;
    assert_eq!((history.epoch.len(), &history["loss"]), (2, &whole["loss"]));
    assert_ne!(model.weights(), same.weights(), "a step more");
    // What was learned goes on.
    model.fit(&X, &Y, settings(1))?;
    assert_eq!(same.history().expect("the history").params, Params { verbose: 0, epochs: 2, steps: 3 });
    Ok(())
}

/// Evaluates, saves, predicts, and sets weights and rate in all hooks of a fit.
struct Busy(std::path::PathBuf);

impl Callback for Busy {
    fn on_epoch_end(&mut self, epoch: usize, control: &mut Control) -> Result<()> {
        let own = control.model.evaluate_with(&X, &Y, Evaluate::new().verbose(0))?;
        control.log("own_loss", own["loss"])?;
        control.model.predict_with(&X, Predict::new().verbose(0))?;
        control.model.save(&self.0)?;
        assert_eq!(load_model(&self.0)?.weights(), control.model.weights());
        if epoch == 1 {
            let zeros = control.weights()?.iter().map(|weight| Array::zeros(&weight.ty())).collect::<Vec<_>>();
            control.set_weights(&zeros)?;
            control.set_learning_rate(0.0)?;
            let error = control.set_weights(&zeros[1..]).expect_err("one is missing");
            assert!(error.message().ends_with("has 2 weights, got a list of 1"), "{error}");
        }
        Ok(())
    }
}

#[test]
fn a_callback_has_a_hand_on_the_model() -> Result<()> {
    for flavor in BOTH {
        let _turn = seeded(flavor, 1);
        let folder = Folder::new("busy");
        let (mut model, mut quiet) = (model()?, model()?);
        let history = model.fit(&X, &Y, settings(3).callback(Busy(folder.join("busy.keras"))))?;
        quiet.fit(&X, &Y, settings(2))?;
        assert_eq!(history["loss"][..2], quiet.history().expect("a history")["loss"]);
        assert_eq!(history["own_loss"].len(), 3);
        assert_eq!(model.weights()[0][[0, 0]], 0.0, "set to zero, and kept by a rate of zero");
    }
    Ok(())
}

/// In an evaluation that is none of a fit, a callback cannot evaluate: both have one set of totals.
struct Nested;

impl Callback for Nested {
    fn on_test_batch_end(&mut self, _: usize, control: &mut Control) -> Result<()> {
        control.model.evaluate_with(&X, &Y, Evaluate::new().verbose(0)).map(drop)
    }
}

#[test]
fn a_callback_of_an_evaluation_cannot_evaluate() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let model = model()?;
    let nested = Evaluate::new().verbose(0).callback(Nested);
    let error = model.evaluate_with(&X, &Y, nested).expect_err("nested");
    assert_eq!(error.to_string(), "on_test_batch_end: a callback of an evaluation cannot evaluate the same model");
    model.evaluate_with(&X, &Y, Evaluate::new().verbose(0))?;
    Ok(())
}

#[test]
fn what_a_callback_cannot_do_is_explained() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let refused = |callback: Box<dyn Callback>| {
        let error = model().and_then(|mut model| model.fit(&X, &Y, settings(2).callbacks([callback])));
        error.expect_err("refused").to_string()
    };
    let says = |got: String, wanted: &str| assert!(got.starts_with(wanted), "{got}");
    says(
        refused(Box::new(EarlyStopping::new().monitor("f1"))),
        "on_train_begin: `EarlyStopping` cannot tell whether `f1` is better if it is larger or smaller",
    );
    says(
        refused(Box::new(EarlyStopping::new().mode("up"))),
        "on_train_begin: `EarlyStopping.mode` needs one of \"auto\", \"min\" and \"max\", got \"up\"",
    );
    says(
        refused(Box::new(ReduceLROnPlateau::new().factor(1.0))),
        "on_train_begin: `ReduceLROnPlateau.factor` needs a number from 0 to below 1, got 1",
    );
    says(
        refused(Box::new(ModelCheckpoint::new("a.h5"))),
        "on_train_begin: `ModelCheckpoint.filepath` needs to end in `.keras`, got `a.h5`",
    );
    says(
        refused(Box::new(ModelCheckpoint::new("{f1}.keras"))),
        "on_epoch_end: `ModelCheckpoint.filepath` has a place for `f1`; there are `epoch`, `loss`, `mae`",
    );
    says(
        refused(Box::new(CSVLogger::new("/proc/nothing/log.csv"))),
        "on_train_begin: `/proc/nothing/log.csv` cannot be",
    );
    says(
        refused(Box::new(LearningRateScheduler::new(|_, rate| -rate))),
        "on_epoch_begin: the learning rate needs a number of 0 or more",
    );
    let history = model()?.fit(&X, &Y, settings(2).callback(EarlyStopping::new()))?;
    let told: Vec<String> = history.warnings.iter().map(ToString::to_string).collect();
    let later = settings(2).validation_data(&X, &Y).validation_freq(2).callback(EarlyStopping::new());
    assert_eq!(model()?.fit(&X, &Y, later)?.warnings, []);
    assert_eq!(told, ["warning CN029: `EarlyStopping` watches `val_loss`, which is not there; there are loss, mae"]);
    Ok(())
}

/// The first whose weights or output are no numbers is named.
#[test]
fn terminate_on_nan_names_the_first_layer() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let of = |rate: f64, scale: f64, raise: bool| -> (Result<History>, Option<String>) {
        let mut model = sequential![
            Dense::new(2).input_shape([1]).kernel_initializer("ones").name("first"),
            Rescaling::new(scale).name("scale"),
            Dense::new(1).kernel_initializer("ones").name("last"),
        ];
        model.compile(Compile::new().loss("mse").optimizer(SGD::from(rate))).expect("settings");
        let callback = Arc::new(Mutex::new(TerminateOnNaN::new().raise_error(raise)));
        let history = model.fit(&X, &Y, settings(3).callback(Arc::clone(&callback)));
        let found = callback.lock().expect("one thread").kept.found.clone();
        (history, found)
    };
    let (history, found) = of(0.01, 3e38, false);
    assert_eq!((history?.epoch.len(), found.as_deref()), (1, Some("the weight `first/kernel`")));
    let (history, found) = of(1e30, 1.0, false);
    assert_eq!((history?.warnings.is_empty(), found.as_deref()), (false, Some("the weight `first/kernel`")));
    let (error, _) = of(1e30, 1.0, true);
    let error = error.expect_err("raised").to_string();
    assert!(error.contains("the loss is") && error.contains("`first/kernel` is the first"), "{error}");
    let (history, found) = of(0.01, 1.0, false);
    assert_eq!((history?.epoch.len(), found), (3, None));
    Ok(())
}

#[test]
fn checkpoints_are_models() -> Result<()> {
    for flavor in BOTH {
        let _turn = seeded(flavor, 1);
        let folder = Folder::new("checkpoints");
        let name = |name: &str| folder.join("made/for/them").join(name).display().to_string();
        let (mut model, x, y) = (model()?, &X, &Y);
        let every = ModelCheckpoint::new(name("{epoch:02d}-{batch}-{loss:.2f}.keras")).save_freq(3usize);
        let best = ModelCheckpoint::new(name("best.weights.h5")).monitor("mae").mode("max").save_best_only(true);
        let fit = settings(3).callback(every).callback(best.save_weights_only(true));
        let history = model.fit(x, y, fit)?;
        let mut files: Vec<String> = std::fs::read_dir(folder.join("made/for/them"))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let wanted: Vec<String> = (1..=3).map(|n| format!("0{n}-3-{:.2}.keras", history["loss"][n - 1])).collect();
        assert_eq!(files, [&wanted[..], &["best.weights.h5".to_owned()]].concat());
        let last = load_model(name(&wanted[2]))?;
        assert_eq!((last.weights(), last.optimizer_state().map(|s| s.iterations)), (model.weights(), Some(9)));
        // The mean error falls: the largest is that of the first epoch.
        last.evaluate_with(x, y, Evaluate::new().verbose(0))?;
        let first = load_model(name(&wanted[0]))?;
        model.load_weights(name("best.weights.h5"))?;
        assert_eq!(model.weights(), first.weights());
    }
    Ok(())
}

#[test]
fn a_rate_that_follows_a_schedule_is_not_set() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut model = model()?;
    let schedule = cornu::optimizers::schedules::ExponentialDecay::new(0.5, 2, 0.5);
    model.compile(Compile::new().loss("mse").optimizer(SGD::new().learning_rate(schedule)))?;
    assert_eq!(model.learning_rate()?, 0.5);
    let error =
        model.fit(&X, &Y, settings(2).callback(LearningRateScheduler::new(|_, rate| rate))).expect_err("not set");
    let wanted = "on_epoch_begin: the learning rate follows the schedule `ExponentialDecay`, and cannot be set";
    assert!(error.to_string().starts_with(wanted), "{error}");
    model.fit(&X, &Y, settings(2))?;
    assert_eq!(model.learning_rate()?, 0.5f64.powi(4), "after six steps");
    Ok(())
}

#[test]
fn figures_are_single_numbers() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut model = sequential![Dense::new(1).input_shape([1]).activation("sigmoid")];
    let of = |metric: cornu::metrics::Recall| Compile::new().loss("binary_crossentropy").metrics([metric]);
    model.compile(of(cornu::metrics::Recall::new().thresholds([0.25, 0.75])))?;
    let y = [1, 0, 1, 0, 1];
    let error = model.fit(&X, &y, settings(1)).expect_err("two numbers");
    assert_eq!(error.message(), "a figure is a single number, but the metric `Recall` gives f32[2]");
    let both = ["auc", "precision"];
    model.compile(Compile::new().loss("binary_crossentropy").metrics(both).weighted_metrics(["recall"]))?;
    let history = model.fit(&X, &y, settings(2).sample_weight([1.0, 2.0, 0.5, 1.0, 1.0]))?;
    assert_eq!(history.keys(), ["auc", "loss", "precision", "recall"]);
    let mut alone = cornu::metrics::Running::new("auc");
    alone.update_state(&y, model.predict_with(&X, Predict::new().verbose(0))?)?;
    let scores = model.evaluate_with(&X, &y, Evaluate::new().batch_size(2).verbose(0))?;
    assert_eq!(scores["auc"], alone.result()?.get(0));
    Ok(())
}
