//! A recurrent layer written with ordinary ops, as a loop and unrolled: what planning is measured on.

use std::sync::Arc;

use cornu_graph::{Array, Executor, Graph, Session, Tensor, Trace, Type, VarId, gradients};

/// An LSTM of a product for each gate, over inputs that are multiplied already, its mean squared output, and a step of
/// gradient descent.
pub struct Lstm {
    /// How often it steps.
    pub steps: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// Units.
    pub width: usize,
}

impl Lstm {
    /// The sizes that planning is measured on.
    pub fn of_length(steps: usize) -> Lstm {
        Lstm { steps, batch: 16, width: 32 }
    }

    /// For each gate the weights of the state, then for each the biases.
    pub fn vars(&self) -> Vec<Type> {
        let n = self.width;
        [[n, n, n, n].map(|n| Type::f32([n, n])), [n, n, n, n].map(|n| Type::f32([n]))].concat()
    }

    /// The input, for all gates; steps lead.
    pub fn input(&self) -> Type {
        Type::f32([self.steps, self.batch, 4 * self.width])
    }

    /// A session with its variables, all zero.
    pub fn session(&self, executor: &dyn Executor) -> Arc<dyn Session> {
        let session = executor.open().expect("a machine");
        self.vars().into_iter().for_each(|ty| _ = session.declare(ty.into()).expect("memory"));
        session
    }

    /// Each step by itself.
    pub fn unrolled(&self) -> Graph {
        self.train(|vars, xs, start| {
            let rows = (0..self.steps).map(|t| xs.slice_axis(0, t..t + 1).reshape([self.batch, 4 * self.width]));
            rows.fold(start, |state, x| self.cell(vars, &state, &x))[0].clone()
        })
    }

    /// The steps as a loop.
    pub fn looped(&self) -> Graph {
        self.train(|vars, xs, start| {
            let step = |_: &Trace, state: &[Tensor], x: &[Tensor]| {
                (self.cell(vars, &[state[0].clone(), state[1].clone()], &x[0]).into(), Vec::new())
            };
            start[0].trace().scan(self.steps, false, &start, std::slice::from_ref(xs), step).0[0].clone()
        })
    }

    /// A step of training; `last` is given the variables, the input and the first state, and gives the last output.
    fn train(&self, last: impl Fn(&[Tensor], &Tensor, [Tensor; 2]) -> Tensor) -> Graph {
        let trace = Trace::new();
        let types = self.vars().into_iter().enumerate();
        let vars: Vec<Tensor> = types.map(|(i, ty)| trace.var(VarId::new(i), ty)).collect();
        let xs = trace.input(self.input());
        let start = [0, 1].map(|_| trace.constant(Array::zeros(&Type::f32([self.batch, self.width]))));
        let loss = last(&vars, &xs, start).square().mean([0, 1]);
        let slopes = gradients(&loss, &vars);
        let updates = vars.iter().zip(&slopes).enumerate();
        let updates: Vec<(VarId, Tensor)> = updates.map(|(i, (w, g))| (VarId::new(i), w - g * 0.1)).collect();
        trace.finish(&[loss], &updates).expect("a sound graph")
    }

    /// The next output and the next cell.
    fn cell(&self, vars: &[Tensor], [h, c]: &[Tensor; 2], x: &Tensor) -> [Tensor; 2] {
        let gate = |i: usize| {
            let part = x.slice_axis(1, i * self.width..(i + 1) * self.width);
            part + h.dot(&vars[i]) + &vars[4 + i]
        };
        let c = gate(0).sigmoid() * c + gate(1).sigmoid() * gate(2).tanh();
        [gate(3).sigmoid() * c.tanh(), c]
    }
}
