//! Models that are trained together have the bits of each alone.

use cornu::Cpu;
use cornu::losses::loss;
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::train::{CSVLogger, OptimizerState, Resume, TerminateOnNaN, fit_together, fit_together_with};

/// Rows of eight numbers and a label, of the form of the lesson's.
pub(crate) fn rows(count: usize) -> (Array, Array) {
    let x = Array::from_fn(&Type::f32([count, 8]), |i| ((i + 1) as f64 * 0.618_033_988_7).fract() * 4.0 - 1.5);
    let y = Array::from_fn(&Type::f32([count, 1]), |i| ((i * i + i / 3) % 3 / 2) as f64);
    (x, y)
}

/// A model of its own seeds.
pub(crate) fn model(flavor: Flavor, seed: u32, add: impl Fn(&mut Sequential), compile: Compile) -> Sequential {
    let mut model = Sequential::seeded(flavor, Seeds::new(seed));
    add(&mut model);
    model.compile(compile).expect("sound settings");
    model
}

/// Whether no model had a program of its own.
pub(crate) fn are_side_by_side(models: &[Sequential]) -> bool {
    models.iter().all(|model| model.variables().session().expect("a session").memory().programs == 0)
}

/// Trains models together and each alone, and compares all that comes of it.
pub(crate) fn same_bits(
    name: &str,
    count: u32,
    rows_of: usize,
    make: &dyn Fn(u32) -> Sequential,
    fit: &dyn Fn() -> Fit,
) {
    let (x, y) = rows(rows_of);
    let mut together: Vec<Sequential> = (0..count).map(make).collect();
    let histories = fit_together(&mut together, &x, &y, fit().verbose(0)).unwrap_or_else(|e| panic!("{name}: {e}"));
    for (number, (one, history)) in together.iter().zip(&histories).enumerate() {
        let mut alone = make(number as u32);
        let want = alone.fit(&x, &y, fit().verbose(0)).expect("a sound fit");
        let bits = |history: &History| -> Vec<(String, Vec<u64>)> {
            history.iter().map(|(name, all)| (name.into(), all.iter().map(|x| x.to_bits()).collect())).collect()
        };
        assert_eq!(bits(history), bits(&want), "{name}: model {number}: {:?} {:?}", history.history, want.history);
        for (place, (got, want)) in one.weights().iter().zip(alone.weights()).enumerate() {
            // Processors leave open which not-a-number comes of two.
            let bits = |x: &f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
            let bits = |array: &ndarray::ArrayD<f32>| array.iter().map(bits).collect::<Vec<_>>();
            assert_eq!(bits(got), bits(&want), "{name}: model {number}, weight {place}");
        }
        let state = |model: &Sequential| {
            let OptimizerState { iterations, learning_rate, slots } = model.optimizer_state().expect("a trained model");
            (iterations, learning_rate, slots.into_iter().map(|(role, _, value)| (role, value)).collect::<Vec<_>>())
        };
        assert_eq!(state(one), state(&alone), "{name}: model {number}");
        assert_eq!(history.epoch, want.epoch, "{name}");
    }
}

fn lesson(seed: u32) -> Sequential {
    let layers = |model: &mut Sequential| {
        model.add(Dense::new(12).input_shape([8]).activation("relu"));
        model.add(Dense::new(8).activation("relu"));
        model.add(Dense::new(1).activation("sigmoid"));
    };
    let optimizer = Adam::new().learning_rate(0.001 * f64::from(seed + 1));
    let compile = Compile::new().loss("binary_crossentropy").optimizer(optimizer).metrics(["accuracy"]);
    model(Flavor::Keras2, seed, layers, compile)
}

#[test]
fn models_that_differ_in_seeds_and_rates_are_those_trained_alone() {
    let fit = || Fit::new().epochs(3).batch_size(10);
    same_bits("the lesson's", 19, 77, &lesson, &fit);
    same_bits("whole batches", 5, 70, &lesson, &fit);
    same_bits("validation", 6, 90, &lesson, &|| fit().validation_split(0.2));
    same_bits("in order", 4, 30, &lesson, &|| fit().shuffle(false).validation_split(0.5).validation_freq(2));
    same_bits("few", 2, 30, &lesson, &fit);
    let on_one_thread = |seed| {
        let mut model = lesson(seed);
        model.run_on(Cpu::new().threads(1)).expect("a machine");
        model
    };
    same_bits("one thread", 17, 57, &on_one_thread, &fit);
    let ((x, y), mut models) = (rows(30), Vec::from_iter((0..20).map(lesson)));
    fit_together(&mut models, &x, &y, fit().validation_split(0.2)).expect("sound fits");
    assert!(are_side_by_side(&models));
    fit_together(&mut models[..2], &x, &y, fit()).expect("sound fits");
    assert!(!are_side_by_side(&models[..2]));
    same_bits("long rows", 4, 150, &lesson, &|| Fit::new().epochs(2).batch_size(70));
}

/// A small model with another layer, optimizer or loss.
fn other(seed: u32, add: fn(&mut Sequential, u32), compile: fn(u32) -> Compile, flavor: Flavor) -> Sequential {
    model(flavor, seed, |model| add(model, seed), compile(seed))
}

type Other = (&'static str, fn(&mut Sequential, u32), fn(u32) -> Compile);

fn plain(model: &mut Sequential, _: u32) {
    model.add(Dense::new(5).input_shape([8]).activation("tanh"));
    model.add(Dense::new(1).activation("sigmoid"));
}

pub(crate) fn usual(_: u32) -> Compile {
    Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"])
}

/// The rate, and other numbers, by the seed.
fn part(seed: u32) -> f64 {
    0.1 + 0.05 * f64::from(seed)
}

const OTHERS: [Other; 15] = [
    (
        "dropout",
        |model, seed| {
            model.add(Dense::new(6).input_shape([8]).activation("relu"));
            model.add(Dropout::new(part(seed)));
            model.add(Dense::new(1).activation("sigmoid"));
        },
        usual,
    ),
    (
        "normalization of batches",
        |model, _| {
            model.add(Dense::new(6).input_shape([8]));
            model.add(BatchNormalization::new());
            model.add(Activation::new("relu"));
            model.add(Dense::new(1).activation("sigmoid"));
        },
        usual,
    ),
    (
        "normalization of rows",
        |model, _| {
            model.add(LayerNormalization::new().input_shape([8]));
            model.add(Dense::new(1).activation("sigmoid"));
        },
        usual,
    ),
    (
        "penalties",
        |model, seed| {
            model.add(Dense::new(6).input_shape([8]).kernel_regularizer(cornu::regularizers::L2::new().l2(part(seed))));
            model.add(Dense::new(1).activation("sigmoid"));
        },
        usual,
    ),
    (
        "softmax",
        |model, _| {
            model.add(Dense::new(7).input_shape([8]).activation("gelu"));
            model.add(Dense::new(3).activation("softmax"));
        },
        |_| Compile::new().loss("sparse_categorical_crossentropy").optimizer("adam").metrics(["accuracy"]),
    ),
    (
        "many classes",
        |model, _| {
            model.add(Dense::new(70).input_shape([8]).activation("softmax"));
        },
        |_| Compile::new().loss("sparse_categorical_crossentropy").optimizer("sgd").metrics(["accuracy"]),
    ),
    ("SGD", plain, |seed| usual(seed).optimizer(SGD::new().learning_rate(part(seed)).momentum(part(seed)))),
    ("RMSprop", plain, |seed| usual(seed).optimizer(RMSprop::new().rho(part(seed)))),
    ("AdamW", plain, |seed| usual(seed).optimizer(AdamW::new().weight_decay(part(seed) / 100.0))),
    ("other means", plain, |seed| usual(seed).optimizer(Adam::new().beta_1(part(seed)).epsilon(part(seed) * 1e-5))),
    ("clipped", plain, |seed| usual(seed).optimizer(Adam::new().global_clipnorm(part(seed)))),
    ("a loss of one's own", plain, |seed| {
        usual(seed).loss(loss("own", move |y, p| ((y - p) * part(seed)).square().mean([-1])))
    }),
    ("mean squares", plain, |_| Compile::new().loss("mse").optimizer("adam").metrics(["mae"])),
    ("areas", plain, |_| Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["AUC", "Precision"])),
    (
        "convolution",
        |model, _| {
            model.add(Reshape::new([8, 1]).input_shape([8]));
            model.add(Conv1D::new(3, 3).activation("relu"));
            model.add(Flatten::new());
            model.add(Dense::new(1).activation("sigmoid"));
        },
        usual,
    ),
];

#[test]
fn other_layers_losses_and_optimizers_keep_their_bits() {
    let fit = || Fit::new().epochs(2).batch_size(10).validation_split(0.2);
    for (name, add, compile) in OTHERS {
        for flavor in [Flavor::Keras2, Flavor::Keras3] {
            same_bits(&format!("{name}, {flavor:?}"), 5, 60, &|seed| other(seed, add, compile, flavor), &fit);
        }
    }
}

/// Rates that are each other's, or what is left of one by the other, or by the means of the optimizer.
#[test]
fn rates_that_are_equal_by_chance_keep_models_side_by_side() {
    const RATES: [[f64; 3]; 7] = [
        [0.1, 0.3, 0.01],
        [0.3, 0.1, 0.004],
        [0.2, 0.2, 0.02],
        [0.25, 0.35, 0.001],
        [0.5, 0.25, 0.2],
        [0.001, 0.4, 0.9],
        [0.4, 0.001, 0.4],
    ];
    let make = |seed: u32| {
        let [first, second, decay] = RATES[seed as usize];
        let layers = |model: &mut Sequential| {
            model.add(Dropout::new(first).input_shape([8]));
            let l2 = cornu::regularizers::L2::new().l2(decay);
            model.add(Dense::new(6).activation("relu").kernel_regularizer(l2));
            model.add(Dropout::new(second));
            model.add(Dense::new(1).activation("sigmoid"));
        };
        let optimizer = Adam::new().weight_decay(decay).ema_momentum(1.0 - decay).use_ema(true).beta_1(1.0 - second);
        model(Flavor::Keras3, seed, layers, usual(0).optimizer(optimizer))
    };
    let fit = || Fit::new().epochs(2).batch_size(10).validation_split(0.2);
    same_bits("rates", RATES.len() as u32, 60, &make, &fit);
    let ((x, y), mut models) = (rows(60), Vec::from_iter((0..RATES.len() as u32).map(make)));
    fit_together(&mut models, &x, &y, fit().verbose(0)).expect("sound fits");
    assert!(are_side_by_side(&models));
}

/// Models of two kinds, and one that has layers of another, in one list.
#[test]
fn any_models_are_trained() {
    let mixed = |seed: u32| match seed % 3 {
        0 => lesson(seed),
        1 => other(seed, plain, usual, Flavor::Keras2),
        _ => other(seed, OTHERS[0].1, usual, Flavor::Keras2),
    };
    same_bits("mixed", 14, 40, &mixed, &|| Fit::new().epochs(2).batch_size(8));
}

/// Callbacks between epochs see each model as it is, stop it, and change its rate and weights.
#[test]
fn callbacks_between_epochs_are_each_models_own() {
    let stop = || EarlyStopping::new().monitor("val_accuracy").patience(2);
    let fit = || Fit::new().epochs(9).batch_size(10).validation_split(0.3);
    let count =
        |flavor| move |seed: u32| other(seed, plain, |seed| usual(seed).optimizer(SGD::from(part(seed))), flavor);
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let make = count(flavor);
        same_bits("stopped", 18, 40, &make, &|| fit().callback(stop()));
        same_bits("restored", 6, 40, &make, &|| fit().callback(stop().restore_best_weights(true)));
        let slower = || ReduceLROnPlateau::new().monitor("loss").factor(0.5).patience(0).min_delta(0.01);
        same_bits("slower", 6, 40, &make, &|| fit().callback(slower()).callback(stop()));
    }
    let ((x, y), mut models) = (rows(40), Vec::from_iter((0..18).map(count(Flavor::Keras3))));
    let histories = fit_together(&mut models, &x, &y, fit().callback(stop())).expect("sound fits");
    assert!(are_side_by_side(&models));
    let lengths = histories.iter().map(|history| history.epoch.len()).collect::<std::collections::HashSet<_>>();
    assert!(lengths.len() > 1, "all models stop after the same epoch: {lengths:?}");
    fit_together(&mut models, &x, &y, fit().epochs(2).callback(TerminateOnNaN::new())).expect("sound fits");
    assert!(!are_side_by_side(&models[..1]), "a callback of each batch needs a step of its own");
}

/// Writes a snapshot after an epoch.
struct After(usize, std::path::PathBuf);

impl Callback for After {
    fn between_epochs(&self) -> bool {
        true
    }

    fn on_epoch_end(&mut self, epoch: usize, control: &mut Control) -> cornu::Result<()> {
        if epoch == self.0 { control.save_snapshot(&self.1) } else { Ok(()) }
    }
}

#[test]
fn models_go_on_from_snapshots_that_were_made_side_by_side() {
    let folder = cornu_testkit::folder::Folder::new("together");
    let path = |number: usize| folder.join(format!("{number}.snapshot"));
    let make = |seed: u32| other(seed + 1, OTHERS[0].1, usual, Flavor::Keras2);
    let ((x, y), fit) = (rows(50), |epochs| Fit::new().epochs(epochs).batch_size(10).verbose(0));
    let models = || Vec::from_iter((0..5).map(make));
    let mut begun = models();
    let save = |number: usize| vec![Box::new(After(2, path(number))) as Box<dyn Callback>];
    fit_together_with(&mut begun, &x, &y, fit(3), save).expect("sound fits");
    let mut going_on = models();
    let resume = |number: usize| vec![Box::new(Resume::new(path(number))) as Box<dyn Callback>];
    let histories = fit_together_with(&mut going_on, &x, &y, fit(6), resume).expect("sound fits");
    assert!(are_side_by_side(&begun), "begun");
    assert!(are_side_by_side(&going_on), "going on");
    for (number, (history, model)) in histories.iter().zip(&going_on).enumerate() {
        let mut whole = make(number as u32);
        let want = whole.fit(&x, &y, fit(6)).expect("a sound fit");
        assert_eq!(history["loss"], want["loss"], "model {number}");
        assert_eq!(model.weights(), whole.weights(), "model {number}");
    }
}

#[test]
fn what_follows_one_model_is_refused() {
    let (x, y) = rows(20);
    let mut models = [lesson(0), lesson(1)];
    let logger = Fit::new().callback(CSVLogger::new("log.csv"));
    let error = fit_together(&mut models, &x, &y, logger).expect_err("one file for two models");
    assert!(error.to_string().starts_with("a fit for several models needs callbacks that can be copied"), "{error}");
    let mut plain = [Sequential::seeded(Flavor::Keras2, Seeds::new(1))];
    let error = fit_together(&mut plain, &x, &y, Fit::new()).expect_err("it is not compiled");
    assert!(error.to_string().contains("needs a compiled model"), "{error}");
    let wrong = Array::zeros(&Type::f32([20, 3]));
    let error = fit_together(&mut models, &wrong, &y, Fit::new()).expect_err("three features");
    assert!(error.to_string().starts_with("model 0: "), "{error}");
    let none: &mut [Sequential] = &mut [];
    assert!(fit_together(none, &x, &y, Fit::new()).expect("nothing to do").is_empty());
}
