//! Ctrl-C as a note that a loop looks at between two steps. Before and after the loop it does what it did.
//!
//! What a signal does belongs to the whole process. It is changed only from the system's default, for as long as a loop
//! runs, and changed back only if nobody else has changed it meanwhile.
// A handler of signals is unsafe by nature; each block says why it is sound.
#![allow(unsafe_code)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether Ctrl-C was pressed while loops ran.
static PRESSED: AtomicBool = AtomicBool::new(false);
static LOOPS: Mutex<Loops> = Mutex::new(Loops { running: 0, before: None });

/// The loops that run, on any thread, and what Ctrl-C did before the first of them, if that was changed.
struct Loops {
    running: usize,
    before: Option<system::Action>,
}

/// While one of these lives, the first Ctrl-C is noted and a second ends the program. A program that ignores Ctrl-C or
/// has a handler of its own keeps it, and nothing is noted.
#[derive(Debug)]
pub(crate) struct Interrupt(());

impl Interrupt {
    /// A loop begins.
    pub(crate) fn watch() -> Interrupt {
        let mut loops = LOOPS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if loops.running == 0 {
            PRESSED.store(false, Ordering::SeqCst);
            loops.before = system::install();
        }
        loops.running += 1;
        Interrupt(())
    }

    /// Whether Ctrl-C was pressed since, or during another loop that still runs.
    pub(crate) fn is_pressed(&self) -> bool {
        PRESSED.load(Ordering::Relaxed)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        let mut loops = LOOPS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        loops.running -= 1;
        if loops.running == 0
            && let Some(before) = loops.before.take()
        {
            system::restore(&before);
        }
    }
}

#[cfg(unix)]
mod system {
    use std::mem::MaybeUninit;
    use std::sync::atomic::Ordering;

    use libc::{SA_ONSTACK, SA_RESTART, SIG_DFL, SIGINT, c_int};

    /// What a signal does: a handler, its flags, and what it blocks.
    pub(super) type Action = libc::sigaction;

    /// Notes the signal. The second ends the program, unless a handler that was made meanwhile hands it on to here.
    extern "C" fn note(signal: c_int) {
        if super::PRESSED.swap(true, Ordering::SeqCst) && exchange(None).is_some_and(|now| is_ours(&now)) {
            // SAFETY: both may be called in a handler; the signal is delivered when this one is left.
            unsafe {
                libc::signal(signal, SIG_DFL);
                libc::raise(signal);
            }
        }
    }

    fn is_ours(action: &Action) -> bool {
        action.sa_sigaction == note as *const () as usize
    }

    /// What the signal does, or did before it was told to do something `new`.
    fn exchange(new: Option<&Action>) -> Option<Action> {
        let mut old = MaybeUninit::uninit();
        let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: `new` is null or an action of the system's or ours, which touches atomics and signals alone.
        let failed = unsafe { libc::sigaction(SIGINT, new, old.as_mut_ptr()) } != 0;
        // SAFETY: a call that succeeds fills it.
        (!failed).then(|| unsafe { old.assume_init() })
    }

    /// Notes the signal from now on, if it did what it does by default; gives what that was.
    pub(super) fn install() -> Option<Action> {
        let default = |action: &Action| action.sa_sigaction == SIG_DFL;
        let mut ours = exchange(None).filter(default)?;
        (ours.sa_sigaction, ours.sa_flags) = (note as *const () as usize, SA_RESTART | SA_ONSTACK);
        let before = exchange(Some(&ours))?;
        if !default(&before) {
            // Another thread was faster.
            exchange(Some(&before));
            return None;
        }
        Some(before)
    }

    /// Undoes [`install`], unless somebody else has changed what the signal does.
    pub(super) fn restore(before: &Action) {
        if exchange(None).is_some_and(|now| is_ours(&now)) {
            exchange(Some(before));
        }
    }
}

#[cfg(windows)]
mod system {
    use std::sync::atomic::Ordering;

    use libc::{SIG_DFL, SIGINT, c_int, sighandler_t};

    /// The handler of a signal.
    pub(super) type Action = sighandler_t;

    /// Notes the signal. By then the system has made the default its handler again.
    extern "C" fn note(_: c_int) {
        super::PRESSED.store(true, Ordering::SeqCst);
    }

    fn exchange(new: Action) -> Action {
        // SAFETY: `new` is a handler of the system's or ours, which touches an atomic alone.
        unsafe { libc::signal(SIGINT, new) }
    }

    /// Notes the signal from now on, if it did what it does by default; gives what that was.
    pub(super) fn install() -> Option<Action> {
        let before = exchange(note as *const () as usize);
        if before != SIG_DFL {
            exchange(before);
            return None;
        }
        Some(before)
    }

    /// Undoes [`install`], unless somebody else has changed what the signal does.
    pub(super) fn restore(before: &Action) {
        let now = exchange(*before);
        if now != note as *const () as usize {
            exchange(now);
        }
    }
}

/// Systems without the signal have nothing to stop by.
#[cfg(not(any(unix, windows)))]
mod system {
    pub(super) type Action = ();

    pub(super) fn install() -> Option<Action> {
        None
    }

    pub(super) fn restore(_: &Action) {}
}
