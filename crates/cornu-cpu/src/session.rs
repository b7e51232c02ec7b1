//! Sessions on this processor: variables and constants in buffers of their own, and scratch memory for all programs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cornu_graph::ops::{Constant, Leaf, Op};
use cornu_graph::{
    Array, Error, Executor, Feed, Graph, Memory, Origin, ProgramId, Result, Session, Type, Value, VarId, passes,
};

use crate::environment::Environment;
use crate::kernels::memory::{Buffer, Table};
use crate::kernels::operand::{Place, Span};
use crate::kernels::simd::Level;
use crate::kernels::threads::Threads;
use crate::kernels::transfer;
use crate::lower::{Lowered, Target, lower};
use crate::plan::Plan;
use crate::step::{Machine, Step, run};

/// Memory of up to twice as many bytes is not made smaller.
const SMALLEST: usize = 16 * 1024;

/// This processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    threads: Option<usize>,
    level: Option<Level>,
    raw: bool,
}

impl Cpu {
    /// All cores, and the widest vectors there are. `CORNU_THREADS` and `CORNU_SIMD` ask for less, and `CORNU_PASSES=2`
    /// for the first two passes only, to find a guilty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// That many threads, the caller's included. Results do not depend on it.
    #[must_use]
    pub fn threads(self, count: usize) -> Self {
        Cpu { threads: Some(count), ..self }
    }

    /// Vectors of that level at most.
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        Cpu { level: Some(level), ..self }
    }

    /// Runs graphs as they are given, without passes: to find out whether a pass is to blame.
    #[must_use]
    pub fn raw(self) -> Self {
        Cpu { raw: true, ..self }
    }
}

impl Executor for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn open(&self) -> Result<Box<dyn Session>> {
        let environment = Environment::read()?;
        let threads = Threads::new(self.threads.unwrap_or(environment.threads));
        let level = self.level.filter(|level| Level::all().contains(level)).unwrap_or(environment.level);
        let count = if self.raw { 0 } else { environment.passes.min(passes::ALL.len()) };
        Ok(Box::new(CpuSession {
            level,
            threads,
            memory: Buffer::new("a session", 0)?,
            scratch: Buffer::new("a session", 0)?,
            passes: &passes::ALL[..count],
            vars: Vec::new(),
            constants: HashMap::new(),
            programs: Vec::new(),
            compiled: 0,
            last: None,
        }))
    }
}

struct CpuSession {
    level: Level,
    threads: Threads,
    /// What lies between inputs and results, of one program at a time.
    memory: Buffer,
    /// Memory for a single step.
    scratch: Buffer,
    passes: &'static [passes::Pass],
    vars: Vec<(Buffer, Type)>,
    /// What programs read.
    constants: HashMap<Constant, Arc<Buffer>>,
    /// Few: whoever compiles for many shapes releases some.
    programs: Vec<Program>,
    /// How many there have been.
    compiled: usize,
    last: Option<ProgramId>,
}

struct Program {
    id: ProgramId,
    graph: Graph,
    lowered: Lowered,
    /// Scratch memory, inputs, variables, constants.
    table: Table,
}

/// A value that has a buffer of its own.
fn alone(base: u32, ty: &Type) -> Place {
    Place { dtype: ty.dtype, span: Span { base, at: 0 }, len: ty.size() }
}

impl CpuSession {
    /// A buffer that holds an array.
    fn filled(&self, array: &Array) -> Result<Buffer> {
        let (ty, feed) = (array.ty(), Feed::Whole(array));
        let buffer = Buffer::new(&ty, alone(0, &ty).padded())?;
        transfer::write(buffer.bases(), alone(0, &ty), &feed, &self.threads);
        Ok(buffer)
    }

    /// Gives a buffer to each constant of a plan and its bodies, filled.
    fn constants(&mut self, plan: &mut Plan, table: &mut Table) -> Result<()> {
        for value in plan.constants() {
            let constant = match plan.view.graph.op(value) {
                Op::Leaf(Leaf::Constant(constant)) => constant.clone(),
                op => Constant::new(computed(op, plan.view.graph.ty(value))?),
            };
            let buffer = match self.constants.get(&constant) {
                Some(buffer) => Arc::clone(buffer),
                None => {
                    let buffer = Arc::new(self.filled(constant.array())?);
                    self.constants.insert(constant, Arc::clone(&buffer));
                    buffer
                }
            };
            plan.given.insert(value, alone(table.keep(buffer), plan.view.graph.ty(value)));
        }
        plan.bodies.iter_mut().try_for_each(|body| self.constants(body, table))
    }

    /// Gives back the constants that no program reads.
    fn forget(&mut self) {
        self.constants.retain(|_, buffer| Arc::strong_count(buffer) > 1);
    }

    fn program(&mut self, id: ProgramId, graph: Graph) -> Result<Program> {
        let mut table = Table::default();
        (0..=graph.inputs.len()).for_each(|_| _ = table.push(&self.memory));
        let mut vars: Vec<VarId> = graph.vars.iter().chain(&graph.updates).map(|&(id, _)| id).collect();
        vars.sort_unstable();
        vars.dedup();
        let place = |id: VarId| {
            let (buffer, ty) = &self.vars[id.index()];
            (id, alone(table.push(buffer), ty))
        };
        let vars = vars.into_iter().map(place).collect();
        let mut plan = Plan::new(&graph);
        self.constants(&mut plan, &mut table)?;
        let lowered = lower(&plan, Target { level: self.level, threads: self.threads.count() }, &vars)?;
        let ask = |error: Error| error.context("a step").help("a smaller batch needs less");
        if lowered.needs > self.memory.bytes() {
            self.memory = Buffer::new("scratch memory", lowered.needs).map_err(ask)?;
        }
        let scratch = self.scratch(&lowered);
        if scratch > self.scratch.bytes() {
            self.scratch = Buffer::new("a step", scratch)?;
        }
        Ok(Program { id, graph, lowered, table })
    }

    /// How many bytes the steps need for themselves.
    fn scratch(&self, lowered: &Lowered) -> usize {
        lowered.steps.iter().map(|step| step.scratch(&self.threads)).max().unwrap_or(0)
    }

    /// Gives back the memory that no program needs any more, if it is most of it.
    fn shrink(&mut self) {
        let most = |need: &dyn Fn(&Program) -> usize| self.programs.iter().map(need).max().unwrap_or(0);
        let [memory, scratch] =
            [most(&|program| program.lowered.needs), most(&|program| self.scratch(&program.lowered))];
        for (buffer, need) in [(&mut self.memory, memory), (&mut self.scratch, scratch)] {
            if buffer.bytes() / 2 > need.max(SMALLEST) {
                // Where there is no memory for a smaller one, the larger one stays.
                _ = Buffer::new("a step", need).map(|smaller| *buffer = smaller);
            }
        }
    }

    /// Where a program is in the list.
    fn find(&self, id: ProgramId) -> Result<usize> {
        self.programs.iter().position(|program| program.id == id).ok_or_else(|| id.released())
    }

    fn check(&self, graph: &Graph) -> Result<()> {
        for (id, value) in graph.vars.iter().chain(&graph.updates) {
            let declared = self.vars.get(id.index()).map(|(_, ty)| ty);
            if declared != Some(graph.ty(*value)) {
                let declared = declared.map_or("nothing".into(), ToString::to_string);
                return Err(Error::graph(format!("{id} was declared as {declared}, got {}", graph.ty(*value))));
            }
        }
        Ok(())
    }
}

impl Session for CpuSession {
    fn declare(&mut self, var: Type) -> Result<VarId> {
        self.last = None;
        self.vars.push((Buffer::new(&var, alone(0, &var).padded())?, var));
        Ok(VarId::new(self.vars.len() - 1))
    }

    fn compile(&mut self, graph: &Graph) -> Result<ProgramId> {
        self.check(graph)?;
        self.last = None;
        let id = ProgramId::new(self.compiled);
        let wide = passes::widen(passes::run(graph, self.passes));
        let program = self.program(id, wide).inspect_err(|_| self.forget())?;
        self.programs.push(program);
        self.compiled += 1;
        Ok(id)
    }

    fn release(&mut self, program: ProgramId) {
        let Ok(place) = self.find(program) else { return };
        self.programs.remove(place);
        self.last = None;
        self.forget();
        self.shrink();
    }

    fn run(&mut self, program: ProgramId, feeds: &[Feed]) -> Result<()> {
        let place = self.find(program)?;
        let Program { lowered, table, .. } = &mut self.programs[place];
        let Lowered { steps, inputs, rooms, .. } = lowered;
        if feeds.len() != inputs.len() {
            return Err(Error::graph(format!("a step needs {} inputs, got {}", inputs.len(), feeds.len())));
        }
        table.set(0, &self.memory, 0);
        for (number, (feed, (place, ty))) in feeds.iter().zip(inputs).enumerate() {
            if !feed.is(ty) {
                let got = Type::new(feed.array().dtype(), feed.shape());
                return Err(Error::graph(format!("input {number} needs {ty}, got {got}")));
            }
            table.set(number + 1, &self.memory, rooms[number]);
            transfer::write(table.bases(), *place, feed, &self.threads);
        }
        self.last = None;
        let (level, threads, scratch) = (self.level, &self.threads, self.scratch.room());
        run(steps, Machine { level, threads, bases: table.bases(), scratch })?;
        self.last = Some(program);
        Ok(())
    }

    fn output(&self, program: ProgramId, index: usize) -> Result<Array> {
        let Program { lowered, table, .. } = &self.programs[self.find(program)?];
        match lowered.outputs.get(index) {
            Some((place, ty)) if self.last == Some(program) => transfer::read(table.bases(), *place, ty),
            _ => Err(Error::graph(format!("no output {index}: the last step was not of this program"))),
        }
    }

    fn read(&self, var: VarId) -> Array {
        let (buffer, ty) = &self.vars[var.index()];
        transfer::read(buffer.bases(), alone(0, ty), ty).unwrap_or_else(|error| panic!("{error}"))
    }

    fn write(&mut self, var: VarId, value: &Array) -> Result<()> {
        let (buffer, ty) = &self.vars[var.index()];
        if value.ty() != *ty {
            return Err(Error::graph(format!("variable {var} needs {ty}, got {}", value.ty())));
        }
        transfer::write(buffer.bases(), alone(0, ty), &Feed::Whole(value), &self.threads);
        Ok(())
    }

    fn memory(&self) -> Memory {
        let variables = self.vars.iter().map(|(_, ty)| ty.size() * ty.dtype.size()).sum();
        let buffers = self.vars.iter().map(|(buffer, _)| buffer).chain(self.constants.values().map(Arc::as_ref));
        let total: usize = buffers.chain([&self.memory, &self.scratch]).map(Buffer::bytes).sum();
        Memory { variables, scratch: total - variables, programs: self.programs.len() }
    }

    fn describe(&self, program: ProgramId) -> String {
        let Ok(place) = self.find(program) else { return String::new() };
        let Program { graph, lowered, .. } = &self.programs[place];
        described(&lowered.steps, &lowered.makes, graph, 0)
    }
}

/// Steps on a line each, and behind them, as a comment, where what they make was traced; steps in steps below.
fn described(steps: &[Step], makes: &[Vec<Value>], graph: &Graph, indent: usize) -> String {
    let mut text = String::new();
    for (step, makes) in steps.iter().zip(makes) {
        let mut seen = HashSet::new();
        let origins = makes.iter().map(|&value| graph.origin(value)).filter(|origin| !origin.is_unknown());
        let origins: Vec<String> = origins.filter(|&origin| seen.insert(origin)).map(Origin::to_string).collect();
        let comment = if origins.is_empty() { String::new() } else { format!(" ; {}", origins.join(", ")) };
        text += &format!("{:indent$}{step}{comment}\n", "");
        let Step::Control(control) = step else { continue };
        for frame in &control.frames {
            text += &described(&frame.steps, &frame.makes, &frame.graph, indent + 2);
        }
    }
    text
}

/// What an op without operands makes.
///
/// # Errors
/// There must be memory for it.
fn computed(op: &Op, ty: &Type) -> Result<Array> {
    let bytes = ty.bytes().unwrap_or(usize::MAX);
    // Ops take their memory unasked: this asks for it, and lets it go again.
    let asked = Vec::<u8>::new().try_reserve_exact(bytes);
    asked.map_err(|_| Error::memory(format_args!("a constant of {ty}"), bytes))?;
    Ok(op.eval(&[], &[ty])?.remove(0))
}
