//! The threads of the process. `Threads::run` divides work into numbered parts and returns when all are done.
//!
//! A training step is many regions of a few microseconds, so handing over a part must cost a fraction of one: idle
//! workers watch one word for a while before they sleep, and a caller never waits for a part that nobody has begun.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a waiting thread watches before it offers its core to others at every look.
const SPIN: Duration = Duration::from_micros(60);
/// How long a waiting thread watches before it sleeps.
const AWAKE: Duration = Duration::from_millis(1);
/// In place of a number of parts: the workers shall end.
const CLOSING: usize = usize::MAX;
/// The crew of this process, as long as somebody has it.
static CREW: Mutex<Weak<Crew>> = Mutex::new(Weak::new());
/// The process that this is, unless it was forked from it.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Threads of the process, counting the one that calls. All who ask share one crew of workers, which is as large as the
/// largest of them asked for; it starts at the first region and ends with the last of its users.
pub struct Threads {
    count: usize,
    crew: OnceLock<Arc<Crew>>,
}

impl Threads {
    /// `count` threads (at least one) including the caller's.
    pub fn new(count: usize) -> Self {
        Threads { count: count.max(1), crew: OnceLock::new() }
    }

    /// The number of threads, counting the caller's.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Somebody has work for several threads, as long as what this gives lives.
    pub fn enter(&self) -> Caller<'_> {
        let callers = (self.count > 1).then(|| &self.crew().callers);
        if let Some(Callers(now)) = callers {
            now.fetch_add(1, Ordering::Relaxed);
        }
        Caller(callers)
    }

    fn crew(&self) -> &Crew {
        self.crew.get_or_init(|| Crew::of_process(self.count - 1))
    }

    /// Calls `body(0, parts)`, …, `body(parts - 1, parts)`, each exactly once and in any order, and returns when all have
    /// returned. There are `most` parts, or as many as there are threads which no other caller needs.
    ///
    /// The caller does part 0 and whatever no worker has begun. A region opened inside another, or while another
    /// thread has one open in this process, is one part. If a part panics the others still run, and then the first
    /// panic goes on in the caller.
    pub fn run(&self, most: usize, body: &(dyn Fn(usize, usize) + Sync)) {
        if most.min(self.count) <= 1 {
            return body(0, 1);
        }
        let crew = self.crew();
        let parts = most.min(self.count).min((self.count.max(crew.cores) + 1).saturating_sub(crew.callers.lately()));
        if parts <= 1 || crew.busy.swap(true, Ordering::Acquire) {
            return body(0, 1);
        }
        let (region, body) = (&crew.region, &|part| body(part, parts));
        region.open(parts, body);
        region.attempt(0, body);
        while let Some(part) = region.claim() {
            region.attempt(part, body);
            region.finish();
        }
        region.wait();
        let panic = region.take_panic();
        crew.busy.store(false, Ordering::Release);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

/// How many have work for several threads. Each takes a core, so that a worker who is given a part may not be run for
/// milliseconds, and his caller with him: what others need is left to them.
#[derive(Default)]
struct Callers(AtomicUsize);

impl Callers {
    /// For so many regions of a thread another caller is expected to come again.
    const PATIENCE: usize = 16;

    /// How many there are, or were a few regions ago.
    fn lately(&self) -> usize {
        thread_local! {
            /// Times `PATIENCE`; a region with fewer of them takes one off.
            static LATELY: Cell<usize> = const { Cell::new(0) };
        }
        let now = self.0.load(Ordering::Relaxed) * Self::PATIENCE;
        LATELY.set(now.max(LATELY.get().saturating_sub(1)));
        LATELY.get().div_ceil(Self::PATIENCE)
    }
}

/// One who has work for several threads.
#[must_use]
pub struct Caller<'a>(Option<&'a Callers>);

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        if let Some(Callers(now)) = self.0 {
            now.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Part `part` of `count` things that are divided evenly into `parts`.
#[inline]
pub fn share(count: usize, part: usize, parts: usize) -> Range<usize> {
    count * part / parts..count * (part + 1) / parts
}

/// The started workers.
struct Crew {
    region: Arc<Region>,
    /// Whether a region is open.
    busy: AtomicBool,
    callers: Callers,
    cores: usize,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl Crew {
    /// Without workers yet, of that process.
    fn new(process: u32) -> Crew {
        let region = Arc::new(Region { process, ..Region::default() });
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Crew { region, busy: AtomicBool::default(), callers: Callers::default(), cores, workers: Mutex::default() }
    }

    /// The crew of this process, of at least `count` workers, or as many as the system grants: a caller does by itself
    /// what no worker takes.
    fn of_process(count: usize) -> Arc<Crew> {
        let here = std::process::id();
        let first =
            PROCESS.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed).unwrap_or_else(|first| first);
        // A child may have been forked while somebody held the lock, and does not have the workers.
        let mut shared = if [0, here].contains(&first) { CREW.lock().ok() } else { CREW.try_lock().ok() };
        let known = shared.as_ref().and_then(|shared| shared.upgrade()).filter(|crew| !crew.region.is_forked());
        let crew = known.unwrap_or_else(|| Arc::new(Crew::new(here)));
        if let Some(shared) = &mut shared {
            **shared = Arc::downgrade(&crew);
        }
        crew.grow(count);
        crew
    }

    fn grow(&self, count: usize) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let start = |number: usize| {
            let region = Arc::clone(&self.region);
            std::thread::Builder::new().name(format!("cornu-{number}")).spawn(move || region.work()).ok()
        };
        let more = (workers.len() + 1..=count).map_while(start);
        workers.extend(more.collect::<Vec<_>>());
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        let workers = std::mem::take(self.workers.get_mut().unwrap_or_else(PoisonError::into_inner));
        if self.region.is_forked() {
            // A child has no threads but the one that forked: there is nobody to wait for.
            return std::mem::forget(workers);
        }
        self.region.publish(CLOSING);
        for worker in workers {
            // A worker catches every panic of a part, so it ends well.
            let _ = worker.join();
        }
    }
}

type Body = *const (dyn Fn(usize) + Sync);

/// Keeps what the caller writes and what workers write on different cache lines (two: processors fetch pairs).
#[repr(align(128))]
#[derive(Default)]
struct Apart<T>(T);

/// What the caller writes and idle workers watch.
#[derive(Default)]
struct Offer {
    /// Parts `1..=unstarted` wait to be taken; or `CLOSING`.
    unstarted: AtomicUsize,
    body: UnsafeCell<Option<Body>>,
    /// How many workers sleep.
    asleep: AtomicUsize,
}

/// What those who finish parts write and the caller watches.
#[derive(Default)]
struct Outcome {
    /// Parts other than 0 that have not returned.
    unfinished: AtomicUsize,
    panicked: AtomicBool,
    /// Whether the caller sleeps until the last part is finished.
    caller_asleep: AtomicBool,
}

/// The region being run, shared by the caller and the workers.
#[derive(Default)]
struct Region {
    offer: Apart<Offer>,
    outcome: Apart<Outcome>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    bed: Mutex<()>,
    offered: Condvar,
    finished: Condvar,
    /// The process that the workers are threads of.
    process: u32,
}

// SAFETY: only `body` is not `Sync` by itself. The caller writes it (in `open`) when every earlier part is finished and
// before `unstarted` is released; a worker reads it only after it took a part, which acquires `unstarted`, and the
// region cannot end before that part is finished. `body` points to a `Sync` closure.
unsafe impl Sync for Region {}
// SAFETY: as above; the pointer belongs to no thread.
unsafe impl Send for Region {}

impl Region {
    /// Offers parts `1..parts` of `body` to the workers. `wait` must be called before `body` goes out of scope.
    fn open(&self, parts: usize, body: &(dyn Fn(usize) + Sync)) {
        // SAFETY: this only forgets the lifetime. The pointer is followed for taken parts only, and `run` does not
        // return or unwind before all of them are finished.
        let body: Body = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Body>(body) };
        // SAFETY: no part is unstarted or unfinished, so no worker reads (see `Sync`); `busy` keeps others out.
        unsafe { *self.offer.0.body.get() = Some(body) };
        self.outcome.0.unfinished.store(parts - 1, Ordering::Relaxed);
        self.publish(parts - 1);
    }

    /// Stores `unstarted` and wakes as many sleepers as can be of use.
    ///
    /// Either this load sees a worker that is about to sleep, or that worker's last look sees `unstarted`: both are
    /// sequentially consistent.
    fn publish(&self, unstarted: usize) {
        let offer = &self.offer.0;
        offer.unstarted.store(unstarted, Ordering::SeqCst);
        let asleep = offer.asleep.load(Ordering::SeqCst);
        // In a forked child nobody sleeps, and one who was about to may have held the lock.
        if asleep > 0 && !self.is_forked() {
            drop(self.lock_bed());
            (0..asleep.min(unstarted)).for_each(|_| self.offered.notify_one());
        }
    }

    /// Whether this is a child of the process that has the workers.
    fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// Takes one part that nobody has begun.
    fn claim(&self) -> Option<usize> {
        let unstarted = &self.offer.0.unstarted;
        let mut part = unstarted.load(Ordering::Relaxed);
        while part != 0 && part != CLOSING {
            match unstarted.compare_exchange_weak(part, part - 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(part),
                Err(now) => part = now,
            }
        }
        None
    }

    /// Runs one part and keeps the first panic.
    fn attempt(&self, part: usize, body: &(dyn Fn(usize) + Sync)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(part))) {
            self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
            self.outcome.0.panicked.store(true, Ordering::Relaxed);
        }
    }

    /// Counts a part as finished; the last one wakes a caller that sleeps.
    fn finish(&self) {
        let outcome = &self.outcome.0;
        if outcome.unfinished.fetch_sub(1, Ordering::SeqCst) == 1 && outcome.caller_asleep.load(Ordering::SeqCst) {
            drop(self.lock_bed());
            self.finished.notify_one();
        }
    }

    /// Waits until every part is finished.
    fn wait(&self) {
        let outcome = &self.outcome.0;
        let mut patience = Patience::default();
        while outcome.unfinished.load(Ordering::Acquire) != 0 {
            if patience.pause() {
                continue;
            }
            let mut bed = self.lock_bed();
            outcome.caller_asleep.store(true, Ordering::SeqCst);
            while outcome.unfinished.load(Ordering::SeqCst) != 0 {
                bed = self.finished.wait(bed).unwrap_or_else(PoisonError::into_inner);
            }
            outcome.caller_asleep.store(false, Ordering::SeqCst);
        }
    }

    fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        // Seen because the last `finish` was: both are on the way from a part to `wait`.
        if !self.outcome.0.panicked.swap(false, Ordering::Relaxed) {
            return None;
        }
        self.panic.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The life of a worker.
    fn work(&self) {
        let mut patience = Patience::default();
        while self.offer.0.unstarted.load(Ordering::Relaxed) != CLOSING {
            if let Some(part) = self.claim() {
                // SAFETY: the part is taken and not finished, so `body` is the open region's (see `Sync`) and is alive.
                let body = unsafe { (*self.offer.0.body.get()).map(|body| &*body) };
                self.attempt(part, body.expect("a region is opened with its body"));
                self.finish();
                patience = Patience::default();
            } else if !patience.pause() {
                self.sleep();
                patience = Patience::default();
            }
        }
    }

    /// Sleeps until something is offered.
    fn sleep(&self) {
        let offer = &self.offer.0;
        let mut bed = self.lock_bed();
        offer.asleep.fetch_add(1, Ordering::SeqCst);
        while offer.unstarted.load(Ordering::SeqCst) == 0 {
            bed = self.offered.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        offer.asleep.fetch_sub(1, Ordering::SeqCst);
    }

    fn lock_bed(&self) -> MutexGuard<'_, ()> {
        self.bed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a thread waits: it spins, then yields its core, then should sleep.
#[derive(Default)]
struct Patience {
    looks: u32,
    since: Option<Instant>,
    yielding: bool,
}

impl Patience {
    /// Lets a moment pass; false when it is time to sleep.
    fn pause(&mut self) -> bool {
        if self.yielding {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
            self.looks += 1;
            // The clock is read now and then only, and not at all in the shortest waits.
            if !self.looks.is_multiple_of(32) {
                return true;
            }
        }
        let waited = self.since.get_or_insert_with(Instant::now).elapsed();
        self.yielding = waited > SPIN;
        waited < AWAKE
    }
}

#[cfg(test)]
mod tests;
