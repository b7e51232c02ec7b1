//! Snapshots: a training that goes on in another process is the same training, to the bit.

use std::path::Path;
use std::time::Duration;

use cornu::choice::Choice;
use cornu::optimizers::schedules::{CosineDecay, ExponentialDecay};
use cornu::optimizers::{Adagrad, LossScaleOptimizer, Nadam, Optimizer};
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::train::{BackupAndRestore, EarlyStopping, ReduceLROnPlateau};
use cornu::{ErrorKind, Result, Sequential};
use cornu_testkit::folder::Folder;
use cornu_testkit::process;

use crate::seeds::seeded;

const ROWS: usize = 23;
const EPOCHS: usize = 6;

fn data() -> (Vec<[f64; 3]>, Vec<f64>) {
    let x = |i: usize| [i * 7 % 11, i * 5 % 13, i * 3 % 7].map(|n| n as f64 * 0.2 - 1.0);
    ((0..ROWS).map(x).collect(), (0..ROWS).map(|i| (i * 3 % 5) as f64 * 0.25).collect())
}

/// Makes an optimizer.
type Make = fn() -> Choice<dyn Optimizer>;

const OPTIMIZERS: [Make; 5] = [
    || SGD::new().momentum(0.9).nesterov(true).learning_rate(ExponentialDecay::new(0.05, 5, 0.8)).into(),
    || Adam::from(0.01).gradient_accumulation_steps(3i64).clipnorm(0.5).into(),
    || Nadam::from(0.01).weight_decay(0.01).into(),
    || RMSprop::new().centered(true).learning_rate(CosineDecay::new(0.02, 40)).use_ema(true).into(),
    || LossScaleOptimizer::new(Adagrad::from(0.1)).initial_scale(1e38).dynamic_growth_steps(3i64).into(),
];

/// One of twenty trainings: two flavours, five optimizers, with and without dropout's own seeds.
#[derive(Clone, Copy)]
struct Case(usize);

impl Case {
    fn flavor(self) -> Flavor {
        if self.0.is_multiple_of(2) { Flavor::Keras2 } else { Flavor::Keras3 }
    }

    fn model(self) -> Result<Sequential> {
        let dropout = Dropout::new(0.3);
        let dropout = if self.0 / 10 == 1 { dropout.seed(5) } else { dropout };
        let mut model = sequential![
            Dense::new(4 + self.0 % 3).input_shape([3]).activation("tanh"),
            dropout,
            Dense::new(3).activation("relu").kernel_regularizer("l2"),
            Dropout::new(0.2),
            Dense::new(1),
        ];
        let optimizer = OPTIMIZERS[self.0 / 2 % 5]();
        model.compile(Compile::new().loss("mse").optimizer(optimizer).metrics(["mae"]))?;
        Ok(model)
    }

    fn fit(self, epochs: usize) -> Fit {
        let fit = Fit::new().epochs(epochs).batch_size(4 + self.0 % 2).verbose(0).shuffle(!self.0.is_multiple_of(7));
        // Epochs of batches that go over the end of an order.
        if self.0.is_multiple_of(5) { fit.steps_per_epoch(4) } else { fit.validation_split(0.2) }
    }
}

/// All bits of weights and history.
fn bits(model: &Model, history: &History) -> Vec<u64> {
    let weights = model.weights().into_iter().flatten().map(|weight| u64::from(weight.to_bits()));
    let figures = history.iter().flat_map(|(_, values)| values.iter().map(|value| value.to_bits()));
    weights.chain(figures).chain(history.epoch.iter().map(|epoch| *epoch as u64)).collect()
}

fn print(bits: &[u64]) {
    println!("<<{bits:?}>>");
}

fn printed(output: &std::process::Output) -> String {
    process::assert_passed(output);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split("<<").nth(1).and_then(|text| text.split(">>").next()).expect("what was printed").to_owned()
}

/// Saves a snapshot after so many batches.
struct After(usize, std::path::PathBuf);

impl Callback for After {
    fn on_train_batch_end(&mut self, _: usize, control: &mut Control) -> Result<()> {
        self.0 = self.0.wrapping_sub(1);
        if self.0 == 0 { control.save_snapshot(&self.1) } else { Ok(()) }
    }
}

/// Twenty trainings; each is broken off after three epochs, or in the middle of one, and goes on in another process, where
/// seeds and names of layers are others.
#[test]
fn six_epochs_are_three_and_three_more_in_another_process() -> Result<()> {
    const NAME: &str = "snapshots::six_epochs_are_three_and_three_more_in_another_process";
    if let Some(word) = process::word() {
        let word = word.into_string().expect("a word");
        let (case, path) = word.split_once(' ').expect("two words");
        let case = Case(case.parse().expect("a number"));
        // Other weights, seeds and names than in the first process.
        let _turn = seeded(case.flavor(), 77);
        let (mut model, (x, y)) = (case.model()?, data());
        let history = model.fit(&x, &y, case.fit(EPOCHS).resume(path))?;
        print(&bits(&model, &history));
        return Ok(());
    }
    let folder = Folder::new("snapshots");
    let (x, y) = data();
    for case in (0..20).map(Case) {
        let _turn = seeded(case.flavor(), 3);
        let mut whole = case.model()?;
        let history = whole.fit(&x, &y, case.fit(EPOCHS))?;
        let wanted = format!("{:?}", bits(&whole, &history));
        for (place, name) in ["three epochs", "in an epoch"].into_iter().enumerate() {
            set_random_seed(3);
            clear_session();
            let path = folder.join(&format!("{}-{place}.snapshot", case.0));
            let mut first = case.model()?;
            match place {
                // Means of weights take the place of the weights where a fit ends: there it is one of the middle.
                0 if case.0 / 2 % 5 != 3 => {
                    first.fit(&x, &y, case.fit(3))?;
                    first.save_snapshot(&path)?;
                }
                _ => drop(first.fit(&x, &y, case.fit(EPOCHS).callback(After(9 + case.0 % 4, path.clone())))?),
            }
            let again = process::again(NAME, "", format!("{} {}", case.0, path.display())).output().expect("a process");
            assert_eq!(printed(&again), wanted, "case {} after {name}", case.0);
        }
    }
    Ok(())
}

/// Saves a snapshot after each batch, over the one before.
struct AfterEach(std::path::PathBuf);

impl Callback for AfterEach {
    fn on_train_batch_end(&mut self, _: usize, control: &mut Control) -> Result<()> {
        control.save_snapshot(&self.0)
    }
}

#[test]
fn a_training_that_ends_after_its_last_batch_has_its_last_epoch() -> Result<()> {
    let folder = Folder::new("last-batch");
    let (x, y) = data();
    for case in [2, 3].map(Case) {
        let _turn = seeded(case.flavor(), 3);
        let path = folder.join(&format!("{}.snapshot", case.0));
        let mut whole = case.model()?;
        let history = whole.fit(&x, &y, case.fit(2).callback(AfterEach(path.clone())))?;
        let mut again = case.model()?;
        let resumed = again.fit(&x, &y, case.fit(2).resume(&path))?;
        assert_eq!(bits(&again, &resumed), bits(&whole, &history), "case {}", case.0);
    }
    Ok(())
}

/// What callbacks have seen is part of it: when the rate falls and the training ends is as if nothing had come between.
#[test]
fn callbacks_go_on_as_well() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 3);
    let folder = Folder::new("memories");
    let (path, (x, y)) = (folder.join("a.snapshot"), data());
    let model = || -> Result<Sequential> {
        let mut model = sequential![Dense::new(3).input_shape([3]).kernel_initializer("ones"), Dense::new(1)];
        model.compile(Compile::new().loss("mse").optimizer(Adam::from(0.3)))?;
        Ok(model)
    };
    let fit = |after: usize| {
        let stop = EarlyStopping::new().monitor("loss").patience(9).restore_best_weights(true);
        let reduce = ReduceLROnPlateau::new().monitor("loss").patience(2).factor(0.7).cooldown(1);
        let fit = Fit::new().epochs(200).batch_size(5).verbose(0).callback(After(after, path.clone()));
        fit.callback(stop).callback(reduce)
    };
    let (mut whole, mut again, mut others) = (model()?, model()?, model()?);
    again.set_weights(&whole.weights())?;
    let history = whole.fit(&x, &y, fit(47))?;
    assert!(history.epoch.len() < 200 && history["learning_rate"].windows(2).any(|pair| pair[0] > pair[1]));
    let resumed = again.fit(&x, &y, fit(0).resume(&path))?;
    assert_eq!(bits(&again, &resumed), bits(&whole, &history));
    let error = refused(&mut others, &path, Fit::new().epochs(9).batch_size(5).verbose(0));
    let wanted = "the snapshot is of a fit with other callbacks: EarlyStopping, ReduceLROnPlateau, not none";
    assert_eq!(error.message(), wanted);
    Ok(())
}

/// Trains for long, with a backup if there is a folder for it: after so many batches, or after each epoch.
fn long(backup: Option<&Path>, save: usize) -> Result<Vec<u64>> {
    let case = Case(12);
    let (mut model, (x, y)) = (case.model()?, data());
    let mut fit = case.fit(60);
    if let Some(folder) = backup {
        let callback = BackupAndRestore::new(folder.display().to_string());
        fit = fit.callback(if save > 0 { callback.save_freq(save) } else { callback });
    }
    let history = model.fit(&x, &y, fit)?;
    Ok(bits(&model, &history))
}

/// A program that is killed over and over ends with the weights of one that is not.
#[test]
fn a_training_survives_the_end_of_its_process() -> Result<()> {
    const NAME: &str = "snapshots::a_training_survives_the_end_of_its_process";
    if let Some(word) = process::word() {
        let word = word.into_string().expect("a word");
        let (save, path) = word.split_once(' ').expect("two words");
        let _turn = seeded(Flavor::Keras2, 3);
        print(&long(Some(Path::new(path)), save.parse().expect("a number"))?);
        return Ok(());
    }
    let wanted = {
        let _turn = seeded(Flavor::Keras2, 3);
        format!("{:?}", long(None, 0)?)
    };
    for save in [0, 3] {
        let folder = Folder::new("backup");
        let backup = folder.join("backup");
        let mut kills = 0;
        let started = || {
            let mut again = process::again(NAME, "", format!("{save} {}", backup.display()));
            again.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().expect("a process")
        };
        let end = loop {
            let mut child = started();
            // Later and later, so that it comes to an end.
            std::thread::sleep(Duration::from_millis(15 + kills * 7 % 40 + kills * kills));
            kills += 1;
            if child.try_wait().expect("a process").is_some() {
                break child.wait_with_output().expect("an output");
            }
            child.kill().expect("a process that runs");
            child.wait().expect("an end");
        };
        println!("{kills} processes, one file for {save} batches");
        assert_eq!(printed(&end), wanted, "{save}");
        assert!(!backup.exists(), "the training has ended");
    }
    Ok(())
}

/// What a fit says that goes on from a snapshot.
fn refused(model: &mut Model, path: &Path, fit: Fit) -> cornu::Error {
    let (x, y) = data();
    let before = model.weights();
    let error = model.fit(&x, &y, fit.resume(path)).expect_err("refused");
    assert!(before.is_empty() || before == model.weights(), "nothing has changed");
    error
}

#[test]
fn what_does_not_fit_is_refused() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("refused-snapshots");
    let (path, (x, y)) = (folder.join("a.snapshot"), data());
    let case = Case(3);
    let mut model = case.model()?;
    let error = model.save_snapshot(&path).expect_err("nothing was fitted");
    assert_eq!(error.message(), "`save_snapshot` needs a model that was fitted");
    model.fit(&x, &y, case.fit(2))?;
    model.save_snapshot(&path)?;
    let says = |error: cornu::Error, wanted: &str| {
        let text = error.to_string();
        assert!(text.starts_with("on_train_begin: `") && text.contains(wanted), "{text}");
    };
    let mut other = sequential![Dense::new(2).input_shape([3]), Dense::new(1)];
    other.compile(Compile::new().loss("mse").optimizer("adam"))?;
    says(refused(&mut other, &path, case.fit(4)), "the model has 4 variables, that of the snapshot 8");
    let mut same = case.model()?;
    says(refused(&mut same, &path, case.fit(4).batch_size(9)), "the batch size is 9, that of the snapshot 5");
    let shuffled = refused(&mut same, &path, case.fit(4).shuffle(false));
    says(shuffled, "the shuffle is false, that of the snapshot true");
    same.compile(Compile::new().loss("mse").optimizer("sgd").metrics(["mae"]))?;
    says(refused(&mut same, &path, case.fit(4)), "the optimizer is `SGD`, that of the snapshot `Adam`");
    let mut keras2 = Case(2).model()?;
    assert_eq!(keras2.flavor(), Flavor::Keras3);
    keras2 = Sequential::seeded(Flavor::Keras2, Seeds::new(1));
    keras2.add(Dense::new(1).input_shape([3]));
    keras2.compile(Compile::new().loss("mse"))?;
    says(refused(&mut keras2, &path, case.fit(4)), "the model follows Keras 2, that of the snapshot Keras 3");
    says(refused(&mut same, &folder.join("none"), case.fit(4)), "there is no such file");
    let bytes = std::fs::read(&path).expect("a file");
    for (cut, wanted) in [(bytes.len() / 2, "damaged"), (40, "damaged"), (0, "this is not a zip archive")] {
        let part = folder.join("part.snapshot");
        std::fs::write(&part, &bytes[..cut]).expect("a file");
        says(refused(&mut same, &part, case.fit(4)), wanted);
    }
    Ok(())
}

/// A snapshot of a later version.
#[test]
fn another_version_is_refused() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("version");
    let (path, (x, y)) = (folder.join("a.snapshot"), data());
    let mut model = Case(3).model()?;
    model.fit(&x, &y, Case(3).fit(1))?;
    model.save_snapshot(&path)?;
    let mut bundle = cornu_files::bundle::Bundle::open(&path)?;
    bundle.text["version"] = 2.into();
    bundle.save(&path)?;
    let error = refused(&mut model, &path, Case(3).fit(4));
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("snapshots of version 1 are read, got version 2"), "{error}");
    Ok(())
}

/// Where there is no room for a new file, the old one stays, and so do weights and history.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_file_before() -> Result<()> {
    const NAME: &str = "snapshots::a_full_disk_leaves_the_file_before";
    if let Some(path) = process::word() {
        let _turn = seeded(Flavor::Keras3, 3);
        let (mut model, (x, y)) = (Case(1).model()?, data());
        let error = model.fit(&x, &y, Case(1).fit(3).callback(After(4, path.into()))).expect_err("no room");
        assert_eq!(error.kind(), ErrorKind::File);
        println!("<<{error}>>");
        assert_eq!(model.history().expect("a history").epoch.len(), 0);
        return Ok(());
    }
    let folder = Folder::new("full");
    let path = folder.join("a.snapshot");
    std::fs::write(&path, "the old file").expect("a file");
    // No file may be longer than 512 bytes.
    let again = process::again(NAME, "trap '' XFSZ; ulimit -f 1;", &path).output().expect("a process");
    let said = printed(&again);
    assert!(said.starts_with("on_train_batch_end: `") && said.contains("a.snapshot"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "the old file");
    assert_eq!(std::fs::read_dir(folder.join("")).expect("a folder").count(), 1, "nothing is left beside it");
    Ok(())
}
