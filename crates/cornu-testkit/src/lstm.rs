//! A recurrent layer written with ordinary ops, as a loop and unrolled: what planning is measured on.

use cornu_graph::{Array, Executor, Graph, Session, Tensor, Trace, Type, VarId, gradients};

/// An LSTM of a product for each gate, its mean squared output, and a step of gradient descent.
pub struct Lstm {
    /// How often it steps.
    pub steps: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// Features of the input, and units.
    pub width: usize,
}

impl Lstm {
    /// The sizes that planning is measured on.
    pub fn of_length(steps: usize) -> Lstm {
        Lstm { steps, batch: 16, width: 32 }
    }

    /// Weights of the input for all gates, of the state for each gate, biases of each.
    pub fn vars(&self) -> Vec<Type> {
        let n = self.width;
        let states = [n, n, n, n].map(|n| Type::f32([n, n]));
        let biases = [n, n, n, n].map(|n| Type::f32([n]));
        [vec![Type::f32([n, 4 * n])], states.into(), biases.into()].concat()
    }

    /// The input, which steps lead.
    pub fn input(&self) -> Type {
        Type::f32([self.steps, self.batch, self.width])
    }

    /// A session with its variables, all zero.
    pub fn session(&self, executor: &dyn Executor) -> Box<dyn Session> {
        let mut session = executor.open().expect("a machine");
        self.vars().into_iter().for_each(|ty| _ = session.declare(ty).expect("memory"));
        session
    }

    /// Each step by itself.
    pub fn unrolled(&self) -> Graph {
        self.train(|vars, z, start| {
            let rows = (0..self.steps).map(|t| z.slice_axis(0, t..t + 1).reshape([self.batch, 4 * self.width]));
            rows.fold(start, |state, z| self.cell(vars, &state, &z))[0].clone()
        })
    }

    /// The steps as a loop.
    pub fn looped(&self) -> Graph {
        self.train(|vars, z, start| {
            let step = |_: &Trace, state: &[Tensor], z: &[Tensor]| {
                (self.cell(vars, &[state[0].clone(), state[1].clone()], &z[0]).into(), Vec::new())
            };
            start[0].trace().scan(self.steps, false, &start, std::slice::from_ref(z), step).0[0].clone()
        })
    }

    /// A step of training; `last` is given the variables, the input's part of all gates and the first state.
    fn train(&self, last: impl Fn(&[Tensor], &Tensor, [Tensor; 2]) -> Tensor) -> Graph {
        let trace = Trace::new();
        let types = self.vars().into_iter().enumerate();
        let vars: Vec<Tensor> = types.map(|(i, ty)| trace.var(VarId::new(i), ty)).collect();
        let x = trace.input(self.input()).reshape([self.steps * self.batch, self.width]);
        let z = x.dot(&vars[0]).reshape([self.steps, self.batch, 4 * self.width]);
        let start = [0, 1].map(|_| trace.constant(Array::zeros(&Type::f32([self.batch, self.width]))));
        let loss = last(&vars, &z, start).square().mean([0, 1]);
        let slopes = gradients(&loss, &vars);
        let updates = vars.iter().zip(&slopes).enumerate();
        let updates: Vec<(VarId, Tensor)> = updates.map(|(i, (w, g))| (VarId::new(i), w - g * 0.1)).collect();
        trace.finish(&[loss], &updates).expect("a sound graph")
    }

    /// The next output and the next cell.
    fn cell(&self, vars: &[Tensor], [h, c]: &[Tensor; 2], z: &Tensor) -> [Tensor; 2] {
        let gate = |i: usize| {
            let part = z.slice_axis(1, i * self.width..(i + 1) * self.width);
            part + h.dot(&vars[1 + i]) + &vars[5 + i]
        };
        let c = gate(0).sigmoid() * c + gate(1).sigmoid() * gate(2).tanh();
        [gate(3).sigmoid() * c.tanh(), c]
    }
}
