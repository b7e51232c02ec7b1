//! The seam between what is computed and where: an executor is a machine, a session memory of variables on it, a program
//! a graph made ready for it, a run what one caller of a program has for himself.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::graph::{Graph, VarId};
use crate::origin::Origin;
use crate::{AN_ARRAY, Array, DType, Error, Result, Shape, Type, room};

/// What a variable is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A weight that learns, as long as its layer is trainable.
    Weight,
    /// What an optimizer keeps of a weight, and its settings.
    Slot,
    /// What a layer or a metric keeps of its own accord, such as moving averages and running totals.
    State,
    /// Where random numbers come from; not among the weights of a model.
    Seed,
    /// What a layer remembers from call to call, such as the states of a stateful recurrence; not among the weights of a
    /// model either.
    Memory,
}

impl Role {
    /// Whether such variables are among the weights of a model, and in its files.
    pub fn is_weight(self) -> bool {
        matches!(self, Role::Weight | Role::State)
    }
}

/// What a variable is at first.
#[derive(Clone, Debug)]
pub enum Start {
    /// Zeros.
    Zeros,
    /// That value, which is taken.
    Value(Array),
}

/// A variable that is to be declared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VarSpec {
    /// For messages: `kernel`.
    pub name: Arc<str>,
    /// What it is for.
    pub role: Role,
    /// Its element type and shape.
    pub ty: Type,
    /// What it is at first.
    pub start: Start,
}

impl VarSpec {
    /// A variable that starts as zeros.
    pub fn zeros(name: impl Into<Arc<str>>, role: Role, ty: Type) -> VarSpec {
        VarSpec { name: name.into(), role, ty, start: Start::Zeros }
    }

    /// A variable that starts with that value.
    pub fn value(name: impl Into<Arc<str>>, role: Role, value: Array) -> VarSpec {
        VarSpec { name: name.into(), role, ty: value.ty(), start: Start::Value(value) }
    }

    /// What is said of an attempt to write another type into it.
    pub fn check(&self, got: &Type) -> Result<()> {
        if *got == self.ty {
            return Ok(());
        }
        Err(Error::graph(format!("variable `{}` needs {}, got {got}", self.name, self.ty)))
    }
}

/// A state without a name that starts as zeros.
impl From<Type> for VarSpec {
    fn from(ty: Type) -> VarSpec {
        VarSpec::zeros("state", Role::State, ty)
    }
}

/// An array that lies where a session can use it as often as it likes. A clone is the same one.
#[derive(Clone)]
pub struct Data {
    ty: Type,
    held: Arc<dyn Any + Send + Sync>,
}

impl Data {
    /// Data of that type, held in the way of one machine.
    pub fn new(ty: Type, held: impl Any + Send + Sync) -> Data {
        Data { ty, held: Arc::new(held) }
    }

    /// Its element type and shape.
    pub fn ty(&self) -> &Type {
        &self.ty
    }

    /// What the machine holds.
    ///
    /// # Errors
    /// It was uploaded to another kind of machine.
    pub fn held<T: Any>(&self) -> Result<&T> {
        let other = || Error::usage("a step was given data of another machine").help("upload it to this session");
        self.held.downcast_ref().ok_or_else(other)
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({})", self.ty)
    }
}

/// What a step is given for one input.
#[derive(Clone, Copy, Debug)]
pub enum Feed<'a> {
    /// An array of the host, which is copied.
    Host(&'a Array),
    /// Data as it is.
    Whole(&'a Data),
    /// Rows of data, picked on the way.
    Rows(&'a Data, &'a [u32]),
}

impl Feed<'_> {
    /// The type and the shape of what is given, or of that from which rows are picked.
    fn source(&self) -> (DType, &Shape) {
        match self {
            Feed::Host(array) => (array.dtype(), array.shape()),
            Feed::Whole(data) | Feed::Rows(data, _) => (data.ty.dtype, &data.ty.shape),
        }
    }

    /// The type of what is given.
    pub fn ty(&self) -> Type {
        let (dtype, shape) = self.source();
        match self {
            Feed::Rows(_, rows) if shape.rank() > 0 => Type::new(dtype, shape.with(0, rows.len())),
            _ => Type::new(dtype, shape.clone()),
        }
    }

    /// Whether this is what an input of that number and type needs. Allocates nothing.
    ///
    /// # Errors
    /// It is of another type, or there is no such row.
    pub fn check(&self, number: usize, ty: &Type) -> Result<()> {
        let (dtype, shape) = self.source();
        let fits = match self {
            Feed::Rows(_, rows) => {
                shape.rank() > 0 && ty.shape.first() == Some(&rows.len()) && shape[1..] == ty.shape[1..]
            }
            _ => *shape == ty.shape,
        };
        if dtype != ty.dtype || !fits {
            return Err(Error::graph(format!("input {number} needs {ty}, got {}", self.ty())));
        }
        self.check_rows(number)
    }

    /// Whether there are all rows that are picked for an input of that number.
    ///
    /// # Errors
    /// There is no such row.
    pub fn check_rows(&self, number: usize) -> Result<()> {
        let Feed::Rows(data, rows) = self else { return Ok(()) };
        let count = data.ty.shape.first().copied().unwrap_or(0);
        match rows.iter().max() {
            Some(&row) if row as usize >= count => {
                Err(Error::graph(format!("input {number} needs rows below {count}, got {row}")))
            }
            _ => Ok(()),
        }
    }
}

/// Whether there is a feed for each input, of its type.
///
/// # Errors
/// There is not.
pub fn check_feeds<'a>(feeds: &[Feed], inputs: impl ExactSizeIterator<Item = &'a Type>) -> Result<()> {
    if feeds.len() != inputs.len() {
        return Err(Error::graph(format!("a step needs {} inputs, got {}", inputs.len(), feeds.len())));
    }
    feeds.iter().zip(inputs).enumerate().try_for_each(|(number, (feed, ty))| feed.check(number, ty))
}

/// Whether rows are so many batches of that size, and none is left.
///
/// # Errors
/// They are not.
pub fn check_batches(order: &[u32], batch: usize) -> Result<()> {
    if batch > 0 && order.len().is_multiple_of(batch) {
        return Ok(());
    }
    Err(Error::usage(format!("steps need whole batches of {batch} rows, got {} rows", order.len())))
}

/// How many bytes a session holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// For variables.
    pub variables: usize,
    /// For constants, and for everything between the inputs and the results of its runs.
    pub scratch: usize,
    /// How many programs are kept; not bytes.
    pub programs: usize,
}

/// Memory of variables on one machine, and the programs that change them; models may share it. It may be used from many
/// threads at once: programs that only read variables run side by side, one that changes them runs alone.
pub trait Session: Send + Sync {
    /// Adds a variable.
    ///
    /// # Errors
    /// There must be memory for it.
    fn declare(&self, spec: VarSpec) -> Result<VarId>;

    /// Gives variables up, those that are there: their names mean nothing any more. It works after a failure as well.
    fn release(&self, vars: &[VarId]);

    /// Brings an array to where the machine can use it as often as it likes.
    ///
    /// # Errors
    /// There must be memory for it.
    fn upload(&self, array: Array) -> Result<Data>;

    /// Makes a graph ready to run; all its variables must have been declared. It is unloaded with the last handle of it
    /// and of its runs.
    ///
    /// # Errors
    /// Variables that are not there, and memory that is not.
    fn compile(&self, graph: &Graph) -> Result<Arc<dyn Program>>;

    /// Variables, as the last step has left them. Waits for it.
    ///
    /// # Errors
    /// Variables that are not there, memory that is not, and the failure of an earlier run.
    fn read(&self, vars: &[VarId]) -> Result<Vec<Array>>;

    /// Sets variables, between two steps.
    ///
    /// # Errors
    /// Values of other types, after which none is set, and the failure of an earlier run.
    fn write(&self, values: &[(VarId, &Array)]) -> Result<()>;

    /// How many bytes are held.
    fn memory(&self) -> Memory;

    /// How many models it trains in little more than the time of one, side by side along a last axis ([`Stack`]); 1 where
    /// nothing is gained.
    ///
    /// [`Stack`]: crate::Stack
    fn lanes(&self) -> usize {
        1
    }
}

impl dyn Session + '_ {
    /// A variable.
    ///
    /// # Errors
    /// Those of [`Session::read`].
    pub fn value(&self, var: VarId) -> Result<Array> {
        Ok(self.read(&[var])?.remove(0))
    }

    /// The outputs of one step of a graph that is needed only once.
    ///
    /// # Errors
    /// Those of all that it takes.
    pub fn once(&self, graph: &Graph, inputs: &[Array]) -> Result<Vec<Array>> {
        let mut run = self.compile(graph)?.room()?;
        run.start(&inputs.iter().map(Feed::Host).collect::<Vec<_>>())?;
        (0..graph.outputs.len()).map(|index| run.output(index)).collect()
    }
}

/// A graph that is ready to run in one session.
pub trait Program: Send + Sync {
    /// Memory for one caller, used for each of his steps: whatever lies between inputs and outputs, and the outputs.
    ///
    /// # Errors
    /// There must be so much.
    fn room(&self) -> Result<Box<dyn Run>>;

    /// Whether its steps change variables.
    fn changes(&self) -> bool;

    /// What it consists of on this machine, one line a step, and behind it, as a comment, where that was traced.
    fn describe(&self) -> String;
}

/// The steps of one caller of a program. It keeps the program loaded.
pub trait Run: Send {
    /// Begins a step, after those that began before. It may return before the step has ended, and allocates nothing.
    ///
    /// # Errors
    /// What is fed is not what the inputs need; a check of the graph that is false, which changes nothing; the failure of
    /// this step or of an earlier run, if it is known already. A failure leaves variables with values that nobody knows,
    /// so that from then on it is the answer to all that is asked of the session.
    fn start(&mut self, feeds: &[Feed]) -> Result<()>;

    /// A step for each batch of `batch` rows of the data, in that order, of which none may be left.
    ///
    /// # Errors
    /// Those of [`Run::start`]; the steps after it are not begun.
    fn steps(&mut self, data: &[&Data], order: &[u32], batch: usize) -> Result<()> {
        check_batches(order, batch)?;
        let mut feeds = Vec::with_capacity(data.len());
        order.chunks_exact(batch).try_for_each(|rows| {
            feeds.clear();
            feeds.extend(data.iter().map(|data| Feed::Rows(data, rows)));
            self.start(&feeds)
        })
    }

    /// The types of the outputs.
    fn outputs(&self) -> &[Type];

    /// An output of the last step, into an array of its type. Waits for it.
    ///
    /// # Errors
    /// There is none of that number or type, no step was begun, or the last one failed.
    fn output_into(&mut self, index: usize, to: &mut Array) -> Result<()>;

    /// An output of the last step. Waits for it.
    ///
    /// # Errors
    /// Those of [`Run::output_into`], and memory that is not there.
    fn output(&mut self, index: usize) -> Result<Array> {
        let ty = self.outputs().get(index).ok_or_else(|| no_output(index))?;
        room::room::<u8>(AN_ARRAY, &[ty.shape.size(), ty.dtype.size()])?;
        let mut array = Array::zeros(ty);
        self.output_into(index, &mut array)?;
        Ok(array)
    }

    /// Waits for the last step.
    ///
    /// # Errors
    /// It failed, or none was begun.
    fn wait(&mut self) -> Result<()>;

    /// One step, and how long its parts took by that clock, with where they were traced.
    ///
    /// # Errors
    /// Those of [`Run::start`].
    fn profile(&mut self, feeds: &[Feed], clock: &dyn Fn() -> u64) -> Result<Vec<(Origin, u64)>>;
}

/// A machine.
pub trait Executor {
    /// Its name, for messages.
    fn name(&self) -> &str;

    /// Memory on it, without variables yet.
    ///
    /// # Errors
    /// The machine must be there, and its settings in the environment be such that can be read.
    fn open(&self) -> Result<Arc<dyn Session>>;
}

/// How the last step of a run ended, if one was begun.
#[derive(Clone, Debug, Default)]
pub struct Outcome(Option<Result<()>>);

impl Outcome {
    /// Notes how a step has ended.
    ///
    /// # Errors
    /// If so, that one.
    pub fn note(&mut self, result: Result<()>) -> Result<()> {
        self.0.insert(result).clone()
    }

    /// How it ended.
    ///
    /// # Errors
    /// No step was begun, or it failed.
    pub fn get(&self) -> Result<()> {
        self.0.clone().unwrap_or_else(|| Err(Error::usage("no step of this run was begun")))
    }

    /// Whether an output of that type is there for an array.
    ///
    /// # Errors
    /// Those of [`Run::output_into`].
    pub fn check(&self, index: usize, ty: Option<&Type>, to: &Array) -> Result<()> {
        self.get()?;
        let ty = ty.ok_or_else(|| no_output(index))?;
        if (ty.dtype, &ty.shape) == (to.dtype(), to.shape()) {
            return Ok(());
        }
        Err(Error::graph(format!("output {index} needs an array of {ty}, got {}", to.ty())))
    }
}

fn no_output(index: usize) -> Error {
    Error::graph(format!("there is no output {index}"))
}

/// The failure of a session, if it has had one: from then on it is the answer to whatever is asked.
#[derive(Debug, Default)]
pub struct Failure(OnceLock<Error>);

impl Failure {
    /// Notes a failure, unless there was one.
    pub fn note(&self, error: Error) {
        // The first is the cause of the others.
        _ = self.0.set(error);
    }

    /// Whether all is well.
    ///
    /// # Errors
    /// The first failure.
    pub fn check(&self) -> Result<()> {
        self.0.get().map_or(Ok(()), |error| Err(error.clone()))
    }
}

/// The error of a variable that a session does not have.
pub fn missing(var: VarId) -> Error {
    Error::graph(format!("variable {var} was released, or is of another session"))
}
