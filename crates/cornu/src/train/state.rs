//! Where an optimizer stands between two steps, as values: what a file keeps of it beside its settings.

use cornu_graph::{Array, Result, Session, Type};

use super::step::{State, Training};
use crate::optimizers::Optimizer;
use crate::variables::Variables;

/// Where an optimizer stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OptimizerState {
    /// How many steps were taken.
    pub(crate) iterations: i64,
    /// The learning rate of the next step.
    pub(crate) learning_rate: f32,
    /// The types of the weights it trains, in their order.
    pub(crate) weights: Vec<Type>,
    /// What it remembers: `[role][weight]`.
    pub(crate) slots: Vec<Vec<Array>>,
}

impl OptimizerState {
    /// Before the first step.
    pub(crate) fn start(optimizer: &dyn Optimizer, weights: Vec<Type>) -> OptimizerState {
        let zeros = |_: &&str| weights.iter().map(Array::zeros).collect();
        OptimizerState {
            iterations: 0,
            learning_rate: optimizer.base().learning_rate as f32,
            slots: optimizer.slots().iter().map(zeros).collect(),
            weights,
        }
    }
}

impl State {
    /// Goes on from there.
    pub(super) fn resume(&self, session: &mut dyn Session, from: &OptimizerState) -> Result<()> {
        session.write(self.iterations, &Array::scalar(from.iterations))?;
        session.write(self.learning_rate, &Array::scalar(from.learning_rate))?;
        let slots = self.slots.iter().flatten().zip(from.slots.iter().flatten());
        slots.into_iter().try_for_each(|(id, value)| session.write(*id, value))
    }

    fn read(&self, session: &dyn Session, weights: Vec<Type>) -> OptimizerState {
        OptimizerState {
            iterations: session.read(self.iterations).to_vec().first().copied().unwrap_or(0),
            learning_rate: session.read(self.learning_rate).get(0) as f32,
            slots: self.slots.iter().map(|slots| slots.iter().map(|&id| session.read(id)).collect()).collect(),
            weights,
        }
    }
}

impl Training {
    /// Where the optimizer of a compiled model stands. It is at the start before the first step, and after layers were
    /// added or taken away.
    pub(crate) fn optimizer_state(&self, variables: &Variables) -> Option<OptimizerState> {
        let optimizer = &*self.compiled.as_ref()?.optimizer;
        let weights: Vec<Type> = variables.trainable().map(|variable| variable.ty.clone()).collect();
        let state = self.state.as_ref().filter(|_| self.opening == variables.openings());
        if let Some((state, session)) = state.zip(variables.live()) {
            return Some(state.read(session, weights));
        }
        let resumed = self.resumed.as_ref().filter(|resumed| resumed.weights == weights);
        Some(resumed.cloned().unwrap_or_else(|| OptimizerState::start(optimizer, weights)))
    }

    /// Goes on from there at the next step.
    pub(crate) fn resume(&mut self, from: OptimizerState) {
        self.resumed = Some(from);
    }
}
