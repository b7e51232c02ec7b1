//! The lesson's whole path over made-up data of its form, which are in this repository: read, split, train, judge,
//! predict, save. The numbers are Keras's.

use std::path::PathBuf;

use cornu::prelude::*;
use cornu::random::Flavor;
use cornu_files::npy::Npz;
use cornu_graph::Array;
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::{self, Report, close};
use serde_json::Value;

use crate::seeds::seeded;
use crate::training::list;

const FLAVORS: [(Flavor, &str); 2] = [(Flavor::Keras2, "keras213.json"), (Flavor::Keras3, "keras3.json")];

/// Features and labels to train on, and those to test with.
type Halves = [(Array, Array); 2];

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/tables").join(name)
}

/// Trains and compares with what Keras printed; then the model goes through a file.
fn follow(report: &mut Report, want: &Value, model: &mut Model, halves: &Halves, fit: Fit) -> cornu::Result<()> {
    let [train, test] = halves;
    let history = model.fit(&train.0, &train.1, fit.verbose(0))?;
    let mut near = |what: &str, got: Vec<f64>, want: &Value, bar: f64| {
        report.case(what, close(&Array::vector(got), &list(want), 0.0, bar));
    };
    for (key, bar) in [("loss", 1e-6), ("accuracy", 1e-7)] {
        near(key, history[key].to_vec(), &want["history"][key], bar);
    }
    for (name, (x, y)) in [("train", train), ("test", test)] {
        let scores = model.evaluate_with(x, y, Evaluate::new().verbose(0))?;
        near(name, vec![scores["loss"], scores["accuracy"]], &want["evaluate"][name], 1e-6);
    }
    let predictions = model.predict_with(&test.0, Predict::new().verbose(0))?;
    near("predictions", predictions.iter().take(30).map(|&p| f64::from(p)).collect(), &want["predictions"], 5e-6);
    let folder = Folder::new("tables");
    model.save(folder.join("m.keras"))?;
    let again = load_model(folder.join("m.keras"))?;
    assert_eq!(again.predict_with(&test.0, Predict::new().verbose(0))?, predictions);
    Ok(())
}

#[test]
fn a_table_is_read_split_learned_and_saved_as_in_keras() -> cornu::Result<()> {
    let table = Table::read_csv(file("table.csv").to_str().expect("a plain path"))?;
    assert_eq!(table.shape(), (768, 9));
    let (x, y) = (table.drop(["8"])?.to_array()?, table.column("8")?.to_array()?);
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, &y, Split::test_size(0.2).random_state(42))?;
    let halves = [(x_train, y_train), (x_test, y_test)];
    let mut report = Report::default();
    for (flavor, name) in FLAVORS {
        let _turn = seeded(flavor, 42);
        let mut model = Sequential::new();
        model.add(Dense::new(12).input_shape([8]).activation("relu"));
        model.add(Dense::new(8).activation("relu"));
        model.add(Dense::new(1).activation("sigmoid"));
        model.compile(Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]))?;
        let want = &golden::read(&file(name))["table"];
        follow(&mut report, want, &mut model, &halves, Fit::new().epochs(10).batch_size(10))?;
        let rounded = model.predict_with(&halves[1].0, Predict::new().verbose(0))?.round();
        let accuracy = accuracy_score(&halves[1].1, &rounded)?;
        assert!((accuracy - want["evaluate"]["test"][1].as_f64().expect("a figure")).abs() < 1e-6, "{accuracy}");
    }
    report.finish();
    Ok(())
}

#[test]
fn pictures_are_read_learned_and_saved_as_in_keras() -> cornu::Result<()> {
    let arrays = Npz::open(file("digits.npz"))?;
    let ink = |name: &str| -> cornu::Result<Array> {
        let pixels = arrays.array(name)?;
        // Divided in doubles, then rounded, as NumPy and Keras do it.
        Array::new(pixels.shape().clone(), pixels.to_vec::<f64>().iter().map(|ink| ink / 255.0).collect::<Vec<f64>>())
    };
    let half = |name: &str| Ok((ink(&format!("x_{name}"))?, arrays.array(&format!("y_{name}"))?));
    let halves = [half("train"), half("test")].into_iter().collect::<cornu::Result<Vec<_>>>()?;
    let halves: Halves = halves.try_into().expect("two halves");
    let mut report = Report::default();
    for (flavor, name) in FLAVORS {
        let _turn = seeded(flavor, 42);
        let mut model =
            sequential![Flatten::new().input_shape([28, 28]), Dense::new(16).activation("relu"), Dense::new(10)];
        let loss = SparseCategoricalCrossentropy::new().from_logits(true);
        model.compile(Compile::new().optimizer("adam").loss(loss).metrics(["accuracy"]))?;
        follow(&mut report, &golden::read(&file(name))["digits"], &mut model, &halves, Fit::new().epochs(5))?;
    }
    report.finish();
    Ok(())
}
