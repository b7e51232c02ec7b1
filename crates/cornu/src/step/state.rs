//! What an optimizer remembers, to be saved and brought back.

use cornu_graph::{Array, Error, Result, Type, VarId};

use super::keras2_streams::Keras2Streams;
use super::stage::{Live, Stage, Training};
use super::variables::State;
use crate::optimizers::{AVERAGE, LearningRate, Optimizer};
use crate::variables::{Named, Variables, locked};

/// What an optimizer remembers between two steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// How many steps were taken.
    pub iterations: i64,
    /// The learning rate of the next step.
    pub learning_rate: f64,
    /// The slots: role (`momentum`), path of the weight (`sequential/dense/kernel`), value; all of one role in the order
    /// of the weights, then the next role. After them what goes with no weight, whose path is empty.
    pub slots: Vec<(String, String, Array)>,
}

/// The slots of an optimizer of those weights: role, path and type.
fn slots(optimizer: &dyn Optimizer, weights: &[Named]) -> Vec<(String, String, Type)> {
    let slot = |role: &str, weight: &Named| (role.to_owned(), weight.path.clone(), weight.ty.clone());
    let of_weights =
        optimizer.roles().into_iter().flat_map(|role| weights.iter().map(move |weight| slot(role, weight)));
    let scalars = optimizer.scalars().into_iter();
    let scalars = scalars.map(|scalar| (scalar.name.to_owned(), String::new(), scalar.scalar()));
    of_weights.chain(scalars).collect()
}

/// The learning rate after so many steps, of which none has changed it.
fn rate(optimizer: &dyn Optimizer, iterations: i64) -> f64 {
    match optimizer.common().learning_rate {
        LearningRate::Fixed(rate) => f64::from(rate as f32),
        LearningRate::Schedule(schedule) => schedule.value(iterations),
    }
}

impl OptimizerState {
    /// The state before the first step.
    ///
    /// # Errors
    /// Those of reading weights.
    pub(crate) fn start(optimizer: &dyn Optimizer, variables: &Variables) -> Result<OptimizerState> {
        let weights: Vec<Named> = variables.trainable().cloned().collect();
        let of_weights = optimizer.kept().into_iter().flat_map(|slot| weights.iter().map(move |weight| (slot, weight)));
        let of_weights = of_weights.map(|(slot, weight)| slot.start(&weight.ty, || weight.value()));
        let zero = || Ok(Array::scalar(0.0f32));
        let scalars = optimizer.scalars().into_iter().map(|slot| slot.start(&slot.scalar(), zero));
        let values = of_weights.chain(scalars).collect::<Result<Vec<Array>>>()?;
        let slots = slots(optimizer, &weights).into_iter().zip(values);
        let slots = slots.map(|((role, path, _), value)| (role, path, value)).collect();
        Ok(OptimizerState { iterations: 0, learning_rate: rate(optimizer, 0), slots })
    }
}

impl State {
    /// The variables of the slots, in the order of [`OptimizerState::slots`].
    fn kept(&self) -> impl Iterator<Item = VarId> {
        self.remembered.slots.iter().flatten().chain(&self.remembered.scalars).copied()
    }
}

impl Live {
    /// What the optimizer remembers; nothing before the first step.
    pub(crate) fn optimizer_state(&self, training: &Training) -> Option<OptimizerState> {
        let (state, optimizer) = (self.state.as_ref()?, &*training.compiled("the state").ok()?.optimizer);
        let session = self.opened.as_ref()?.store.session();
        let iterations = session.value(state.remembered.iterations).ok()?.to_vec().first().copied()?;
        let learning_rate = match state.remembered.learning_rate {
            Some(id) => session.value(id).ok()?.get(0),
            None => rate(optimizer, iterations),
        };
        let values = session.read(&state.kept().collect::<Vec<_>>()).ok()?;
        let slots = slots(optimizer, &state.weights).into_iter().zip(values);
        let slots = slots.map(|((role, path, _), value)| (role, path, value)).collect();
        Some(OptimizerState { iterations, learning_rate, slots })
    }

    /// What it is to remember, if it has no variables yet.
    pub(crate) fn awaited_state(&self, training: &Training, variables: &Variables) -> Option<OptimizerState> {
        self.restored.as_ref().filter(|state| self.check(training, variables, state).is_ok()).cloned()
    }

    /// Whether the slots of `state` are those of the optimizer and the weights.
    fn check(&self, training: &Training, variables: &Variables, state: &OptimizerState) -> Result<()> {
        let learning: Vec<Named> = variables.trainable().cloned().collect();
        let optimizer = &*training.compiled("the optimizer's state")?.optimizer;
        let needed = slots(optimizer, self.state.as_ref().map_or(&learning, |state| &state.weights));
        if needed.len() != state.slots.len() {
            let (needed, got) = (needed.len(), state.slots.len());
            return Err(Error::data(format!("the optimizer's state needs {needed} slots, got {got}")));
        }
        for ((role, path, ty), (got_role, got_path, value)) in needed.iter().zip(&state.slots) {
            let is_there = path.is_empty() || variables.get(path).is_some();
            if (role, path) != (got_role, got_path) || !is_there || *ty != value.ty() {
                let got = format!("`{got_role}` of `{got_path}`, {}", value.ty());
                return Err(Error::data(format!("the optimizer's state needs `{role}` of `{path}`, got {got}")));
            }
        }
        Ok(())
    }
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
        let (iterations, learning_rate, kept) =
            (own.remembered.iterations, own.remembered.learning_rate, own.kept().collect::<Vec<_>>());
        let Some(state) = self.live.restored.take() else { return Ok(()) };
        if self.live.check(self.training, self.variables, &state).is_err() {
            return Ok(());
        }
        let (steps, rate) = (Array::scalar(state.iterations), Array::scalar(state.learning_rate as f32));
        let mut all: Vec<(VarId, &Array)> = kept.into_iter().zip(state.slots.iter().map(|(.., value)| value)).collect();
        all.push((iterations, &steps));
        all.extend(learning_rate.map(|id| (id, &rate)));
        self.session()?.write(&all)
    }

    /// Puts the running means of the weights, if there are any, into their place: the end of a fit.
    ///
    /// # Errors
    /// Those of a session.
    pub(crate) fn finalize(&self) -> Result<()> {
        let Some(state) = &self.live.state else { return Ok(()) };
        let roles = self.training.compiled("fit")?.optimizer.roles();
        let Some(averages) = roles.iter().position(|role| *role == AVERAGE) else { return Ok(()) };
        let values = self.session()?.read(&state.remembered.slots[averages])?;
        state.weights.iter().zip(&values).try_for_each(|(weight, value)| weight.write(value))
    }

    /// The learning rate of the next step.
    pub(crate) fn learning_rate(&self) -> Result<f64> {
        let optimizer = &*self.training.compiled("learning_rate")?.optimizer;
        match (&self.live.state, &self.live.restored) {
            (Some(state), _) => {
                let value = |id| self.session()?.value(id);
                match state.remembered.learning_rate {
                    Some(id) => Ok(value(id)?.get(0)),
                    None => Ok(rate(optimizer, value(state.remembered.iterations)?.to_vec()[0])),
                }
            }
            (None, Some(restored)) => Ok(restored.learning_rate),
            (None, None) => Ok(match optimizer.common().learning_rate {
                LearningRate::Fixed(rate) => rate,
                LearningRate::Schedule(schedule) => schedule.value(0),
            }),
        }
    }

    /// Sets the learning rate of the next step.
    pub(crate) fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        let optimizer = self.training.compiled("set_learning_rate")?.optimizer.common();
        if let Some(schedule) = optimizer.learning_rate.schedule() {
            let message =
                format!("the learning rate follows the schedule `{}`, and cannot be set", schedule.class_name());
            return Err(Error::usage(message).help("give the optimizer a number as its learning rate"));
        }
        let live = &mut *self.live;
        if let (None, Some(restored)) = (&live.state, &mut live.restored) {
            restored.learning_rate = f64::from(rate as f32);
            return Ok(());
        }
        let help = "give the learning rate to the optimizer: `Adam::new().learning_rate(0.01)`";
        let state = self.state().map_err(|error| error.help(help))?;
        let id = state.remembered.learning_rate.map(|id| (id, Array::scalar(rate as f32)));
        self.session()?.write(&id.iter().map(|(id, rate)| (*id, rate)).collect::<Vec<_>>())
    }
}
