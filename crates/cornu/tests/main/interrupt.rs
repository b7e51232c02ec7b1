//! Ctrl-C: stops a fit between two batches, and does what it always does elsewhere. Signals are for a whole process, so
//! each case runs in a process of its own: its test, started once more.
#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use cornu::ErrorKind;
use cornu::prelude::*;
use cornu::random::Flavor;

use cornu_testkit::process;
use signal_hook::consts::SIGINT;
use signal_hook::low_level::raise;

use crate::seeds::seeded;

/// Does something after the third batch.
struct AfterThree<F>(F);

impl<F: FnMut() + Send> Callback for AfterThree<F> {
    fn on_train_batch_end(&mut self, batch: usize, _: &mut Control) -> cornu::Result<()> {
        if batch == 2 {
            (self.0)();
        }
        Ok(())
    }
}

fn press() {
    raise(SIGINT).expect("a signal that can be raised");
}

/// Five batches, with something after the third.
fn fit(third: impl FnMut() + Send + Send + 'static) -> cornu::Result<()> {
    let (x, y) = ([[0.0], [0.5], [1.0], [1.5], [2.0]], [0.0, 1.0, 2.0, 3.0, 4.0]);
    let mut model = sequential![Dense::new(1).kernel_initializer("zeros").input_shape([1])];
    model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    let result = model.fit(&x, &y, Fit::new().batch_size(1).shuffle(false).verbose(0).callback(AfterThree(third)));
    assert!(model.weights()[0][[0, 0]] > 0.01, "the weights are those from before");
    result.map(|_| ())
}

/// Runs `case` in a process of its own, which a shell starts after `before`; gives its end and what it printed.
fn alone(name: &str, before: &str, case: impl FnOnce()) -> Option<(ExitStatus, String)> {
    if process::word().is_some() {
        let _turn = seeded(Flavor::Keras2, 1);
        case();
        return None;
    }
    let child = process::again(&format!("interrupt::{name}"), before, "").output().expect("a process");
    Some((child.status, String::from_utf8_lossy(&child.stdout).into_owned()))
}

/// The process came to the end of its case, where it says that it is still here.
#[track_caller]
fn assert_went_on(ended: Option<(ExitStatus, String)>) {
    let Some((status, printed)) = ended else { return };
    assert!(status.success() && printed.contains("still here"), "{status}: {printed}");
}

#[test]
fn ctrl_c_stops_a_fit_and_later_the_program() {
    let ended = alone("ctrl_c_stops_a_fit_and_later_the_program", "", || {
        let error = fit(press).expect_err("stopped");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        println!("{error}");
        press();
        println!("still here");
    });
    let Some((status, printed)) = ended else { return };
    assert!(printed.contains("stopped in epoch 1 after batch 3 of 5"), "{printed}");
    assert!(!printed.contains("still here"), "{printed}");
    assert_eq!(status.signal(), Some(SIGINT));
}

#[test]
fn a_second_ctrl_c_ends_the_program() {
    let ended = alone("a_second_ctrl_c_ends_the_program", "", || {
        let _ = fit(|| {
            press();
            println!("noted");
            press();
        });
        println!("still here");
    });
    let Some((status, printed)) = ended else { return };
    assert!(printed.contains("noted") && !printed.contains("still here"), "{printed}");
    assert_eq!(status.signal(), Some(SIGINT));
}

#[test]
fn a_program_that_ignores_ctrl_c_still_does() {
    let ended = alone("a_program_that_ignores_ctrl_c_still_does", "trap '' INT; ", || {
        fit(press).expect("a signal that is ignored");
        press();
        println!("still here");
    });
    assert_went_on(ended);
}

/// Notes Ctrl-C, as a program does that ends in good order.
fn own_handler() -> Arc<AtomicBool> {
    let noted = Arc::default();
    signal_hook::flag::register(SIGINT, Arc::clone(&noted)).expect("a handler");
    noted
}

#[test]
fn a_handler_from_before_a_fit_is_the_only_one() {
    let ended = alone("a_handler_from_before_a_fit_is_the_only_one", "", || {
        let noted = own_handler();
        fit(press).expect("a signal that others see to");
        assert!(noted.swap(false, Ordering::SeqCst), "seen during the fit");
        press();
        assert!(noted.load(Ordering::SeqCst), "seen after the fit");
        println!("still here");
    });
    assert_went_on(ended);
}

#[test]
fn a_handler_from_after_a_fit_is_the_only_one() {
    let ended = alone("a_handler_from_after_a_fit_is_the_only_one", "", || {
        fit(press).expect_err("stopped");
        let noted = own_handler();
        press();
        assert!(noted.swap(false, Ordering::SeqCst), "seen after a fit");
        fit(press).expect("a signal that others see to");
        assert!(noted.load(Ordering::SeqCst), "seen during another");
        println!("still here");
    });
    assert_went_on(ended);
}

#[test]
fn a_handler_made_during_a_fit_stays() {
    let ended = alone("a_handler_made_during_a_fit_stays", "", || {
        let (send, noted) = channel();
        fit(move || send.send(own_handler()).expect("a listener")).expect("nothing was pressed");
        let noted = noted.recv().expect("a handler");
        press();
        press();
        assert!(noted.load(Ordering::SeqCst), "seen after the fit");
        println!("still here");
    });
    assert_went_on(ended);
}

/// A fit on a thread of its own, which tells when it has come to its third batch and goes on when it is told.
fn halting() -> (Receiver<()>, Sender<()>, std::thread::JoinHandle<cornu::Result<()>>) {
    let ((there, arrived), (go, going)) = (channel(), channel());
    let halt = move || {
        there.send(()).expect("a listener");
        going.recv().expect("a word");
    };
    (arrived, go, std::thread::spawn(move || fit(halt)))
}

#[test]
fn fits_on_two_threads_are_stopped_together() {
    let ended = alone("fits_on_two_threads_are_stopped_together", "", || {
        let fits = [halting(), halting()];
        fits.iter().for_each(|(arrived, ..)| arrived.recv().expect("the third batch"));
        press();
        let stopped = fits.map(|(_, go, fit)| {
            go.send(()).expect("a fit that waits");
            fit.join().expect("no panic").expect_err("stopped").kind()
        });
        assert_eq!(stopped, [ErrorKind::Interrupted; 2]);
        // One is over while the other goes on.
        let (arrived, go, other) = halting();
        arrived.recv().expect("the third batch");
        fit(|| ()).expect("nothing was pressed");
        press();
        go.send(()).expect("a fit that waits");
        assert_eq!(other.join().expect("no panic").expect_err("stopped").kind(), ErrorKind::Interrupted);
        println!("still here");
        press();
        println!("and here");
    });
    let Some((status, printed)) = ended else { return };
    assert!(printed.contains("still here") && !printed.contains("and here"), "{printed}");
    assert_eq!(status.signal(), Some(SIGINT));
}

/// Presses after the last batch.
struct AtTheEnd;

impl Callback for AtTheEnd {
    fn on_epoch_end(&mut self, _: usize, _: &mut Control) -> cornu::Result<()> {
        press();
        Ok(())
    }
}

#[test]
fn ctrl_c_between_two_epochs_is_not_lost() {
    let ended = alone("ctrl_c_between_two_epochs_is_not_lost", "", || {
        let mut model = sequential![Dense::new(1).input_shape([1])];
        model.compile(Compile::new().loss("mse").optimizer("sgd")).expect("settings");
        for epochs in [1, 2] {
            let fit = Fit::new().epochs(epochs).verbose(0).callback(AtTheEnd);
            let error = model.fit(&[[0.0], [0.5]], &[0.0, 1.0], fit).expect_err("stopped");
            println!("{error}");
            assert_eq!(model.history().expect("what there was until then").epoch, [0]);
        }
    });
    let Some((status, printed)) = ended else { return };
    assert!(status.success(), "{printed}");
    assert_eq!(printed.matches("stopped in epoch 1 after batch 1 of 1").count(), 2, "{printed}");
}
