//! Outputs that take nothing: closed, full, or a pipe that nobody reads. What is printed there is lost, and nothing
//! else is. Outputs are for a whole process, so each of these runs in one of its own: this test, started once more.

use std::fs::{File, OpenOptions};

use cornu::losses::loss;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu_testkit::folder::Folder;
use cornu_testkit::process;
use rustix::stdio::{dup2_stderr, dup2_stdout};

use crate::seeds::seeded;

/// The writing end of something that takes nothing, to be put in place of the standard outputs.
fn refusing(kind: &str) -> File {
    match kind {
        "full" => OpenOptions::new().write(true).open("/dev/full").expect("/dev/full"),
        "read-only" => File::open("/dev/null").expect("/dev/null"),
        _ => File::from(std::os::fd::OwnedFd::from(std::io::pipe().expect("a pipe").1)),
    }
}

/// Prints wherever the library prints.
fn prints() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (x, y) = ([[0.0], [0.5], [1.0], [1.5]], [0.0, 1.0, 0.0, 1.0]);
    let folder = Folder::new("outputs");
    let file = folder.join("model.keras");
    let mut model = sequential![Dense::new(1).input_shape([1])];
    let _ = model.print_summary();
    // A warning before the first epoch, and one behind an epoch.
    model.compile(Compile::new().loss("binary_crossentropy"))?;
    let history = model.fit(&x, &y, Fit::new().verbose(1).epochs(2).class_weight([(7, 1.0)]))?;
    assert!(!history.warnings.is_empty());
    model.compile(Compile::new().loss("mse").optimizer(SGD::new().learning_rate(1e30)))?;
    let history = model.fit(&x, &y, Fit::new().verbose(2).epochs(3))?;
    assert!(history.warnings.iter().any(|warning| warning.code.as_str() == "CN013"));
    // One while saving, and one while loading.
    let own = loss("own", |y_true, y_pred| y_true - y_pred);
    model.compile(Compile::new().loss(own))?;
    model.save(&file)?;
    load_model(&file)?;
    model.evaluate(&x, &y)?;
    model.predict_with(&x, Predict::new().verbose(1))?;
    Ok(())
}

#[test]
fn what_cannot_be_printed_stops_nothing() {
    if let Some(kind) = process::word() {
        // The harness writes to both outputs, so the process ends here.
        let end = refusing(&kind.to_string_lossy());
        dup2_stdout(&end).and_then(|()| dup2_stderr(&end)).expect("outputs");
        let right = std::panic::catch_unwind(prints);
        std::process::exit(right.map_or(3, |right| if right.is_ok() { 0 } else { 2 }));
    }
    for kind in ["full", "read-only", "broken pipe"] {
        let name = "outputs::what_cannot_be_printed_stops_nothing";
        let child = process::again(name, "", kind).output().expect("a process");
        assert_eq!(child.status.code(), Some(0), "{kind}: 2 is an error, 3 a panic");
    }
}
