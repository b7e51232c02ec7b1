//! What a session holds: variables, the constants of its programs, memory for their runs, and whose turn it is.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cornu_graph::ops::Constant;
use cornu_graph::{Array, Error, ErrorKind, Failure, Memory, Result, Start, VarId, VarSpec, missing, passes};

use crate::kernels::memory::Buffer;
use crate::kernels::operand::{Place, Span};
use crate::kernels::simd::Level;
use crate::kernels::threads::Threads;
use crate::kernels::transfer;

/// Memory of up to twice as many bytes is not given back.
const SMALLEST: usize = 16 * 1024;

/// How many buffers of ended runs are kept: as many as callers run at once need.
const SPARE: usize = 16;

pub(crate) struct Store {
    pub(crate) level: Level,
    pub(crate) threads: Threads,
    /// For what is too small for several.
    pub(crate) one_thread: Threads,
    pub(crate) passes: &'static [passes::Pass],
    pub(crate) turn: Turn,
    pub(crate) failure: Failure,
    vars: Mutex<Vars>,
    /// What programs read.
    constants: Mutex<HashMap<Constant, Arc<Buffer>>>,
    spare: Mutex<Spare>,
}

#[derive(Default)]
struct Vars {
    declared: usize,
    by_id: HashMap<VarId, Var>,
}

#[derive(Clone)]
pub(crate) struct Var {
    pub(crate) spec: Arc<VarSpec>,
    pub(crate) buffer: Arc<Buffer>,
}

impl Var {
    pub(crate) fn place(&self) -> Place {
        Place::new(&self.spec.ty, Span::of(0))
    }
}

/// Memory that no run uses.
#[derive(Default)]
struct Spare {
    buffers: Vec<Arc<Buffer>>,
    /// Bytes, with those that runs use.
    bytes: usize,
    /// What a run of each program needs, and the most of it.
    needs: Vec<usize>,
    most: usize,
}

/// Whether a buffer is worth keeping where no run needs more than that many bytes.
fn is_of_use(buffer: &Buffer, most: usize) -> bool {
    buffer.bytes() / 2 <= most.max(SMALLEST)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    pub(crate) fn new(level: Level, threads: Threads, passes: &'static [passes::Pass]) -> Store {
        let (turn, failure) = (Turn::default(), Failure::default());
        let (vars, constants, spare) = (Mutex::default(), Mutex::default(), Mutex::default());
        Store { level, threads, one_thread: Threads::new(1), passes, turn, failure, vars, constants, spare }
    }

    /// Does what must not stop halfway. A panic is the failure of the session, since nobody knows what was written.
    pub(crate) fn guarded<T>(&self, body: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref().copied()).unwrap_or("a panic");
            let message = format!("a step was broken off, and its variables are lost: {text}");
            self.failure.note(Error::new(ErrorKind::Graph, message).help("make or load the model anew"));
            resume_unwind(panic)
        })
    }

    /// A buffer that holds an array.
    pub(crate) fn filled(&self, array: &Array) -> Result<Buffer> {
        let ty = array.ty();
        let place = Place::new(&ty, Span::of(0));
        let buffer = Buffer::new(&ty, place.padded())?;
        transfer::write(buffer.bases(), place, array, None, &self.threads);
        Ok(buffer)
    }

    pub(crate) fn declare(&self, mut spec: VarSpec) -> Result<VarId> {
        let buffer = match &spec.start {
            Start::Zeros => Buffer::new(&spec.ty, Place::new(&spec.ty, Span::of(0)).padded())?.taken(&self.threads),
            Start::Value(value) => self.filled(value)?,
        };
        spec.start = Start::Zeros;
        let spec = Arc::new(spec);
        let mut vars = locked(&self.vars);
        let id = VarId::new(vars.declared);
        vars.declared += 1;
        vars.by_id.insert(id, Var { spec, buffer: Arc::new(buffer) });
        Ok(id)
    }

    pub(crate) fn release(&self, ids: &[VarId]) {
        let mut vars = locked(&self.vars);
        ids.iter().for_each(|id| _ = vars.by_id.remove(id));
    }

    /// Variables, which stay alive as long as somebody has them.
    ///
    /// # Errors
    /// One that is not there.
    pub(crate) fn vars(&self, ids: impl IntoIterator<Item = VarId>) -> Result<Vec<Var>> {
        let vars = locked(&self.vars);
        ids.into_iter().map(|id| vars.by_id.get(&id).cloned().ok_or_else(|| missing(id))).collect()
    }

    /// The buffer of a constant: one for all programs.
    pub(crate) fn constant(&self, constant: &Constant) -> Result<Arc<Buffer>> {
        let mut constants = locked(&self.constants);
        if let Some(buffer) = constants.get(constant) {
            return Ok(Arc::clone(buffer));
        }
        let buffer = Arc::new(self.filled(constant.array())?);
        constants.insert(constant.clone(), Arc::clone(&buffer));
        Ok(buffer)
    }

    /// A program whose buffers have up to that many bytes is there.
    pub(crate) fn add(&self, need: usize) {
        let mut spare = locked(&self.spare);
        spare.needs.push(need);
        spare.most = spare.most.max(need);
    }

    /// It is gone: so are constants that no program reads, and memory that none needs.
    pub(crate) fn remove(&self, need: usize) {
        self.forget();
        let mut spare = locked(&self.spare);
        if let Some(place) = spare.needs.iter().position(|&known| known == need) {
            spare.needs.swap_remove(place);
        }
        spare.most = spare.needs.iter().copied().max().unwrap_or(0);
        let most = spare.most;
        spare.keep(|buffer| is_of_use(buffer, most));
    }

    /// Gives back the constants that no program reads.
    pub(crate) fn forget(&self) {
        locked(&self.constants).retain(|_, buffer| Arc::strong_count(buffer) > 1);
    }

    /// Memory for a run: the smallest there is that is large enough, else new memory in the place of some that is not.
    pub(crate) fn lend(&self, what: &str, bytes: usize) -> Result<Arc<Buffer>> {
        let mut spare = locked(&self.spare);
        let fitting = spare.buffers.iter().enumerate().filter(|(_, buffer)| buffer.bytes() >= bytes);
        if let Some((place, _)) = fitting.min_by_key(|(_, buffer)| buffer.bytes()) {
            return Ok(spare.buffers.swap_remove(place));
        }
        let mut one = true;
        spare.keep(|_| !std::mem::take(&mut one));
        let buffer = Arc::new(Buffer::new(what, bytes)?);
        spare.bytes += buffer.bytes();
        Ok(buffer)
    }

    /// Takes memory back; it is kept if a program may need so much.
    pub(crate) fn give_back(&self, buffer: Arc<Buffer>) {
        let mut spare = locked(&self.spare);
        if spare.buffers.len() < SPARE && is_of_use(&buffer, spare.most) {
            spare.buffers.push(buffer);
        } else {
            spare.bytes -= buffer.bytes();
        }
    }

    pub(crate) fn memory(&self) -> Memory {
        let vars = locked(&self.vars);
        let variables = vars.by_id.values().map(|var| var.spec.ty.size() * var.spec.ty.dtype.size()).sum();
        let held: usize = vars.by_id.values().map(|var| var.buffer.bytes()).sum();
        let constants: usize = locked(&self.constants).values().map(|buffer| buffer.bytes()).sum();
        let spare = locked(&self.spare);
        Memory { variables, scratch: held + constants + spare.bytes - variables, programs: spare.needs.len() }
    }
}

impl Spare {
    fn keep(&mut self, mut which: impl FnMut(&Buffer) -> bool) {
        let bytes = &mut self.bytes;
        self.buffers.retain(|buffer| {
            let kept = which(buffer);
            *bytes -= if kept { 0 } else { buffer.bytes() };
            kept
        });
    }
}

/// The turns of those who use the variables: any number that read, or one that writes.
#[derive(Default)]
pub(crate) struct Turn {
    lock: RwLock<()>,
    /// How many had to wait.
    waiting: AtomicUsize,
}

/// A turn that somebody has.
pub(crate) enum Held<'a> {
    Read { _guard: RwLockReadGuard<'a, ()> },
    Write { _guard: RwLockWriteGuard<'a, ()> },
}

impl Turn {
    /// How often somebody who comes looks whether those before have had their turn.
    const COURTESY: usize = 1000;

    /// Whether somebody waits for a turn.
    pub(crate) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits for a turn to read, or to write. Who takes one after the other, as a training does, lets those go first who
    /// are waiting.
    pub(crate) fn take(&self, writes: bool) -> Held<'_> {
        let read = |guard| Held::Read { _guard: guard };
        let write = |guard| Held::Write { _guard: guard };
        for _ in 0..Self::COURTESY {
            if !self.is_wanted() || !writes {
                break;
            }
            std::thread::yield_now();
        }
        let at_once = if writes { self.lock.try_write().ok().map(write) } else { self.lock.try_read().ok().map(read) };
        at_once.unwrap_or_else(|| {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let held = match writes {
                true => write(self.lock.write().unwrap_or_else(PoisonError::into_inner)),
                false => read(self.lock.read().unwrap_or_else(PoisonError::into_inner)),
            };
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            held
        })
    }
}
