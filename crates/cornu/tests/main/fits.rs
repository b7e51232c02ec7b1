//! One `Fit` for many models, and what a tuner asks of a model.

use cornu::metrics::Direction;
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds, scoped};
use cornu::train::{Fits, TerminateOnNaN};

use crate::seeds::seeded;

fn model() -> Sequential {
    let mut model = sequential![Dense::new(3).input_shape([2]), Dropout::new(0.5), Dense::new(1)];
    model.compile(Compile::new().loss("mse").optimizer("adam").metrics(["mae"])).unwrap();
    model
}

const X: [[f64; 2]; 4] = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]];
const Y: [f64; 4] = [1.0, 1.0, 2.0, 0.0];

/// The fits are alike, on other threads too, and callbacks begin anew with each.
#[test]
fn fits_of_one_are_alike() {
    let _turn = seeded(Flavor::Keras2, 1);
    let stop = EarlyStopping::new().monitor("loss").min_delta(100.0).patience(2);
    let fit = Fit::new().epochs(9).batch_size(2).validation_data(X, Y).verbose(0).callback(stop);
    let fits = Fits::new(fit.callback(TerminateOnNaN::new())).unwrap();
    assert_eq!((fits.epochs(), fits.validates()), (9, true));
    assert!(fits.settings().contains(&("batch_size", "2".into())));
    let run = || scoped(Seeds::new(3), || model().fit(X, Y, fits.fit()).unwrap()["val_loss"].clone());
    let here = [run(), run()];
    assert_eq!(here[0].len(), 3);
    let there = std::thread::scope(|scope| [(); 2].map(|()| scope.spawn(run)).map(|one| one.join().expect("a fit")));
    assert_eq!(here, there);
}

#[test]
fn what_there_is_one_of_is_refused() {
    let _turn = seeded(Flavor::Keras2, 1);
    let error = Fits::new(Fit::new().callback(ModelCheckpoint::new("best.keras"))).unwrap_err().to_string();
    assert!(error.contains("callbacks that can be copied") && error.contains("help: "), "{error}");
    assert!(Fits::new(Fit::new().batch_size(0)).is_err());
}

#[test]
fn a_model_names_its_figures_its_machine_and_which_way_is_better() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = model();
    assert_eq!(model.metrics_names(), ["loss", "mae"]);
    assert_eq!(sequential![Dense::new(1)].metrics_names(), [""; 0]);
    let directions = ["loss", "val_loss", "val_mae", "f1"].map(|name| model.direction(name));
    assert_eq!(directions, [Some(Direction::Down), Some(Direction::Down), Some(Direction::Down), None]);
    model.compile(Compile::new().loss("mse").optimizer("adam").metrics(["accuracy"])).unwrap();
    assert_eq!(model.direction("val_accuracy"), Some(Direction::Up));
    assert_eq!(model.machine(), None);
    model.run_on(cornu::Cpu::new().threads(1)).unwrap();
    assert!(model.machine().is_some());
}
