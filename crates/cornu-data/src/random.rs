//! NumPy's generator of this process, from which whatever has no `random_state` draws.

use std::sync::{LazyLock, Mutex, PoisonError};

use cornu_array::random::{LegacyRandomState, entropy};

static PROCESS: LazyLock<Mutex<LegacyRandomState>> =
    LazyLock::new(|| Mutex::new(LegacyRandomState::new(entropy() as u32)));

/// `numpy.random.seed(seed)`: the generator of this process starts anew. It is one for all threads.
pub fn seed(seed: u32) {
    with_numpy(|random| *random = LegacyRandomState::new(seed));
}

/// Calls `work` with NumPy's generator of this process, which must not ask for it again: it would wait for itself.
pub fn with_numpy<T>(work: impl FnOnce(&mut LegacyRandomState) -> T) -> T {
    // After a panic in `work` the state is still one that its own methods made.
    work(&mut PROCESS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Calls `work` with the generator of that state; without one, with that of this process.
pub(crate) fn with_generator<T>(random_state: Option<u32>, work: impl FnOnce(&mut LegacyRandomState) -> T) -> T {
    match random_state {
        Some(seed) => work(&mut LegacyRandomState::new(seed)),
        None => with_numpy(work),
    }
}
