//! Sessions on this processor: variables and constants at the front of the arena, one scratch memory for all programs
//! behind them.

use std::collections::{HashMap, HashSet};

use cornu_graph::ops::{Constant, Leaf, Op};
use cornu_graph::{
    Array, DType, Error, Executor, Feed, Graph, Memory, Origin, ProgramId, Result, Session, Type, Value, VarId, passes,
};

use crate::arena::{Arena, Place, padded, storage};
use crate::environment::Environment;
use crate::kernels::simd::Level;
use crate::kernels::threads::Threads;
use crate::lower::{Lowered, lower};
use crate::memory::Front;
use crate::plan::Plan;
use crate::step::{Machine, Step, run};

/// Room for variables and constants grows by at least this many elements, so that programs seldom move.
const SMALLEST_ROOM: usize = 1024;

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
            machine: Machine { level, threads, arena: Arena::default(), scratch: Vec::new() },
            passes: &passes::ALL[..count],
            vars: Vec::new(),
            constants: HashMap::new(),
            fronts: HashMap::new(),
            layout: 0,
            programs: Vec::new(),
            compiled: 0,
            last: None,
        }))
    }
}

struct CpuSession {
    machine: Machine,
    passes: &'static [passes::Pass],
    vars: Vec<(Place, Type)>,
    /// Where each constant lies, and how many programs read it.
    constants: HashMap<Constant, (Place, usize)>,
    /// For each storage type, what lies before scratch memory begins.
    fronts: HashMap<DType, Front>,
    /// Rises when scratch memory moves.
    layout: usize,
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
    constants: Vec<Constant>,
    layout: usize,
}

impl CpuSession {
    /// A span at the front of the arena, which no program's scratch memory overlaps. Variables lie in a row, so only
    /// others may fill gaps.
    fn reserve(&mut self, ty: &Type, in_gaps: bool) -> Result<Place> {
        let storage = storage(ty.dtype);
        let front = self.fronts.entry(storage).or_default();
        let room = padded(ty.dtype, ty.size());
        let at = if in_gaps { front.find(room) } else { front.used };
        let place = Place { dtype: ty.dtype, at, len: ty.size() };
        let end = at.saturating_add(room);
        if end > front.room {
            // Where there is no memory to spare, as much as is needed.
            let ample = end.checked_next_power_of_two().unwrap_or(end).max(SMALLEST_ROOM);
            let grown =
                [ample, end].into_iter().find(|&room| self.machine.arena.grow(storage, room, front.used).is_ok());
            front.room = grown.ok_or_else(|| Error::memory(ty, end.saturating_mul(storage.size())))?;
            self.layout += 1;
        }
        front.take(at, room);
        // Old scratch memory may lie here.
        self.machine.arena.clear(place);
        Ok(place)
    }

    fn feed(&mut self, place: Place, feed: &Feed) -> Result<()> {
        self.machine.arena.feed(place, feed, &self.machine.threads)
    }

    /// Gives a place to each constant of a plan and its bodies, filled.
    fn constants(&mut self, plan: &mut Plan, kept: &mut Vec<Constant>) -> Result<()> {
        for value in plan.constants() {
            let constant = match plan.view.graph.op(value) {
                Op::Leaf(Leaf::Constant(constant)) => constant.clone(),
                op => Constant::new(computed(op, plan.view.graph.ty(value))?),
            };
            let place = match self.constants.get_mut(&constant) {
                Some((place, programs)) => {
                    *programs += 1;
                    *place
                }
                None => {
                    let place = self.reserve(&constant.array().ty(), true)?;
                    self.constants.insert(constant.clone(), (place, 1));
                    self.feed(place, &Feed::Whole(constant.array()))?;
                    place
                }
            };
            kept.push(constant);
            plan.given.insert(value, place);
        }
        plan.bodies.iter_mut().try_for_each(|body| self.constants(body, kept))
    }

    /// Gives back the constants that no other program reads.
    fn forget(&mut self, constants: &[Constant]) {
        for constant in constants {
            let Some((place, programs)) = self.constants.get_mut(constant) else { continue };
            *programs -= 1;
            if *programs == 0 {
                let front = self.fronts.entry(storage(place.dtype)).or_default();
                front.give_back(place.at, padded(place.dtype, place.len));
                self.constants.remove(constant);
            }
        }
    }

    fn lower(&mut self, id: ProgramId, graph: Graph) -> Result<Program> {
        let mut constants = Vec::new();
        let lowered = self.lowered(&graph, &mut constants);
        let lowered = lowered.inspect_err(|_| self.forget(&constants))?;
        Ok(Program { id, graph, lowered, constants, layout: self.layout })
    }

    fn lowered(&mut self, graph: &Graph, kept: &mut Vec<Constant>) -> Result<Lowered> {
        let vars: Vec<Place> = self.vars.iter().map(|(place, _)| *place).collect();
        let mut plan = Plan::new(graph, &vars);
        self.constants(&mut plan, kept)?;
        let fronts = &self.fronts;
        let base = |dtype: DType| fronts.get(&dtype).map_or(0, |front| front.room);
        let lowered = lower(&plan, self.machine.level, &vars, &base)?;
        for (&storage, &need) in &lowered.needs {
            let used = self.fronts.get(&storage).map_or(0, |front| front.used);
            let grown = self.machine.arena.grow(storage, need, used);
            grown.map_err(|error| error.context("a step").help("a smaller batch needs less"))?;
        }
        let scratch = self.scratch(&lowered);
        if let Some(more) = scratch.checked_sub(self.machine.scratch.len()) {
            let missing = |_| Error::memory("a step", scratch.saturating_mul(size_of::<f32>()));
            self.machine.scratch.try_reserve_exact(more).map_err(missing)?;
            self.machine.scratch.resize(scratch, 0.0);
        }
        Ok(lowered)
    }

    /// How many floats the steps need for themselves.
    fn scratch(&self, lowered: &Lowered) -> usize {
        lowered.steps.iter().map(|step| step.scratch(&self.machine.threads)).max().unwrap_or(0)
    }

    /// Gives back the memory that no program needs any more, if it is most of it.
    fn shrink(&mut self) {
        for (&storage, front) in &self.fronts {
            let needs = self.programs.iter().filter_map(|program| program.lowered.needs.get(&storage));
            self.machine.arena.shrink(storage, needs.fold(front.room, |most, &need| most.max(need)), front.used);
        }
        let scratch = self.programs.iter().map(|program| self.scratch(&program.lowered)).max().unwrap_or(0);
        if self.machine.scratch.len() / 2 > scratch {
            self.machine.scratch.truncate(scratch);
            self.machine.scratch.shrink_to_fit();
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
        let place = self.reserve(&var, false)?;
        self.vars.push((place, var));
        Ok(VarId::new(self.vars.len() - 1))
    }

    fn compile(&mut self, graph: &Graph) -> Result<ProgramId> {
        self.check(graph)?;
        self.last = None;
        let id = ProgramId::new(self.compiled);
        let program = self.lower(id, passes::widen(passes::run(graph, self.passes)))?;
        self.programs.push(program);
        self.compiled += 1;
        Ok(id)
    }

    fn release(&mut self, program: ProgramId) {
        let Ok(place) = self.find(program) else { return };
        let released = self.programs.remove(place);
        self.last = None;
        self.forget(&released.constants);
        self.shrink();
    }

    fn run(&mut self, program: ProgramId, feeds: &[Feed]) -> Result<()> {
        let place = self.find(program)?;
        if self.programs[place].layout != self.layout {
            let graph = self.programs[place].graph.clone();
            let lowered = self.lower(program, graph)?;
            let old = std::mem::replace(&mut self.programs[place], lowered);
            self.forget(&old.constants);
        }
        let Lowered { steps, inputs, .. } = &self.programs[place].lowered;
        if feeds.len() != inputs.len() {
            return Err(Error::graph(format!("a step needs {} inputs, got {}", inputs.len(), feeds.len())));
        }
        let Machine { arena, threads, .. } = &mut self.machine;
        for (number, (feed, (place, ty))) in feeds.iter().zip(inputs).enumerate() {
            if !feed.is(ty) {
                let got = Type::new(feed.array().dtype(), feed.shape());
                return Err(Error::graph(format!("input {number} needs {ty}, got {got}")));
            }
            arena.feed(*place, feed, threads)?;
        }
        self.last = None;
        run(steps, &mut self.machine)?;
        self.last = Some(program);
        Ok(())
    }

    fn output(&self, program: ProgramId, index: usize) -> Result<Array> {
        let outputs = &self.programs[self.find(program)?].lowered.outputs;
        match outputs.get(index) {
            Some((place, ty)) if self.last == Some(program) => self.machine.arena.array(*place, ty),
            _ => Err(Error::graph(format!("no output {index}: the last step was not of this program"))),
        }
    }

    fn read(&self, var: VarId) -> Array {
        let (place, ty) = &self.vars[var.index()];
        self.machine.arena.array(*place, ty).unwrap_or_else(|error| panic!("{error}"))
    }

    fn write(&mut self, var: VarId, value: &Array) -> Result<()> {
        let (place, ty) = self.vars[var.index()].clone();
        if value.ty() != ty {
            return Err(Error::graph(format!("variable {var} needs {ty}, got {}", value.ty())));
        }
        self.feed(place, &Feed::Whole(value))
    }

    fn memory(&self) -> Memory {
        let variables = self.vars.iter().map(|(_, ty)| ty.size() * ty.dtype.size()).sum();
        let total = self.machine.arena.bytes() + self.machine.scratch.len() * size_of::<f32>();
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
