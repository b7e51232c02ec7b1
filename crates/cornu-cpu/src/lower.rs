//! From jobs to steps: each op finds its kernel, each value its offset.

use std::collections::HashMap;
use std::sync::Arc;

use cornu_graph::ops::{self, Leaf, Op};
use cornu_graph::{Body, DType, Error, Graph, Result, Shape, Type, Value, VarId};

use crate::control::{Control, Frame};
use crate::copies::{Copies, Site};
use crate::fuse::Draft;
use crate::kernels::arg::Arg;
use crate::kernels::dot::Dot;
use crate::kernels::fused::{Fused, Input, Output, Program, Segment};
use crate::kernels::memory::{LINE, stored};
use crate::kernels::moves::Move;
use crate::kernels::operand::{Place, Span};
use crate::kernels::plain::Plain;
use crate::kernels::random::Draw;
use crate::kernels::reduce::Reduce;
use crate::kernels::rows::{Gather, ScatterAdd};
use crate::kernels::simd::Level;
use crate::plan::{Job, Plan};
use crate::schedule::{Access, splat};
use crate::step::Step;

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

/// Where a graph finds what it does not compute.
#[derive(Clone, Copy)]
pub(crate) enum Given<'a> {
    /// A program: its inputs are the buffers from 1 on; variables have these places.
    Program(&'a HashMap<VarId, Place>),
    /// A body: its inputs lie in scratch memory, all of which starts at that byte.
    Body(usize),
}

/// Turns a plan into steps.
pub(crate) fn lower(plan: &Plan, level: Level, given: Given) -> Result<Lowered> {
    let none = HashMap::new();
    let (vars, base) = match given {
        Given::Program(vars) => (vars, 0),
        Given::Body(base) => (&none, base),
    };
    let (mut places, needs) = plan.places(vars, base);
    isize::try_from(needs).map_err(|_| Error::memory("a step", needs))?;
    let (steps, graph) = (Steps::default(), plan.view.graph);
    let rooms = graph.inputs.iter().map(|input| places[input].span.at).collect();
    if let Given::Program(_) = given {
        for (base, input) in (1..).zip(&graph.inputs) {
            places.entry(*input).and_modify(|place| place.span = Span { base, at: 0 });
        }
    }
    let mut lowering = Lowering { plan, level, places, needs, steps, frames: Vec::new() };
    let outputs = lowering.results(vars);
    let ends = std::mem::take(&mut lowering.steps);
    lowering.frames()?;
    plan.jobs.iter().try_for_each(|job| lowering.job(job))?;
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

struct Lowering<'p, 'g> {
    plan: &'p Plan<'g>,
    level: Level,
    places: HashMap<Value, Place>,
    needs: usize,
    steps: Steps,
    /// The bodies, in the order of the plan's.
    frames: Vec<Arc<Frame>>,
}

impl Lowering<'_, '_> {
    fn graph(&self) -> &Graph {
        self.plan.view.graph
    }

    fn place(&self, value: Value) -> Place {
        let dtype = self.graph().ty(value).dtype;
        Place { dtype, ..self.places[&self.plan.view.root(value)] }
    }

    /// Makes steps of all bodies. They lie behind all else, one over the other, since no two of them run at a time.
    fn frames(&mut self) -> Result<()> {
        let base = self.needs;
        for plan in &self.plan.bodies {
            let lowered = lower(plan, self.level, Given::Body(base))?;
            self.needs = self.needs.max(lowered.needs);
            let places = |typed: Vec<(Place, Type)>| typed.into_iter().map(|(place, _)| place).collect();
            self.frames.push(Arc::new(Frame {
                graph: plan.view.graph.clone(),
                steps: lowered.steps,
                makes: lowered.makes,
                inputs: places(lowered.inputs),
                outputs: places(lowered.outputs),
            }));
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
            Job::Fused(drafts) => vec![Step::new(self.fused(drafts)?)],
            Job::Single(value) => self.single(*value)?,
        };
        steps.into_iter().for_each(|step| self.add(step, job.writes(&self.plan.view)));
        Ok(())
    }

    fn add(&mut self, step: Step, makes: Vec<Value>) {
        self.steps.0.push(step);
        self.steps.1.push(makes);
    }

    /// Drafts that do the same are segments of one program.
    fn fused(&self, drafts: &[Draft]) -> Result<Fused> {
        let first = &drafts[0];
        let numbers = self.plan.firsts(first);
        let (reads, writes) = numbers.split_at(first.inputs.len());
        let input = |(&k, &(_, access)): (&usize, &(Value, Access))| match access {
            Access::Full => Input::Full(k),
            Access::Scalar => Input::Scalar(k),
            Access::Row(_) => Input::Row(k),
            Access::Column(_) => Input::Column(k),
        };
        let segment = |draft: &Draft| {
            let (rows, cols) = draft.space();
            Segment { rows, cols, spans: draft.values().map(|value| self.place(value).span).collect() }
        };
        Fused::new(&Program {
            inputs: reads.iter().zip(&first.inputs).map(input).collect(),
            code: first.code.clone(),
            outputs: writes.iter().zip(&first.outputs).map(|(&at, &(from, _))| Output { from, at }).collect(),
            segments: drafts.iter().map(segment).collect(),
        })
    }

    fn single(&mut self, value: Value) -> Result<Vec<Step>> {
        let plan = self.plan;
        let (graph, node) = (plan.view.graph, plan.view.graph.node(value));
        let args: Vec<Place> = node.args.iter().map(|&arg| self.place(arg)).collect();
        let types = graph.types(&node.args);
        let (ty, out) = (graph.ty(value), self.place(value));
        let copies = |op: &dyn Copies| {
            op.moves(&Site::new(&types, ty, &args, out)).into_iter().map(Step::new).collect::<Vec<_>>()
        };
        let step = match &node.op {
            Op::Dot(dot) => self.dot(*dot, &types, &args, out),
            Op::Reduce(reduce) => return Ok(self.reduction(reduce, types[0], args[0], out)),
            Op::Arg(arg) => Step::new(Arg::new(*arg, types[0], args[0].span, out.span)),
            Op::Broadcast(op) => return Ok(copies(op)),
            Op::Transpose(op) => return Ok(copies(op)),
            Op::Slice(op) => return Ok(copies(op)),
            Op::Pad(op) => return Ok(copies(op)),
            Op::Concatenate(op) => return Ok(copies(op)),
            Op::Reverse(op) => return Ok(copies(op)),
            Op::Gather(_) => Step::new(gather(types[0], &args, out)),
            Op::ScatterAdd(_) => Step::new(self.scatter_add(ty, &node.args, &args, out)),
            Op::Random(random) => Step::new(Draw { random: random.clone(), from: args[0], to: out }),
            op @ (Op::Scan(_) | Op::If(_) | Op::Call(_) | Op::While(_)) => {
                let frame = |body: &Body| Arc::clone(&self.frames[self.plan.number(body)]);
                let results = node.results().map(|value| self.place(value)).collect();
                let frames = op.bodies().iter().map(frame).collect();
                Step::Control(Control { op: op.clone(), frames, args, results })
            }
            op @ (Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_)) => {
                Step::new(Plain::each(op, &args, out))
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

    fn scatter_add(&self, ty: &Type, values: &[Value], args: &[Place], to: Place) -> ScatterAdd {
        let (rows, width) = (ty.shape[0], size(&ty.shape[1..]));
        let is_zero = splat(self.graph(), values[0]).is_some_and(|number| number.to_bits() == 0);
        let table = (!is_zero).then_some(args[0].span);
        ScatterAdd { dtype: to.dtype, table, rows, width, tokens: args[1].into(), new: args[2].span, to: to.span }
    }

    fn dot(&self, dot: ops::Dot, types: &[&Type], args: &[Place], out: Place) -> Step {
        let sizes = dot.sizes(&types[0].shape, &types[1].shape).expect("the type rule was asked first");
        let (a, b, (batch, m, k, n)) = (args[0], args[1], sizes);
        if out.dtype != DType::F32 {
            return Step::new(Plain::Dot(dot, sizes, [a, b], out));
        }
        let dot = Dot::new(self.level, m, k, n, dot.transpose_a, dot.transpose_b);
        Step::Dot { dot, batch, places: [a, b, out] }
    }

    /// Writes the new variables that are not in place already. What a result shows of an old variable is saved first.
    fn results(&mut self, vars: &HashMap<VarId, Place>) -> Vec<Place> {
        let graph = self.plan.view.graph;
        let updated: Vec<_> = graph.updates.iter().map(|&(id, _)| id).collect();
        let kept = |lowering: &mut Self, value: Value| {
            let place = lowering.place(value);
            let root = lowering.plan.view.root(value);
            match graph.op(root) {
                Op::Leaf(Leaf::Var { id, .. }) if updated.contains(id) => lowering.save(root, place),
                _ if lowering.plan.is_overwritten(root) => lowering.save(root, place),
                _ => place,
            }
        };
        let outputs: Vec<Place> = graph.outputs.iter().map(|&value| kept(self, value)).collect();
        let moves = graph.updates.iter().map(|&(id, value)| (value, kept(self, value), vars[&id]));
        let moves: Vec<(Value, Place, Place)> = moves.collect();
        for (value, from, to) in moves {
            if from.span != to.span {
                self.add(Step::new(Move::whole(from, to)), vec![value]);
            }
        }
        outputs
    }

    /// Copies a value to new memory.
    fn save(&mut self, value: Value, from: Place) -> Place {
        let to = self.more(from);
        self.add(Step::new(Move::whole(from, to)), vec![value]);
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
    let width = size(&table.shape[1..]) * stored(to.dtype).size();
    Gather { table: args[0].span, rows: table.shape[0], width, tokens: args[1].into(), to: to.span }
}
