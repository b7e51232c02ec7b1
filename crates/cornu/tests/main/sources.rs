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
