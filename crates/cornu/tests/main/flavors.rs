//! A model follows one Keras and a fit one state of seeds, whatever the process does meanwhile.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use cornu::prelude::*;
use cornu::random::{Flavor, Seeds, keras_seed, set_flavor, with_seeds};

use cornu::{Cx, Result, Tensor};

use crate::seeds::seeded;

const OTHER: [(Flavor, Flavor); 2] = [(Flavor::Keras2, Flavor::Keras3), (Flavor::Keras3, Flavor::Keras2)];

/// The loss of certain and wrong predictions over two rows, in batches of that size.
fn loss(model: &mut Model, rows: usize) -> Result<f64> {
    Ok(model.evaluate_with(&[[1.0], [0.0]], &[0, 1], Evaluate::new().batch_size(rows).verbose(0))?["loss"])
}

#[test]
fn a_model_follows_one_keras_for_each_size_of_batch() -> Result<()> {
    for (own, other) in OTHER {
        let _turn = seeded(own, 1);
        let mut model = sequential![Activation::new("linear").input_shape([1])];
        let named = BinaryCrossentropy::new().name("b");
        model.compile(Compile::new().loss(named).metrics([cornu::metrics::BinaryCrossentropy::new()]))?;
        let before = loss(&mut model, 2)?;
        set_flavor(other);
        assert_eq!(model.flavor(), own);
        assert!((loss(&mut model, 1)? - before).abs() < 1e-5, "{own:?}: {before}, then {}", loss(&mut model, 1)?);
        model.compile(Compile::new().loss("binary_crossentropy"))?;
        assert_eq!(loss(&mut model, 2)?, before, "{own:?}, compiled again");
        // A loss of one's own that asks Keras's gets the Keras of the model.
        let own_loss = cornu::losses::loss("own", |y, p| Loss::call(&BinaryCrossentropy::new(), y, p));
        model.compile(Compile::new().loss(own_loss))?;
        assert_eq!(loss(&mut model, 2)?, before, "{own:?}, through a loss of one's own");
        let mut fresh = sequential![Activation::new("linear").input_shape([1])];
        fresh.compile(Compile::new().loss("binary_crossentropy"))?;
        assert_ne!(loss(&mut fresh, 2)?, before, "new models follow {other:?}");
    }
    drop(seeded(Flavor::Keras2, 1));
    Ok(())
}

#[test]
fn penalties_and_generators_are_those_of_the_models_keras() -> Result<()> {
    for (own, other) in OTHER {
        let made = |changed: bool| -> Result<(Vec<String>, f64, usize)> {
            let _turn = seeded(own, 1);
            let frozen = Dense::new(1).kernel_regularizer("l2").trainable(false).kernel_initializer("ones");
            let mut model = sequential![Dropout::new(0.5).name("drop"), frozen.name("frozen")];
            model.compile(Compile::new().loss("mse"))?;
            if changed {
                set_flavor(other);
            }
            let loss = model.evaluate_with(&[[0.0, 0.0]], &[0.0], Evaluate::new().verbose(0))?["loss"];
            let paths = model.variables().all().iter().map(|variable| variable.path.clone());
            let paths = paths.map(|path| path.split_once('/').map_or(path.clone(), |(_, rest)| rest.into())).collect();
            let history = model.fit(
                &[[0.0, 0.0]; 4],
                &[0.0; 4],
                Fit::new().batch_size(2).steps_per_epoch(3).epochs(2).verbose(0),
            )?;
            Ok((paths, loss, history.epoch.len()))
        };
        assert_eq!(made(true)?, made(false)?, "{own:?}");
    }
    drop(seeded(Flavor::Keras2, 1));
    Ok(())
}

/// What [`Meddler`] sets, if not 0.
static MEDDLING: AtomicU32 = AtomicU32::new(0);

cornu::config! {
    /// Sets a seed of the process while it is traced, as another thread might.
    "flavors.tests" pub layer Meddler {}
}

impl Layer for Meddler {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        match MEDDLING.load(Ordering::Relaxed) {
            0 => {}
            seed => set_random_seed(seed),
        }
        x
    }
}

/// Sets a seed of the process at every step.
struct Reseed;

impl Callback for Reseed {
    fn on_train_batch_end(&mut self, batch: usize, _: &mut Control) -> Result<()> {
        set_random_seed(batch as u32);
        Ok(())
    }
}

/// The weights after a fit that someone meddles with.
fn fitted(flavor: Flavor, process: u32, meddler: u32, fit: Fit) -> Result<Vec<ndarray::ArrayD<f32>>> {
    let _turn = seeded(flavor, 7);
    let mut model =
        sequential![Meddler::new().input_shape([6]), Dropout::new(0.5), Dense::new(1).kernel_initializer("ones")];
    model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    set_random_seed(process);
    let x: Vec<[f64; 6]> = (0..12).map(|i| [0, 1, 2, 3, 4, 5].map(|j| f64::from((i * 7 + j * 5) % 11) * 0.1)).collect();
    let y: Vec<f64> = (0..12).map(|i| f64::from(i % 5)).collect();
    MEDDLING.store(meddler, Ordering::Relaxed);
    let fitted = model.fit(&x, &y, fit.epochs(2).batch_size(5).verbose(0));
    MEDDLING.store(0, Ordering::Relaxed);
    fitted.map(|_| model.weights())
}

#[test]
fn the_randomness_of_a_fit_is_settled_when_it_starts() -> Result<()> {
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let quiet = fitted(flavor, 5, 0, Fit::new())?;
        assert_eq!(fitted(flavor, 5, 99, Fit::new())?, quiet, "{flavor:?}: a seed while it starts");
        assert_eq!(fitted(flavor, 5, 0, Fit::new().callback(Reseed))?, quiet, "{flavor:?}: a seed while it runs");
        // Seeds of its own stand for all that a fit draws, as if they had been set before it.
        let own = || Fit::new().seeds(Seeds::new(5));
        assert_eq!(fitted(flavor, 5, 0, own())?, quiet, "{flavor:?}: the same seeds as its own");
        assert_eq!(fitted(flavor, 6, 0, own())?, quiet, "{flavor:?}: seeds of its own");
        assert_ne!(fitted(flavor, 6, 0, Fit::new())?, quiet, "{flavor:?}: other seeds");
    }
    drop(seeded(Flavor::Keras2, 1));
    Ok(())
}

#[test]
fn seeds_of_a_fit_leave_the_streams_of_the_process_alone() -> Result<()> {
    let run = |between: bool| -> Result<Vec<f64>> {
        let _turn = seeded(Flavor::Keras2, 7);
        let mut model = sequential![Dropout::new(0.5).input_shape([4]), Dense::new(1).kernel_initializer("ones")];
        model.compile(Compile::new().loss("mse").optimizer(SGD::new().learning_rate(0.0)))?;
        let (x, y) = ([[1.0, 2.0, 3.0, 4.0]; 4], [0.0; 4]);
        let fit = || Fit::new().epochs(2).batch_size(4).verbose(0);
        let mut losses = model.fit(&x, &y, fit())?["loss"].clone();
        if between {
            model.fit(&x, &y, fit().seeds(Seeds::new(3)))?;
        }
        losses.extend(&model.fit(&x, &y, fit())?["loss"]);
        Ok(losses)
    };
    assert_eq!(run(true)?, run(false)?);
    Ok(())
}

#[test]
fn seeds_that_are_at_work_are_told_instead_of_waited_for() {
    let _turn = seeded(Flavor::Keras2, 1);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let nested = std::panic::catch_unwind(|| with_seeds(|_| keras_seed()));
        let text =
            nested.err().and_then(|panic| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        let _ = sender.send((text, keras_seed()));
    });
    let (text, _) = receiver.recv_timeout(Duration::from_secs(20)).expect("no thread waits for itself");
    assert!(text.contains("use the `Seeds` that `with_seeds` gave"), "{text}");
}
