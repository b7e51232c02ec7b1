//! One variable, what a layer keeps of them, and the store where values lie.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cornu_cpu::Cpu;
pub use cornu_graph::Role;
use cornu_graph::{Array, Context, Error, Executor, Result, Session, Type, VarId, VarSpec};

use super::Vocabulary;
use super::programs::Programs;
use crate::constraints::Constraint;
use crate::random::OpSeed;

/// One named piece of state of a layer.
pub struct Variable {
    /// `kernel`; of a part of a layer `lstm_cell/kernel`.
    pub name: String,
    /// Its element type and shape.
    pub ty: Type,
    /// What it is for.
    pub role: Role,
    /// What it is held to after each step.
    pub constraint: Option<Arc<dyn Constraint>>,
    pub(super) learns: Arc<AtomicBool>,
    /// If it is the stream of a stateful random operation of Keras 2: that operation's seed.
    pub(super) stream: Mutex<Option<OpSeed>>,
    pub(super) place: Mutex<Place>,
}

/// The name of a variable that lies in no session.
const UNPLACED: usize = u32::MAX as usize;

/// Where the value of a variable lies.
pub(super) enum Place {
    /// With the variable, until a step needs it.
    Here(Array),
    In(Kept),
}

/// A value in a session, which lies there as long as this lives.
pub(super) struct Kept {
    pub(super) store: Store,
    pub(super) id: VarId,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.store.session().release(&[self.id]);
        self.store.departures.fetch_add(1, Ordering::Release);
    }
}

impl Place {
    fn read(&self) -> Result<Array> {
        match self {
            Place::Here(value) => Ok(value.clone()),
            Place::In(Kept { store, id }) => store.session().value(*id),
        }
    }
}

impl Variable {
    /// Whether training changes it.
    pub fn trainable(&self) -> bool {
        self.role == Role::Weight && self.learns.load(Ordering::Relaxed)
    }

    /// Its value.
    ///
    /// # Panics
    /// If there is no memory for it, or its machine has failed.
    pub fn read(&self) -> Array {
        self.value().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Its value, if it can be read.
    pub(crate) fn value(&self) -> Result<Array> {
        locked(&self.place).read()
    }

    /// Sets its value.
    ///
    /// # Errors
    /// A value of another type.
    pub fn write(&self, value: &Array) -> Result<()> {
        if self.ty != value.ty() {
            return Err(Error::data(format!("`{}` needs {}, got {}", self.name, self.ty, value.ty())));
        }
        match &mut *locked(&self.place) {
            Place::Here(own) => *own = value.clone(),
            Place::In(Kept { store, id }) => store.session().write(&[(*id, value)])?,
        }
        Ok(())
    }

    /// Its name in the session, if its value lies in one; else a name that no session knows.
    pub fn id(&self) -> VarId {
        self.placed().map_or(VarId::new(UNPLACED), |(_, id)| id)
    }

    /// Whether its value lies in a session.
    pub(crate) fn is_placed(&self) -> bool {
        self.placed().is_some()
    }

    pub(super) fn placed(&self) -> Option<(Store, VarId)> {
        match &*locked(&self.place) {
            Place::Here(_) => None,
            Place::In(Kept { store, id }) => Some((store.clone(), *id)),
        }
    }
}

/// What a layer keeps, whichever models it is in.
#[derive(Default)]
pub(crate) struct LayerState {
    /// Whether its weights learn.
    pub(crate) learns: Arc<AtomicBool>,
    /// The seeds that were drawn when it was made, in the order in which its variables take them.
    pub(crate) seeds: Vec<i64>,
    /// The layers within it.
    within: Vec<Arc<LayerState>>,
    /// Whether it was said that the layer loses a mask.
    pub(crate) told: AtomicBool,
    pub(super) variables: Mutex<Option<Arc<[Arc<Variable>]>>>,
    /// What it looks things up in, if it is such a layer and that is known.
    pub(crate) vocabulary: Mutex<Option<Arc<Vocabulary>>>,
}

impl LayerState {
    /// Of a layer that is not built, with the seeds drawn for it.
    pub(crate) fn new(seeds: Vec<i64>, learns: bool, within: Vec<Arc<LayerState>>) -> LayerState {
        LayerState { learns: Arc::new(AtomicBool::new(learns)), seeds, within, ..LayerState::default() }
    }

    /// This one, and those of the layers within its layer.
    pub(crate) fn with_those_within(self: &Arc<Self>) -> Vec<Arc<LayerState>> {
        let within = self.within.iter().flat_map(|state| state.with_those_within());
        std::iter::once(Arc::clone(self)).chain(within).collect()
    }

    /// Its variables, once it has been built.
    pub(crate) fn variables(&self) -> Arc<[Arc<Variable>]> {
        locked(&self.variables).clone().unwrap_or_default()
    }

    pub(crate) fn is_built(&self) -> bool {
        locked(&self.variables).is_some()
    }

    /// Forgets its variables: it was built for a shape that does not fit.
    pub(crate) fn unbuild(&self) {
        *locked(&self.variables) = None;
    }

    /// The variable of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Variable>> {
        locked(&self.variables).iter().flat_map(|own| own.iter()).find(|variable| variable.name == name).cloned()
    }
}

/// Variables of one machine, in one session, and the programs of the models that have them. A clone is the same store.
#[derive(Clone)]
pub(crate) struct Store {
    machine: Arc<str>,
    session: Arc<dyn Session>,
    programs: Arc<Programs>,
    departures: Arc<AtomicUsize>,
}

impl Store {
    pub(super) fn open(machine: Option<&(dyn Executor + Send)>) -> Result<Store> {
        let cpu = Cpu::new();
        let machine: &dyn Executor = match machine {
            Some(machine) => machine,
            None => &cpu,
        };
        let session = machine.open()?;
        Ok(Store { machine: machine.name().into(), session, programs: Arc::default(), departures: Arc::default() })
    }

    pub(crate) fn session(&self) -> &Arc<dyn Session> {
        &self.session
    }

    pub(crate) fn programs(&self) -> &Arc<Programs> {
        &self.programs
    }

    /// How many variables have left it.
    pub(super) fn departures(&self) -> usize {
        self.departures.load(Ordering::Acquire)
    }

    pub(super) fn is(&self, other: &Store) -> bool {
        Arc::ptr_eq(&self.session, &other.session)
    }

    /// The name of the machine.
    pub(super) fn machine(&self) -> &str {
        &self.machine
    }

    /// Takes in the value of a variable, from wherever it is.
    pub(super) fn take(&self, variable: &Variable) -> Result<()> {
        let mut place = locked(&variable.place);
        if matches!(&*place, Place::In(kept) if kept.store.is(self)) {
            return Ok(());
        }
        let spec = VarSpec::value(&*variable.name, variable.role, place.read()?);
        let id = self.session.declare(spec).context(&variable.name)?;
        *place = Place::In(Kept { store: self.clone(), id });
        Ok(())
    }
}

/// The content of a lock. After a panic elsewhere it is still one that its own methods made.
pub(crate) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
