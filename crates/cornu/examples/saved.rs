//! The lessons' models as files, each with what it predicts: `cargo run --release --example saved FOLDER`. What
//! `scripts/check_files.sh` opens with Keras 2.13 and Keras 3.

#[path = "common/lessons.rs"]
mod lessons;
#[path = "common/synthetic.rs"]
mod synthetic;

use std::path::{Path, PathBuf};

use cornu::data::ToArray;
use cornu::prelude::*;
use cornu_files::npy::save_npz;
use ndarray::s;

fn main() -> cornu::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "target/saved".into()));
    std::fs::create_dir_all(&folder).map_err(|error| cornu::Error::file(format!("{}: {error}", folder.display())))?;
    pima(&folder)?;
    mnist(&folder)
}

/// Saves a model as `name.keras`; as `name.npz`, rows, their labels, what the model predicts for them, and what it
/// predicts after one more step on all of them.
fn save(mut model: Sequential, x: &impl ToArray, y: &impl ToArray, file: &Path) -> cornu::Result<()> {
    model.save(file)?;
    let quiet = || Predict::new().verbose(0);
    let predictions = model.predict_with(x, quiet())?.to_array()?;
    model.train_on_batch(x, y)?;
    let after = model.predict_with(x, quiet())?.to_array()?;
    let (x, y) = (x.to_array()?, y.to_array()?);
    save_npz(
        file.with_extension("npz"),
        [("x", &x), ("y", &y), ("predictions", &predictions), ("after", &after)],
        true,
    )?;
    println!("{}", file.display());
    Ok(())
}

fn pima(folder: &Path) -> cornu::Result<()> {
    let data = datasets::pima::load_data().unwrap_or_else(|_| synthetic::pima());
    let (x, y) = (data.drop("8")?, &data["8"]);
    let split = Split::test_size(0.2).random_state(42);
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, y, split)?;
    let mut model = lessons::pima()?;
    model.fit(&x_train, &y_train, Fit::new().epochs(150).batch_size(10).verbose(0))?;
    save(model, &x_test, &y_test, &folder.join("keras_8-12-8-1_42.keras"))
}

fn mnist(folder: &Path) -> cornu::Result<()> {
    let ((x_train, y_train), (x_test, y_test)) =
        datasets::mnist::load_data().unwrap_or_else(|_| synthetic::mnist(60_000, 10_000));
    let (x_train, x_test) = (x_train.mapv(|ink| f32::from(ink) / 255.0), x_test.mapv(|ink| f32::from(ink) / 255.0));
    let mut model = lessons::mnist()?;
    model.fit(&x_train, &y_train, Fit::new().epochs(5).verbose(0))?;
    let (x, y) = (x_test.slice(s![..1000, .., ..]), y_test.slice(s![..1000]));
    save(model, &x, &y, &folder.join("keras_28x28-128-10_42.keras"))
}
