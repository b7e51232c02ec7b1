//! Writes random graphs, node by node.

use cornu_graph::ops::{Arg, Binary, Compare, Op, Reduction, Reverse, Unary};
use cornu_graph::{DType, Graph, Shape, Tensor, Trace, Type, VarId};

use super::random::{Kind, Random};
use super::{LARGEST, SMALL, THRESHOLD};

/// Writes one graph, node by node.
pub(super) struct Writer<'r> {
    random: &'r mut Random,
    kind: Kind,
    trace: Trace,
    dims: [usize; 4],
    /// The most elements of a value.
    room: usize,
    vars: Vec<Tensor>,
    /// Tensors to go on with, and how large their numbers may be where that is kept small.
    pool: Vec<(Tensor, f64)>,
    outputs: Vec<Tensor>,
}

impl<'r> Writer<'r> {
    pub(super) fn new(random: &'r mut Random, kind: Kind, dims: [usize; 4], types: &[Type], large: bool) -> Self {
        let trace = Trace::new();
        let vars: Vec<Tensor> = types.iter().enumerate().map(|(i, ty)| trace.var(VarId::new(i), ty.clone())).collect();
        let mut pool: Vec<(Tensor, f64)> = vars.iter().map(|var| (var.clone(), SMALL)).collect();
        for _ in 0..1 + random.below(3) {
            let ty = Type::new(random.dtype(), random.subshape(&dims));
            pool.push((trace.input(ty), SMALL));
        }
        let room = if large { 200_000 } else { 3000 };
        Writer { random, kind, trace, dims, room, vars, pool, outputs: Vec::new() }
    }

    pub(super) fn graph(mut self, nodes: usize) -> Graph {
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

    /// How large numbers may grow.
    fn limit(&self) -> f64 {
        if self.kind == Kind::Small { LARGEST } else { f64::INFINITY }
    }

    /// A tensor with its numbers held between minus that and that, where they are kept small.
    fn held(&self, x: &Tensor, most: f64) -> Tensor {
        if self.kind == Kind::Small { x.clip(-most, most) } else { x.clone() }
    }

    /// A tensor as another element type; small numbers stay small.
    fn cast(&self, x: &Tensor, dtype: DType) -> Tensor {
        let wraps = x.dtype().is_signed() && !dtype.is_signed() && dtype.is_whole() && self.kind == Kind::Small;
        if wraps { x.relu().cast(dtype) } else { x.cast(dtype) }
    }

    /// A constant; where anything goes, at times one that a pass can compute.
    fn constant(&mut self, ty: &Type) -> Tensor {
        let mut next = || self.trace.constant(self.random.array(ty, self.kind));
        let constant = next();
        let computed = self.kind == Kind::Any && ty.dtype != DType::Bool;
        if !computed {
            return constant;
        }
        let other = next();
        match self.random.below(4) {
            0 => constant + other,
            1 => constant.maximum(&other) - other,
            2 => constant.gt(&other).select(other, constant),
            _ => constant,
        }
    }

    /// Takes a tensor into the pool, its numbers held small.
    fn keep(&mut self, tensor: Tensor, bound: f64) {
        let kept = if bound > self.limit() { (self.held(&tensor, SMALL), SMALL) } else { (tensor, bound) };
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
        let known = self.kind == Kind::Any && self.random.below(3) == 0;
        for _ in 0..if known { 0 } else { 4 } {
            let found = match self.random.below(6) {
                0 | 1 => self.find(|x| x.ty() == *ty),
                2 => {
                    let same = self.find(|x| x.dtype() == ty.dtype && x.shape().size() == ty.size());
                    same.map(|(x, bound)| (x.reshape(ty.shape.clone()), bound))
                }
                3 => self.find(|x| x.shape() == ty.shape).map(|(x, bound)| (self.cast(&x, ty.dtype), bound)),
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
        let constant = self.constant(&constant);
        (if full { constant } else { constant.broadcast(ty.shape.clone(), &[]) }, SMALL)
    }

    /// One more tensor, and how large its numbers may be.
    fn node(&mut self) -> Option<(Tensor, f64)> {
        let (x, bound) = self.any();
        let (ty, boolean) = (x.ty(), x.dtype() == DType::Bool);
        Some(match self.random.below(18) {
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
            6 => {
                let dtype = self.random.dtype();
                (self.cast(&x, dtype), bound)
            }
            7 => self.broadcast(&x, bound),
            8 | 9 if !boolean => self.reduce(&x, bound),
            10 => (x.reshape(self.random.reshaped(&ty.shape)), bound),
            11 => match self.random.below(2) {
                0 => (x.transpose(&self.random.order(ty.rank())), bound),
                _ => return self.arg(&x),
            },
            12 if !boolean => return self.dot(&x),
            13 if ty.dtype.is_float() => return self.approximate(&x),
            14 => return self.draw(),
            15 | 16 => return self.moved(&x, bound),
            17 => return self.rows(&x, bound),
            _ => return self.iota(),
        })
    }

    /// The elements of a tensor elsewhere.
    fn moved(&mut self, x: &Tensor, bound: f64) -> Option<(Tensor, f64)> {
        let (shape, rank) = (x.shape(), x.rank());
        let mut some = |most: &dyn Fn(usize) -> usize| -> Vec<usize> {
            (0..rank).map(|axis| self.random.below(most(axis) + 1)).collect()
        };
        Some(match some(&|_| 3).iter().sum::<usize>() % 4 {
            0 => {
                let starts = some(&|axis| shape[axis]);
                let limits: Vec<usize> = (0..rank).map(|i| starts[i] + (shape[i] - starts[i]).div_ceil(2)).collect();
                let strides: Vec<usize> = some(&|_| 2).iter().map(|n| n + 1).collect();
                (x.slice(&starts, &limits, &strides), bound)
            }
            1 => {
                let (low, high, between) = (some(&|_| 2), some(&|_| 1), some(&|_| 1));
                let (value, other) = self.operand(&Type::scalar(x.dtype()));
                (x.pad(&low, &high, &between, &value), bound.max(other))
            }
            2 => (x.apply(Reverse { axes: self.random.axes(rank).into() }), bound),
            _ => {
                let axis = self.random.below(rank);
                let (y, other) = self.operand(&x.ty());
                (x.concatenate(&[&y, x], axis as isize), bound.max(other))
            }
        })
    }

    /// Rows of a tensor by number, and sums into them.
    fn rows(&mut self, x: &Tensor, bound: f64) -> Option<(Tensor, f64)> {
        let (rows, _) = self.find(|rows| rows.dtype().is_whole() && rows.rank() < 3)?;
        let dims: Shape = rows.shape().iter().chain(x.shape().get(1..)?).copied().collect();
        if dims.rank() > 4 || dims.size() > self.room {
            return None;
        }
        if x.dtype() == DType::Bool || self.random.below(2) == 0 {
            return Some((x.gather(&rows), bound));
        }
        let (new, other) = self.operand(&Type::new(x.dtype(), dims));
        Some((x.scatter_add(&rows, &new), bound + other * rows.shape().size() as f64))
    }

    fn arg(&mut self, x: &Tensor) -> Option<(Tensor, f64)> {
        let axis = self.random.below(x.rank().max(1));
        let fits = x.shape().get(axis).is_some_and(|&dim| dim > 0);
        let largest = || self.random.below(2) == 0;
        fits.then(largest).map(|largest| (x.apply(Arg { largest, axis }), LARGEST))
    }

    fn iota(&mut self) -> Option<(Tensor, f64)> {
        let ty = Type::new(self.random.number(), self.random.subshape(&self.dims.clone()));
        let axis = self.random.below(ty.rank().max(1));
        match (axis < ty.rank(), self.kind) {
            (true, _) => Some((self.trace.iota(ty, axis), LARGEST)),
            (false, Kind::Small) => Some((self.operand(&ty).0, LARGEST)),
            // What is approximated must not be of constants alone: a pass would compute it otherwise.
            (false, Kind::Any) => None,
        }
    }

    fn unary(&mut self, x: &Tensor) -> Tensor {
        let ops: &[Unary] = match x.dtype() {
            DType::Bool => &[Unary::Not],
            unsigned if !unsigned.is_signed() => &[Unary::StopGradient],
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
            2 if self.kind == Kind::Small && !x.dtype().is_signed() => (x.maximum(&y) - y, bound + other),
            2 => (x - y, bound + other),
            3 if bound * other <= self.limit() => (x * y, bound * other),
            4 if self.kind == Kind::Any => (x.apply_to(Binary::Div, &[&y]), bound),
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
        let (x, bound) = if kind == Reduction::Sum && bound * count as f64 > self.limit() {
            (self.held(x, SMALL), SMALL * count as f64)
        } else {
            (x.clone(), if kind == Reduction::Sum { bound * count as f64 } else { bound })
        };
        // The largest of nothing is infinite.
        let y = self.held(&x.reduce(kind, &axes), LARGEST * 10.0);
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
        let (x, y) = (self.held(x, SMALL), self.held(&y, SMALL));
        Some((x.dot_as(&y, flip_a, flip_b), SMALL * SMALL * k as f64))
    }

    /// A function that executors compute with an error of their own.
    fn approximate(&mut self, x: &Tensor) -> Option<(Tensor, f64)> {
        let (other, _) = self.operand(&x.ty());
        let (x, other) = (self.held(x, 60.0), self.held(&other, SMALL));
        let curves = [Unary::Exp, Unary::Log, Unary::Log1p, Unary::Sqrt, Unary::Tanh, Unary::Erf, Unary::Logistic];
        let y = match self.random.below(9) {
            0 => &x / (other.abs() + 1.0),
            1 => self.held(&x, SMALL).abs().pow(&other),
            i => x.apply(curves[i - 2]),
        };
        if self.random.below(2) == 0 {
            self.outputs.push(y.clone());
        }
        if self.kind == Kind::Any {
            return Some((y, 60.0));
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
            updates.push((VarId::new(i), if number && !plain { self.held(&new, SMALL) } else { new }));
        }
        updates
    }
}
