//! From jobs to steps: each op finds its kernel, each value its offset.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cornu_graph::ops::{self, Leaf, Op};
use cornu_graph::{Body, DType, Error, Graph, Result, Shape, Type, Value};

use crate::arena::{Place, padded, storage};
use crate::control::{Control, Frame};
use crate::fuse::Draft;
use crate::kernels::dot::Dot;
use crate::kernels::fused::{Fused, Input, Output, Program};
use crate::kernels::reduce::Reduce;
use crate::kernels::simd::Level;
use crate::moves::{Copies, Site};
use crate::plain::Plain;
use crate::plan::{Job, Plan};
use crate::walk::Walk;
use crate::step::Step;

/// The steps of a graph, and the values each leaves in memory.
type Steps = (Vec<Step>, Vec<Vec<Value>>);

/// A graph as steps over an arena.
pub(crate) struct Lowered {
    pub(crate) steps: Vec<Step>,
    /// For each step, the values it leaves in memory.
    pub(crate) makes: Vec<Vec<Value>>,
    pub(crate) inputs: Vec<(Place, Type)>,
    pub(crate) outputs: Vec<(Place, Type)>,
    /// How long the row of each storage type must be.
    pub(crate) needs: HashMap<DType, usize>,
}

/// Turns a plan into steps, given where variables and constants lie and where scratch memory starts.
pub(crate) fn lower(plan: &Plan, level: Level, vars: &[Place], base: &dyn Fn(DType) -> usize) -> Result<Lowered> {
    let (places, needs) = plan.places(vars, base);
    for (dtype, &need) in &needs {
        let bytes = need.saturating_mul(dtype.size());
        isize::try_from(bytes).map_err(|_| Error::memory("a step", bytes))?;
    }
    let (steps, graph) = (Steps::default(), plan.view.graph);
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
        needs: lowering.needs,
    })
}

struct Lowering<'p, 'g> {
    plan: &'p Plan<'g>,
    level: Level,
    places: HashMap<Value, Place>,
    needs: HashMap<DType, usize>,
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
        let base = self.needs.clone();
        for plan in &self.plan.bodies {
            let lowered = lower(plan, self.level, &[], &|dtype| base.get(&dtype).copied().unwrap_or(0))?;
            for (dtype, need) in lowered.needs {
                let most = self.needs.entry(dtype).or_default();
                *most = need.max(*most);
            }
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
        let step = match job {
            Job::Checks => {
                for check in &self.graph().checks.clone() {
                    let places = check.values().map(|value| self.place(value)).collect();
                    self.add(Step::Check(check.clone(), places), vec![check.holds]);
                }
                return Ok(());
            }
            Job::Fused(drafts) => Step::Fused(self.fused(drafts)?),
            Job::Single(value) => self.single(*value)?,
        };
        self.add(step, job.writes(&self.plan.view));
        Ok(())
    }

    fn add(&mut self, step: Step, makes: Vec<Value>) {
        self.steps.0.push(step);
        self.steps.1.push(makes);
    }

    /// The drafts do the same over spans that lie in a row, so the first one's places serve for all.
    fn fused(&self, drafts: &[Draft]) -> Result<Fused> {
        let first = &drafts[0];
        let (rows, cols) = match drafts {
            [only] => only.space(),
            _ => (1, drafts.iter().map(|draft| padded(DType::F32, draft.size)).sum()),
        };
        let input = |(value, walk): &(Value, Option<Walk>)| {
            let at = self.place(*value).at;
            match walk {
                None => Input::Full(at),
                Some(walk) if walk.is_scalar() => Input::Scalar(at),
                Some(walk) if walk.axes[0].step == 0 => Input::Row(at),
                Some(_) => Input::Column(at),
            }
        };
        let program = Program {
            rows,
            cols,
            inputs: first.inputs.iter().map(input).collect(),
            code: first.code.clone(),
            outputs: first.outputs.iter().map(|&(from, value)| Output { from, at: self.place(value).at }).collect(),
        };
        Fused::new(&program, self.needs[&DType::F32])
    }

    fn single(&self, value: Value) -> Result<Step> {
        let node = self.graph().node(value);
        let args: Vec<Place> = node.args.iter().map(|&arg| self.place(arg)).collect();
        let types = self.graph().types(&node.args);
        let (ty, out) = (self.graph().ty(value), self.place(value));
        let site = || Site::new(&types, ty, &args, out);
        let copies = |op: &dyn Copies| Step::Plain(Plain::Moves(op.moves(&site()), out));
        Ok(match &node.op {
            Op::Dot(dot) => self.dot(*dot, &types, &args, out),
            Op::Reduce(reduce) => reduction(reduce, types[0], args[0], out)?,
            Op::Arg(arg) => {
                let shape = &types[0].shape;
                let sizes = [size(&shape[..arg.axis]), shape[arg.axis], size(&shape[arg.axis + 1..])];
                Step::Plain(Plain::Arg(*arg, sizes, args[0], out))
            }
            Op::Broadcast(op) => copies(op),
            Op::Transpose(op) => copies(op),
            Op::Slice(op) => copies(op),
            Op::Pad(op) => copies(op),
            Op::Concatenate(op) => copies(op),
            Op::Reverse(op) => copies(op),
            Op::Gather(_) => Step::Plain(Plain::Gather([args[0], args[1]], out)),
            Op::ScatterAdd(_) => Step::Plain(Plain::ScatterAdd([args[0], args[1], args[2]], out)),
            Op::Random(random) => Step::Random(random.clone(), args[0], out),
            op @ (Op::Scan(_) | Op::If(_) | Op::Call(_) | Op::While(_)) => {
                let frame = |body: &Body| Arc::clone(&self.frames[self.plan.number(body)]);
                let results = node.results().map(|value| self.place(value)).collect();
                let frames = op.bodies().iter().map(frame).collect();
                Step::Control(Control { op: op.clone(), frames, args, results })
            }
            op @ (Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_)) => {
                Step::Plain(Plain::each(op, &args, out))
            }
            Op::Leaf(_) | Op::Iota(_) | Op::Reshape(_) => {
                return Err(Error::graph(format!("`{}` needs no work, but was scheduled", node.op)));
            }
        })
    }

    fn dot(&self, dot: ops::Dot, types: &[&Type], args: &[Place], out: Place) -> Step {
        let sizes = dot.sizes(&types[0].shape, &types[1].shape).expect("the type rule was asked first");
        let (a, b, (batch, m, k, n)) = (args[0], args[1], sizes);
        if out.dtype != DType::F32 {
            return Step::Plain(Plain::Dot(dot, sizes, [a, b], out));
        }
        Step::Dot { dot: Dot::new(self.level, m, k, n, dot.transpose_a, dot.transpose_b), batch, a, b, out }
    }

    /// Writes the new variables that are not in place already. What a result shows of an old variable is saved first.
    fn results(&mut self, vars: &[Place]) -> Vec<Place> {
        let graph = self.plan.view.graph;
        let updated: HashSet<_> = graph.updates.iter().map(|&(id, _)| id).collect();
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
        let moves = graph.updates.iter().map(|&(id, value)| (value, kept(self, value), vars[id.index()]));
        let moves: Vec<(Value, Place, Place)> = moves.collect();
        for (value, from, to) in moves {
            if from.at != to.at || storage(from.dtype) != storage(to.dtype) {
                self.add(Step::Copy(from, to), vec![value]);
            }
        }
        outputs
    }

    /// Copies a span to new memory at the end of its row.
    fn save(&mut self, value: Value, from: Place) -> Place {
        let end = self.needs.entry(storage(from.dtype)).or_default();
        let to = Place { at: (*end).next_multiple_of(64), ..from };
        *end = to.at + padded(from.dtype, from.len);
        self.add(Step::Copy(from, to), vec![value]);
        to
    }
}

/// The number of elements of some axes.
fn size(dims: &[usize]) -> usize {
    Shape::from(dims).size()
}

fn reduction(reduce: &ops::Reduce, ty: &Type, from: Place, to: Place) -> Result<Step> {
    if reduce.is_copy(ty) {
        return Ok(Step::Copy(from, to));
    }
    let neighbours = reduce.axes.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    if from.dtype == DType::F32 && neighbours {
        let first = reduce.axes.first().copied().unwrap_or(0);
        let (before, rest) = ty.shape.split_at(first);
        let (along, after) = rest.split_at(reduce.axes.len());
        let (outer, reduced, inner) = (size(before), size(along), size(after));
        return Ok(Step::Reduce(Reduce { kind: reduce.kind, outer, reduced, inner }, from, to));
    }
    Ok(Step::Plain(Plain::reduce(reduce, ty, from, to)?))
}
