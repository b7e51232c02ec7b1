//! Trainings on what a source gives.

use std::path::PathBuf;

use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::train::{Batch, Rows, Source};
use cornu::{Result, Sequential};
use cornu_testkit::folder::Folder;

use crate::seeds::seeded;

const ROWS: usize = 11;

fn data() -> (Vec<[f64; 2]>, Vec<f64>) {
    let x = |i: usize| [i * 5 % 7, i * 3 % 11].map(|n| n as f64 * 0.25 - 1.0);
    ((0..ROWS).map(x).collect(), (0..ROWS).map(|i| (i * 3 % 5) as f64 * 0.5).collect())
}

fn model(flavor: Flavor) -> Result<Sequential> {
    let mut model = Sequential::seeded(flavor, Seeds::new(5));
    model.add(Dense::new(3).input_shape([2]).activation("tanh"));
    model.add(Dense::new(1));
    model.compile(Compile::new().loss("mse").optimizer("adam").metrics(["mae"]))?;
    Ok(model)
}

#[test]
fn rows_as_a_source_are_what_fit_does_with_them() -> Result<()> {
    let (x, y) = data();
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let _turn = seeded(flavor, 1);
        for shuffle in [false, true] {
            let (mut whole, mut drawn) = (model(flavor)?, model(flavor)?);
            let fit = || {
                Fit::new().epochs(4).seeds(Seeds::new(3)).verbose(0).validation_data(&x, &y).validation_batch_size(4)
            };
            let wanted = whole.fit(&x, &y, fit().batch_size(4).shuffle(shuffle))?;
            let rows = Rows::new(&x, &y)?.batch_size(4)?;
            let rows = if shuffle { rows.shuffle(flavor, &Seeds::new(3)) } else { rows };
            let history = drawn.fit_source(rows, fit())?;
            assert_eq!((&history.history, &history.epoch), (&wanted.history, &wanted.epoch), "{flavor:?} {shuffle}");
            assert_eq!(drawn.weights(), whole.weights(), "{flavor:?} {shuffle}");
        }
    }
    Ok(())
}

/// Saves a snapshot after so many batches.
struct After(usize, PathBuf);

impl Callback for After {
    fn on_train_batch_end(&mut self, _: usize, control: &mut Control) -> Result<()> {
        self.0 = self.0.wrapping_sub(1);
        if self.0 == 0 { control.save_snapshot(&self.1) } else { Ok(()) }
    }
}

#[test]
fn a_training_on_a_source_goes_on_from_a_snapshot() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("source");
    let (path, (x, y)) = (folder.join("a.snapshot"), data());
    let (mut whole, mut again) = (model(Flavor::Keras2)?, model(Flavor::Keras2)?);
    let rows = || Ok::<_, cornu::Error>(Rows::new(&x, &y)?.batch_size(4)?.shuffle(Flavor::Keras2, &Seeds::new(3)));
    let fit = || Fit::new().epochs(5).seeds(Seeds::new(3)).verbose(0);
    let wanted = whole.fit_source(rows()?, fit().callback(After(7, path.clone())))?;
    let history = again.fit_source(rows()?, fit().resume(&path))?;
    assert_eq!((&history.history, again.weights()), (&wanted.history, whole.weights()));
    let error = again.fit(&x, &y, fit().resume(&path)).expect_err("another kind of data");
    assert!(error.to_string().contains("that of the snapshot null"), "{error}");
    Ok(())
}

/// What a source of tests gives: the sizes of its batches, in each epoch.
struct Sizes(Vec<usize>, usize, fn(usize, usize) -> Result<Batch>);

impl Source for Sizes {
    fn begin(&mut self, _: usize) -> Result<()> {
        self.1 = 0;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Batch>> {
        let Some(&rows) = self.0.get(self.1) else { return Ok(None) };
        self.1 += 1;
        (self.2)(self.1, rows).map(Some)
    }
}

fn ones(features: usize, rows: usize) -> Array {
    Array::from_fn(&Type::f32([rows, features]), |_| 1.0)
}

#[test]
fn epochs_end_with_the_batches_and_sizes_may_differ() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut model = model(Flavor::Keras3)?;
    let source = Sizes(vec![3, 1, 4], 0, |_, rows| Batch::new(ones(2, rows), ones(1, rows))?.weighted(vec![0.5; rows]));
    let history = model.fit_source(source, Fit::new().epochs(3).verbose(0))?;
    assert_eq!((history.epoch.len(), history.params.steps), (3, 0));
    assert_eq!(model.optimizer_state().map(|state| state.iterations), Some(9));
    Ok(())
}

#[test]
fn what_a_source_does_wrong_is_said() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let says = |source: Sizes, fit: Fit| -> Result<String> {
        let mut model = model(Flavor::Keras3)?;
        Ok(model.fit_source(source, fit.verbose(0)).expect_err("refused").to_string())
    };
    let wider = Sizes(vec![3, 3], 0, |at, rows| Batch::new(ones(1 + at, rows), ones(1, rows)));
    let wanted = "batch 2 of the source needs what the first had, f32[0,2], f32[0,1], got f32[0,3], f32[0,1]\n";
    assert!(says(wider, Fit::new())?.starts_with(wanted));
    let none = Sizes(Vec::new(), 0, |_, rows| Batch::new(ones(2, rows), ones(1, rows)));
    assert!(says(none, Fit::new())?.starts_with("fit: the source has no batch\n"));
    let nan =
        Sizes(vec![3, 3], 0, |at, rows| Batch::new(ones(2, rows), vec![if at == 2 { f64::NAN } else { 1.0 }; rows]));
    assert!(says(nan, Fit::new())?.starts_with("batch 2 of the source: `y` needs finite numbers, got NaN in row 0"));
    let fails = Sizes(vec![3, 3], 0, |at, rows| match at {
        2 => Err(cornu::Error::file("the disk is gone")),
        _ => Batch::new(ones(2, rows), ones(1, rows)),
    });
    assert_eq!(says(fails, Fit::new())?, "the disk is gone");
    let good = || Sizes(vec![3], 0, |_, rows| Batch::new(ones(2, rows), ones(1, rows)));
    assert!(says(good(), Fit::new().batch_size(4))?.contains("are of rows in memory, not of a source"));
    let unsaved = says(good(), Fit::new().callback(After(1, "never".into())))?;
    assert!(
        unsaved.starts_with("on_train_batch_end: a snapshot needs a source that says where it stands"),
        "{unsaved}"
    );
    Ok(())
}

#[test]
fn rows_as_a_source_are_evaluated_and_predicted_as_rows_are() -> Result<()> {
    let (x, y) = data();
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let _turn = seeded(flavor, 1);
        let model = model(flavor)?;
        let rows = || Rows::new(&x, &y)?.batch_size(4);
        for steps in [None, Some(2), Some(9)] {
            let (mut evaluate, mut predict) = (Evaluate::new().verbose(0), Predict::new().verbose(0));
            let (mut whole, mut all) =
                (Evaluate::new().verbose(0).batch_size(4), Predict::new().verbose(0).batch_size(4));
            if let Some(steps) = steps {
                (evaluate, predict) = (evaluate.steps(steps), predict.steps(steps));
                (whole, all) = (whole.steps(steps), all.steps(steps));
            }
            let wanted = model.evaluate_with(&x, &y, whole)?;
            assert_eq!(model.evaluate_source(rows()?, evaluate)?, wanted, "{flavor:?} {steps:?}");
            let wanted = model.predict_all_with(&x, all)?;
            assert_eq!(wanted[0].shape()[0], steps.map_or(ROWS, |steps| ROWS.min(steps * 4)));
            assert_eq!(model.predict_source(rows()?, predict)?, wanted, "{flavor:?} {steps:?}");
        }
    }
    Ok(())
}

#[test]
fn batches_of_any_size_are_evaluated_and_predicted() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let model = model(Flavor::Keras3)?;
    let x: Vec<[f64; 2]> = data().0[..8].to_vec();
    let batches = |next| Sizes(vec![3, 1, 4], 0, next);
    fn at(batch: usize, rows: usize) -> Vec<[f64; 2]> {
        data().0[[0, 3, 4][batch - 1]..][..rows].to_vec()
    }
    let features = batches(|batch, rows| Batch::features(at(batch, rows)));
    let predicted = model.predict_source(features, Predict::new().verbose(0))?;
    assert_eq!(predicted, model.predict_all_with(&x, Predict::new().verbose(0))?);
    // Of the weights of rows only their parts of a batch count: those of the second batch are 0.
    let weights = [1.0, 2.0, 0.5, 0.0, 1.0, 0.25, 1.0, 3.0];
    let labels = [0.5; 8];
    let by_weight = Evaluate::new().verbose(0).batch_size(8).sample_weight(weights);
    let wanted = model.evaluate_with(&x, labels, by_weight)?["loss"];
    let weighted = batches(|batch, rows| {
        let weights = [1.0, 2.0, 0.5, 0.0, 1.0, 0.25, 1.0, 3.0][[0, 3, 4][batch - 1]..][..rows].to_vec();
        Batch::new(at(batch, rows), vec![0.5; rows])?.weighted(weights)
    });
    let got = model.evaluate_source(weighted, Evaluate::new().verbose(0))?["loss"];
    assert!((got - wanted).abs() < 1e-6, "{got}, want {wanted}");
    // Numbers that are none are predicted as they are.
    let unknown = |batch, rows| match batch {
        1 => Batch::features(at(batch, rows)),
        _ => Batch::features(vec![[f64::NAN, 0.0]; rows]),
    };
    let found = model.predict_source(batches(unknown), Predict::new().verbose(0))?;
    assert!(found[0].get(0).is_finite() && found[0].get(7).is_nan());
    // A prediction passes over labels.
    let labelled = batches(|batch, rows| Batch::new(at(batch, rows), vec![0.5; rows]));
    assert_eq!(model.predict_source(labelled, Predict::new().verbose(0))?, predicted);
    Ok(())
}

#[test]
fn a_source_validates_as_its_rows_do() -> Result<()> {
    let (x, y) = data();
    let folder = Folder::new("validation-source");
    let path = folder.join("a.snapshot");
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let _turn = seeded(flavor, 1);
        let source = || Rows::new(&x[2..9], &y[2..9])?.batch_size(3);
        for steps in [3, 2] {
            let fit =
                || Fit::new().epochs(4).seeds(Seeds::new(3)).verbose(0).validation_freq(2).validation_steps(steps);
            let (mut whole, mut drawn, mut both) = (model(flavor)?, model(flavor)?, model(flavor)?);
            let by_rows = fit().batch_size(4).validation_data(&x[2..9], &y[2..9]).validation_batch_size(3);
            let wanted = whole.fit(&x, &y, by_rows)?;
            let by_source = || Ok::<_, cornu::Error>(fit().batch_size(4).validation_source(source()?));
            let history = drawn.fit(&x, &y, by_source()?.callback(After(8, path.clone())))?;
            assert_eq!(history.history, wanted.history, "{flavor:?} {steps}");
            let rows = Rows::new(&x, &y)?.batch_size(4)?.shuffle(flavor, &Seeds::new(3));
            assert_eq!(both.fit_source(rows, fit().validation_source(source()?))?.history, wanted.history);
            let mut again = model(flavor)?;
            assert_eq!(again.fit(&x, &y, by_source()?.resume(&path))?.history, wanted.history, "{flavor:?} {steps}");
        }
    }
    Ok(())
}

/// Gives the number of the epoch as its only feature and label.
struct Epoch(usize, bool);

impl Source for Epoch {
    fn batches(&self) -> Option<usize> {
        Some(1)
    }

    fn begin(&mut self, epoch: usize) -> Result<()> {
        (self.0, self.1) = (epoch, true);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Batch>> {
        let first = std::mem::take(&mut self.1);
        first.then(|| Batch::new([[self.0 as f64, 0.0]], [self.0 as f64])).transpose()
    }
}

/// The first batch is drawn before the first epoch; a validation that comes later has that of its own epoch.
#[test]
fn a_source_that_validates_knows_the_epoch() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let (x, y) = data();
    let mut model = sequential![Dense::new(1).input_shape([2]).kernel_initializer("zeros")];
    model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.0)))?;
    let fit = Fit::new().epochs(6).validation_freq(2).verbose(0).validation_source(Epoch(9, false));
    assert_eq!(model.fit(&x, &y, fit)?["val_loss"], [1.0, 9.0, 25.0]);
    Ok(())
}

#[test]
fn what_sources_of_evaluations_do_wrong_is_said() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let model = model(Flavor::Keras3)?;
    let evaluate = |source: Sizes, settings: Evaluate| {
        model.evaluate_source(source, settings.verbose(0)).expect_err("refused").to_string()
    };
    let predict = |source: Sizes, settings: Predict| {
        model.predict_source(source, settings.verbose(0)).expect_err("refused").to_string()
    };
    let of = |sizes: &[usize], next| Sizes(sizes.to_vec(), 0, next);
    let wider = || of(&[3, 3], |at, rows| Batch::new(ones(1 + at, rows), ones(1, rows)));
    let wanted = "batch 2 of the source needs what the first had, f32[0,2], f32[0,1], got f32[0,3], f32[0,1]\n";
    assert!(evaluate(wider(), Evaluate::new()).starts_with(wanted));
    let wanted = "batch 2 of the source needs what the first had, f32[0,2], got f32[0,3]\n";
    assert!(predict(wider(), Predict::new()).starts_with(wanted));
    let unlabelled = || of(&[3, 3], |_, rows| Batch::features(ones(2, rows)));
    assert!(evaluate(unlabelled(), Evaluate::new()).starts_with("evaluate: batch 1 of the source has no labels\n"));
    let later = of(&[3, 3], |at, rows| match at {
        1 => Batch::new(ones(2, rows), ones(1, rows)),
        _ => Batch::features(ones(2, rows)),
    });
    assert!(evaluate(later, Evaluate::new()).contains("f32[0,2], f32[0,1], got f32[0,2]\n"));
    let none = || of(&[], |_, rows| Batch::new(ones(2, rows), ones(1, rows)));
    assert!(evaluate(none(), Evaluate::new()).starts_with("evaluate: the source has no batch\n"));
    assert!(predict(none(), Predict::new()).starts_with("predict: the source has no batch\n"));
    let good = || of(&[3], |_, rows| Batch::new(ones(2, rows), ones(1, rows)));
    assert!(evaluate(good(), Evaluate::new().batch_size(4)).contains("are of rows in memory, not of a source"));
    assert!(evaluate(good(), Evaluate::new().steps(0)).contains("`steps` needs a whole number above 0, got 0"));
    assert!(predict(good(), Predict::new().batch_size(4)).contains("are of rows in memory, not of a source"));
    assert!(predict(good(), Predict::new().steps(0)).contains("`steps` needs a whole number above 0, got 0"));
    let empty = || of(&[3, 0], |_, rows| Batch::new(ones(2, rows), ones(1, rows)));
    let wanted = "batch 2 of the source: `x` needs at least one row, got none";
    assert!(evaluate(empty(), Evaluate::new()).starts_with(wanted));
    assert!(predict(empty(), Predict::new()).starts_with(wanted));
    let narrow = of(&[3], |_, rows| Batch::new(ones(5, rows), ones(1, rows)));
    assert!(evaluate(narrow, Evaluate::new()).contains("features"));
    Ok(())
}

#[test]
fn what_sources_of_validations_do_wrong_is_said() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let (x, y) = data();
    let says = |source: Sizes, fit: Fit| -> Result<String> {
        let fit = fit.validation_source(source).verbose(0);
        Ok(model(Flavor::Keras3)?.fit(&x, &y, fit).expect_err("refused").to_string())
    };
    let of = |sizes: &[usize], next| Sizes(sizes.to_vec(), 0, next);
    let good = || of(&[3], |_, rows| Batch::new(ones(2, rows), ones(1, rows)));
    let wider = of(&[3, 3], |at, rows| Batch::new(ones(1 + at, rows), ones(1, rows)));
    assert!(says(wider, Fit::new())?.starts_with("batch 2 of the validation source needs what the first had"));
    let unlabelled = of(&[3], |_, rows| Batch::features(ones(2, rows)));
    assert!(says(unlabelled, Fit::new())?.starts_with("fit: batch 1 of the validation source has no labels\n"));
    let none = of(&[], |_, rows| Batch::new(ones(2, rows), ones(1, rows)));
    assert!(says(none, Fit::new())?.starts_with("fit: the validation source has no batch\n"));
    let both = "`validation_data` and `validation_batch_size` are of rows in memory, not of a source";
    assert!(says(good(), Fit::new().validation_data(&x, &y))?.contains(both));
    assert!(says(good(), Fit::new().validation_batch_size(2))?.contains(both));
    let weights = says(good(), Fit::new().validation_weights(vec![1.0; ROWS]))?;
    assert!(weights.contains("`validation_weights` needs `validation_data`"), "{weights}");
    Ok(())
}
