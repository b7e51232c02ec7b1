//! The first lines that somebody writes who comes from Keras and pandas: they compile, and do what they say.

use cornu::prelude::*;
use cornu::random::Flavor;
use ndarray::{Array1, array};

use crate::seeds::seeded;

const CSV: &str = "age,weight,y\n31,60.5,0\n58,84.5,1\n44,68.5,1\n25,52.5,0\n";

/// `data.drop("y")`, `data["y"]`, `data[["age", "weight"]]`.
#[test]
fn columns_are_dropped_and_found_by_name() -> cornu::Result<()> {
    let data = Table::from_csv_str(CSV)?;
    let (x, y) = (data.drop("y")?, &data["y"]);
    assert_eq!((x.names(), y.name(), y.len()), (vec!["age", "weight"], "y", 4));
    assert_eq!(data["age"].to_ndarray::<i64>()?, array![31, 58, 44, 25]);
    assert_eq!(data.select("weight")?.shape(), (4, 1));
    let name = String::from("y");
    let several = [name.clone(), "age".into()];
    for dropped in [data.drop(["y", "age"])?, data.drop(&several)?, data.drop(several.to_vec())?] {
        assert_eq!(dropped.names(), ["weight"]);
    }
    assert_eq!(data.drop(&name)?.names(), data.drop(&["y"][..])?.names());
    assert_eq!(data.select(&several[..])?.names(), ["y", "age"]);
    let (x_train, x_test, y_train, _) = train_test_split(x, &data["y"], Split::test_size(0.25).random_state(1))?;
    assert_eq!((x_train.rows(), x_test.rows(), y_train.len()), (3, 1, 3));
    let panic = std::panic::catch_unwind(|| data["label"].len()).expect_err("there is no such column");
    let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(message.contains("no column `label`; the table has `age`, `weight`, `y`"), "{message}");
    Ok(())
}

/// `to_categorical(y)`, `to_categorical(y, 4)`, `np.argmax(p, axis=-1)`.
#[test]
fn classes_become_rows_and_come_back() -> cornu::Result<()> {
    let y = [2, 0, 1];
    let rows = to_categorical(&y)?;
    assert_eq!(rows, array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]].into_dyn());
    assert_eq!(to_categorical_with(y, 4)?.shape(), [3, 4]);
    assert_eq!(argmax(&rows)?, array![2, 0, 1].into_dyn());
    assert_eq!(argmax([[0.5, f64::NAN, 1.0], [0.5, 0.5, 0.25]])?, array![1, 0].into_dyn());
    assert_eq!(accuracy_score(y, argmax(rows)?)?, 1.0);
    assert!(argmax(ndarray::Array2::<f32>::zeros((2, 0))).is_err());
    Ok(())
}

/// `Adam(0.01)`.
#[test]
fn a_learning_rate_makes_an_optimizer() {
    assert_eq!(Adam::from(0.01), Adam::new().learning_rate(0.01));
    assert_eq!(SGD::from(0.5), SGD::new().learning_rate(0.5));
    assert_eq!(RMSprop::from(1.0), RMSprop::new().learning_rate(1));
    assert_eq!(Adam::new().clipnorm(1), Adam::new().clipnorm(1.0));
}

/// `input_shape=(8,)`, in any form that a shape comes in.
#[test]
fn shapes_are_tuples_arrays_or_vectors() {
    let _turn = seeded(Flavor::Keras2, 1);
    let of = |model: Sequential| model.input_shape();
    let eight = Some(vec![None, Some(8)]);
    assert_eq!(of(sequential![Dense::new(1).input_shape((8,))]), eight);
    assert_eq!(of(sequential![Dense::new(1).input_shape(vec![8])]), eight);
    assert_eq!(of(sequential![Input::new((8,)), Dense::new(1)]), eight);
    assert_eq!(of(sequential![Flatten::new().input_shape((28, 27))]), Some(vec![None, Some(28), Some(27)]));
}

/// Counts the epochs.
struct Epochs(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Callback for Epochs {
    fn on_epoch_end(&mut self, _: usize, _: &mut Control) -> cornu::Result<()> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }
}

/// Ends the training after an epoch.
struct After(usize);

impl Callback for After {
    fn on_epoch_end(&mut self, epoch: usize, control: &mut Control) -> cornu::Result<()> {
        if epoch + 1 == self.0 {
            control.stop();
        }
        Ok(())
    }
}

/// `h.history["loss"]`, `callbacks=[a, b]`, `predict(x)`.
#[test]
fn data_comes_by_value_or_by_reference() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let (x, y) = (array![[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], Array1::from(vec![1.0, 0.0, 1.0]));
    let mut model = sequential![Dense::new(1)];
    model.compile(Compile::new().optimizer(SGD::from(0.1)).loss("mse").metrics(["mae"]))?;
    let seen = std::sync::Arc::default();
    let both: [Box<dyn Callback>; 2] = [Box::new(Epochs(std::sync::Arc::clone(&seen))), Box::new(After(2))];
    let h = model.fit(&x, &y, Fit::new().epochs(5).verbose(0).callbacks(both))?;
    assert_eq!((h.history["loss"].len(), seen.load(std::sync::atomic::Ordering::Relaxed)), (2, 2));
    assert_eq!((&h.history["mae"], h.history.keys()), (&h["mae"], vec!["loss", "mae"]));
    let one = model.fit(x.view(), y.view(), Fit::new().epochs(5).verbose(0).callbacks([After(3)]))?;
    assert_eq!(one.epoch.len(), 3);

    let predicted = model.predict(&x)?;
    assert_eq!(model.predict(x.view())?, predicted);
    assert_eq!(model.predict(x.clone())?, predicted);
    assert_eq!(model.predict([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])?, predicted);
    assert_eq!(model.predict(vec![vec![0.0, 1.0]])?[[0, 0]], predicted[[0, 0]]);
    let rows = [[0.0f32, 1.0], [1.0, 0.0], [1.0, 1.0]];
    assert_eq!(model.predict(&rows[..2])?.shape(), [2, 1]);
    assert_eq!(model.evaluate_with(x.clone(), y.clone(), Evaluate::new().verbose(0))?, model.test_on_batch(&x, &y)?);
    let fit = Fit::new().validation_data(x.clone(), y.clone()).sample_weight([1.0, 2.0, 1.0]).verbose(0);
    assert_eq!(model.fit(x, y, fit)?.keys(), ["loss", "mae", "val_loss", "val_mae"]);
    Ok(())
}

/// What a scaler hands out goes into a layer, so that a served model takes raw numbers.
#[test]
fn a_scaler_becomes_a_layer() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let x = array![[1.0, 10.0], [3.0, 30.0], [8.0, 20.0]];
    let mut scaler = StandardScaler::new();
    let scaled = scaler.fit_transform(&x)?;
    let (mean, scale) = (scaler.mean().expect("fitted"), scaler.scale().expect("fitted"));
    let factors: Vec<f64> = scale.iter().map(|scale| 1.0 / scale).collect();
    let offsets: Vec<f64> = mean.iter().zip(&scale).map(|(mean, scale)| -mean / scale).collect();
    let layer = Rescaling::new(&factors).offset(offsets.clone());
    let row = Array1::from(factors.clone());
    assert_eq!(layer, Rescaling::new(row.view()).offset(&offsets[..]));
    assert_eq!(layer, Rescaling::new(&row).offset(Array1::from(offsets)));
    assert_eq!(layer.scale, Rescaling::new(factors).scale);
    assert_eq!(Rescaling::new(&[0.5, 2.0]).scale, Rescaling::new([0.5, 2.0]).scale);
    assert_eq!(Rescaling::new(2).scale, Rescaling::new(2.0).scale);
    let got = sequential![layer].predict(&x)?;
    got.iter().zip(&scaled).for_each(|(got, want)| assert!((f64::from(*got) - want).abs() < 1e-6, "{got} {want}"));
    Ok(())
}

/// A list of numbers is one column, as in `fit`.
#[test]
fn scalers_take_a_column() -> cornu::Result<()> {
    let data = Table::from_csv_str(CSV)?;
    let scaled = MinMaxScaler::new().fit_transform(&data["weight"])?;
    assert_eq!(scaled.to_ndarray::<f64>()?, array![[0.25], [1.0], [0.5], [0.0]]);
    assert_eq!(scaled, MinMaxScaler::new().fit_transform(data.select("weight")?)?);
    assert_eq!(StandardScaler::new().fit_transform([1.0, 3.0])?, array![[-1.0], [1.0]]);
    Ok(())
}
