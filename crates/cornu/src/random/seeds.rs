//! What `set_random_seed` sets: the generators that seeds come from.

use std::cell::{Cell, RefCell};
use std::sync::{LazyLock, Mutex, PoisonError};

use cornu_graph::Array;
use cornu_graph::random::{PyRandom, Stream, entropy};

use crate::flavor::{Flavor, flavor};
use serde_json::{Value, json};

/// TensorFlow reduces the seeds of its stateful operations modulo this number.
const STATEFUL_MODULUS: u64 = (1 << 31) - 1;
/// Keras draws seeds from 1 up to this number.
const LARGEST_SEED: u64 = 1_000_000_000;

/// Keras 3's `SeedGenerator`: a seed and a count, of which each draw takes the present pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedGenerator {
    state: [i64; 2],
}

impl SeedGenerator {
    /// The generator that starts with `[seed, 0]`.
    pub fn new(seed: i64) -> SeedGenerator {
        SeedGenerator { state: [seed, 0] }
    }

    /// The pair to draw from; the count rises by one.
    pub fn next_pair(&mut self) -> [i64; 2] {
        let pair = self.state;
        self.state[1] = pair[1].wrapping_add(1);
        pair
    }

    /// The pair to draw from, as the generator shared by all unseeded calls of `keras.random` gives it.
    fn next_shared_pair(&mut self) -> [i64; 2] {
        let pair = self.state;
        self.state = pair.map(|part| part.wrapping_add(1).wrapping_mul(5387).rem_euclid(933_199));
        pair
    }
}

/// Every generator that a model draws from: Python's, TensorFlow's and Keras's own.
///
/// They start equal for equal seeds and are independent of each other. Neither `compile` nor `fit`, `evaluate` or
/// `predict` draws from them.
#[derive(Clone, Debug)]
pub struct Seeds {
    global: Option<u32>,
    generation: u64,
    python: PyRandom,
    operations: PyRandom,
    private: PyRandom,
    shared: Option<SeedGenerator>,
}

impl Seeds {
    /// The state after `set_random_seed(seed)`.
    pub fn new(seed: u32) -> Seeds {
        let python = PyRandom::new(seed.into());
        Seeds {
            global: Some(seed),
            generation: 0,
            operations: python.clone(),
            private: python.clone(),
            python,
            shared: None,
        }
    }

    /// The state before any seed was set, which nobody can predict. The standard library's hash keys are where the
    /// operating system's randomness comes from: they are not fit for secrets, but this is not one.
    pub fn unseeded() -> Seeds {
        Seeds {
            global: None,
            python: PyRandom::new(entropy().cast_signed()),
            operations: PyRandom::new(entropy().cast_signed()),
            private: PyRandom::new(entropy().cast_signed()),
            ..Seeds::new(0)
        }
    }

    /// `keras.utils.set_random_seed(seed)`: every generator starts anew.
    pub fn set_random_seed(&mut self, seed: u32) {
        *self = Seeds { generation: self.generation + 1, ..Seeds::new(seed) };
    }

    /// The seed that was last set, if any.
    pub fn global_seed(&self) -> Option<u32> {
        self.global
    }

    /// How often a seed was set. The streams of stateful operations, as Keras 2's dropout, start anew when it rises.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The seed of the next unseeded initializer (or of Keras 3's next seed generator), from 1 to 1,000,000,000.
    pub fn keras_seed(&mut self, flavor: Flavor) -> i64 {
        let generator = if flavor.draws_from_python() { &mut self.python } else { &mut self.private };
        1 + generator.below(LARGEST_SEED) as i64
    }

    /// The seed of the next stateful operation that is run directly, below 2³¹.
    pub fn op_seed(&mut self) -> u64 {
        self.operations.below(1 << 31)
    }

    /// The stream of the stateful operation with that seed, at its start: of the next [`Seeds::op_seed`] for one that
    /// is run directly, of the count of unseeded random operations before it for one in a graph. Without a global seed
    /// the stream is a new one each time.
    pub fn stateful(&self, op_seed: u64) -> Stream {
        let Some(global) = self.global else { return Stream::stateful(entropy(), entropy()) };
        match (u64::from(global) % STATEFUL_MODULUS, op_seed % STATEFUL_MODULUS) {
            (0, 0) => Stream::stateful(0, STATEFUL_MODULUS),
            (seed, seed2) => Stream::stateful(seed, seed2),
        }
    }

    /// The pair of seeds of Keras 3's next unseeded `keras.random` call.
    pub fn shared_pair(&mut self) -> [i64; 2] {
        let seed = |python: &mut PyRandom| SeedGenerator::new(1 + python.below(LARGEST_SEED) as i64);
        self.shared.get_or_insert_with(|| seed(&mut self.python)).next_shared_pair()
    }

    /// Python's generator, the one of the module `random`.
    pub fn python(&mut self) -> &mut PyRandom {
        &mut self.python
    }
}

/// The seed of a stateful random operation of Keras 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpSeed {
    /// The number of operations without a seed of their own before this one, in the order they run.
    Numbered(u64),
    /// The seed of the layer, one higher with each trace so far.
    Given(u64),
}

impl OpSeed {
    /// As a snapshot has it.
    pub(crate) fn to_json(self) -> Value {
        match self {
            OpSeed::Numbered(number) => json!({ "numbered": number }),
            OpSeed::Given(seed) => json!({ "given": seed }),
        }
    }

    /// What [`OpSeed::to_json`] wrote.
    pub(crate) fn from_json(json: &Value) -> Option<OpSeed> {
        let given = json["given"].as_u64().map(OpSeed::Given);
        given.or_else(|| json["numbered"].as_u64().map(OpSeed::Numbered))
    }

    /// The words of the operation's stream, at its start.
    pub(crate) fn start(self, seeds: &Seeds) -> Array {
        let (OpSeed::Numbered(seed) | OpSeed::Given(seed)) = self;
        Array::vector(seeds.stateful(seed).pack().to_vec())
    }
}

/// Where a model's seeds come from.
#[derive(Clone, Debug, Default)]
pub enum SeedSource {
    /// The generators of the process: each draw takes their next, whichever model it is for, as in Keras.
    #[default]
    Process,
    /// Generators of the model's own, which nothing else moves.
    Own(Box<Seeds>),
}

impl SeedSource {
    /// Calls `work` with the state of the generators.
    pub(crate) fn with<T>(&mut self, work: impl FnOnce(&mut Seeds) -> T) -> T {
        match self {
            SeedSource::Process => with_seeds(work),
            SeedSource::Own(seeds) => work(seeds),
        }
    }
}

impl From<Seeds> for SeedSource {
    fn from(seeds: Seeds) -> Self {
        SeedSource::Own(Box::new(seeds))
    }
}

static PROCESS: LazyLock<Mutex<Seeds>> = LazyLock::new(|| Mutex::new(Seeds::unseeded()));

thread_local! {
    /// Whether this thread holds the lock on [`PROCESS`].
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
    /// The generators of the [`scoped`] work that this thread does, if it does any.
    static SCOPED: RefCell<Option<Seeds>> = const { RefCell::new(None) };
    /// How deep that scope lies within others, and its number; 0 outside of all.
    static SCOPE: Cell<[u64; 2]> = const { Cell::new([0; 2]) };
    /// How many there have been.
    static SCOPES: Cell<u64> = const { Cell::new(0) };
}

/// Clears [`AT_WORK`], after a panic as well.
struct AtWork;

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.set(false);
    }
}

/// Calls `work` with the state of this process.
///
/// The state is one for all threads, behind a lock, because a seed set on one thread must hold for models that are
/// built on another, as in Keras.
///
/// # Panics
/// If `work` calls this function again, or another that draws from the state of this process: it would wait for itself.
pub fn with_seeds<T>(work: impl FnOnce(&mut Seeds) -> T) -> T {
    let nested = AT_WORK.replace(true);
    assert!(!nested, "the process's seeds are in use on this thread: use the `Seeds` that `with_seeds` gave");
    let _end = AtWork;
    if is_scoped() {
        return SCOPED.with_borrow_mut(|seeds| work(seeds.get_or_insert_with(Seeds::unseeded)));
    }
    #[cfg(test)]
    super::tests::assert_turn();
    // After a panic in `work` the state is still one that its own methods made.
    work(&mut PROCESS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Calls `work` with these seeds in the place of the process's, on this thread alone: models that it builds and trains are
/// the same whatever other threads do meanwhile. Names of layers count from the beginning, and go on afterwards where
/// they were. NumPy's generator (`cornu::data::random`) stays that of the process.
///
/// ```
/// use cornu::prelude::*;
/// use cornu::random::{Seeds, scoped};
///
/// let made = || sequential![Dense::new(1).input_shape([2])].weights();
/// assert_eq!(scoped(Seeds::new(42), made), scoped(Seeds::new(42), made));
/// ```
///
/// # Panics
/// Within the work of [`with_seeds`].
pub fn scoped<T>(seeds: Seeds, work: impl FnOnce() -> T) -> T {
    let _end = Scope::enter(seeds);
    work()
}

/// What a scope goes back to, after a panic as well.
struct Scope {
    outer: [u64; 2],
    seeds: Option<Seeds>,
}

impl Scope {
    fn enter(seeds: Seeds) -> Scope {
        let (outer, seeds) = (SCOPE.get(), SCOPED.replace(Some(seeds)));
        SCOPES.set(SCOPES.get() + 1);
        SCOPE.set([outer[0] + 1, SCOPES.get()]);
        Scope { outer, seeds }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        SCOPED.set(self.seeds.take());
        SCOPE.set(self.outer);
    }
}

/// The scope that this thread is in: how deep it lies within others, and its number, which no other has; 0 outside of all.
pub(crate) fn scope() -> [u64; 2] {
    SCOPE.get()
}

fn is_scoped() -> bool {
    scope()[0] > 0
}

/// `keras.utils.set_random_seed(seed)`: sets every generator of this process, that of NumPy (`cornu::data::random`) too;
/// within [`scoped`] work only the generators of that.
pub fn set_random_seed(seed: u32) {
    #[cfg(feature = "data")]
    if !is_scoped() {
        cornu_data::random::seed(seed);
    }
    with_seeds(|seeds| seeds.set_random_seed(seed));
}

/// The seed that was last set in this process, if any.
pub fn global_seed() -> Option<u32> {
    with_seeds(|seeds| seeds.global_seed())
}

/// How often a seed was set in this process.
pub fn generation() -> u64 {
    with_seeds(|seeds| seeds.generation())
}

/// The seed of the next unseeded initializer of this process. See [`Seeds::keras_seed`].
pub fn keras_seed() -> i64 {
    with_seeds(|seeds| seeds.keras_seed(flavor()))
}

/// The seed of the next stateful operation of this process. See [`Seeds::op_seed`].
pub fn op_seed() -> u64 {
    with_seeds(Seeds::op_seed)
}
