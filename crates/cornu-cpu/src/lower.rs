//! From jobs to steps: each op finds its kernel, each value its offset.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cornu_graph::ops::{self, Leaf, Op};
use cornu_graph::{Body, DType, Error, Graph, Result, Shape, Type, Value, VarId};

use crate::bodies;
use crate::control::{Control, Frame};
use crate::copies::{Copies, Site};
use crate::ends::{self, Kind};
use crate::fuse::Draft;
use crate::jobs::{self, Job};
use crate::kernels::arg::Arg;
use crate::kernels::dot::{Ending, Product};
use crate::kernels::fused::{Fused, Input, Program, Segment};
use crate::kernels::memory::LINE;
use crate::kernels::moves::Move;
use crate::kernels::operand::{Kernel, Place, Span, Strided};
use crate::kernels::over_rows::{Block, OverRows};
use crate::kernels::parallel::Task;
use crate::kernels::pool::Pool;
use crate::kernels::random::Draw;
use crate::kernels::reduce::Reduce;
use crate::kernels::rows::{Gather, ScatterAdd};
use crate::kernels::simd::Level;
use crate::plan::Plan;
use crate::row_programs::RowProgram;
use crate::step::Step;
use crate::walk::Walk;

/// The steps of a graph, and the values each leaves in memory.
type Steps = (Vec<Step>, Vec<Vec<Value>>);

/// A graph as steps over buffers.
pub(crate) struct Lowered {
    pub(crate) steps: Vec<Step>,
    /// For each step, the values it leaves in memory.
    pub(crate) makes: Vec<Vec<Value>>,
    pub(crate) inputs: Vec<(Place, Type)>,
    pub(crate) outputs: Vec<(Place, Type)>,
    /// Where in the scratch memory there is room for each input.
    pub(crate) rooms: Vec<usize>,
    /// Bytes of scratch memory.
    pub(crate) needs: usize,
}

/// Turns the plan of a program into steps: its inputs are the buffers from 1 on; variables have these places.
pub(crate) fn lower(plan: &Plan, target: Target, vars: &HashMap<VarId, Place>) -> Result<Lowered> {
    let (mut places, needs) = plan.places(vars, &plan.given);
    let graph = plan.view.graph;
    let rooms = graph.inputs.iter().filter_map(|input| places[input.index()]).map(|place| place.span.at).collect();
    for (base, input) in (1..).zip(&graph.inputs) {
        places[input.index()].as_mut().into_iter().for_each(|place| place.span = Span { base, at: 0 });
    }
    let mut lowering = Lowering::new(plan, target, (places, needs), None)?;
    let outputs = lowering.results(vars);
    let ends = std::mem::take(&mut lowering.steps);
    lowering.jobs()?;
    lowering.steps.0.extend(ends.0);
    lowering.steps.1.extend(ends.1);
    let typed = |value: Value, place: Place| (place, graph.ty(value).clone());
    Ok(Lowered {
        inputs: graph.inputs.iter().map(|&value| typed(value, lowering.place(value))).collect(),
        outputs: graph.outputs.iter().zip(outputs).map(|(&value, place)| typed(value, place)).collect(),
        steps: lowering.steps.0,
        makes: lowering.steps.1,
        rooms,
        needs: lowering.needs,
    })
}

/// What steps run on.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) level: Level,
    pub(crate) threads: usize,
}

/// What a loop makes once of its constants: buffers from `first` on.
pub(crate) struct Before {
    /// How many inputs are constants.
    pub(crate) consts: usize,
    pub(crate) first: u32,
    pub(crate) steps: Vec<Step>,
    pub(crate) bytes: Vec<usize>,
    /// The places of matrices that are turned, by those of the matrices and by their rows.
    turned: HashMap<(Span, usize), Place>,
}

impl Before {
    pub(crate) fn new(consts: usize, first: u32) -> Before {
        Before { consts, first, steps: Vec::new(), bytes: Vec::new(), turned: HashMap::new() }
    }
}

pub(crate) struct Lowering<'p, 'g> {
    plan: &'p Plan<'g>,
    target: Target,
    /// Whether each step is cut into rows.
    pub(crate) by_rows: bool,
    /// What is made once before a loop.
    pub(crate) before: Option<Before>,
    /// Memory for the second halves of sums.
    second: Option<Place>,
    places: Vec<Option<Place>>,
    pub(crate) needs: usize,
    pub(crate) steps: Steps,
    /// The numbers that constants have here, by those in the program; nothing where they are the same.
    numbers: Option<HashMap<u32, u32>>,
    /// Bodies by their plans and by how many inputs are the same for all steps of a loop, and outputs carries.
    frames: HashMap<(usize, Option<[usize; 2]>), Arc<Frame>>,
}

impl<'p, 'g> Lowering<'p, 'g> {
    /// # Errors
    /// Memory is asked for in one piece.
    pub(crate) fn new(
        plan: &'p Plan<'g>,
        target: Target,
        (places, needs): (Vec<Option<Place>>, usize),
        numbers: Option<HashMap<u32, u32>>,
    ) -> Result<Self> {
        isize::try_from(needs).map_err(|_| Error::memory("a step", needs))?;
        let (steps, frames) = (Steps::default(), HashMap::new());
        Ok(Lowering { plan, target, by_rows: false, before: None, second: None, places, needs, steps, numbers, frames })
    }

    fn graph(&self) -> &'g Graph {
        self.plan.view.graph
    }

    pub(crate) fn place(&self, value: Value) -> Place {
        let dtype = self.graph().ty(value).dtype;
        let place = self.places[self.plan.view.root(value).index()];
        Place { dtype, ..place.expect("what a job reads or writes has a place") }
    }

    /// The buffer of a constant, by its number in the program.
    pub(crate) fn number(&self, constant: u32) -> u32 {
        self.numbers.as_ref().map_or(constant, |numbers| numbers[&constant])
    }

    fn frame(&mut self, body: &Body, scan: Option<[usize; 2]>) -> Result<Arc<Frame>> {
        let key = (self.plan.number(body), scan);
        if let Some(frame) = self.frames.get(&key) {
            return Ok(Arc::clone(frame));
        }
        let frame = Arc::new(bodies::frame(&self.plan.bodies[key.0], self.target, scan, self)?);
        self.frames.insert(key, Arc::clone(&frame));
        Ok(frame)
    }

    pub(crate) fn jobs(&mut self) -> Result<()> {
        self.plan.jobs.iter().try_for_each(|job| self.job(job))
    }

    fn job(&mut self, job: &Job) -> Result<()> {
        let steps = match job {
            Job::Checks => {
                for check in &self.graph().checks.clone() {
                    let places = check.values().map(|value| self.place(value)).collect();
                    self.add(Step::Check(check.clone(), places), vec![check.holds]);
                }
                return Ok(());
            }
            Job::Fused(drafts) => {
                // Rows are cut from each value, not from several one after the other.
                let together = if self.by_rows { 1 } else { drafts.len() };
                for drafts in drafts.chunks(together) {
                    let makes = drafts.iter().flat_map(|draft| &draft.outputs).map(|&(_, value)| value).collect();
                    self.add(Step::new(self.fused(drafts)?), makes);
                }
                return Ok(());
            }
            Job::Rows(program) => vec![Step::new(self.over_rows(program)?)],
            Job::Single(value) => self.single(*value)?,
            Job::Product(product) => self.product(*product)?,
        };
        let mut makes = Vec::new();
        job.each_write(&self.plan.view, |value| makes.push(value));
        steps.into_iter().for_each(|step| self.add(step, makes.clone()));
        Ok(())
    }

    /// Copies a value.
    pub(crate) fn copy(&mut self, value: Value, from: Place, to: Place) {
        self.add(Step::new(Move::whole(from, to)), vec![value]);
    }

    fn add(&mut self, step: Step, makes: Vec<Value>) {
        self.steps.0.push(step);
        self.steps.1.push(makes);
    }

    /// Drafts that do the same are segments of one program.
    fn fused(&self, drafts: &[Draft]) -> Result<Fused> {
        let first = &drafts[0];
        let input = |draft: &Draft, (value, walk): &(Value, Option<Walk>)| {
            let Walk { start, axes } = walk.clone().unwrap_or_else(|| Walk::whole(draft.size));
            if self.plan.view.is_counted(*value) {
                return Input::Count(start as i64, axes.into());
            }
            let Place { dtype, span, .. } = self.place(*value);
            let span = Span { at: span.at + start * dtype.size(), ..span };
            Input::Memory(Strided { span, axes: axes.into() })
        };
        let segment = |draft: &Draft| Segment {
            len: draft.size,
            inputs: draft.inputs.iter().map(|read| input(draft, read)).collect(),
            outputs: draft.outputs.iter().map(|&(_, value)| self.place(value).span).collect(),
        };
        Fused::new(&Program {
            inputs: first.inputs.iter().map(|(value, _)| self.graph().ty(*value).dtype).collect(),
            code: first.code.clone(),
            outputs: first.outputs.iter().map(|&(register, _)| register).collect(),
            segments: drafts.iter().map(segment).collect(),
        })
    }

    /// A program over rows, with a table of buffers of its own: values between have blocks behind the run's.
    fn over_rows(&mut self, program: &RowProgram) -> Result<OverRows> {
        let graph = self.graph();
        let (mut bases, mut numbers, mut places) = (Vec::new(), HashMap::new(), Vec::new());
        for &value in program.reads.iter().chain(&program.writes) {
            let mut place = self.place(value);
            place.span.base = *numbers.entry(place.span.base).or_insert_with_key(|&base| {
                bases.push(base);
                bases.len() as u32 - 1
            });
            places.push((value, Some(place)));
        }
        let together = program.together(graph);
        let (offsets, bytes) = program.blocks(graph, together);
        let mut blocks = Vec::new();
        for ((&(value, _), at), base) in program.between.iter().zip(offsets).zip(bases.len() as u32..) {
            places.push((value, Some(Place::new(graph.ty(value), Span::of(base)))));
            blocks.push(Block { at, row: program.row(graph, value) });
        }
        places.iter_mut().for_each(|(value, place)| std::mem::swap(&mut self.places[value.index()], place));
        let parts = program.parts.iter().map(|part| self.part(part)).collect::<Result<_>>();
        places.iter_mut().for_each(|(value, place)| std::mem::swap(&mut self.places[value.index()], place));
        Ok(OverRows::new([program.rows, together], bases, (blocks, bytes), parts?))
    }

    /// The kernel of a part of a program over rows.
    fn part(&self, job: &Job) -> Result<Box<dyn Kernel>> {
        match job {
            Job::Fused(drafts) => Ok(Box::new(self.fused(drafts)?)),
            Job::Single(value) if let Op::Reduce(reduce) = self.graph().op(*value) => {
                let from = self.graph().node(*value).args[0];
                let spans = [self.place(from).span, self.place(*value).span];
                Ok(Box::new(Reduce::new(reduce.kind, self.graph().ty(from), &reduce.axes, spans)))
            }
            other => unreachable!("{other:?} is no part of a program over rows"),
        }
    }

    fn single(&mut self, value: Value) -> Result<Vec<Step>> {
        let (graph, node) = (self.graph(), self.graph().node(value));
        let args: Vec<Place> = node.args.iter().map(|&arg| self.place(arg)).collect();
        let types = graph.types(&node.args);
        let (ty, out) = (graph.ty(value), self.place(value));
        let copies = |op: &dyn Copies| {
            op.moves(&Site::new(&types, ty, &args, out)).into_iter().map(Step::new).collect::<Vec<_>>()
        };
        let step = match &node.op {
            Op::Reduce(reduce) => return Ok(self.reduction(reduce, types[0], args[0], out)),
            Op::Arg(arg) => Step::new(Arg::new(*arg, types[0], args[0].span, out.span)),
            Op::Broadcast(op) => return Ok(copies(op)),
            Op::Transpose(op) => return Ok(copies(op)),
            Op::Slice(op) => return Ok(copies(op)),
            Op::Pad(op) => return Ok(copies(op)),
            Op::Concatenate(op) => return Ok(copies(op)),
            Op::Reverse(op) => return Ok(copies(op)),
            Op::Gather(_) => Step::new(gather(types[0], &args, out)),
            Op::ScatterAdd(_) => {
                let table = (!self.plan.view.begins_with_zeros(value)).then_some(args[0].span);
                Step::new(scatter_add(ty, table, [args[1], args[2]], out))
            }
            op @ (Op::MaxPool(_) | Op::SumPool(_) | Op::Unpool(_)) => {
                let taps = node.results().nth(1).map(|taps| self.place(taps)).or(args.get(1).copied());
                Step::new(Pool::new(op, [types[0], ty], [args[0], out], taps))
            }
            Op::Random(random) => Step::new(Draw { random: random.clone(), from: args[0], to: out }),
            op @ (Op::Scan(_) | Op::If(_) | Op::Call(_) | Op::While(_)) => {
                let scan = if let Op::Scan(scan) = op { Some([scan.consts, scan.carries]) } else { None };
                let results = node.results().map(|value| self.place(value)).collect();
                let frames = op.bodies().iter().map(|body| self.frame(body, scan)).collect::<Result<_>>()?;
                Step::Control(Control { op: op.clone(), frames, args, results })
            }
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_) | Op::Dot(_) => {
                return Err(Error::graph(format!("`{}` is part of a program, but was scheduled alone", node.op)));
            }
            Op::Leaf(_) | Op::Iota(_) | Op::Reshape(_) => {
                return Err(Error::graph(format!("`{}` needs no work, but was scheduled", node.op)));
            }
        };
        Ok(vec![step])
    }

    fn reduction(&mut self, reduce: &ops::Reduce, ty: &Type, from: Place, to: Place) -> Vec<Step> {
        if reduce.is_copy(ty) {
            return vec![Step::new(Move::whole(from, to))];
        }
        let kernel = Reduce::new(reduce.kind, ty, &reduce.axes, [from.span, to.span]);
        match kernel.parts() {
            0 => vec![Step::new(kernel)],
            len => kernel.in_parts(self.more(Place { len, ..to }).span).map(Step::new).into(),
        }
    }

    fn product(&mut self, job: jobs::Product) -> Result<Vec<Step>> {
        let (graph, node) = (self.graph(), self.graph().node(job.value));
        let Op::Dot(dot) = &node.op else { unreachable!("`{}` is no product", node.op) };
        let [x, y] = [0, 1].map(|i| graph.ty(node.args[i]));
        let (batch, m, k, n) = dot.sizes(&x.shape, &y.shape).expect("the type rule was asked first");
        let [a, b] = [0, 1].map(|i| self.place(node.args[i]));
        let out = self.place(job.end.map_or(job.value, |end| end.makes));
        let spans = [a, b, out].map(|place| place.span);
        let mut product = Product::new(spans, batch, [m, k, n], [dot.transpose_a, dot.transpose_b]);
        (product.by_rows, product.sums) = (self.by_rows, job.sums.map(|sums| self.place(sums).span));
        if dot.transpose_b
            && y.rank() == 2
            && let Some(b) = self.turned(node.args[1], b)
        {
            product.b = Product::new([spans[0], b.span, spans[2]], batch, [m, k, n], [false, false]).b;
        }
        if self.target.threads > 1 && !self.by_rows && job.sums.is_none() && product.halves() {
            let join = self.halves(&mut product, job.end.map(|end| end.kind), [m, n], out)?;
            return Ok(vec![self.multiply(&product, out.dtype), join]);
        }
        product.end = job.end.map(|end| match end.kind {
            Kind::Bias(bias, relu) => Ending::Bias(self.place(bias).span, relu),
            Kind::Slope(slope) => Ending::Slope(self.place(slope).span),
        });
        Ok(vec![self.multiply(&product, out.dtype)])
    }

    fn multiply(&self, product: &Product, dtype: DType) -> Step {
        Step::Kernel(Task::new(product.kernel(dtype, self.target.level)))
    }

    /// Gives the second halves of sums a place, and the step that adds them to the first and ends the product.
    fn halves(&mut self, product: &mut Product, end: Option<Kind>, [m, n]: [usize; 2], out: Place) -> Result<Step> {
        let fits = |place: &Place| place.bytes() >= out.bytes();
        let second = self.second.filter(fits).unwrap_or_else(|| self.more(out));
        self.second = Some(second);
        product.second = Some(second.span);
        let whole = Walk::whole(out.len);
        let input = |span: Span, walk: Walk| Input::Memory(Strided { span, axes: walk.axes.into() });
        let mut inputs = vec![input(out.span, whole.clone()), input(second.span, whole.clone())];
        inputs.extend(end.map(|kind| match kind {
            Kind::Bias(bias, _) => input(self.place(bias).span, Walk::repeated(m, n)),
            Kind::Slope(slope) => input(self.place(slope).span, whole),
        }));
        let code = ends::program(end, out.dtype);
        Ok(Step::new(Fused::new(&Program {
            inputs: vec![out.dtype; inputs.len()],
            outputs: vec![code.len() as u16 - 1],
            code,
            segments: vec![Segment { len: out.len, inputs, outputs: vec![out.span] }],
        })?))
    }

    /// Where a constant matrix of a loop lies turned, from before the first step on.
    fn turned(&mut self, value: Value, from: Place) -> Option<Place> {
        let (graph, before) = (self.plan.view.graph, self.before.as_mut()?);
        let is_constant = match graph.op(self.plan.view.root(value)) {
            Op::Leaf(Leaf::Input { index, .. }) => *index < before.consts,
            Op::Leaf(_) => true,
            _ => false,
        };
        if !is_constant {
            return None;
        }
        let ty = graph.ty(value);
        if let Some(place) = before.turned.get(&(from.span, ty.shape[0])) {
            return Some(*place);
        }
        let to = Place { span: Span { base: before.first + before.bytes.len() as u32, at: 0 }, ..from };
        let turn = ops::Transpose([1, 0].into());
        let turned = Type::new(ty.dtype, [ty.shape[1], ty.shape[0]]);
        before.steps.extend(turn.moves(&Site::new(&[ty], &turned, &[from], to)).into_iter().map(Step::new));
        before.bytes.push(to.padded());
        before.turned.insert((from.span, ty.shape[0]), to);
        Some(to)
    }

    /// Writes the new variables that are not in place already. What a result shows of an old variable is saved first; so are
    /// outputs that are inputs, which are there for the step alone.
    fn results(&mut self, vars: &HashMap<VarId, Place>) -> Vec<Place> {
        let graph = self.graph();
        let updated: HashSet<_> = graph.updates.iter().map(|&(id, _)| id).collect();
        let kept = |lowering: &mut Self, value: Value| {
            let place = lowering.place(value);
            let root = lowering.plan.view.root(value);
            match graph.op(root) {
                Op::Leaf(Leaf::Var { id, .. }) if updated.contains(id) => lowering.save(root, place),
                _ => place,
            }
        };
        let output = |lowering: &mut Self, value: Value| match graph.op(lowering.plan.view.root(value)) {
            Op::Leaf(Leaf::Input { .. }) => lowering.save(value, lowering.place(value)),
            _ => kept(lowering, value),
        };
        let outputs: Vec<Place> = graph.outputs.iter().map(|&value| output(self, value)).collect();
        let moves = graph.updates.iter().map(|&(id, value)| (value, kept(self, value), vars[&id]));
        let moves: Vec<(Value, Place, Place)> = moves.collect();
        for (value, from, to) in moves {
            if from.span != to.span {
                self.copy(value, from, to);
            }
        }
        outputs
    }

    /// Copies a value to new memory.
    fn save(&mut self, value: Value, from: Place) -> Place {
        let to = self.more(from);
        self.copy(value, from, to);
        to
    }

    /// New memory at the end for as much as that place has.
    fn more(&mut self, place: Place) -> Place {
        let to = Place { span: Span { base: 0, at: self.needs.next_multiple_of(LINE) }, ..place };
        self.needs = to.span.at + to.padded();
        to
    }
}

/// The number of elements of some axes.
fn size(dims: &[usize]) -> usize {
    Shape::from(dims).size()
}

fn gather(table: &Type, args: &[Place], to: Place) -> Gather {
    let width = size(&table.shape[1..]) * to.dtype.size();
    Gather { table: args[0].span, rows: table.shape[0], width, tokens: args[1].into(), to: to.span }
}

fn scatter_add(ty: &Type, table: Option<Span>, [tokens, new]: [Place; 2], to: Place) -> ScatterAdd {
    let (rows, width) = (ty.shape[0], size(&ty.shape[1..]));
    ScatterAdd { dtype: to.dtype, table, rows, width, tokens: tokens.into(), new: new.span, to: to.span }
}
