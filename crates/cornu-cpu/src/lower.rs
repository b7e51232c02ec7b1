//! From jobs to steps: each op finds its kernel, each value its offset.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cornu_graph::ops::{self, Leaf, Op};
use cornu_graph::{Body, DType, Error, Graph, Node, Result, Shape, Type, Value, VarId};

use crate::bodies::{self, Use};
use crate::control::{Control, Frame};
use crate::copies::{Copies, Site};
use crate::ends;
use crate::fuse::{Draft, Read};
use crate::jobs::{self, Job};
use crate::kernels::arg::Arg;
use crate::kernels::conv::Makes;
use crate::kernels::dot::{Ending, Product, beside};
use crate::kernels::fused::{Fused, Input, Program, Segment};
use crate::kernels::memory::LINE;
use crate::kernels::moves::Move;
use crate::kernels::operand::{Axis, Kernel, Place, Span, Strided};
use crate::kernels::order::{ByTokens, Order};
use crate::kernels::parallel::Task;
use crate::kernels::picked::Picked;
use crate::kernels::pool::Pool;
use crate::kernels::random::Draw;
use crate::kernels::rows::{Gather, ScatterAdd};
use crate::kernels::simd::Level;
use crate::plan::Plan;
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
    pub(crate) plan: &'p Plan<'g>,
    pub(crate) target: Target,
    /// Whether each step is cut into rows.
    pub(crate) by_rows: bool,
    /// What is made once before a loop.
    pub(crate) before: Option<Before>,
    /// Memory for what a step leaves to the next alone: second halves of sums, kernels that are turned.
    between: Option<Place>,
    pub(crate) places: Vec<Option<Place>>,
    pub(crate) needs: usize,
    pub(crate) steps: Steps,
    /// The numbers that constants have here, by those in the program; nothing where they are the same.
    numbers: Option<HashMap<u32, u32>>,
    /// Bodies by their plans, and by how they are run.
    frames: HashMap<(usize, Use), Arc<Frame>>,
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
        Ok(Lowering {
            plan,
            target,
            by_rows: false,
            before: None,
            between: None,
            places,
            needs,
            steps,
            numbers,
            frames,
        })
    }

    pub(crate) fn graph(&self) -> &'g Graph {
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

    fn frame(&mut self, body: &Body, how: Use) -> Result<Arc<Frame>> {
        let key = (self.plan.number(body), how);
        if let Some(frame) = self.frames.get(&key) {
            return Ok(Arc::clone(frame));
        }
        let frame = Arc::new(bodies::frame(&self.plan.bodies[key.0], self.target, &key.1, self)?);
        self.frames.insert(key, Arc::clone(&frame));
        Ok(frame)
    }

    pub(crate) fn jobs(&mut self) -> Result<()> {
        let mut jobs = &self.plan.jobs[..];
        while let Some(job) = jobs.first() {
            let together = self.bands(jobs)?;
            if together == 0 {
                self.job(job)?;
            }
            jobs = &jobs[together.max(1)..];
        }
        Ok(())
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
                    let makes = drafts.iter().flat_map(|draft| &draft.outputs).map(|&(_, (value, _))| value).collect();
                    self.add(Step::new(self.fused(drafts)?), makes);
                }
                return Ok(());
            }
            Job::Rows(program) => self.over_rows(program)?,
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

    pub(crate) fn add(&mut self, step: Step, makes: Vec<Value>) {
        self.steps.0.push(step);
        self.steps.1.push(makes);
    }

    /// Drafts that do the same are segments of one program.
    pub(crate) fn fused(&self, drafts: &[Draft]) -> Result<Fused> {
        let first = &drafts[0];
        let lies = |draft: &Draft, (value, walk): &Read| {
            let Walk { start, axes } = walk.clone().unwrap_or_else(|| Walk::whole(draft.size));
            let Place { dtype, span, .. } = self.place(*value);
            Strided { span: Span { at: span.at + start * dtype.size(), ..span }, axes: axes.into() }
        };
        let view = &self.plan.view;
        let input = |draft: &Draft, read: &Read| match &read.1 {
            Some(Walk { start, axes }) if view.is_counted(read.0) => Input::Count(*start as i64, axes.clone().into()),
            _ if view.by_tokens.contains(&read.0) => Input::ByTokens(self.by_tokens(read.0)),
            _ => Input::Memory(lies(draft, read)),
        };
        let segment = |draft: &Draft| Segment {
            len: draft.size,
            inputs: draft.inputs.iter().map(|read| input(draft, read)).collect(),
            outputs: draft.outputs.iter().map(|(_, to)| lies(draft, to)).collect(),
        };
        Fused::new(&Program {
            inputs: first.inputs.iter().map(|(value, _)| self.graph().ty(*value).dtype).collect(),
            code: first.code.clone(),
            outputs: first.outputs.iter().map(|&(register, _)| register).collect(),
            segments: drafts.iter().map(segment).collect(),
        })
    }

    fn by_tokens(&self, value: Value) -> ByTokens {
        let node = self.graph().node(value);
        let [tokens, new] = [1, 2].map(|i| node.args[i]);
        let (count, len) = (self.graph().ty(tokens).size(), self.graph().ty(value).size());
        ByTokens {
            order: self.place(value).span,
            count,
            new: self.place(new).span,
            width: len / self.graph().ty(value).shape[0],
            axes: [Axis { size: len, step: 1 }],
        }
    }

    fn single(&mut self, value: Value) -> Result<Vec<Step>> {
        let (graph, node) = (self.graph(), self.graph().node(value));
        let args: Vec<Place> = node.args.iter().map(|&arg| self.place(arg)).collect();
        let types = graph.types(&node.args);
        let (ty, out) = (graph.ty(value), self.place(value));
        let site = Site::new(&types, ty, &args, out);
        let copies = |op: &dyn Copies| op.moves(&site).into_iter().map(Step::new).collect();
        let step = match &node.op {
            Op::Reduce(reduce) => return Ok(self.reduction(value, reduce.is_copy(types[0]), args[0], out)),
            Op::Arg(arg) => Step::new(Arg::new(*arg, types[0], args[0].span, out.span)),
            Op::Broadcast(op) => return Ok(copies(op)),
            Op::Transpose(op) => match self.plan.view.picked(value) {
                Some(of) => Step::new(self.picked(of, out)),
                None => return Ok(copies(op)),
            },
            Op::Slice(op) => return Ok(copies(op)),
            Op::Pad(op) => return Ok(copies(op)),
            Op::Concatenate(op) => return Ok(copies(op)),
            Op::Reverse(op) => return Ok(copies(op)),
            Op::Gather(_) => Step::new(gather(types[0], &args, out)),
            Op::ScatterAdd(_) if self.plan.view.by_tokens.contains(&value) => {
                Step::new(Order { rows: ty.shape[0], tokens: args[1].into(), to: out.span })
            }
            Op::ScatterAdd(_) => Step::new(self.scatter_add(value, ty, &args, out)),
            op @ (Op::MaxPool(_) | Op::SumPool(_) | Op::Unpool(_)) => {
                let taps = node.results().nth(1).map(|taps| self.place(taps)).or(args.get(1).copied());
                Step::new(Pool::new(op, [types[0], ty], [args[0], out], taps))
            }
            Op::Random(random) => Step::new(Draw { random: random.clone(), from: args[0], to: out }),
            op @ (Op::Scan(_) | Op::If(_) | Op::Call(_) | Op::While(_)) => self.control(op, node, args)?,
            Op::ConvWeights(op) => return Ok(self.conv_weights(op, [types[0], types[1], ty], &args, out)),
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_) => {
                return Err(alone(&node.op, "is part of a program"));
            }
            Op::Dot(_) | Op::Conv(_) | Op::ConvInput(_) => return Err(alone(&node.op, "is a product")),
            Op::Leaf(_) | Op::Iota(_) | Op::Reshape(_) => return Err(alone(&node.op, "needs no work")),
        };
        Ok(vec![step])
    }

    fn control(&mut self, op: &Op, node: &Node, args: Vec<Place>) -> Result<Step> {
        let scan = if let Op::Scan(scan) = op { Some([scan.consts, scan.carries]) } else { None };
        let results = node.results().map(|value| self.place(value)).collect();
        let over = self.plan.over.pairs(&self.plan.view, node);
        let frames = op.bodies().iter().map(|body| self.frame(body, (scan, over.clone()))).collect::<Result<_>>()?;
        Ok(Step::Control(Control { op: op.clone(), frames, args, results }))
    }

    fn scatter_add(&self, value: Value, ty: &Type, args: &[Place], to: Place) -> ScatterAdd {
        let table = (!self.plan.view.begins_with_zeros(value)).then_some(args[0].span);
        let (rows, width) = (ty.shape[0], size(&ty.shape[1..]));
        ScatterAdd { dtype: to.dtype, table, rows, width, tokens: args[1].into(), new: args[2].span, to: to.span }
    }

    /// Rows of a table that each model picks.
    fn picked(&self, of: [Value; 2], to: Place) -> Picked {
        let ([table, numbers], [rows, tokens]) = (of.map(|v| self.place(v).span), of.map(|v| self.graph().ty(v)));
        let (models, before) = tokens.shape.split_last().expect("an axis of models");
        let (width, count) = (size(&rows.shape[1..]), size(before));
        Picked { table, rows: rows.shape[0], width, models: *models, numbers, count, to: to.span }
    }

    fn product(&mut self, job: jobs::Product) -> Result<Vec<Step>> {
        let (graph, node) = (self.graph(), self.graph().node(job.value));
        let dot = match &node.op {
            Op::Dot(dot) => dot,
            Op::Conv(op) => return Ok(self.conv(Makes::Output, &op.window, op.groups, job)),
            Op::ConvInput(op) => return Ok(self.conv(Makes::Input, &op.window, op.groups, job)),
            other => unreachable!("`{other}` is no product"),
        };
        let [x, y] = [0, 1].map(|i| graph.ty(node.args[i]));
        let (batch, m, k, n) = dot.sizes(&x.shape, &y.shape).expect("the type rule was asked first");
        let (spans, out) = self.factors(job);
        if let Some(kernel) = self.beside(job) {
            return Ok(vec![Step::Kernel(Task::new(kernel))]);
        }
        let mut product = self.matrices(dot, job);
        product.by_rows = self.by_rows;
        if dot.transpose_b
            && y.rank() == 2
            && let Some(b) = self.turned(node.args[1], self.place(node.args[1]))
        {
            product.b = Product::new([spans[0], b.span, spans[2]], batch, [m, k, n], [false, false]).b;
        }
        if self.target.threads > 1 && !self.by_rows && job.sums.is_none() && product.halves() {
            let join = self.halves(&mut product, job.end.map(|end| end.kind), [m, n], out)?;
            return Ok(vec![self.multiply(&product, out.dtype), join]);
        }
        product.end = self.ending(job);
        Ok(vec![self.multiply(&product, out.dtype)])
    }

    /// Where a product finds its operands and puts what it makes.
    fn factors(&self, job: jobs::Product) -> ([Span; 3], Place) {
        let node = self.graph().node(job.value);
        let out = self.place(job.end.map_or(job.value, |end| end.makes));
        let [a, b] = [0, 1].map(|i| self.place(node.args[i]).span);
        ([a, b, out.span], out)
    }

    /// A product of matrices, and the sums of the columns of the second.
    pub(crate) fn matrices(&self, dot: &ops::Dot, job: jobs::Product) -> Product {
        let (graph, node) = (self.graph(), self.graph().node(job.value));
        let [x, y] = [0, 1].map(|i| &graph.ty(node.args[i]).shape);
        let (batch, m, k, n) = dot.sizes(x, y).expect("the type rule was asked first");
        let product = Product::new(self.factors(job).0, batch, [m, k, n], [dot.transpose_a, dot.transpose_b]);
        Product { sums: job.sums.map(|sums| self.place(sums).span), ..product }
    }

    /// The kernel of products side by side, if it is some.
    pub(crate) fn beside(&self, job: jobs::Product) -> Option<Box<dyn Kernel>> {
        let (graph, node) = (self.graph(), self.graph().node(job.value));
        let Op::Dot(dot) = &node.op else { return None };
        let [x, y] = [0, 1].map(|i| &graph.ty(node.args[i]).shape);
        let sizes = dot.sizes(x, y).filter(|_| dot.side_by_side && x.rank() > 2)?;
        let (spans, out) = self.factors(job);
        let along = (job.sums.map(|sums| self.place(sums).span), self.ending(job));
        let on = (out.dtype, self.target.level);
        Some(beside::kernel(on, spans, sizes, [dot.transpose_a, dot.transpose_b], along))
    }

    pub(crate) fn ending(&self, job: jobs::Product) -> Option<Ending<Span>> {
        job.end.map(|end| end.kind.map(|value| self.place(value).span))
    }

    fn multiply(&self, product: &Product, dtype: DType) -> Step {
        Step::Kernel(Task::new(product.kernel(dtype, self.target.level)))
    }

    /// Gives the second halves of sums a place, and the step that adds them to the first and ends the product.
    fn halves(
        &mut self,
        product: &mut Product,
        end: Option<Ending<Value>>,
        [m, n]: [usize; 2],
        out: Place,
    ) -> Result<Step> {
        let second = self.between(out);
        product.second = Some(second.span);
        let whole = Walk::whole(out.len);
        let input = |span: Span, walk: Walk| Input::Memory(Strided { span, axes: walk.axes.into() });
        let mut inputs = vec![input(out.span, whole.clone()), input(second.span, whole.clone())];
        inputs.extend(end.map(|end| match end {
            Ending::Bias(bias, _) => input(self.place(bias).span, Walk::repeated(m, n)),
            Ending::Slope(slope) => input(self.place(slope).span, whole),
        }));
        let code = ends::program(end, out.dtype);
        Ok(Step::new(Fused::new(&Program {
            inputs: vec![out.dtype; inputs.len()],
            outputs: vec![code.len() as u16 - 1],
            code,
            segments: vec![Segment { len: out.len, inputs, outputs: vec![Strided::whole(out.span, out.len)] }],
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

    /// Memory for as much as that place has, until the step after the next.
    pub(crate) fn between(&mut self, place: Place) -> Place {
        let fits = self.between.filter(|between| between.bytes() >= place.bytes());
        let to = fits.map_or_else(|| self.more(place), |between| Place { span: between.span, ..place });
        self.between = Some(fits.unwrap_or(to));
        to
    }

    /// New memory at the end for as much as that place has.
    pub(crate) fn more(&mut self, place: Place) -> Place {
        let to = Place { span: Span { base: 0, at: self.needs.next_multiple_of(LINE) }, ..place };
        self.needs = to.span.at + to.padded();
        to
    }
}

fn alone(op: &Op, what: &str) -> Error {
    Error::graph(format!("`{op}` {what}, but was scheduled alone"))
}

/// The number of elements of some axes.
fn size(dims: &[usize]) -> usize {
    Shape::from(dims).size()
}

fn gather(table: &Type, args: &[Place], to: Place) -> Gather {
    let width = size(&table.shape[1..]) * to.dtype.size();
    Gather { table: args[0].span, rows: table.shape[0], width, tokens: args[1].into(), to: to.span }
}
