//! The tutorial's two models on both machines, by its own calls; on the published data where they are.

use std::sync::{Mutex, MutexGuard, PoisonError};

use cornu::prelude::*;
use cornu_graph::{Array, Type};
use cornu_xla::Xla;
use ndarray::{Axis, Slice};

use crate::machine;

/// Seeds are the process's: tests that draw weights go one after the other.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the folder of data is named, without which the tests of this file say that they did not run.
fn given(name: &str) -> Option<String> {
    let folder = std::env::var_os("CORNU_DATASETS").map(std::path::PathBuf::from);
    let file = folder.map(|folder| folder.join(name)).filter(|file| file.is_file());
    if file.is_none() {
        println!("skipped: CORNU_DATASETS names no folder with {name}");
    }
    file.map(|file| file.to_string_lossy().into_owned())
}

/// Runs a model on the processor, or on the plugin's device.
fn on(model: &mut Sequential, xla: Option<&Xla>) -> cornu::Result<()> {
    xla.map_or(Ok(()), |xla| model.run_on(xla.clone()))
}

#[test]
fn pima_has_the_same_accuracies() -> cornu::Result<()> {
    let _turn = turn();
    let (Some(xla), Some(file)) = (machine(), given("pima-indians-diabetes.csv")) else { return Ok(()) };
    let table = Table::read_csv(&file)?;
    let (x, y) = (table.drop("8")?, &table["8"]);
    let split = Split::test_size(0.2).random_state(42);
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, y, split)?;
    let trained = |xla: Option<&Xla>| -> cornu::Result<_> {
        set_random_seed(42);
        let mut model = sequential![
            Dense::new(12).input_shape([8]).activation("relu"),
            Dense::new(8).activation("relu"),
            Dense::new(1).activation("sigmoid"),
        ];
        on(&mut model, xla)?;
        let settings = Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]);
        model.compile(settings)?;
        let history = model.fit(&x_train, &y_train, Fit::new().epochs(150).batch_size(10).verbose(0))?;
        let scores = model.evaluate_with(&x_train, &y_train, Evaluate::new().verbose(0))?;
        let test = accuracy_score(&y_test, &model.predict_with(&x_test, Predict::new().verbose(0))?.round())?;
        Ok((scores["accuracy"], test, history["loss"].to_vec()))
    };
    let (want, got) = (trained(None)?, trained(Some(&xla))?);
    println!("{:?} and {:?}, test {} and {}", want.0, got.0, want.1, got.1);
    assert_eq!((got.0, got.1), (want.0, want.1));
    let distance = got.2.iter().zip(&want.2).map(|(got, want)| (got - want).abs()).fold(0.0, f64::max);
    assert!(distance < 1e-2, "losses of the epochs differ by {distance}");
    Ok(())
}

#[test]
fn mnist_has_the_same_first_losses() -> cornu::Result<()> {
    let _turn = turn();
    let (Some(xla), Some(_)) = (machine(), given("mnist.npz")) else { return Ok(()) };
    let ((images, digits), _) = datasets::mnist::load_data()?;
    let x = images.mapv(|ink| f32::from(ink) / 255.0);
    let losses = |xla: Option<&Xla>| -> cornu::Result<Vec<f64>> {
        set_random_seed(42);
        let mut model =
            sequential![Flatten::new().input_shape([28, 28]), Dense::new(128).activation("relu"), Dense::new(10),];
        on(&mut model, xla)?;
        let loss = SparseCategoricalCrossentropy::new().from_logits(true);
        model.compile(Compile::new().optimizer("adam").loss(loss))?;
        let step = |i: usize| {
            let rows = Slice::from(32 * i..32 * (i + 1));
            let (x, y) = (x.slice_axis(Axis(0), rows), digits.slice_axis(Axis(0), rows));
            Ok(model.train_on_batch(&x.to_owned(), &y.to_owned())?["loss"])
        };
        (0..5).map(step).collect()
    };
    let (want, got) = (losses(None)?, losses(Some(&xla))?);
    println!("{want:?}\n{got:?}");
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() < 1e-5, "{got}, not {want}");
    }
    Ok(())
}

/// That many numbers that look irregular.
fn numbers(rows: usize, columns: usize, by: f64) -> Array {
    Array::from_fn(&Type::f32([rows, columns]), |i| ((i as f64 + 1.0) * by).sin())
}

/// A small net with dropouts, of the same seed each time.
fn small() -> cornu::Result<Sequential> {
    set_random_seed(7);
    let mut model = sequential![Dense::new(9).input_shape([6]).activation("tanh"), Dropout::new(0.25), Dense::new(1)];
    model.compile(Compile::new().optimizer("adam").loss("mse"))?;
    Ok(model)
}

/// Orders and dropouts are the same bits, so losses are the same but for their last digits.
#[test]
fn dropouts_and_orders_are_those_of_the_processor() -> cornu::Result<()> {
    let _turn = turn();
    let Some(xla) = machine() else { return Ok(()) };
    let (x, y) = (numbers(50, 6, 0.7), numbers(50, 1, 1.3));
    let losses = |xla: Option<&Xla>| -> cornu::Result<Vec<f64>> {
        let mut model = small()?;
        on(&mut model, xla)?;
        Ok(model.fit(&x, &y, Fit::new().epochs(5).batch_size(16).verbose(0))?["loss"].to_vec())
    };
    for (want, got) in losses(None)?.into_iter().zip(losses(Some(&xla))?) {
        assert!((got - want).abs() < 1e-6, "{got}, not {want}");
    }
    Ok(())
}

/// A model goes to the device and back, and takes what it has learned along.
#[test]
fn a_model_moves_between_machines() -> cornu::Result<()> {
    let _turn = turn();
    let Some(xla) = machine() else { return Ok(()) };
    let (x, y) = (numbers(50, 6, 0.7), numbers(50, 1, 1.3));
    let fit = || Fit::new().epochs(3).batch_size(16).verbose(0);
    let mut moving = small()?;
    moving.run_on(xla)?;
    let first = moving.fit(&x, &y, fit())?;
    moving.run_on(cornu::Cpu::new())?;
    let second = moving.fit(&x, &y, fit())?;
    let mut staying = small()?;
    let want = [staying.fit(&x, &y, fit())?, staying.fit(&x, &y, fit())?];
    for (got, want) in [first, second].iter().zip(&want) {
        let pairs = got["loss"].iter().zip(&want["loss"]);
        pairs.for_each(|(got, want)| assert!((got - want).abs() < 1e-6, "{got}, not {want}"));
    }
    Ok(())
}

/// Nets of other types than singles.
#[test]
fn every_policy_trains_as_on_the_processor() -> cornu::Result<()> {
    let _turn = turn();
    let Some(xla) = machine() else { return Ok(()) };
    let (x, y) = (numbers(50, 6, 0.7), numbers(50, 1, 1.3));
    for (policy, tolerance) in [("float64", 1e-6), ("mixed_bfloat16", 2e-3), ("bfloat16", 2e-3)] {
        let losses = |xla: Option<&Xla>| -> cornu::Result<Vec<f64>> {
            set_random_seed(7);
            let first = Dense::new(9).input_shape([6]).activation("sigmoid").dtype(policy);
            let mut model = sequential![first, Dense::new(1).dtype(policy)];
            model.compile(Compile::new().optimizer("rmsprop").loss("mae"))?;
            on(&mut model, xla)?;
            Ok(model.fit(&x, &y, Fit::new().epochs(3).batch_size(16).verbose(0))?["loss"].to_vec())
        };
        let (want, got) = (losses(None)?, losses(Some(&xla))?);
        println!("{policy}: {want:?} and {got:?}");
        for (want, got) in want.into_iter().zip(got) {
            assert!((got - want).abs() < tolerance, "{policy}: {got}, not {want}");
        }
    }
    Ok(())
}

/// A machine that is not there is said, and the model stays where it is.
#[test]
fn a_model_outlives_a_machine_that_is_not_there() -> cornu::Result<()> {
    let _turn = turn();
    let x = numbers(4, 6, 0.7);
    let mut model = small()?;
    let before = model.predict_with(&x, Predict::new().verbose(0))?;
    let error = model.run_on(Xla::new("/nowhere/plugin.so")).expect_err("no plugin").to_string();
    assert!(error.starts_with("there is no PJRT plugin at `/nowhere/plugin.so`"), "{error}");
    assert_eq!(model.predict_with(&x, Predict::new().verbose(0))?, before);
    Ok(())
}
