//! Whole training steps as graphs: what executors are compared on, and what plans and benchmarks are made of.

use std::sync::Arc;

use cornu_graph::{Array, DType, Executor, Graph, Session, Tensor, Trace, Type, VarId, gradients};

/// A multi-layer perceptron with its loss, Adam and a running loss, as Keras would train it.
pub struct Mlp {
    /// The sizes of the layers, the input's first.
    pub sizes: Vec<usize>,
    /// Rows of a batch.
    pub batch: usize,
}

impl Mlp {
    /// The tutorial's first model.
    pub fn pima() -> Mlp {
        Mlp { sizes: vec![8, 12, 8, 1], batch: 10 }
    }

    /// The tutorial's second model.
    pub fn mnist() -> Mlp {
        Mlp { sizes: vec![784, 128, 10], batch: 32 }
    }

    /// The shapes of kernels and biases.
    fn weights(&self) -> Vec<Type> {
        self.sizes.windows(2).flat_map(|pair| [Type::f32([pair[0], pair[1]]), Type::f32([pair[1]])]).collect()
    }

    /// The variables: weights, first moments, second moments, then the number of steps, the sum of losses and the count.
    pub fn vars(&self) -> Vec<Type> {
        let weights = self.weights();
        let state = [Type::scalar(DType::I64), Type::f32([]), Type::f32([])];
        [weights.clone(), weights.clone(), weights, state.into()].concat()
    }

    /// The training step: inputs x and y (a column of 0 and 1, or class numbers), output the loss.
    pub fn step(&self) -> Graph {
        let trace = Trace::new();
        let vars: Vec<Tensor> =
            self.vars().into_iter().enumerate().map(|(i, ty)| trace.var(VarId::new(i), ty)).collect();
        let count = self.weights().len();
        let x = trace.input(Type::f32([self.batch, self.sizes[0]]));
        let binary = self.sizes[self.sizes.len() - 1] == 1;
        let y = trace.input(if binary { Type::f32([self.batch, 1]) } else { Type::new(DType::I64, [self.batch]) });
        let loss = self.loss(&vars[..count], &x, &y);
        let slopes = gradients(&loss, &vars[..count]);
        let mut updates = adam(&vars, &slopes);
        let rows = self.batch as f64;
        updates.push((VarId::new(3 * count + 1), &vars[3 * count + 1] + &loss * rows));
        updates.push((VarId::new(3 * count + 2), &vars[3 * count + 2] + rows));
        trace.finish(&[loss], &updates).expect("a sound graph")
    }

    fn loss(&self, weights: &[Tensor], x: &Tensor, y: &Tensor) -> Tensor {
        let layers = weights.chunks_exact(2);
        let last = layers.len() - 1;
        let z = layers.enumerate().fold(x.clone(), |x, (i, layer)| {
            let z = x.dot(&layer[0]) + &layer[1];
            if i < last { z.relu() } else { z }
        });
        let losses = if y.dtype().is_float() {
            let product = &z * y;
            let soft = z.ge(0.0).select(-&z, &z).exp().log1p();
            z.ge(0.0).select(&z, 0.0) - product + soft
        } else {
            let z = &z - z.reduce(cornu_graph::ops::Reduction::Max, &[1]).reshape([self.batch, 1]).stop_gradient();
            let hit = y.one_hot(z.dim(-1)).select(&z, 0.0).sum([1]);
            z.exp().sum([1]).log() - hit
        };
        losses.sum_all() / self.batch as f64
    }

    /// A session with weights that are small and irregular.
    pub fn session(&self, executor: &dyn Executor) -> Arc<dyn Session> {
        let session = executor.open().expect("a machine");
        let weights = self.weights().len();
        for (i, ty) in self.vars().into_iter().enumerate() {
            let var = session.declare(ty.clone().into()).expect("memory");
            if i < weights {
                let limit = (6.0 / ty.shape.iter().sum::<usize>() as f64).sqrt();
                let value = Array::from_fn(&ty, |j| {
                    limit * ((i * 7919 + j + 1) as f64 * 0.754_877_666).fract().mul_add(2.0, -1.0)
                });
                session.write(&[(var, &value)]).expect("the type it was declared with");
            }
        }
        session
    }

    /// That many rows of inputs and labels.
    pub fn data(&self, rows: usize) -> (Array, Array) {
        let x = Array::from_fn(&Type::f32([rows, self.sizes[0]]), |i| {
            ((i + 1) as f64 * 0.618_033_988_7).fract() * 2.0 - 1.0
        });
        let classes = self.sizes[self.sizes.len() - 1];
        let class = |i: usize| (i * i + i / 3) % classes.max(2);
        let y = if classes == 1 { Type::f32([rows, 1]) } else { Type::new(DType::I64, [rows]) };
        (x, Array::from_fn(&y, |i| class(i) as f64))
    }

    /// The variables after `steps` steps on batches of neighbouring rows.
    pub fn train(&self, executor: &dyn Executor, steps: usize) -> Vec<Array> {
        let session = self.session(executor);
        let mut run = session.compile(&self.step()).and_then(|program| program.room()).expect("a sound graph");
        let (x, y) = self.data(self.batch * 4);
        let [x, y] = [x, y].map(|array| session.upload(array).expect("memory"));
        let order: Vec<u32> = (0..self.batch * steps).map(|i| (i % (self.batch * 4)) as u32).collect();
        run.steps(&[&x, &y], &order, self.batch).expect("steps");
        session.read(&(0..self.vars().len()).map(VarId::new).collect::<Vec<_>>()).expect("variables")
    }
}

/// Adam as Keras computes it.
fn adam(vars: &[Tensor], slopes: &[Tensor]) -> Vec<(VarId, Tensor)> {
    let count = slopes.len();
    let steps = &vars[3 * count] + 1;
    let t = steps.cast(DType::F32);
    let power = |beta: f64| t.number(beta).pow(&t);
    let alpha = 0.001 * (1.0 - power(0.999)).sqrt() / (1.0 - power(0.9));
    let mut updates = vec![(VarId::new(3 * count), steps)];
    for (i, g) in slopes.iter().enumerate() {
        let (w, m, v) = (&vars[i], &vars[count + i], &vars[2 * count + i]);
        let m2 = m + (g - m) * (1.0 - 0.9);
        let v2 = v + (g * g - v) * (1.0 - 0.999);
        let new = w - &m2 * &alpha / (v2.sqrt() + 1e-7);
        updates.extend([(VarId::new(i), new), (VarId::new(count + i), m2), (VarId::new(2 * count + i), v2)]);
    }
    updates
}
