//! Random graphs: executors are compared where nobody thought of looking.
//!
//! What a graph passes on are small whole numbers and truth values, which every element type holds exactly, so that
//! executors must agree to the last bit in whatever order they add. Functions that are only approximated end in an
//! output, or in a comparison with a number they never come near.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cornu_graph::ops::{Binary, Compare, Op, Reduction, Unary};
use cornu_graph::{
    Array, DType, Executor, Feed, Graph, ProgramId, Reference, Session, Shape, Tensor, Trace, Type, VarId,
};

use crate::golden::Report;

/// How large numbers may grow: with room for sums of them within the 24 bits of a single.
const LARGEST: f64 = 1e5;
/// Variables and inputs hold whole numbers from minus this to this.
const SMALL: f64 = 8.0;
/// No approximated function comes near this number at a whole one.
const THRESHOLD: f64 = 0.366_025_4;

/// Runs the random graphs of `seeds` on every executor and on the reference evaluator, and compares outputs and
/// variables after every step.
///
/// # Panics
/// If they differ: with the smallest graph of that seed that shows it.
pub fn agree_with_reference(executors: &[&dyn Executor], seeds: impl IntoIterator<Item = u64>) {
    let mut report = Report::default();
    for seed in seeds {
        let nodes = 5 + (seed % 56) as usize;
        let outcome = compare(executors, seed, nodes).map_err(|first| {
            let smaller = (1..nodes).find_map(|nodes| compare(executors, seed, nodes).err());
            smaller.unwrap_or(first)
        });
        report.case(&format!("random graph {seed}"), outcome);
    }
    report.finish();
}

/// The graphs of a seed.
pub fn graphs(seed: u64) -> Vec<Graph> {
    Case::new(seed, 5 + (seed % 56) as usize).programs
}

fn compare(executors: &[&dyn Executor], seed: u64, nodes: usize) -> Result<(), String> {
    let case = Case::new(seed, nodes);
    let want = case.run(&Reference)?;
    for (number, executor) in executors.iter().enumerate() {
        let got = catch_unwind(AssertUnwindSafe(|| case.run(*executor))).unwrap_or_else(|_| Err("a panic".into()));
        let name = format!("executor {number} with {nodes} nodes: ");
        let got = got.map_err(|problem| format!("{name}{problem}\n{}", case.show()))?;
        for ((what, got), (_, want)) in got.iter().zip(&want) {
            same(got, want).map_err(|problem| format!("{name}{what}: {problem}\n{}", case.show()))?;
        }
    }
    Ok(())
}

fn same(got: &Array, want: &Array) -> Result<(), String> {
    if got.ty() != want.ty() {
        return Err(format!("needs {}, got {}", want.ty(), got.ty()));
    }
    let close = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 4e-6 * b.abs().max(1.0);
    match (0..want.len()).find(|&i| !close(got.get(i), want.get(i))) {
        Some(i) => Err(format!("element {i} of {} needs {}, got {}", want.ty(), want.get(i), got.get(i))),
        None => Ok(()),
    }
}

/// Variables, two programs that change them, and what the programs are given.
struct Case {
    vars: Vec<(Type, Array)>,
    programs: Vec<Graph>,
    /// For each input of each program, an array to pick rows of, or the input itself.
    inputs: Vec<Vec<Array>>,
    seed: u64,
}

impl Case {
    fn new(seed: u64, nodes: usize) -> Case {
        let mut random = Random(seed);
        let large = random.below(24) == 0;
        let dims: [usize; 4] = if large { [2, 40, 33, 64] } else { std::array::from_fn(|_| random.dim()) };
        let mut types: Vec<Type> = Vec::new();
        for _ in 0..2 + random.below(6) {
            let ty = match types.last() {
                // Weights and their momenta: neighbours of one type.
                Some(last) if random.below(2) == 0 => last.clone(),
                _ => Type::new(random.dtype(), random.subshape(&dims)),
            };
            types.push(ty);
        }
        if random.below(3) == 0 {
            types.push(Type::new(DType::U32, [6]));
        }
        let programs = (0..2).map(|_| Writer::new(&mut random, dims, &types, large).graph(nodes));
        let programs: Vec<Graph> = programs.collect();
        let vars = types.into_iter().map(|ty| (ty.clone(), random.array(&ty))).collect();
        let given = |random: &mut Random, ty: &Type| match ty.shape.first() {
            Some(&rows) if random.below(2) == 0 => random.array(&Type::new(ty.dtype, ty.shape.with(0, rows + 3))),
            _ => random.array(ty),
        };
        let inputs = programs
            .iter()
            .map(|graph| graph.inputs.iter().map(|&input| given(&mut random, graph.ty(input))).collect());
        let inputs = inputs.collect();
        Case { vars, programs, inputs, seed }
    }

    /// Everything that can be seen of some steps: each output and variable after each of them.
    fn run(&self, executor: &dyn Executor) -> Result<Vec<(String, Array)>, String> {
        let mut session = executor.open().map_err(|error| error.to_string())?;
        for (ty, value) in &self.vars {
            let var = session.declare(ty.clone()).map_err(|error| error.to_string())?;
            session.write(var, value).map_err(|error| error.to_string())?;
        }
        let mut seen = Vec::new();
        let mut ids: Vec<ProgramId> = Vec::new();
        for (step, program) in [0, 0, 1, 0, 1, 1].into_iter().enumerate() {
            if ids.len() <= program {
                ids.push(session.compile(&self.programs[program]).map_err(|error| error.to_string())?);
            }
            self.step(&mut *session, ids[program], program, step).map_err(|error| error.to_string())?;
            for output in 0..self.programs[program].outputs.len() {
                let array = session.output(ids[program], output).map_err(|error| error.to_string())?;
                seen.push((format!("step {step}, program {program}, output {output}"), array));
            }
            let vars = (0..self.vars.len()).map(VarId::new);
            seen.extend(vars.map(|var| (format!("step {step}, program {program}, {var}"), session.read(var))));
        }
        Ok(seen)
    }

    fn step(&self, session: &mut dyn Session, id: ProgramId, program: usize, step: usize) -> cornu_graph::Result<()> {
        let graph = &self.programs[program];
        let orders: Vec<Vec<usize>> = graph
            .inputs
            .iter()
            .zip(&self.inputs[program])
            .map(|(&input, given)| {
                let rows = graph.ty(input).shape.first().copied().unwrap_or(0);
                (0..rows).map(|row| (row * 7 + step) % given.shape().first().copied().unwrap_or(1).max(1)).collect()
            })
            .collect();
        let feeds = graph.inputs.iter().zip(&self.inputs[program]).zip(&orders).map(|((&input, given), order)| {
            if given.ty() == *graph.ty(input) { Feed::Whole(given) } else { Feed::Rows(given, order) }
        });
        session.run(id, &feeds.collect::<Vec<_>>())
    }

    fn show(&self) -> String {
        let programs: Vec<String> = self.programs.iter().map(ToString::to_string).collect();
        format!("seed {}\n{}", self.seed, programs.join("\n"))
    }
}

/// Writes one graph, node by node.
struct Writer<'r> {
    random: &'r mut Random,
    trace: Trace,
    dims: [usize; 4],
    /// The most elements of a value.
    room: usize,
    vars: Vec<Tensor>,
    /// Tensors to go on with, and how large their numbers may be.
    pool: Vec<(Tensor, f64)>,
    outputs: Vec<Tensor>,
}

impl<'r> Writer<'r> {
    fn new(random: &'r mut Random, dims: [usize; 4], types: &[Type], large: bool) -> Writer<'r> {
        let trace = Trace::new();
        let vars: Vec<Tensor> = types.iter().enumerate().map(|(i, ty)| trace.var(VarId::new(i), ty.clone())).collect();
        let mut pool: Vec<(Tensor, f64)> = vars.iter().map(|var| (var.clone(), SMALL)).collect();
        for _ in 0..1 + random.below(3) {
            let ty = Type::new(random.dtype(), random.subshape(&dims));
            pool.push((trace.input(ty), SMALL));
        }
        let room = if large { 200_000 } else { 3000 };
        Writer { random, trace, dims, room, vars, pool, outputs: Vec::new() }
    }

    fn graph(mut self, nodes: usize) -> Graph {
        for _ in 0..nodes {
            if let Some((tensor, bound)) = self.node()
                && tensor.shape().size() <= self.room
            {
                self.keep(tensor, bound);
            }
        }
        let updates = self.updates();
        for _ in 0..1 + self.random.below(4) {
            let output = match self.random.below(3) {
                0 if !updates.is_empty() => updates[self.random.below(updates.len())].1.clone(),
                _ => self.any().0,
            };
            self.outputs.push(output);
        }
        let outputs = std::mem::take(&mut self.outputs);
        self.trace.finish(&outputs, &updates).expect("a sound graph")
    }

    /// Takes a tensor into the pool, its numbers held small.
    fn keep(&mut self, tensor: Tensor, bound: f64) {
        let kept = if bound > LARGEST { (tensor.clip(-SMALL, SMALL), SMALL) } else { (tensor, bound) };
        self.pool.push(kept);
    }

    /// A tensor of the pool, more often one of the last.
    fn any(&mut self) -> (Tensor, f64) {
        let len = self.pool.len();
        let near = self.random.below(2) == 0;
        let at = if near { len - 1 - self.random.below(len.min(6)) } else { self.random.below(len) };
        self.pool[at].clone()
    }

    /// A tensor of the pool for which that holds, if one is found.
    fn find(&mut self, holds: impl Fn(&Tensor) -> bool) -> Option<(Tensor, f64)> {
        let start = self.random.below(self.pool.len());
        let found = (0..self.pool.len()).map(|i| (start + i) % self.pool.len()).find(|&i| holds(&self.pool[i].0));
        found.map(|i| self.pool[i].clone())
    }

    /// A tensor of that type: made of one of the pool, by a reshape, a cast or a broadcast, or of constants.
    fn operand(&mut self, ty: &Type) -> (Tensor, f64) {
        for _ in 0..4 {
            let found = match self.random.below(6) {
                0 | 1 => self.find(|x| x.ty() == *ty),
                2 => {
                    let same = self.find(|x| x.dtype() == ty.dtype && x.shape().size() == ty.size());
                    same.map(|(x, bound)| (x.reshape(ty.shape.clone()), bound))
                }
                3 => self.find(|x| x.shape() == ty.shape).map(|(x, bound)| (x.cast(ty.dtype), bound)),
                _ => {
                    let axes = self.random.axes(ty.rank());
                    let small: Shape = axes.iter().map(|&axis| ty.shape[axis]).collect();
                    let found = self.find(|x| x.dtype() == ty.dtype && x.shape() == small);
                    found.map(|(x, bound)| (x.broadcast(ty.shape.clone(), &axes), bound))
                }
            };
            if let Some(found) = found {
                return found;
            }
        }
        let full = self.random.below(2) == 0;
        let constant = if full { ty.clone() } else { Type::scalar(ty.dtype) };
        let constant = self.trace.constant(self.random.array(&constant));
        (if full { constant } else { constant.broadcast(ty.shape.clone(), &[]) }, SMALL)
    }

    /// One more tensor, and how large its numbers may be.
    fn node(&mut self) -> Option<(Tensor, f64)> {
        let (x, bound) = self.any();
        let (ty, boolean) = (x.ty(), x.dtype() == DType::Bool);
        Some(match self.random.below(15) {
            0 => (self.unary(&x), bound),
            1..=3 => self.binary(&x, bound),
            4 => {
                let compare = *self.random.pick(&[Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt]);
                let (y, _) = self.operand(&ty);
                (x.apply_to(compare, &[&y]), 1.0)
            }
            5 => {
                let (y, other) = self.operand(&ty);
                let (condition, _) = self.operand(&ty.with_dtype(DType::Bool));
                (condition.select(&x, &y), bound.max(other))
            }
            6 => (x.cast(self.random.dtype()), bound),
            7 => self.broadcast(&x, bound),
            8 | 9 if !boolean => self.reduce(&x, bound),
            10 => (x.reshape(self.random.reshaped(&ty.shape)), bound),
            11 => match self.random.below(2) {
                0 => (x.transpose(&self.random.order(ty.rank())), bound),
                _ => {
                    let axis = self.random.below(ty.rank().max(1));
                    let fits = ty.shape.get(axis).is_some_and(|&dim| dim > 0);
                    (
                        if !fits {
                            return None;
                        } else if self.random.below(2) == 0 {
                            x.argmax(axis as isize)
                        } else {
                            x.argmin(axis as isize)
                        },
                        LARGEST,
                    )
                }
            },
            12 if !boolean => return self.dot(&x),
            13 if ty.dtype.is_float() => return self.approximate(&x),
            14 => return self.draw(),
            _ => {
                let ty = Type::new(self.random.number(), self.random.subshape(&self.dims.clone()));
                let axis = self.random.below(ty.rank().max(1));
                (if axis < ty.rank() { self.trace.iota(ty, axis) } else { self.operand(&ty).0 }, LARGEST)
            }
        })
    }

    fn unary(&mut self, x: &Tensor) -> Tensor {
        let ops: &[Unary] = match x.dtype() {
            DType::Bool => &[Unary::Not],
            DType::U8 | DType::U32 => &[Unary::StopGradient],
            _ => &[Unary::Neg, Unary::Abs, Unary::Sign, Unary::Relu, Unary::StopGradient],
        };
        x.apply(*self.random.pick(ops))
    }

    fn binary(&mut self, x: &Tensor, bound: f64) -> (Tensor, f64) {
        let (y, other) = self.operand(&x.ty());
        let (x, y) = if self.random.below(2) == 0 { (x.clone(), y) } else { (y, x.clone()) };
        if x.dtype() == DType::Bool {
            return (x.apply_to(*self.random.pick(&[Binary::And, Binary::Or]), &[&y]), 1.0);
        }
        match self.random.below(6) {
            0 | 1 => (x + y, bound + other),
            2 => (x - y, bound + other),
            3 if bound * other <= LARGEST => (x * y, bound * other),
            4 => (x.maximum(&y), bound.max(other)),
            _ => (x.minimum(&y), bound.max(other)),
        }
    }

    fn broadcast(&mut self, x: &Tensor, bound: f64) -> (Tensor, f64) {
        let mut dims: Vec<usize> = x.shape().to_vec();
        let mut new = vec![false; dims.len()];
        for _ in 0..1 + self.random.below(2) {
            let at = self.random.below(dims.len() + 1);
            dims.insert(at, *self.random.pick(&self.dims.clone()));
            new.insert(at, true);
        }
        let fits = dims.len() <= 4 && dims.iter().product::<usize>() <= self.room;
        let axes: Vec<usize> = (0..new.len()).filter(|&axis| !new[axis]).collect();
        (if fits { x.broadcast(dims, &axes) } else { x.clone() }, bound)
    }

    /// A reduction, often stretched to its operand's shape again, as a softmax does.
    fn reduce(&mut self, x: &Tensor, bound: f64) -> (Tensor, f64) {
        let (shape, axes) = (x.shape(), self.random.axes(x.rank()));
        let kind = *self.random.pick(&[Reduction::Sum, Reduction::Sum, Reduction::Max, Reduction::Min]);
        let count: usize = axes.iter().map(|&axis| shape[axis]).product();
        let (x, bound) = if kind == Reduction::Sum && bound * count as f64 > LARGEST {
            (x.clip(-SMALL, SMALL), SMALL * count as f64)
        } else {
            (x.clone(), if kind == Reduction::Sum { bound * count as f64 } else { bound })
        };
        // The largest of nothing is infinite.
        let y = x.reduce(kind, &axes).clip(-LARGEST * 10.0, LARGEST * 10.0);
        let kept: Vec<usize> = (0..shape.rank()).filter(|axis| !axes.contains(axis)).collect();
        let bound = if count == 0 { LARGEST * 10.0 } else { bound };
        (if self.random.below(2) == 0 { y.broadcast(shape, &kept) } else { y }, bound)
    }

    fn dot(&mut self, x: &Tensor) -> Option<(Tensor, f64)> {
        let shape = x.shape();
        let rank = shape.rank().checked_sub(2)?;
        let (flip_a, flip_b) = (self.random.below(2) == 0, self.random.below(2) == 0);
        let (m, k) = if flip_a { (shape[rank + 1], shape[rank]) } else { (shape[rank], shape[rank + 1]) };
        let n = *self.random.pick(&self.dims.clone());
        if shape.size() / m.max(1) * n > self.room {
            return None;
        }
        let (first, second) = if flip_b { (n, k) } else { (k, n) };
        let (y, _) = self.operand(&Type::new(x.dtype(), shape.with(rank, first).with(rank + 1, second)));
        let held = |t: &Tensor| t.clip(-SMALL, SMALL);
        Some((held(x).dot_as(&held(&y), flip_a, flip_b), SMALL * SMALL * k as f64))
    }

    /// A function that executors compute with an error of their own.
    fn approximate(&mut self, x: &Tensor) -> Option<(Tensor, f64)> {
        let (other, _) = self.operand(&x.ty());
        let (x, other) = (x.clip(-60.0, 60.0), other.clip(-SMALL, SMALL));
        let curves = [Unary::Exp, Unary::Log, Unary::Log1p, Unary::Sqrt, Unary::Tanh, Unary::Logistic];
        let y = match self.random.below(8) {
            0 => &x / (other.abs() + 1.0),
            1 => x.clip(-SMALL, SMALL).abs().pow(&other),
            i => x.apply(curves[i - 2]),
        };
        if self.random.below(2) == 0 {
            self.outputs.push(y.clone());
        }
        Some((y.gt(THRESHOLD).select(&x, &other), 60.0))
    }

    /// Random numbers, where there is a stream to draw them from.
    fn draw(&mut self) -> Option<(Tensor, f64)> {
        let (stream, _) = self.find(|x| x.ty() == Type::new(DType::U32, [6]))?;
        self.outputs.push(stream.random_advance(5));
        let shape = self.random.subshape(&self.dims.clone());
        Some((stream.random_uniform(shape).gt(THRESHOLD), 1.0))
    }

    /// New values for some variables: of their old ones, of each other's, of anything that fits.
    fn updates(&mut self) -> Vec<(VarId, Tensor)> {
        let mut updates = Vec::new();
        let alike = self.random.below(3) == 0;
        for i in 0..self.vars.len() {
            let (var, ty) = (self.vars[i].clone(), self.vars[i].ty());
            let number = ty.dtype != DType::Bool;
            let next = self.vars[(i + 1) % self.vars.len()].clone();
            let new = match self.random.below(7) {
                _ if alike && number && next.ty() == ty => {
                    // What optimizers do: the same to every variable.
                    let (slope, _) = self.operand(&ty);
                    let from = if self.random.below(3) == 0 { &next } else { &var };
                    from * 2 - slope
                }
                0 => continue,
                1 => self.vars.iter().rev().find(|other| other.ty() == ty).expect("it fits itself").clone(),
                2 if next.ty() == ty => next,
                3 if number => var + self.operand(&ty).0,
                _ => self.operand(&ty).0,
            };
            let plain = matches!(new.op(), Op::Leaf(_));
            updates.push((VarId::new(i), if number && !plain { new.clip(-SMALL, SMALL) } else { new }));
        }
        updates
    }
}

/// A generator of pseudo-random numbers (SplitMix64): the same graphs everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn dim(&mut self) -> usize {
        if self.below(40) == 0 { 0 } else { *self.pick(&[1, 2, 3, 4, 5, 7, 8, 16, 17, 33]) }
    }

    /// Mostly singles.
    fn dtype(&mut self) -> DType {
        if self.below(8) == 0 { DType::Bool } else { self.number() }
    }

    fn number(&mut self) -> DType {
        let others = [DType::F64, DType::I64, DType::I32, DType::U8, DType::U32];
        if self.below(3) > 0 { DType::F32 } else { *self.pick(&others) }
    }

    /// Some of the axes, ascending.
    fn axes(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|_| self.below(2) == 0).collect()
    }

    /// Some of the dimensions, in their order.
    fn subshape(&mut self, dims: &[usize]) -> Shape {
        self.axes(dims.len()).into_iter().map(|axis| dims[axis]).collect()
    }

    fn order(&mut self, rank: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rank).collect();
        (1..rank).for_each(|i| order.swap(i, self.below(i + 1)));
        order
    }

    /// The same number of elements: two axes joined, an axis of one put in, or flat.
    fn reshaped(&mut self, shape: &Shape) -> Shape {
        let mut dims = shape.to_vec();
        match self.below(3) {
            0 if dims.len() > 1 => {
                let at = self.below(dims.len() - 1);
                let joined = dims.remove(at + 1);
                dims[at] *= joined;
            }
            1 if dims.len() < 4 => dims.insert(self.below(dims.len() + 1), 1),
            _ => dims = vec![shape.size()],
        }
        dims.into()
    }

    fn array(&mut self, ty: &Type) -> Array {
        Array::from_fn(ty, |_| match ty.dtype {
            DType::Bool => self.below(2) as f64,
            DType::U8 | DType::U32 => self.below(1 + SMALL as usize) as f64,
            _ => self.below(1 + 2 * SMALL as usize) as f64 - SMALL,
        })
    }
}
