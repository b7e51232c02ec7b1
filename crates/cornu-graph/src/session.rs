//! The seam between what is computed and where: an executor is a machine, a session one model's memory on it.

use crate::graph::{Graph, VarId};
use crate::{Array, Error, Result, Shape, Type};

/// A compiled graph of a session. Sessions number them in order, and use no number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProgramId(usize);

impl ProgramId {
    /// The program of that number.
    pub fn new(index: usize) -> Self {
        ProgramId(index)
    }

    /// Its number.
    pub fn index(self) -> usize {
        self.0
    }

    /// The error of its use in a session that does not have it.
    pub fn released(self) -> Error {
        Error::graph(format!("program {} was released, or is of another session", self.0))
    }
}

/// What a step is given for one input.
#[derive(Clone, Copy, Debug)]
pub enum Feed<'a> {
    /// The array as it is.
    Whole(&'a Array),
    /// Rows of a larger array, picked on the way.
    Rows(&'a Array, &'a [usize]),
}

impl<'a> Feed<'a> {
    /// The array that is given, or from which rows are picked.
    pub fn array(&self) -> &'a Array {
        match self {
            Feed::Whole(array) | Feed::Rows(array, _) => array,
        }
    }

    /// Whether what is given is of that type. Allocates nothing.
    pub fn is(&self, ty: &Type) -> bool {
        let array = self.array();
        let shape = array.shape();
        array.dtype() == ty.dtype
            && match self {
                Feed::Whole(_) => *shape == ty.shape,
                Feed::Rows(_, rows) => {
                    shape.rank() > 0 && ty.shape.first() == Some(&rows.len()) && shape[1..] == ty.shape[1..]
                }
            }
    }

    /// The shape of what is given.
    pub fn shape(&self) -> Shape {
        match self {
            Feed::Whole(array) => array.shape().clone(),
            Feed::Rows(array, rows) => array.shape().with(0, rows.len()),
        }
    }

    /// The numbers given.
    pub fn to_array(&self) -> Array {
        match self {
            Feed::Whole(array) => (*array).clone(),
            Feed::Rows(array, rows) => array.rows(rows),
        }
    }
}

/// How many bytes a session holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// For variables.
    pub variables: usize,
    /// For everything between the inputs and the results of its programs.
    pub scratch: usize,
    /// How many programs are kept; not bytes.
    pub programs: usize,
}

/// One model's memory on one machine: variables that start as zeros, and programs that change them.
pub trait Session: Send {
    /// Adds a variable. Those that are treated alike (all weights, all their momenta) are best declared in a row.
    ///
    /// # Errors
    /// There must be memory for it.
    fn declare(&mut self, var: Type) -> Result<VarId>;

    /// Makes a graph ready to run; all its variables must have been declared.
    fn compile(&mut self, graph: &Graph) -> Result<ProgramId>;

    /// Unloads a program, if it is there: its memory can be used again, and its name means nothing any more.
    fn release(&mut self, program: ProgramId);

    /// Runs one step: afterwards the variables are the new ones, and the outputs can be read until the session is next
    /// changed, by a run of any program, `write`, `declare`, `compile` or `release`.
    fn run(&mut self, program: ProgramId, feeds: &[Feed]) -> Result<()>;

    /// An output of the last run, which must have been of this program.
    fn output(&self, program: ProgramId, index: usize) -> Result<Array>;

    /// A variable.
    fn read(&self, var: VarId) -> Array;

    /// Sets a variable.
    fn write(&mut self, var: VarId, value: &Array) -> Result<()>;

    /// How many bytes are held.
    fn memory(&self) -> Memory;

    /// What a program consists of on this machine, one line a step, and behind it, as a comment, where that was traced;
    /// nothing if it was released.
    fn describe(&self, program: ProgramId) -> String;
}

/// A machine.
pub trait Executor {
    /// Its name, for messages.
    fn name(&self) -> &str;

    /// Memory for a model, without variables yet.
    ///
    /// # Errors
    /// The machine must be there, and its settings in the environment be such that can be read.
    fn open(&self) -> Result<Box<dyn Session>>;
}
