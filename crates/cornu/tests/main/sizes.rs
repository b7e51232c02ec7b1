//! Models of several sizes that are trained together have the bits of each alone.

use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::train::fit_together;

use crate::together::{are_side_by_side, model, rows, same_bits, usual};

/// The sizes of two hidden layers, by the seed.
fn units(seed: u32) -> [usize; 2] {
    [7, 13].map(|part| 2 + (seed * part + seed * seed) as usize % 19)
}

/// A model of two hidden layers, whose activation and compilation are given.
fn net(seed: u32, activation: &str, compile: Compile) -> Sequential {
    let [first, second] = units(seed);
    let layers = |model: &mut Sequential| {
        model.add(Dense::new(first).input_shape([8]).activation(activation));
        model.add(Dense::new(second).activation(activation));
        model.add(Dense::new(1).activation("sigmoid"));
    };
    model(Flavor::Keras3, seed, layers, compile)
}

fn fit() -> Fit {
    Fit::new().epochs(3).batch_size(10).validation_split(0.2)
}

/// Whether more than half of the models are trained without a program of their own: not all of any sizes are worth it.
fn are_together(make: &dyn Fn(u32) -> Sequential, count: u32) -> bool {
    let ((x, y), mut models) = (rows(77), Vec::from_iter((0..count).map(make)));
    fit_together(&mut models, &x, &y, fit().verbose(0)).expect("sound fits");
    let together = models.chunks(1).filter(|model| are_side_by_side(model)).count();
    2 * together > models.len()
}

fn part(seed: u32) -> f64 {
    0.1 + 0.05 * f64::from(seed % 8)
}

type Optimizers = (&'static str, fn(u32) -> Compile);

const OPTIMIZERS: [Optimizers; 5] = [
    ("Adam", |seed| usual(seed).optimizer(Adam::new().learning_rate(0.01 * part(seed)))),
    ("SGD", |seed| usual(seed).optimizer(SGD::new().learning_rate(part(seed)).momentum(part(seed)).nesterov(true))),
    ("RMSprop", |seed| usual(seed).optimizer(RMSprop::new().rho(part(seed)).momentum(0.5))),
    ("AdamW", |seed| usual(seed).optimizer(AdamW::new().weight_decay(part(seed) / 100.0))),
    ("clipped", |seed| usual(seed).optimizer(Adam::new().clipvalue(part(seed)))),
];

#[test]
fn models_of_several_sizes_are_those_trained_alone() {
    for (place, activation) in ["relu", "tanh", "sigmoid", "elu", "gelu", "softplus", "swish"].into_iter().enumerate() {
        let (name, compile) = OPTIMIZERS[place % OPTIMIZERS.len()];
        let make = |seed: u32| net(seed, activation, compile(seed));
        same_bits(&format!("{activation}, {name}"), 20, 77, &make, &fit);
        assert!(are_together(&make, 20), "{activation}, {name}");
    }
}

/// Rates that are much too high: numbers that overflow stay in their model and their corner.
#[test]
fn models_of_several_sizes_that_diverge_are_those_trained_alone() {
    let make = |seed: u32| {
        let sgd = SGD::new().learning_rate(10f64.powi(seed as i32 % 6)).momentum(0.9);
        net(seed, ["relu", "elu"][seed as usize / 9], Compile::new().loss("mse").optimizer(sgd).metrics(["mae"]))
    };
    same_bits("diverging", 18, 77, &make, &|| fit().epochs(6));
    let clipped = |seed: u32| {
        let sgd = SGD::new().learning_rate(1e38).clipvalue(part(seed));
        net(seed, "relu", Compile::new().loss("mse").optimizer(sgd))
    };
    same_bits("clipped", 12, 77, &clipped, &fit);
}

#[test]
fn models_of_several_sizes_stop_and_change_their_rates_by_themselves() {
    let make = |seed: u32| net(seed, "relu", OPTIMIZERS[1].1(seed));
    let stop = || EarlyStopping::new().monitor("val_loss").patience(1).restore_best_weights(true);
    same_bits("stopped", 20, 60, &make, &|| fit().epochs(9).callback(stop()));
    let slower = || ReduceLROnPlateau::new().monitor("loss").factor(0.5).patience(0).min_delta(0.01);
    same_bits("slower", 12, 60, &make, &|| fit().epochs(6).callback(slower()));
}

/// Models that have more than dense layers, and whether those of several sizes can be side by side: not where long sums, or
/// random draws, go over their units.
type Other = (&'static str, bool, fn(&mut Sequential, [usize; 2]), fn() -> Compile);

const OTHERS: [Other; 8] = [
    ("clipped by norm", false, plain, || usual(0).optimizer(Adam::new().clipnorm(0.1))),
    ("clipped by the norm of all", false, plain, || usual(0).optimizer(Adam::new().global_clipnorm(0.1))),
    (
        "penalties",
        false,
        |model, units| {
            with(model, units, &|model| {
                model.add(
                    Dense::new(units[1]).activation("relu").kernel_regularizer(cornu::regularizers::L2::new().l2(0.01)),
                );
            });
        },
        || usual(0),
    ),
    (
        "penalties of biases",
        true,
        |model, units| {
            with(model, units, &|model| {
                model.add(
                    Dense::new(units[1]).activation("relu").bias_regularizer(cornu::regularizers::L2::new().l2(0.01)),
                );
            });
        },
        || usual(0),
    ),
    (
        "normalization of batches",
        true,
        |model, units| {
            with(model, units, &|model| {
                model.add(BatchNormalization::new());
            });
        },
        || usual(0),
    ),
    (
        "normalization of rows",
        true,
        |model, units| {
            with(model, units, &|model| {
                model.add(LayerNormalization::new());
            });
        },
        || usual(0),
    ),
    (
        "softmax",
        true,
        |model, units| {
            with(model, units, &|model| {
                model.add(Activation::new("softmax"));
            });
        },
        || usual(0),
    ),
    (
        "dropout",
        false,
        |model, units| {
            with(model, units, &|model| {
                model.add(Dropout::new(0.25));
            });
        },
        || usual(0),
    ),
];

fn plain(model: &mut Sequential, units: [usize; 2]) {
    with(model, units, &|_| ());
}

/// Layers, with some more in the middle.
fn with(model: &mut Sequential, [first, second]: [usize; 2], add: &dyn Fn(&mut Sequential)) {
    model.add(Dense::new(first).input_shape([8]).activation("tanh"));
    add(model);
    model.add(Dense::new(second).activation("relu"));
    model.add(Dense::new(1).activation("sigmoid"));
}

#[test]
fn other_layers_of_several_sizes_are_right_or_alone() {
    for (name, side_by_side, add, compile) in &OTHERS {
        let make = |seed: u32| {
            let units = units(seed / 2).map(|units| units * if seed > 12 { 4 } else { 1 });
            model(Flavor::Keras2, seed, |model| add(model, units), compile())
        };
        same_bits(name, 18, 77, &make, &|| fit().epochs(2));
        assert_eq!(are_together(&make, 12), *side_by_side, "{name}");
    }
    let long = |seed: u32| net(seed, "relu", usual(0));
    same_bits("long rows", 12, 200, &long, &|| Fit::new().epochs(2).batch_size(90));
}
