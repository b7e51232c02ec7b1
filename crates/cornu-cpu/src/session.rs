//! Sessions on this processor: variables and constants at the front of the arena, one scratch memory for all programs
//! behind them.

use std::collections::HashMap;

use cornu_graph::ops::{Constant, Leaf, Op};
use cornu_graph::{
    Array, DType, Error, Executor, Feed, Graph, Memory, ProgramId, Result, Session, Type, Value, VarId, passes,
};

use crate::arena::{Arena, Place, padded, storage};
use crate::kernels::simd::Level;
use crate::kernels::threads::Threads;
use crate::lower::{Lowered, lower};
use crate::plan::Plan;
use crate::step::{Machine, run};

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
    /// All cores, and the widest vectors there are. `CORNU_THREADS` and `CORNU_SIMD` ask for less.
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

    fn open(&self) -> Box<dyn Session> {
        let threads = self.threads.map_or_else(Threads::default, Threads::new);
        let level = self
            .level
            .map_or_else(Level::detect, |level| if Level::all().contains(&level) { level } else { Level::detect() });
        let passes: &[passes::Pass] = if self.raw { &[] } else { &[passes::simplify, passes::fold, passes::simplify] };
        Box::new(CpuSession {
            machine: Machine { level, threads, arena: Arena::default(), scratch: Vec::new() },
            passes,
            vars: Vec::new(),
            constants: HashMap::new(),
            used: HashMap::new(),
            room: HashMap::new(),
            layout: 0,
            programs: Vec::new(),
            last: None,
        })
    }
}

struct CpuSession {
    machine: Machine,
    passes: &'static [passes::Pass],
    vars: Vec<(Place, Type)>,
    constants: HashMap<Constant, Place>,
    /// For each storage type, how much of the front is used, and how much there is before scratch memory begins.
    used: HashMap<DType, usize>,
    room: HashMap<DType, usize>,
    /// Rises when scratch memory moves.
    layout: usize,
    programs: Vec<Program>,
    last: Option<ProgramId>,
}

struct Program {
    graph: Graph,
    lowered: Lowered,
    layout: usize,
}

impl CpuSession {
    /// A span at the front of the arena, which no program's scratch memory overlaps.
    fn reserve(&mut self, ty: &Type) -> Place {
        let storage = storage(ty.dtype);
        let used = self.used.entry(storage).or_default();
        let place = Place { dtype: ty.dtype, at: *used, len: ty.size() };
        *used += padded(ty.dtype, ty.size());
        let room = self.room.entry(storage).or_default();
        if *used > *room {
            *room = used.next_power_of_two().max(SMALLEST_ROOM);
            self.machine.arena.grow(storage, *room, place.at);
            self.layout += 1;
        }
        // Old scratch memory may lie here.
        self.machine.arena.clear(place);
        place
    }

    fn feed(&mut self, place: Place, feed: &Feed) -> Result<()> {
        self.machine.arena.feed(place, feed, &self.machine.threads)
    }

    /// A place for each constant of a plan, filled.
    fn constants(&mut self, plan: &Plan) -> Result<HashMap<Value, Place>> {
        let mut places = HashMap::new();
        for value in plan.constants() {
            let constant = match plan.view.graph.op(value) {
                Op::Leaf(Leaf::Constant(constant)) => constant.clone(),
                op => Constant::new(op.eval(&[], plan.view.graph.ty(value))),
            };
            let place = match self.constants.get(&constant) {
                Some(&place) => place,
                None => {
                    let place = self.reserve(&constant.array().ty());
                    self.feed(place, &Feed::Whole(constant.array()))?;
                    self.constants.insert(constant, place);
                    place
                }
            };
            places.insert(value, place);
        }
        Ok(places)
    }

    fn lower(&mut self, graph: &Graph) -> Result<Lowered> {
        let vars: Vec<Place> = self.vars.iter().map(|(place, _)| *place).collect();
        let plan = Plan::new(graph, &vars);
        let constants = self.constants(&plan)?;
        let room = &self.room;
        let lowered =
            lower(&plan, self.machine.level, &vars, &constants, |dtype| room.get(&dtype).copied().unwrap_or(0))?;
        for (&storage, &need) in &lowered.needs {
            let used = self.used.get(&storage).copied().unwrap_or(0);
            self.machine.arena.grow(storage, need, used);
        }
        let threads = &self.machine.threads;
        let scratch = lowered.steps.iter().map(|step| step.scratch(threads)).max().unwrap_or(0);
        if self.machine.scratch.len() < scratch {
            self.machine.scratch.resize(scratch, 0.0);
        }
        Ok(lowered)
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
    fn declare(&mut self, var: Type) -> VarId {
        let place = self.reserve(&var);
        self.vars.push((place, var));
        VarId::new(self.vars.len() - 1)
    }

    fn compile(&mut self, graph: &Graph) -> Result<ProgramId> {
        self.check(graph)?;
        let graph = passes::run(graph, self.passes);
        let lowered = self.lower(&graph)?;
        self.programs.push(Program { graph, lowered, layout: self.layout });
        self.last = None;
        Ok(ProgramId::new(self.programs.len() - 1))
    }

    fn run(&mut self, program: ProgramId, feeds: &[Feed]) -> Result<()> {
        let id = program;
        if self.programs[id.index()].layout != self.layout {
            let graph = std::mem::take(&mut self.programs[id.index()].graph);
            let lowered = self.lower(&graph)?;
            self.programs[id.index()] = Program { graph, lowered, layout: self.layout };
        }
        let Lowered { steps, inputs, .. } = &self.programs[id.index()].lowered;
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
        run(steps, &mut self.machine);
        self.last = Some(id);
        Ok(())
    }

    fn output(&self, program: ProgramId, index: usize) -> Result<Array> {
        let outputs = &self.programs[program.index()].lowered.outputs;
        match outputs.get(index) {
            Some((place, ty)) if self.last == Some(program) => Ok(self.machine.arena.array(*place, ty)),
            _ => Err(Error::graph(format!("no output {index}: the last step was not of this program"))),
        }
    }

    fn read(&self, var: VarId) -> Array {
        let (place, ty) = &self.vars[var.index()];
        self.machine.arena.array(*place, ty)
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
        Memory { variables, scratch: total - variables }
    }

    fn describe(&self, program: ProgramId) -> String {
        let steps = &self.programs[program.index()].lowered.steps;
        steps.iter().map(|step| format!("{step}\n")).collect()
    }
}
