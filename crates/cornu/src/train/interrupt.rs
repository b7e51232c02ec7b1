//! Ctrl-C during training: the first stops it between two batches, a second ends the program.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Whether Ctrl-C was pressed during a fit, or no fit runs: then the next one does what it does by default.
fn pressed() -> &'static Arc<AtomicBool> {
    static PRESSED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    PRESSED.get_or_init(|| {
        let pressed = Arc::new(AtomicBool::new(true));
        use signal_hook::consts::SIGINT;
        // Actions are taken in this order: the default if pressed before, else note it. A platform without the signal
        // has nothing to stop by, and trains on.
        let _ = signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&pressed));
        let _ = signal_hook::flag::register(SIGINT, Arc::clone(&pressed));
        pressed
    })
}

/// How many fits are running, on any thread.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// While one of these lives, Ctrl-C does not end the program at once.
pub(crate) struct Interrupt(());

impl Interrupt {
    /// A fit begins.
    pub(crate) fn watch() -> Interrupt {
        let pressed = pressed();
        if RUNNING.fetch_add(1, Ordering::SeqCst) == 0 {
            pressed.store(false, Ordering::SeqCst);
        }
        Interrupt(())
    }

    /// Whether Ctrl-C was pressed since.
    pub(crate) fn is_pressed(&self) -> bool {
        pressed().load(Ordering::Relaxed)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        if RUNNING.fetch_sub(1, Ordering::SeqCst) == 1 {
            pressed().store(true, Ordering::SeqCst);
        }
    }
}
