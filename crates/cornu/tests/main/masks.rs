//! What masks do to losses, metrics and steps, as both Kerases have it: the files of `testdata/masks` are written by
//! `scripts/golden_masks.py`.

use std::path::Path;

use cornu::losses::{MeanAbsoluteError, Reduction};
use cornu::metrics::{AUC, Precision, Recall};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result};
use cornu_graph::Array;
use cornu_testkit::golden::{self, Report, close};
use ndarray::{Array1, Array3, s};
use serde_json::Value;

use crate::flavor_differences::{FLAVORS, flat};
use crate::seeds::seeded;

cornu::config! {
    /// Positions whose numbers are all zero do not count, as Keras's layer of that name.
    "masks.tests" pub layer Masking {}
}

impl Layer for Masking {
    fn call_all(&self, _: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let x = &inputs.one()?.tensor;
        Ok(vec![Wire::from(x.clone()).masked(x.abs().sum([-1]).gt(0.0))])
    }

    fn supports_masking(&self) -> bool {
        true
    }
}

/// The data of the script.
fn data() -> (Array3<f32>, Array3<f32>) {
    let x = |(i, t, j): (usize, usize, usize)| {
        if t > i % 4 { 0.0 } else { ((i * 7 + t * 3 + j * 5) % 11) as f32 * 0.1 + 0.1 }
    };
    (Array3::from_shape_fn((6, 4, 3), x), Array3::from_shape_fn((6, 4, 1), |(i, t, _)| ((i * 3 + t) % 5) as f32 * 0.25))
}

/// The labels and the compiled net of a case.
fn case(name: &str, y: Array3<f32>) -> Result<(Model, Array3<f32>)> {
    let units = if name == "classes" { 3 } else { 1 };
    let head = Dense::new(units);
    let settings = Compile::new().optimizer("sgd");
    let (head, y, settings) = match name {
        "mse" => (head, y, settings.loss("mse").metrics(["mae"]).weighted_metrics(["mse"])),
        "sum" => (head, y, settings.loss(MeanAbsoluteError::new().reduction(Reduction::Sum)).metrics(["mse"])),
        "binary" => {
            let metrics: [Choice<dyn Metric>; 3] =
                ["accuracy".into(), Precision::new().name("precision").into(), AUC::new().name("auc").into()];
            let weighted: [Choice<dyn Metric>; 2] = ["binary_crossentropy".into(), Recall::new().name("recall").into()];
            let settings = settings.loss("binary_crossentropy").metrics(metrics).weighted_metrics(weighted);
            (head.activation("sigmoid"), y.mapv(|y| f32::from(y > 0.4)), settings)
        }
        _ => {
            let settings = settings.loss("sparse_categorical_crossentropy").metrics(["accuracy"]);
            (head.activation("softmax"), y.mapv(|y| (y * 4.0).floor() % 3.0), settings)
        }
    };
    let x = Input::new([4, 3]).symbol()?;
    let hidden = Activation::new("tanh").apply(&Masking::new().apply(&x)?)?;
    let mut model = Model::new([x], [head.apply(&hidden)?])?;
    model.compile(settings)?;
    Ok((model, y))
}

#[test]
fn masks_weigh_losses_and_metrics_as_in_keras() -> Result<()> {
    let mut report = Report::default();
    for (flavor, file) in FLAVORS {
        let all = golden::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/masks").join(file));
        for name in ["mse", "sum", "binary", "classes"] {
            for weighted in [false, true] {
                let want = &all[name][if weighted { "weighted" } else { "plain" }];
                report_of(&mut report, &format!("{file} {name} weighted {weighted}"), (flavor, name, weighted), want)?;
            }
        }
    }
    report.finish();
    Ok(())
}

fn report_of(
    report: &mut Report,
    id: &str,
    (flavor, name, weighted): (Flavor, &str, bool),
    want: &Value,
) -> Result<()> {
    let _turn = seeded(flavor, 7);
    let (x, y) = data();
    let weights = Array1::from(vec![0.5f32, 1.0, 2.0, 0.0, 1.5, 0.25]);
    let (mut model, y) = case(name, y)?;
    let mut same = |what: &str, got: Vec<f64>, want: Vec<f64>| {
        report.case(&format!("{id}: {what}"), close(&Array::vector(got), &Array::vector(want), 2e-6, 1e-6));
    };
    let values = |model: &Model| model.weights_as::<f64>().into_iter().flatten().collect::<Vec<f64>>();
    same("drawn", values(&model), flat(&want["drawn"]));
    for step in 0..3 {
        let rows = s![2 * step..2 * step + 2, .., ..];
        let (x, y) = (x.slice(rows).to_owned(), y.slice(rows).to_owned());
        let fit = Fit::new().epochs(1).batch_size(2).shuffle(false).verbose(0);
        let weights = weights.slice(s![2 * step..2 * step + 2]).to_vec();
        let history = model.fit(&x, &y, if weighted { fit.sample_weight(weights) } else { fit })?;
        for (figure, wanted) in want["steps"][step].as_object().expect("figures") {
            same(&format!("step {step} {figure}"), vec![history[figure.as_str()][0]], flat(wanted));
        }
    }
    let settings = Evaluate::new().batch_size(4).verbose(0);
    let settings = if weighted { settings.sample_weight(weights.to_vec()) } else { settings };
    let got = model.evaluate_with(&x, &y, settings)?;
    for (figure, wanted) in want["evaluated"].as_object().expect("figures") {
        same(&format!("evaluated {figure}"), vec![got[figure.as_str()]], flat(wanted));
    }
    same("weights", values(&model), flat(&want["weights"]));
    Ok(())
}

/// A batch in which no position counts has a loss of zero, and no slope.
#[test]
fn where_nothing_counts_nothing_is_learned() -> Result<()> {
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let _turn = seeded(flavor, 1);
        let (mut model, y) = case("mse", data().1)?;
        let before = model.weights();
        let figures = model.train_on_batch(&Array3::<f32>::zeros((6, 4, 3)), &y)?;
        assert_eq!((figures["loss"], model.weights()), (0.0, before));
    }
    Ok(())
}

cornu::config! {
    /// Its output has a mask of that shape behind the rows, or one of no axes.
    "masks.tests" pub layer Shaped {
        /// Sizes.
        sizes: Vec<usize>,
        /// Whether there are rows.
        rows: bool = true,
    }
}

impl Layer for Shaped {
    fn call_all(&self, _: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let x = &inputs.one()?.tensor;
        let rows = if self.rows { vec![x.dim(0)] } else { Vec::new() };
        let shape = [rows, self.sizes.clone()].concat();
        Ok(vec![Wire::from(x.clone()).masked(x.number(1.0).broadcast_to(&shape[..]).gt(0.0))])
    }
}

/// Masks of rows are masks as well; one that fits no number of the loss is a mistake.
#[test]
fn masks_of_other_shapes_fit_or_are_told() -> Result<()> {
    let (x, y) = data();
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let _turn = seeded(flavor, 1);
        let fit = |shaped: Shaped| {
            let mut model = sequential![Input::new([4, 3]), Dense::new(1), shaped];
            model.compile(Compile::new().loss("mse").weighted_metrics(["mae"]))?;
            model.fit(&x, &y, Fit::new().sample_weight(vec![1.0; 6]).verbose(0)).map(drop)
        };
        fit(Shaped::new(vec![4]))?;
        fit(Shaped::new(vec![1]))?;
        for (sizes, rows) in [(vec![7], true), (vec![7], false), (vec![2, 2, 2], true)] {
            let error = fit(Shaped::new(sizes).rows(rows)).expect_err("a mask that does not fit").to_string();
            assert!(error.contains("broadcast") || error.contains("shape"), "{error}");
        }
    }
    Ok(())
}
