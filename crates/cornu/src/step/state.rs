//! What an optimizer remembers, to be saved and brought back.

use cornu_graph::{Array, Error, Result, VarId};

use super::keras2_streams::Keras2Streams;
use super::stage::{Live, Stage, Training};
use crate::variables::{Named, Variables, locked};

/// What an optimizer remembers between two steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// How many steps were taken.
    pub iterations: i64,
    /// The learning rate of the next step.
    pub learning_rate: f64,
    /// The slots: role (`momentum`), path of the weight (`sequential/dense/kernel`), value; all of one role in the order
    /// of the weights, then the next role.
    pub slots: Vec<(String, String, Array)>,
}

impl Live {
    /// What the optimizer remembers; nothing before the first step.
    pub(crate) fn optimizer_state(&self, training: &Training) -> Option<OptimizerState> {
        let state = self.state.as_ref()?;
        let names = slot_names(training, &state.weights).ok()?;
        let own = [vec![state.iterations, state.learning_rate], state.slots.concat()].concat();
        let values = self.opened.as_ref()?.store.session().read(&own).ok()?;
        let mut values = values.into_iter();
        let (iterations, learning_rate) = (values.next()?.to_vec().first().copied()?, values.next()?.get(0));
        let slots = names.into_iter().zip(values).map(|((role, path), value)| (role, path, value)).collect();
        Some(OptimizerState { iterations, learning_rate, slots })
    }

    /// What it is to remember, if it has no variables yet.
    pub(crate) fn awaited_state(&self, training: &Training, variables: &Variables) -> Option<OptimizerState> {
        self.restored.as_ref().filter(|state| self.check(training, variables, state).is_ok()).cloned()
    }

    /// Whether the slots of `state` are those of the optimizer and the weights.
    fn check(&self, training: &Training, variables: &Variables, state: &OptimizerState) -> Result<()> {
        let learning: Vec<Named> = variables.trainable().cloned().collect();
        let names = slot_names(training, self.state.as_ref().map_or(&learning, |state| &state.weights))?;
        if names.len() != state.slots.len() {
            let (needed, got) = (names.len(), state.slots.len());
            return Err(Error::data(format!("the optimizer's state needs {needed} slots, got {got}")));
        }
        for ((role, path), (got_role, got_path, value)) in names.iter().zip(&state.slots) {
            let needed = variables.get(path).map(|variable| &variable.ty);
            if (role, path) != (got_role, got_path) || needed != Some(&value.ty()) {
                let got = format!("`{got_role}` of `{got_path}`, {}", value.ty());
                return Err(Error::data(format!("the optimizer's state needs `{role}` of `{path}`, got {got}")));
            }
        }
        Ok(())
    }
}

/// Role and path of the weight of each slot.
fn slot_names(training: &Training, weights: &[Named]) -> Result<Vec<(String, String)>> {
    let roles = training.compiled("the optimizer's state")?.optimizer.roles();
    let of_role = |role: &'static str| weights.iter().map(move |weight| (role.to_owned(), weight.path.clone()));
    Ok(roles.into_iter().flat_map(of_role).collect())
}

impl Stage<'_> {
    /// Sets what the optimizer remembers.
    pub(crate) fn set_optimizer_state(&mut self, state: OptimizerState) -> Result<()> {
        self.open()?;
        self.live.check(self.training, self.variables, &state)?;
        self.live.restored = Some(state);
        locked(&self.training.streams).iter_mut().for_each(Keras2Streams::restored);
        self.restore()
    }

    /// Brings back what was to be restored, if the variables are there; not if layers came or went in the meantime.
    pub(super) fn restore(&mut self) -> Result<()> {
        let Some(own) = &self.live.state else { return Ok(()) };
        let (iterations, learning_rate, slots) = (own.iterations, own.learning_rate, own.slots.concat());
        let Some(state) = self.live.restored.take() else { return Ok(()) };
        if self.live.check(self.training, self.variables, &state).is_err() {
            return Ok(());
        }
        let (steps, rate) = (Array::scalar(state.iterations), Array::scalar(state.learning_rate as f32));
        let slots = slots.into_iter().zip(state.slots.iter().map(|(.., value)| value));
        let all: Vec<(VarId, &Array)> =
            [(iterations, &steps), (learning_rate, &rate)].into_iter().chain(slots).collect();
        self.session()?.write(&all)
    }
}
