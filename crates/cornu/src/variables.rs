//! The memory of a model: a table of named variables, and the session that holds their values.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use cornu_cpu::Cpu;
use cornu_graph::{Array, Context, Error, Executor, Result, Session, Type, VarId};

use crate::constraints::Constraint;
use crate::flavor::{Flavor, Generator, STATELESS_MODULUS, flavor};
use crate::initializers::{Initializer, room_for};
use crate::random::{OpSeed, SeedSource};

/// What a variable is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A weight that learns, as long as its layer is trainable.
    Weight,
    /// What a layer keeps of its own accord, such as moving averages.
    State,
    /// Where random numbers come from; not among the weights of a model.
    Seed,
}

/// One named piece of state.
#[derive(Clone, Debug)]
pub struct Variable {
    /// `sequential/dense/kernel`
    pub path: String,
    /// Its element type and shape.
    pub ty: Type,
    /// What it is for.
    pub role: Role,
    /// Whether training changes it.
    pub trainable: bool,
    /// What it is held to after each step.
    pub constraint: Option<Arc<dyn Constraint>>,
    /// If it is the stream of a stateful random operation of Keras 2: that operation's seed.
    stream: Option<OpSeed>,
    id: VarId,
}

impl Variable {
    /// Its name in the session. Of no meaning before [`Variables::open`].
    pub fn id(&self) -> VarId {
        self.id
    }

    /// The last part of the path: `kernel`.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// A variable that a layer asked for while it was built, and that is still to be made.
pub(crate) struct Declared {
    pub(crate) path: String,
    /// Layer and part of it, for messages: `dense`.
    pub(crate) place: String,
    pub(crate) ty: Type,
    pub(crate) role: Role,
    pub(crate) trainable: bool,
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

/// The variables of a model, in the order in which its layers made them.
///
/// Values are kept here until the first step needs a session; then all weights are declared first, in order, after them
/// all other states, so that what is treated alike lies in a row.
pub struct Variables {
    flavor: Flavor,
    seeds: SeedSource,
    table: Vec<Variable>,
    places: HashMap<String, usize>,
    values: Values,
    openings: u64,
    /// Where sessions are opened, if not on all cores of this processor.
    machine: Option<Box<dyn Executor + Send>>,
    /// While weights are awaited from a file: the most numbers that all variables may have together.
    room: Option<usize>,
}

/// None, for a model that follows the Keras of this process.
impl Default for Variables {
    fn default() -> Self {
        Variables::new(flavor(), SeedSource::Process)
    }
}

enum Values {
    Parked(Vec<Array>),
    Live(Box<dyn Session>),
}

impl Variables {
    /// None, for a model that follows that Keras and draws from those seeds.
    pub fn new(flavor: Flavor, seeds: SeedSource) -> Self {
        let values = Values::Parked(Vec::new());
        Variables {
            flavor,
            seeds,
            table: Vec::new(),
            places: HashMap::new(),
            values,
            openings: 0,
            machine: None,
            room: None,
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
    pub fn all(&self) -> &[Variable] {
        &self.table
    }

    /// Those that training changes, in the order of the session.
    pub fn trainable(&self) -> impl Iterator<Item = &Variable> {
        self.table.iter().filter(|variable| variable.role == Role::Weight && variable.trainable)
    }

    /// Keras's `weights`: all but seeds.
    pub fn weights(&self) -> impl Iterator<Item = &Variable> {
        self.table.iter().filter(|variable| variable.role != Role::Seed)
    }

    /// The variable of that path.
    pub fn get(&self, path: &str) -> Option<&Variable> {
        self.places.get(path).map(|&place| &self.table[place])
    }

    /// Opens the session, if it is not open.
    ///
    /// # Errors
    /// A value that does not fit its variable.
    pub fn open(&mut self) -> Result<()> {
        let Values::Parked(values) = &self.values else { return Ok(()) };
        let mut session = self.machine.as_ref().map_or_else(|| Cpu::new().open(), |machine| machine.open())?;
        let mut order: Vec<usize> = (0..self.table.len()).collect();
        order.sort_by_key(|&place| (self.table[place].role, !self.table[place].trainable, place));
        for &place in &order {
            let Variable { path, ty, .. } = &self.table[place];
            self.table[place].id = session.declare(ty.clone()).context(path)?;
            session.write(self.table[place].id, &values[place])?;
        }
        self.values = Values::Live(session);
        self.openings += 1;
        Ok(())
    }

    /// Runs on that machine from now on. If a session is open, its values move into one there.
    ///
    /// # Errors
    /// Those of [`Variables::open`].
    pub(crate) fn move_to(&mut self, machine: Box<dyn Executor + Send>) -> Result<()> {
        let was_open = self.session_if_open().is_some();
        self.park();
        self.machine = Some(machine);
        if was_open { self.open() } else { Ok(()) }
    }

    /// The session; opens it first, if need be.
    ///
    /// # Errors
    /// Those of [`Variables::open`].
    pub fn session(&mut self) -> Result<&mut dyn Session> {
        self.open()?;
        match &mut self.values {
            Values::Live(session) => Ok(session.as_mut()),
            Values::Parked(_) => unreachable!("the session was just opened"),
        }
    }

    /// The session, if it is open.
    pub(crate) fn session_if_open(&self) -> Option<&dyn Session> {
        match &self.values {
            Values::Live(session) => Some(session.as_ref()),
            Values::Parked(_) => None,
        }
    }

    /// Variables made from now on are zeros, to be overwritten by the values of a file that holds `room` numbers. With
    /// `None` they are made as their layers say.
    pub(crate) fn await_values(&mut self, room: Option<usize>) {
        self.room = room;
    }

    /// Whether there is room for a variable: in the file, if its value is awaited, else in memory.
    ///
    /// # Errors
    /// It needs more than there is.
    pub(crate) fn room_for(&self, ty: &Type) -> Result<()> {
        match self.room {
            None => room_for(ty),
            Some(room) if ty.shape.checked_size().is_some_and(|size| size <= room) => Ok(()),
            Some(_) => Err(Error::file(format!("needs shape {}, more numbers than the file holds", ty.shape))),
        }
    }

    /// The zeros for a variable whose value is awaited, if values are.
    ///
    /// # Errors
    /// A variable for which the file cannot hold the numbers: no memory is taken for it.
    pub(crate) fn awaited(&mut self, ty: &Type) -> Option<Result<Array>> {
        let room = self.room?;
        Some(self.room_for(ty).map(|()| {
            self.room = Some(room - ty.size());
            Array::zeros(ty)
        }))
    }

    /// How many sessions there have been. Programs and variables of others than the present one are gone: a new one is
    /// opened after layers were added or taken away.
    pub fn openings(&self) -> u64 {
        self.openings
    }

    /// Takes all values out of the session and closes it.
    pub(crate) fn park(&mut self) {
        if let Values::Live(session) = &self.values {
            self.values = Values::Parked(self.table.iter().map(|variable| session.read(variable.id)).collect());
        }
    }

    /// Makes the variables that a layer asked for, and says where they are. `seeds` are those that Keras 3 drew when the
    /// layer was made, in the order in which its variables take them.
    ///
    /// # Errors
    /// A value that cannot be made; then none is.
    pub(crate) fn make(&mut self, declared: Vec<Declared>, mut seeds: VecDeque<i64>) -> Result<Range<usize>> {
        let before = self.table.len();
        for asked in declared {
            let name = asked.path.rsplit('/').next().unwrap_or(&asked.path);
            match self.value(&asked, &mut seeds).context(format!("weight `{name}`")).context(&asked.place) {
                Ok((value, stream)) => self.add(asked, value, stream),
                Err(error) => {
                    self.truncate(before);
                    return Err(error);
                }
            }
        }
        Ok(before..self.table.len())
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
                let seed = own.map_or_else(|| self.next_op_seed(), |seed| OpSeed::Given(seed.cast_unsigned()));
                Ok((self.seeds.with(|seeds| seed.start(seeds)), Some(seed)))
            }
            Start::Generator(Generator::Count, own) => {
                // Only what is left of it by the modulus counts, and that fits.
                let seed = own.unwrap_or_else(|| self.drawn(seeds)).rem_euclid(STATELESS_MODULUS.into());
                Ok((Array::vector(vec![seed as u32, 0]), None))
            }
        }
    }

    /// The next of the seeds that were drawn when the layer was made, else one that is drawn now.
    fn drawn(&mut self, seeds: &mut VecDeque<i64>) -> i64 {
        seeds.pop_front().unwrap_or_else(|| self.next_seed())
    }

    /// Adds a variable and closes the session.
    fn add(
        &mut self,
        Declared { path, role, trainable, constraint, .. }: Declared,
        value: Array,
        stream: Option<OpSeed>,
    ) {
        self.park();
        let Values::Parked(values) = &mut self.values else { unreachable!("the session was just closed") };
        let place = self.table.len();
        let id = VarId::new(place);
        self.places.insert(path.clone(), place);
        self.table.push(Variable { path, ty: value.ty(), role, trainable, constraint, stream, id });
        values.push(value);
    }

    /// Keeps the first `count` variables only.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.park();
        if let Values::Parked(values) = &mut self.values {
            values.truncate(count);
        }
        for variable in self.table.drain(count.min(self.table.len())..) {
            self.places.remove(&variable.path);
        }
    }

    /// The seed of the next stateful random operation that has none of its own.
    fn next_op_seed(&self) -> OpSeed {
        let last = self.table.iter().rev().find_map(|variable| match variable.stream {
            Some(OpSeed::Numbered(number)) => Some(number),
            _ => None,
        });
        OpSeed::Numbered(last.map_or(0, |number| number + 1))
    }

    /// The value of a variable.
    pub fn read(&self, variable: &Variable) -> Array {
        match &self.values {
            Values::Live(session) => session.read(variable.id),
            Values::Parked(values) => values[self.places[&variable.path]].clone(),
        }
    }

    /// Sets the variable of that path.
    ///
    /// # Errors
    /// There must be such a variable, of the type of `value`.
    pub fn write(&mut self, path: &str, value: &Array) -> Result<()> {
        let &place = self.places.get(path).ok_or_else(|| Error::usage(format!("there is no variable `{path}`")))?;
        let variable = &self.table[place];
        if variable.ty != value.ty() {
            return Err(Error::data(format!("`{path}` needs {}, got {}", variable.ty, value.ty())));
        }
        match &mut self.values {
            Values::Live(session) => session.write(variable.id, value),
            Values::Parked(values) => {
                values[place] = value.clone();
                Ok(())
            }
        }
    }

    /// Whether there are streams of Keras 2's stateful random operations.
    pub(crate) fn has_streams(&self) -> bool {
        self.table.iter().any(|variable| variable.stream.is_some())
    }

    /// The streams of Keras 2's stateful random operations.
    pub(crate) fn streams(&self) -> Vec<Array> {
        self.table.iter().filter(|variable| variable.stream.is_some()).map(|variable| self.read(variable)).collect()
    }

    /// Sets the streams, in the order of [`Variables::streams`].
    pub(crate) fn set_streams(&mut self, streams: &[Array]) -> Result<()> {
        let with_stream = self.table.iter().filter(|variable| variable.stream.is_some());
        let paths: Vec<String> = with_stream.map(|variable| variable.path.clone()).collect();
        paths.iter().zip(streams).try_for_each(|(path, stream)| self.write(path, stream))
    }

    /// The seeds of the streams in the next trace of the training step.
    pub(crate) fn next_trace(&mut self) -> Vec<OpSeed> {
        let seeds = self.table.iter_mut().filter_map(|variable| variable.stream.as_mut());
        seeds
            .map(|seed| {
                let present = *seed;
                if let OpSeed::Given(seed) = seed {
                    *seed = seed.wrapping_add(1);
                }
                present
            })
            .collect()
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.table.iter().map(|variable| (&variable.path, &variable.ty))).finish()
    }
}
