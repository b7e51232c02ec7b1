//! One step as a graph: forward pass, loss, metrics, gradients, optimizer; one program for each shape of batch.

use std::sync::{Arc, MutexGuard};

use cornu_graph::{
    Array, Context, DType, Error, Graph, ProgramId, Result, Session, Shape, Tensor, Trace, Type, VarId, gradients,
};

use super::checks::{self, Output};
use super::compile::Figure;
use super::feed::Data;
use super::keras2_streams::Keras2Streams;
use super::{Compile, OptimizerState, Warning};
use crate::choice::Choice;
use crate::flavor::Flavor;
use crate::losses::{self, Loss};
use crate::metrics::{self, ACCURACY, Metric};
use crate::net::Net;
use crate::optimizers::{self, Optimizer};
use crate::policy::dtype_policy;
use crate::trace::Cx;
use crate::variables::{Named, Store, Variables};

/// How many programs a model keeps: with one more, the one that was not used for longest goes.
pub(crate) const MOST_PROGRAMS: usize = 32;

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Train,
    Test,
    Predict,
}

/// A model's training: how it is done, its variables in the session, its programs.
pub(crate) struct Training {
    compiled: Option<Compiled>,
    state: Option<State>,
    /// The one used last is the last.
    programs: Vec<(Kind, Vec<Type>, ProgramId)>,
    /// Where programs and variables of training are.
    store: Option<Store>,
    /// Variables there that no training uses any more.
    spare: Vec<(Type, VarId)>,
    /// What the model gives for an input of that type, so that single batches need not ask again.
    outline: Option<(Type, Output)>,
    /// What the optimizer is to remember once it has variables.
    restored: Option<OptimizerState>,
    /// What decides about random streams, if the model follows Keras 2.
    pub(super) streams: Option<Keras2Streams>,
    /// Which session variables and programs belong to.
    opening: u64,
    /// Of which variables.
    changes: u64,
    /// Whether Keras would scale the loss: it does so for models that are made while `mixed_float16` is the policy.
    scaled: bool,
}

/// A looked-up [`Compile`].
pub(crate) struct Compiled {
    pub(crate) loss: Arc<dyn Loss>,
    pub(crate) optimizer: Arc<dyn Optimizer>,
    pub(crate) settings: Compile,
}

/// The variables of training: those of the optimizer, and the running totals.
struct State {
    /// The weights that learned when the model was compiled.
    weights: Vec<Named>,
    /// `[role][weight]`
    slots: Vec<Vec<VarId>>,
    iterations: VarId,
    learning_rate: VarId,
    /// Sum of the losses of all rows, number of rows.
    loss: [VarId; 2],
    metrics: Vec<Tracked>,
}

/// A metric and its variables.
struct Tracked {
    key: String,
    metric: Arc<dyn Metric>,
    weighted: bool,
    state: Vec<(Type, VarId)>,
}

impl Tracked {
    /// Whether a step gives a new value for each variable, of its type and of that trace.
    fn check(&self, trace: &Trace, new: &[Tensor]) -> Result<()> {
        let class = self.metric.class_name();
        new.iter().try_for_each(|new| trace.takes(new, format_args!("metric `{class}`")))?;
        let wrong = |needed: String, got: String| {
            Err(Error::graph(format!("metric `{class}`: `update` needs {needed}, got {got}")))
        };
        if new.len() != self.state.len() {
            return wrong(format!("{} new values", self.state.len()), new.len().to_string());
        }
        let names = self.metric.state().into_iter().map(|(name, _)| name);
        match self.state.iter().zip(new).zip(names).find(|(((ty, _), new), _)| new.ty() != *ty) {
            Some((((ty, _), new), name)) => wrong(format!("{ty} for `{name}`"), new.ty().to_string()),
            None => Ok(()),
        }
    }
}

impl Training {
    /// Of a model that is not compiled.
    pub(crate) fn new(flavor: Flavor) -> Training {
        let streams = flavor.retraces().then(Keras2Streams::default);
        Training {
            compiled: None,
            state: None,
            programs: Vec::new(),
            store: None,
            spare: Vec::new(),
            outline: None,
            restored: None,
            streams,
            opening: 0,
            changes: 0,
            scaled: dtype_policy().name() == "mixed_float16",
        }
    }

    /// Begins anew, with other settings.
    pub(crate) fn compile(&mut self, compiled: Compiled) {
        self.compiled = Some(compiled);
        self.restored = None;
        self.spare.extend(self.state.take().into_iter().flat_map(State::into_variables));
        self.release(|kind| kind != Kind::Predict);
        self.streams.iter_mut().for_each(Keras2Streams::forget_traces);
    }

    /// Rows are evaluated, in batches of `rows` each or of several sizes.
    pub(crate) fn evaluating(&mut self, rows: Option<usize>) {
        self.streams.iter_mut().for_each(|streams| streams.evaluating(rows));
    }

    /// Rows are predicted, in batches of `rows` each or of several sizes.
    pub(super) fn predicting(&mut self, rows: Option<usize>) {
        self.streams.iter_mut().for_each(|streams| streams.predicting(rows));
    }

    /// Gives up programs of some kinds.
    fn release(&mut self, which: impl Fn(Kind) -> bool) {
        let Some(store) = &self.store else { return };
        let mut session = store.session();
        self.programs.retain(|(kind, _, program)| {
            if which(*kind) {
                session.release(*program);
            }
            !which(*kind)
        });
    }

    /// Begins anew where the variables are now; what the optimizer remembers goes along.
    fn follow(&mut self, variables: &Variables) {
        let kept = self.optimizer_state();
        self.restored = kept.or(self.restored.take());
        self.release(|_| true);
        self.programs.clear();
        self.spare.clear();
        (self.state, self.outline) = (None, None);
        (self.store, self.opening) = (variables.store().cloned(), variables.openings());
        if self.changes != variables.changes() {
            self.changes = variables.changes();
            self.streams.iter_mut().for_each(Keras2Streams::forget_traces);
        }
    }

    /// Where its variables are.
    pub(super) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// The weights that it changes, once it has started.
    pub(super) fn weights(&self) -> Option<&[Named]> {
        self.state.as_ref().map(|state| &state.weights[..])
    }

    /// The settings of the last `compile`.
    ///
    /// # Errors
    /// There was none; `what` needs it.
    pub(crate) fn compiled(&self, what: &str) -> Result<&Compiled> {
        let missing =
            || Error::usage(format!("`{what}` needs a compiled model")).help("call `compile` with a loss first");
        self.compiled.as_ref().ok_or_else(missing)
    }

    /// How many programs are kept.
    #[cfg(test)]
    pub(crate) fn programs(&self) -> usize {
        self.programs.len()
    }

    /// How the model was compiled, if it was.
    pub(crate) fn settings(&self) -> Option<&Compile> {
        self.compiled.as_ref().map(|compiled| &compiled.settings)
    }

    /// The number of steps, the learning rate and the slots, role by role.
    pub(super) fn optimizer_variables(&self) -> Option<(VarId, VarId, Vec<VarId>)> {
        self.state.as_ref().map(|state| (state.iterations, state.learning_rate, state.slots.concat()))
    }

    /// What the optimizer is to remember once it has variables.
    pub(super) fn restored(&self) -> Option<&OptimizerState> {
        self.restored.as_ref()
    }

    /// Notes what the optimizer is to remember.
    pub(super) fn restore(&mut self, state: OptimizerState) {
        self.restored = Some(state);
        self.streams.iter_mut().for_each(Keras2Streams::restored);
    }

    /// What the optimizer is to remember, which is done now.
    pub(super) fn take_restored(&mut self) -> Option<OptimizerState> {
        self.restored.take()
    }
}

/// The parts of a model that a step is made of.
pub(crate) struct Stage<'a> {
    pub(crate) name: &'a str,
    pub(crate) net: &'a Net,
    pub(crate) variables: &'a mut Variables,
    pub(crate) training: &'a mut Training,
}

impl Stage<'_> {
    /// Makes sure there is a session. Where the variables are others or lie elsewhere than before, programs are made anew.
    pub(crate) fn open(&mut self) -> Result<()> {
        self.variables.open()?;
        if self.training.opening != self.variables.openings() {
            self.training.follow(self.variables);
        }
        Ok(())
    }

    /// Where the programs are: found without a look at the variables, as it is asked for each batch.
    pub(crate) fn session(&self) -> Result<MutexGuard<'_, Box<dyn Session>>> {
        self.training.store().map(Store::session).ok_or_else(|| Error::usage("the model has no session yet"))
    }

    /// The store of that session.
    pub(crate) fn store(&self) -> Result<Store> {
        self.training.store().cloned().ok_or_else(|| Error::usage("the model has no session yet"))
    }

    /// What the model gives for an input of that type.
    pub(crate) fn outline(&mut self, x: Type) -> Result<Output> {
        if let Some((_, output)) = self.training.outline.as_ref().filter(|(ty, _)| *ty == x) {
            return Ok(output.clone());
        }
        let ty = x.clone();
        let mut cx = Cx::new(self.variables, false)?;
        let x = cx.input(x);
        let predictions = predictions(self.net, self.name, &mut cx, &x)?;
        cx.trace().check()?;
        let output = Output::of(&predictions);
        self.training.outline = Some((ty, output.clone()));
        Ok(output)
    }

    /// Looks at labels and model, and makes the variables of training.
    pub(crate) fn check_and_prepare(&mut self, what: &str, data: &Data, warnings: &mut Vec<Warning>) -> Result<()> {
        let Some(y) = &data.y else { return Ok(()) };
        self.open()?;
        let output = self.outline(Type::new(data.x.dtype(), data.x.shape().with(0, 1))).context(what)?;
        let loss = Arc::clone(&self.training.compiled(what)?.loss);
        checks::labels(y, &*loss, &output).context(what)?;
        warnings.extend(checks::output(&*loss, &output));
        warnings.extend(checks::metrics(&self.training.compiled(what)?.settings));
        self.prepare(what, y.shape(), &output.shape)
    }

    /// Makes the variables of training, unless there are any, for labels and outputs of those shapes.
    pub(crate) fn prepare(&mut self, what: &str, y: &Shape, output: &Shape) -> Result<()> {
        self.training.compiled(what)?;
        let Some(compiled) = self.training.compiled.as_ref().filter(|_| self.training.state.is_none()) else {
            return Ok(());
        };
        let weights: Vec<Named> = self.variables.trainable().cloned().collect();
        let chosen = tracked(&compiled.settings, y, output)?;
        let (base, roles) = (compiled.optimizer.base(), compiled.optimizer.slots());
        let mut session = self.variables.session()?;
        let spare = &mut self.training.spare;
        // They start as zeros.
        let mut declare = |ty: &Type| match spare.iter().position(|(known, _)| known == ty) {
            Some(place) => {
                let (ty, id) = spare.remove(place);
                session.write(id, &Array::zeros(&ty)).map(|()| id)
            }
            None => session.declare(ty.clone()),
        };
        // Role by role, so that what is treated alike lies in a row.
        let slots = roles.iter().map(|_| weights.iter().map(|weight| declare(&weight.ty)).collect());
        let slots = slots.collect::<Result<_>>()?;
        let scalar = Type::scalar(DType::F32);
        let (iterations, learning_rate) = (declare(&Type::scalar(DType::I64))?, declare(&scalar)?);
        let loss = [declare(&scalar)?, declare(&scalar)?];
        let mut metrics = Vec::new();
        for Figure { key, metric, weighted } in chosen {
            let types = metric.state().into_iter().map(|(_, shape)| Type::f32(shape));
            let state = types.map(|ty| Ok((ty.clone(), declare(&ty)?))).collect::<Result<_>>()?;
            metrics.push(Tracked { key, metric, weighted, state });
        }
        session.write(learning_rate, &Array::scalar(base.learning_rate as f32))?;
        drop(session);
        self.training.state = Some(State { weights, slots, iterations, learning_rate, loss, metrics });
        self.restore()
    }

    /// The program of a step over `rows` rows of such data.
    pub(crate) fn program(&mut self, kind: Kind, data: &Data, rows: usize) -> Result<ProgramId> {
        let programs = &mut self.training.programs;
        if let Some(place) = programs.iter().rposition(|(k, t, _)| *k == kind && data.has(t, rows)) {
            programs[place..].rotate_left(1);
            return Ok(programs[programs.len() - 1].2);
        }
        let types = data.types(rows);
        let graph = self.trace(kind, &types)?;
        let mut session = self.variables.session()?;
        if self.training.programs.len() == MOST_PROGRAMS {
            session.release(self.training.programs.remove(0).2);
        }
        let program = session.compile(&graph)?;
        self.training.programs.push((kind, types, program));
        Ok(program)
    }

    fn trace(&mut self, kind: Kind, types: &[Type]) -> Result<Graph> {
        let mut cx = Cx::new(self.variables, kind == Kind::Train)?;
        let inputs: Vec<Tensor> = types.iter().map(|ty| cx.input(ty.clone())).collect();
        let predictions = predictions(self.net, self.name, &mut cx, &inputs[0])?;
        let (Some(y), Some(compiled), Some(state)) = (inputs.get(1), &self.training.compiled, &self.training.state)
        else {
            return cx.finish(&[predictions], &[]);
        };
        let loss = losses::of_rows(&*compiled.loss, y, &predictions, inputs.get(2));
        let add = |total: Tensor, penalty: &Tensor| {
            let total = total.cast(total.dtype().widened());
            &total + penalty.cast(total.dtype())
        };
        let loss = cx.losses().iter().fold(loss, add);
        let mut updates = Vec::new();
        if kind == Kind::Train {
            if self.training.scaled {
                let message =
                    "training under the policy `mixed_float16` needs a scale of the loss, which is not supported yet";
                let help = "choose `set_dtype_policy(\"mixed_bfloat16\")`, which needs none, before the model is made";
                return Err(Error::unsupported(message).help(help));
            }
            updates = state.optimize(&cx, &*compiled.optimizer, &loss);
        }
        state.count(&cx, &loss, types[0].shape[0], &mut updates);
        // Metrics are computed in singles, as in Keras.
        let predictions = predictions.cast(predictions.dtype().widened());
        for tracked in &state.metrics {
            let weights = inputs.get(2).filter(|_| tracked.weighted);
            let old: Vec<Tensor> = tracked.state.iter().map(|(ty, id)| cx.trace().var(*id, ty.clone())).collect();
            let new = tracked.metric.update(&old, y, &predictions, weights);
            tracked.check(cx.trace(), &new).or_else(|error| cx.trace().check().and(Err(error)))?;
            updates.extend(tracked.state.iter().map(|(_, id)| *id).zip(new));
        }
        cx.finish(&[], &updates)
    }

    fn state(&self) -> Result<&State> {
        self.training.state.as_ref().ok_or_else(|| Error::usage("the model has not been trained or evaluated yet"))
    }

    /// Sets all running totals to zero.
    pub(crate) fn reset(&mut self) -> Result<()> {
        let scalar = Type::scalar(DType::F32);
        let state = self.state()?;
        let totals = state.metrics.iter().flat_map(|tracked| tracked.state.iter().cloned());
        let totals: Vec<(Type, VarId)> = state.loss.iter().map(|&id| (scalar.clone(), id)).chain(totals).collect();
        let mut session = self.variables.session()?;
        totals.iter().try_for_each(|(ty, id)| session.write(*id, &Array::zeros(ty)))
    }

    /// The running figures: the loss, then the metrics as they were asked for.
    pub(crate) fn logs(&mut self) -> Result<Vec<(String, f64)>> {
        let Stage { variables, training, .. } = self;
        let session = variables.session()?;
        Ok(training.state.as_ref().map(|state| state.logs(&**session)).unwrap_or_default())
    }

    /// The learning rate of the next step.
    pub(crate) fn learning_rate(&mut self) -> Result<f64> {
        let Some(state) = &self.training.state else {
            let restored = self.training.restored.as_ref().map(|restored| restored.learning_rate);
            let compiled = self.training.compiled("learning_rate")?;
            return Ok(restored.unwrap_or(compiled.optimizer.base().learning_rate));
        };
        Ok(self.variables.session()?.read(state.learning_rate).get(0))
    }

    /// Sets the learning rate of the next step.
    pub(crate) fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        if let (None, Some(restored)) = (&self.training.state, &mut self.training.restored) {
            restored.learning_rate = f64::from(rate as f32);
            return Ok(());
        }
        let help = "give the learning rate to the optimizer: `Adam::new().learning_rate(0.01)`";
        let id = self.state().map_err(|error| error.help(help))?.learning_rate;
        self.variables.session()?.write(id, &Array::scalar(rate as f32))
    }
}

/// The store may be that of other models.
impl Drop for Training {
    fn drop(&mut self) {
        self.release(|_| true);
    }
}

impl State {
    /// All variables, to be used again.
    fn into_variables(self) -> Vec<(Type, VarId)> {
        let of_role =
            |ids: Vec<VarId>| self.weights.iter().map(|weight| weight.ty.clone()).zip(ids).collect::<Vec<_>>();
        let mut all: Vec<(Type, VarId)> = self.slots.into_iter().flat_map(of_role).collect();
        let scalar = Type::scalar(DType::F32);
        all.push((Type::scalar(DType::I64), self.iterations));
        all.extend([self.learning_rate, self.loss[0], self.loss[1]].map(|id| (scalar.clone(), id)));
        all.extend(self.metrics.into_iter().flat_map(|metric| metric.state));
        all
    }

    /// The updates of weights, slots and the number of steps.
    fn optimize(&self, cx: &Cx, optimizer: &dyn Optimizer, loss: &Tensor) -> Vec<(VarId, Tensor)> {
        let weights = &self.weights;
        let var = |id: VarId, ty: &Type| cx.trace().var(id, ty.clone());
        let old: Vec<Tensor> = weights.iter().map(|weight| var(weight.id(), &weight.ty)).collect();
        let of_role = |ids: &Vec<VarId>| ids.iter().zip(weights).map(|(&id, weight)| var(id, &weight.ty)).collect();
        let slots: Vec<Vec<Tensor>> = self.slots.iter().map(of_role).collect();
        let iterations = var(self.iterations, &Type::scalar(DType::I64));
        let lr = var(self.learning_rate, &Type::scalar(DType::F32));
        let new = optimizers::apply(optimizer, &old, gradients(loss, &old), &slots, (&iterations, &lr));
        let held = |(weight, new): (&Named, Tensor)| match &weight.constraint {
            Some(constraint) => (weight.id(), constraint.apply(&new)),
            None => (weight.id(), new),
        };
        let mut updates: Vec<(VarId, Tensor)> = weights.iter().zip(new.weights).map(held).collect();
        updates.extend(self.slots.concat().into_iter().zip(new.slots.concat()));
        updates.push((self.iterations, new.iterations));
        updates
    }

    /// The updates of the running loss: each row of the batch counts with the loss of the batch.
    fn count(&self, cx: &Cx, loss: &Tensor, rows: usize, updates: &mut Vec<(VarId, Tensor)>) {
        let var = |id| cx.trace().var(id, Type::scalar(DType::F32));
        let [total, count] = self.loss;
        let loss = loss.cast(loss.dtype().widened());
        updates.push((total, var(total) + (loss * rows as f64).cast(DType::F32)));
        updates.push((count, var(count) + rows as f64));
    }

    fn logs(&self, session: &dyn Session) -> Vec<(String, f64)> {
        let [total, count] = self.loss.map(|id| session.read(id).get(0) as f32);
        let loss = if count == 0.0 { 0.0 } else { total / count };
        let figure = |tracked: &Tracked| {
            let state: Vec<Array> = tracked.state.iter().map(|(_, id)| session.read(*id)).collect();
            (tracked.key.clone(), tracked.metric.result(&state))
        };
        std::iter::once(("loss".into(), f64::from(loss))).chain(self.metrics.iter().map(figure)).collect()
    }
}

/// What the layers make of an input.
fn predictions(net: &Net, name: &str, cx: &mut Cx, x: &Tensor) -> Result<Tensor> {
    let outputs = net.call(cx, std::slice::from_ref(x))?;
    let no_layers = || Error::usage(format!("model `{name}` has no layers")).help("add a layer");
    let output = outputs.into_iter().next().ok_or_else(no_layers)?;
    let (rows, got) = (x.dim(0), output.shape());
    if got.first() == Some(&rows) {
        return Ok(output);
    }
    let message = format!("model `{name}` needs an output of one row for each row of input, got {got} for {rows}");
    Err(Error::usage(message).help("a layer must keep the first axis"))
}

/// The metrics asked for; that of `"accuracy"` goes by the shapes.
fn tracked(settings: &Compile, y: &Shape, output: &Shape) -> Result<Vec<Figure<Arc<dyn Metric>>>> {
    let chosen = |figure: Figure<&Choice<dyn Metric>>| {
        let metric = match figure.metric {
            Choice::Name(name) if ACCURACY.contains(&name.as_str()) => metrics::by_shapes(name, y, output),
            metric => metric.resolve()?,
        };
        Ok(Figure { key: figure.key, metric, weighted: figure.weighted })
    };
    settings.figures()?.into_iter().map(chosen).collect()
}
