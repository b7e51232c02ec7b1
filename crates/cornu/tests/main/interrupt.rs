//! Ctrl-C: stops a fit between two batches, and does what it always does elsewhere. Signals are for a whole process, so
//! the fit runs in a process of its own: this test, started once more.
#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use cornu::ErrorKind;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::train::Callback;
use signal_hook::consts::SIGINT;
use signal_hook::low_level::raise;

use crate::seeds::seeded;

const CHILD: &str = "CORNU_TEST_INTERRUPT";

/// Presses Ctrl-C after the third batch.
struct Press;

impl Callback for Press {
    fn on_train_batch_end(&mut self, batch: usize, _: &mut dyn FnMut() -> Vec<(String, f64)>) {
        if batch == 2 {
            raise(SIGINT).expect("a signal that can be raised");
        }
    }
}

#[test]
fn ctrl_c_stops_a_fit_and_later_the_program() -> cornu::Result<()> {
    if std::env::var_os(CHILD).is_none() {
        let program = std::env::current_exe().expect("this test");
        let name = "interrupt::ctrl_c_stops_a_fit_and_later_the_program";
        let child =
            Command::new(program).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().expect("a process");
        let printed = String::from_utf8_lossy(&child.stdout);
        assert!(printed.contains("stopped in epoch 1 after batch 3 of 5"), "{printed}");
        assert!(!printed.contains("still here"), "{printed}");
        assert_eq!(child.status.signal(), Some(SIGINT));
        return Ok(());
    }
    let _turn = seeded(Flavor::Keras2, 1);
    let (x, y) = ([[0.0], [0.5], [1.0], [1.5], [2.0]], [0.0, 1.0, 2.0, 3.0, 4.0]);
    let mut model = sequential![Dense::new(1).input_shape([1])];
    model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    let error = model.fit(&x, &y, Fit::new().batch_size(1).verbose(0).callback(Press)).expect_err("stopped");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    println!("{error}");
    raise(SIGINT).expect("a signal that can be raised");
    println!("still here");
    Ok(())
}
