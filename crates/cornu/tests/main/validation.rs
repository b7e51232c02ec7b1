//! What `fit` validates with: how many batches of which rows, and with which weights.

use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::train::Code;
use cornu_graph::{Array, Type};
use cornu_testkit::golden::{Report, close};

use crate::seeds::seeded;

const ROWS: usize = 100;
/// Rows to train on: the first ones.
const TRAINED: usize = 10;

/// Features, labels and weights that are the same in any language.
fn data() -> (Array, Array, Array) {
    let x = Array::from_fn(&Type::f32([ROWS, 3]), |at| {
        let (i, j) = (at / 3, at % 3);
        ((i * 5 + j * 3) % 7) as f64 / 7.0 - 0.4
    });
    let y = Array::from_fn(&Type::f32([ROWS, 1]), |i| ((i * 3) % 5) as f64 / 5.0 + i as f64 / 100.0);
    let weights = Array::from_fn(&Type::f32([ROWS]), |i| ((i * i) % 11 + 1) as f64 / 4.0);
    (x, y, weights)
}

/// A model that does not learn.
fn model() -> cornu::Result<Sequential> {
    let mut model = sequential![Dense::new(1).input_shape([3])];
    let settings = Compile::new().optimizer(SGD::new().learning_rate(0.0)).loss("mse");
    model.compile(settings.metrics(["mae"]).weighted_metrics(["mse"]))?;
    model.set_weights(&[ndarray::arr2(&[[0.5], [-0.25], [1.0]]).into_dyn(), ndarray::arr1(&[0.125]).into_dyn()])?;
    Ok(model)
}

/// `batch_size`, `validation_batch_size`, `validation_steps`, whether rows are weighted, and what Keras gives.
type Asked = (Option<usize>, Option<usize>, Option<usize>, bool, [f64; 3]);

/// `val_loss`, `val_mae` and the weighted `val_mse` of Keras 2.13 and of Keras 3.15, which agree.
const ASKED: &[Asked] = &[
    (None, None, None, false, [0.852_286_28, 0.774_028_6, 0.852_286_28]),
    (None, None, Some(2), false, [0.852_286_22, 0.774_028_54, 0.852_286_22]),
    (Some(5), None, Some(2), false, [0.336_214_84, 0.457_285_7, 0.336_214_84]),
    (Some(5), Some(10), Some(3), false, [0.372_738_66, 0.495_714_31, 0.372_738_66]),
    (None, None, None, true, [1.059_731_72, 0.774_028_6, 0.854_622_36]),
    (Some(5), Some(7), Some(3), true, [0.485_362_74, 0.454_795_93, 0.377_504_35]),
];

#[test]
fn validation_is_that_of_keras() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (x, y, weights) = data();
    let first: Vec<usize> = (0..TRAINED).collect();
    let mut report = Report::default();
    for asked @ (batch, validation_batch, steps, weighted, want) in ASKED {
        let mut fit = batch.map_or_else(Fit::new, |rows| Fit::new().batch_size(rows));
        fit = fit.validation_data(&x, &y).verbose(0);
        if let Some(rows) = validation_batch {
            fit = fit.validation_batch_size(*rows);
        }
        if let Some(steps) = steps {
            fit = fit.validation_steps(*steps);
        }
        if *weighted {
            fit = fit.validation_weights(&weights);
        }
        let history = model()?.fit(&x.rows(&first), &y.rows(&first), fit)?;
        let got = ["val_loss", "val_mae", "val_mse"].map(|key| history[key][0]);
        let [got, want] = [got, *want].map(|figures| Array::vector(figures.to_vec()));
        report.case(&format!("{asked:?}"), close(&got, &want, 0.0, 3e-7));
    }
    report.finish();
    // `evaluate` counts alike.
    let scores = model()?.evaluate_with(&x, &y, Evaluate::new().batch_size(5).steps(2).verbose(0))?;
    assert!((scores["loss"] - 0.336_214_84).abs() < 3e-7, "{scores}");
    Ok(())
}

#[test]
fn what_cannot_be_validated_with_is_explained() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (x, y, weights) = data();
    let message = |fit: Fit| model()?.fit(&x, &y, fit.verbose(0)).map(|_| String::new());
    let error = message(Fit::new().validation_weights(&weights)).expect_err("weights of nothing");
    assert_eq!(error.message(), "fit: `validation_weights` needs `validation_data`, got none");
    let error = message(Fit::new().validation_data(&x, &y).validation_weights(&[1.0])).expect_err("one weight");
    assert_eq!(
        error.message(),
        "fit: `validation_data`: `sample_weight` needs one weight for each of 100 rows, got [1]"
    );
    let error = message(Fit::new().validation_data(&x, &y).validation_steps(0)).expect_err("no steps");
    assert_eq!(error.message(), "fit: `validation_steps` needs a whole number above 0, got 0");
    let many = Fit::new().validation_data(&x, &y).batch_size(50).validation_steps(3).epochs(2).verbose(0);
    let history = model()?.fit(&x, &y, many)?;
    assert_eq!(history.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), [Code::TooFewRows]);
    assert_eq!(history["val_loss"].len(), 2);
    Ok(())
}
