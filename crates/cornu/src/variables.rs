//! What layers remember: variables, which hang on the layer that asked for them; the stores where their values lie, which
//! models share; and the view that one model has of them, by their paths.

mod programs;
mod variable;
mod vocabulary;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cornu_graph::{Array, Context, Error, Executor, Result, Session, Type, VarId};
use serde_json::Value;

#[cfg(test)]
pub(crate) use programs::MOST_PROGRAMS;
pub(crate) use programs::{Kind, Lent};
use variable::Place;
pub(crate) use variable::locked;
pub(crate) use variable::{LayerState, Store};
pub use variable::{Role, Variable};
pub use vocabulary::Vocabulary;

use crate::constraints::Constraint;
use crate::flavor::{Flavor, Generator, STATELESS_MODULUS, flavor};
use crate::initializers::{Initializer, room_for};
use crate::random::{OpSeed, SeedSource};

/// A variable that a layer asked for while it was built, and that is still to be made.
pub(crate) struct Declared {
    pub(crate) owner: Arc<LayerState>,
    pub(crate) name: String,
    /// Layer and part of it, for messages: `dense`.
    pub(crate) place: String,
    pub(crate) ty: Type,
    pub(crate) role: Role,
    pub(crate) constraint: Option<Arc<dyn Constraint>>,
    pub(crate) start: Start,
}

/// What a variable is at first.
pub(crate) enum Start {
    /// As an initializer says.
    Values(Arc<dyn Initializer>),
    /// A source of random numbers, of that seed if the layer has one of its own.
    Generator(Generator, Option<i64>),
}

/// A variable by its path in a model: `sequential/dense/kernel`, which is also its name in messages.
#[derive(Clone)]
pub struct Named {
    /// The path.
    pub path: String,
    variable: Arc<Variable>,
}

impl Deref for Named {
    type Target = Variable;
    fn deref(&self) -> &Variable {
        &self.variable
    }
}

/// The variables of a model, layer by layer, each once. When the first step needs them they come into one store: all
/// weights first, in order, after them all other states, so that what is treated alike lies in a row.
pub struct Variables {
    flavor: Flavor,
    seeds: SeedSource,
    list: Vec<Named>,
    places: HashMap<String, usize>,
    known: HashSet<usize>,
    whereabouts: Arc<Mutex<Whereabouts>>,
    changes: u64,
    /// While weights are awaited from a file: the most numbers that all variables may have together.
    room: Option<usize>,
}

#[derive(Default)]
struct Whereabouts {
    /// Where the variables were when they were last looked for.
    opened: Option<Arc<Opened>>,
    /// Where a store is opened, if not on all cores of this processor.
    machine: Option<Box<dyn Executor + Send>>,
}

/// Where all variables of a model are. Programs of one such time are of no use in another, and go with it.
pub(crate) struct Opened {
    pub(crate) store: Store,
    ids: Vec<VarId>,
    /// How often the variables of the model had become others, and how many had left the store, when they were looked for.
    changes: AtomicU64,
    departures: AtomicUsize,
}

impl Opened {
    /// By what its programs are known.
    pub(crate) fn owner(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.store.programs().remove(self.owner(), |_| true);
    }
}

/// None, for a model that follows the Keras of this process.
impl Default for Variables {
    fn default() -> Self {
        Variables::new(flavor(), SeedSource::Process)
    }
}

impl Variables {
    /// None, for a model that follows that Keras and draws from those seeds.
    pub fn new(flavor: Flavor, seeds: SeedSource) -> Self {
        Variables {
            flavor,
            seeds,
            list: Vec::new(),
            places: HashMap::new(),
            known: HashSet::new(),
            whereabouts: Arc::default(),
            changes: 0,
            room: None,
        }
    }

    /// The same ones, to which more are to come.
    pub(crate) fn again(&self) -> Variables {
        Variables {
            seeds: self.seeds.clone(),
            list: self.list.clone(),
            places: self.places.clone(),
            known: self.known.clone(),
            whereabouts: Arc::clone(&self.whereabouts),
            ..*self
        }
    }

    /// Which Keras they are made and used as in.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Where their seeds come from.
    pub(crate) fn seeds(&mut self) -> &mut SeedSource {
        &mut self.seeds
    }

    /// The seed of the next unseeded initializer or generator.
    pub(crate) fn next_seed(&mut self) -> i64 {
        let flavor = self.flavor;
        self.seeds.with(|seeds| seeds.keras_seed(flavor))
    }

    /// All of them.
    pub fn all(&self) -> &[Named] {
        &self.list
    }

    /// Those that training changes.
    pub fn trainable(&self) -> impl Iterator<Item = &Named> {
        self.list.iter().filter(|variable| variable.trainable())
    }

    /// Keras's `weights`: all but seeds.
    pub fn weights(&self) -> impl Iterator<Item = &Named> {
        self.list.iter().filter(|variable| variable.role.is_weight())
    }

    /// Their values.
    ///
    /// # Errors
    /// Those of a session.
    pub(crate) fn read_weights(&self) -> Result<Vec<Array>> {
        self.weights().map(|variable| variable.value().context(&variable.path)).collect()
    }

    /// The variable of that path.
    pub fn get(&self, path: &str) -> Option<&Named> {
        self.places.get(path).map(|&place| &self.list[place])
    }

    /// Forgets all of them; layers keep theirs.
    pub(crate) fn clear(&mut self) {
        self.changes += 1;
        self.list.clear();
        self.places.clear();
        self.known.clear();
    }

    /// Adds the variables of a layer at that path; those of a layer that is there already are the same.
    pub(crate) fn add(&mut self, path: &str, state: &LayerState) {
        self.changes += 1;
        for variable in state.variables().iter().filter(|variable| self.known.insert(Arc::as_ptr(variable).addr())) {
            let path = format!("{path}/{}", variable.name);
            self.places.insert(path.clone(), self.list.len());
            self.list.push(Named { path, variable: Arc::clone(variable) });
        }
    }

    /// Brings all variables into one store: that of the first which lies in one, else a new one. Stores of one machine are
    /// joined; from one machine to another nothing moves by itself.
    ///
    /// # Errors
    /// A machine that is not there, or has no memory; variables of two machines.
    pub fn open(&self) -> Result<()> {
        self.opened().map(drop)
    }

    /// As [`Variables::open`]; gives where they are.
    pub(crate) fn opened(&self) -> Result<Arc<Opened>> {
        let mut whereabouts = locked(&self.whereabouts);
        if let Some(opened) = whereabouts.opened.as_ref().filter(|opened| self.are_in(opened)) {
            return Ok(Arc::clone(opened));
        }
        let Whereabouts { opened, machine } = &mut *whereabouts;
        self.check_machines(machine.as_deref())?;
        let found = self.list.iter().find_map(|variable| variable.placed()).map(|(store, _)| store);
        let found = found.or(opened.as_ref().map(|opened| opened.store.clone()));
        let store = found.map_or_else(|| Store::open(machine.as_deref()), Ok)?;
        let departures = AtomicUsize::new(store.departures());
        let mut order: Vec<&Named> = self.list.iter().collect();
        order.sort_by_key(|variable| (variable.role, !variable.trainable()));
        order.into_iter().try_for_each(|variable| store.take(variable).context(&variable.path))?;
        let ids = self.list.iter().map(|variable| variable.id()).collect();
        let changes = AtomicU64::new(self.changes);
        Ok(Arc::clone(opened.insert(Arc::new(Opened { store, ids, changes, departures }))))
    }

    /// Whether these variables are all there. They are looked for if they are others than last time, or if a variable of
    /// whatever model has left the store since: as long as neither is so, none can be elsewhere.
    fn are_in(&self, opened: &Opened) -> bool {
        let departures = opened.store.departures();
        let known = (opened.changes.load(Ordering::Relaxed), opened.departures.load(Ordering::Relaxed));
        if known == (self.changes, departures) {
            return true;
        }
        let is_there = |(variable, id): (&Named, &VarId)| matches!(&*locked(&variable.place), Place::In(kept) if kept.store.is(&opened.store) && kept.id == *id);
        if opened.ids.len() != self.list.len() || !self.list.iter().zip(&opened.ids).all(is_there) {
            return false;
        }
        opened.changes.store(self.changes, Ordering::Relaxed);
        opened.departures.store(departures, Ordering::Relaxed);
        true
    }

    /// Whether all variables that lie somewhere lie on one machine: that of this model, if one was named.
    fn check_machines(&self, machine: Option<&(dyn Executor + Send)>) -> Result<()> {
        let placed = self.list.iter().filter_map(|named| named.placed().map(|(store, _)| (&named.path, store)));
        let mut known = machine.map(|machine| ("the model".to_owned(), machine.name().to_owned()));
        for (path, store) in placed {
            let (first, machine) = known.get_or_insert_with(|| (format!("`{path}`"), store.machine().to_owned()));
            if machine != store.machine() {
                let other = store.machine();
                let message =
                    format!("a model runs on one machine, but {first} is on `{machine}` and `{path}` on `{other}`");
                return Err(Error::usage(message).help("`run_on` moves all layers of a model to one machine"));
            }
        }
        Ok(())
    }

    /// Runs on that machine from now on: all variables move there.
    ///
    /// # Errors
    /// Those of [`Variables::open`].
    pub(crate) fn move_to(&mut self, machine: Box<dyn Executor + Send>) -> Result<()> {
        if self.list.iter().any(|variable| variable.is_placed()) {
            let store = Store::open(Some(&*machine))?;
            self.list.iter().try_for_each(|variable| store.take(variable))?;
        }
        locked(&self.whereabouts).machine = Some(machine);
        Ok(())
    }

    /// The machine that was chosen for them, or that they are on already.
    pub(crate) fn machine(&self) -> Option<String> {
        let chosen = locked(&self.whereabouts).machine.as_ref().map(|machine| machine.name().to_owned());
        let placed = || self.list.iter().find_map(|named| named.placed()).map(|(store, _)| store.machine().to_owned());
        chosen.or_else(placed)
    }

    /// The session; opens it first, if need be.
    ///
    /// # Errors
    /// Those of [`Variables::open`].
    pub fn session(&self) -> Result<Arc<dyn Session>> {
        Ok(Arc::clone(self.opened()?.store.session()))
    }

    /// How often the variables became others.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Variables made from now on are zeros, to be overwritten by the values of a file that holds `room` numbers. With
    /// `None` they are made as their layers say.
    pub(crate) fn await_values(&mut self, room: Option<usize>) {
        self.room = room;
    }

    /// How many numbers a file still holds for variables, if their values are awaited from one.
    pub(crate) fn room(&self) -> Option<usize> {
        self.room
    }

    /// Makes the variables that a layer and those within it asked for, and hangs them on their layers.
    ///
    /// # Errors
    /// A value that cannot be made; then none is.
    pub(crate) fn make(&mut self, declared: Vec<Declared>, states: &[Arc<LayerState>]) -> Result<()> {
        let mut seeds: Vec<VecDeque<i64>> = states.iter().map(|state| state.seeds.iter().copied().collect()).collect();
        let mut made: Vec<Vec<Arc<Variable>>> = states.iter().map(|_| Vec::new()).collect();
        for asked in declared {
            let Some(place) = states.iter().position(|state| Arc::ptr_eq(state, &asked.owner)) else { continue };
            let name = asked.name.rsplit('/').next().unwrap_or(&asked.name).to_owned();
            let value = self.value(&asked, &mut seeds[place]);
            let (value, stream) = value.context(format!("weight `{name}`")).context(&asked.place)?;
            made[place].push(Arc::new(Variable {
                name: asked.name,
                ty: value.ty(),
                role: asked.role,
                constraint: asked.constraint,
                learns: Arc::clone(&asked.owner.learns),
                stream: Mutex::new(stream),
                place: Mutex::new(Place::Here(value)),
            }));
        }
        let new = states.iter().zip(made);
        new.for_each(|(state, made)| _ = locked(&state.variables).get_or_insert(made.into()));
        Ok(())
    }

    /// What a variable is at first, and the seed of its stream if it is one.
    fn value(&mut self, asked: &Declared, seeds: &mut VecDeque<i64>) -> Result<(Array, Option<OpSeed>)> {
        match asked.start {
            Start::Values(ref initializer) => {
                let (flavor, seed) = (self.flavor, if initializer.draws() { self.drawn(seeds) } else { 0 });
                let made = || initializer.array_of(flavor, &asked.ty, seed);
                Ok((self.awaited(&asked.ty).unwrap_or_else(made)?, None))
            }
            Start::Generator(Generator::Stream, own) => {
                // Those without a seed are numbered by the model that trains.
                let seed = own.map_or(OpSeed::Numbered(0), |seed| OpSeed::Given(seed.cast_unsigned()));
                Ok((self.seeds.with(|seeds| seed.start(seeds)), Some(seed)))
            }
            Start::Generator(Generator::Count, own) => {
                // Only what is left of it by the modulus counts, and that fits.
                let seed = own.unwrap_or_else(|| self.drawn(seeds)).rem_euclid(STATELESS_MODULUS.into());
                Ok((Array::vector(vec![seed as u32, 0]), None))
            }
        }
    }

    /// The zeros for a variable whose value is awaited, if values are.
    fn awaited(&mut self, ty: &Type) -> Option<Result<Array>> {
        let room = self.room?;
        Some(has_room(self.room, ty).map(|()| {
            self.room = Some(room - ty.size());
            Array::zeros(ty)
        }))
    }

    /// The next of the seeds that were drawn when the layer was made, else one that is drawn now.
    fn drawn(&mut self, seeds: &mut VecDeque<i64>) -> i64 {
        seeds.pop_front().unwrap_or_else(|| self.next_seed())
    }

    /// Whether there are streams of Keras 2's stateful random operations.
    pub(crate) fn has_streams(&self) -> bool {
        self.list.iter().any(|variable| locked(&variable.stream).is_some())
    }

    fn with_streams(&self) -> impl Iterator<Item = &Named> {
        self.list.iter().filter(|variable| locked(&variable.stream).is_some())
    }

    /// The streams of Keras 2's stateful random operations.
    pub(crate) fn streams(&self) -> Vec<Array> {
        self.with_streams().map(|variable| variable.read()).collect()
    }

    /// Sets the streams, in the order of [`Variables::streams`].
    pub(crate) fn set_streams(&self, streams: &[Array]) -> Result<()> {
        self.with_streams().zip(streams).try_for_each(|(variable, stream)| variable.write(stream))
    }

    /// The seeds of streams, as snapshots have them: one for each variable.
    pub(crate) fn stream_seeds(&self) -> Vec<Value> {
        let seed = |variable: &Named| locked(&variable.stream).map_or(Value::Null, OpSeed::to_json);
        self.list.iter().map(seed).collect()
    }

    /// Sets the seeds of [`Variables::stream_seeds`].
    pub(crate) fn set_stream_seeds(&self, seeds: &[Value]) {
        self.list.iter().zip(seeds).for_each(|(variable, seed)| *locked(&variable.stream) = OpSeed::from_json(seed));
    }

    /// The seeds of the streams in the next trace of the training step.
    pub(crate) fn next_trace(&self) -> Vec<OpSeed> {
        let mut unseeded = 0;
        let next = |variable: &Named| {
            let mut stream = locked(&variable.stream);
            match &mut *stream {
                Some(OpSeed::Given(seed)) => {
                    *seed = seed.wrapping_add(1);
                    Some(OpSeed::Given(seed.wrapping_sub(1)))
                }
                Some(OpSeed::Numbered(_)) => {
                    unseeded += 1;
                    Some(OpSeed::Numbered(unseeded - 1))
                }
                None => None,
            }
        };
        self.list.iter().filter_map(next).collect()
    }
}

/// Whether there is room for a variable: in the file, if its value is awaited, else in memory.
///
/// # Errors
/// It needs more than there is.
pub(crate) fn has_room(room: Option<usize>, ty: &Type) -> Result<()> {
    match room {
        None => room_for(ty),
        Some(room) if ty.shape.checked_size().is_some_and(|size| size <= room) => Ok(()),
        Some(_) => Err(Error::file(format!("needs shape {}, more numbers than the file holds", ty.shape))),
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.iter().map(|variable| (&variable.path, &variable.ty))).finish()
    }
}
