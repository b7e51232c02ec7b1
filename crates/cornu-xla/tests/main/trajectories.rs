//! Small trainings that Keras was watched at, on the plugin's device: a convolutional net that normalizes its batches, an
//! LSTM over sequences of several lengths, a transformer.

use cornu::config::Field;
use cornu::prelude::*;
use cornu::random::{Flavor, set_flavor};
use cornu_graph::Array;
use cornu_testkit::golden::{self, Case, Report, close};
use cornu_xla::Xla;
use ndarray::ArrayD;

use crate::machine;
use crate::tutorial::turn;

#[test]
fn small_trainings_are_those_of_keras() -> cornu::Result<()> {
    let _turn = turn();
    let Some(xla) = machine() else { return Ok(()) };
    let mut report = Report::default();
    for json in golden::cases("training") {
        let case = Case::open("training", &json);
        if ["batchnorm_conv", "lstm_masked", "transformer_nadam"].contains(&case.id) {
            check(&case, &xla, &mut report)?;
        }
    }
    report.finish();
    Ok(())
}

fn check(case: &Case, xla: &Xla, report: &mut Report) -> cornu::Result<()> {
    let (id, json, fit) = (case.id, case.json, &case.json["fit"]);
    set_flavor(Flavor::Keras3);
    let model = load_model(golden::folder("training").join(json["model_file"].as_str().expect("a file")));
    set_flavor(Flavor::Keras2);
    let mut model = model?;
    let initial: Vec<ArrayD<f32>> = case.all(&json["initial_weights"]).iter().map(cornu::data::from_array).collect();
    model.set_weights(&initial)?;
    let compile = &json["compile"];
    let (optimizer, loss) =
        (Choice::from_json(&compile["optimizer"])?, Choice::<dyn Loss>::from_json(&compile["loss"])?);
    model.compile(Compile::new().optimizer(optimizer).loss(loss).metrics(["accuracy"]))?;
    model.run_on(xla.clone())?;
    let [x, y] = ["x", "y"].map(|name| case.array(&json["data"][name]).expect("data"));
    let count = |key: &str| fit[key].as_u64().expect("a whole number") as usize;
    let settings = Fit::new().shuffle(false).epochs(count("epochs")).batch_size(count("batch_size")).verbose(0);
    let settings = settings.validation_split(fit["validation_split"].as_f64().unwrap_or(0.0));
    let history = model.fit(&x, &y, settings)?;
    let (rtol, atol) = case.tolerance("history");
    for (key, got) in history.iter() {
        let want = json["history"][key].as_array().expect("a history");
        let want = Array::vector(want.iter().map(|value| value.as_f64().expect("a number")).collect());
        report.case(&format!("{id} {key}"), close(&Array::vector(got.to_vec()), &want, rtol, atol));
    }
    let weights = json["weights_end"].as_array().expect("weights");
    for (at, (got, want)) in model.weights().iter().zip(weights).enumerate() {
        let got = Array::new(got.shape(), got.iter().copied().collect::<Vec<f32>>()).expect("a sound array");
        report.case(&format!("{id} weight {at} at the end"), case.near("end", &got, want));
    }
    Ok(())
}
