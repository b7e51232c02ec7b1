//! One step as a graph: forward pass, loss, metrics, gradients, optimizer; one program for each shape of batch.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::ThreadId;

use cornu_graph::{Array, Context, Error, Graph, Result, Session, Shape, Tensor, Type, VarId};
use serde_json::Value;

use super::checks::{self, Output};
use super::compile::Compiled;
use super::feed::{Data, Fed};
use super::keras2_streams::Keras2Streams;
use super::variables::{Judged, State};
use super::{Compile, History, OptimizerState, Scores, Warning};
use crate::choice::Choice;
use crate::flavor::Flavor;
use crate::layers::Wire;
use crate::metrics::{ACCURACY, Direction};
use crate::net::Net;
use crate::optimizers::Optimizer;
use crate::policy::dtype_policy;
use crate::trace::Cx;
pub(crate) use crate::variables::Kind;
use crate::variables::{Lent, Named, Opened, Variables, locked};

/// A model's training: how it is done, and what it has in the session.
pub(crate) struct Training {
    compiled: Option<Compiled>,
    /// Whether the loss is scaled: Keras does so for models that are made while `mixed_float16` is the policy.
    scaled: bool,
    /// What decides about random streams, if the model follows Keras 2.
    pub(super) streams: Mutex<Option<Keras2Streams>>,
    live: Mutex<Live>,
    /// Whose turn it is to evaluate, and on which thread that is.
    turn: Mutex<()>,
    holder: Mutex<Option<ThreadId>>,
    /// How the last fit ended.
    ended: Mutex<Option<Ended>>,
}

/// How a fit has ended.
#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) history: History,
    /// Where, for snapshots.
    pub(crate) position: Value,
    /// What its callbacks had seen.
    pub(crate) memories: Arc<dyn Any + Send + Sync>,
}

/// The running totals are those of one evaluation as long as this lives.
pub(crate) struct Turn<'a> {
    training: &'a Training,
    _turn: MutexGuard<'a, ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *locked(&self.training.holder) = None;
    }
}

/// What training has in the session. Whoever trains or evaluates has it for as long.
#[derive(Default)]
pub(crate) struct Live {
    pub(super) state: Option<State>,
    /// Where its variables and those of the model are.
    pub(super) opened: Option<Arc<Opened>>,
    /// What the model gives for inputs of those types, so that single batches need not ask again.
    outline: Option<(Vec<Type>, Vec<Output>)>,
    /// What the optimizer is to remember once it has variables.
    pub(super) restored: Option<OptimizerState>,
    /// Of which variables.
    changes: u64,
}

impl Training {
    /// Of a model that is not compiled.
    pub(crate) fn new(flavor: Flavor) -> Training {
        let streams = Mutex::new(flavor.retraces().then(Keras2Streams::default));
        Training {
            compiled: None,
            scaled: dtype_policy().name() == "mixed_float16",
            streams,
            live: Mutex::default(),
            turn: Mutex::default(),
            holder: Mutex::default(),
            ended: Mutex::default(),
        }
    }

    /// Compiled from now on as a model that was made while `mixed_float16` was the policy.
    pub(crate) fn scale_loss(&mut self) {
        self.scaled = true;
    }

    /// Begins anew, with other settings.
    pub(crate) fn compile(&mut self, compiled: Compiled) {
        let optimizer = if self.scaled { compiled.optimizer.scaling() } else { compiled.optimizer };
        self.compiled = Some(Compiled { optimizer, ..compiled });
        let mut live = self.live();
        (live.restored, live.state) = (None, None);
        if let Some(opened) = &live.opened {
            opened.store.programs().remove(opened.owner(), |kind| kind != Kind::Predict);
        }
        self.with_streams(Keras2Streams::forget_traces);
    }

    /// What it has in the session, for one caller at a time.
    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        locked(&self.live)
    }

    /// The turn to evaluate; waits for it.
    ///
    /// # Errors
    /// It is that of this thread already, which would wait for itself.
    pub(crate) fn turn(&self) -> Result<Turn<'_>> {
        let own = std::thread::current().id();
        if *locked(&self.holder) == Some(own) {
            return Err(Error::usage("a callback of an evaluation cannot evaluate the same model"));
        }
        let turn = Turn { training: self, _turn: locked(&self.turn) };
        *locked(&self.holder) = Some(own);
        Ok(turn)
    }

    /// How the last fit ended.
    pub(crate) fn ended(&self) -> Option<Ended> {
        locked(&self.ended).clone()
    }

    pub(crate) fn end(&self, ended: Ended) {
        *locked(&self.ended) = Some(ended);
    }

    /// When Keras 2's streams begin anew, as a snapshot has it.
    pub(crate) fn streams(&self) -> Value {
        locked(&self.streams).as_ref().map_or(Value::Null, Keras2Streams::to_json)
    }

    /// Sets what [`Training::streams`] gave; says whether that can be it.
    pub(crate) fn set_streams(&self, json: &Value) -> bool {
        let Some(streams) = &mut *locked(&self.streams) else { return json.is_null() };
        let read = Keras2Streams::from_json(json, streams.generation());
        read.map(|read| *streams = read).is_some()
    }

    fn with_streams(&self, tell: impl FnOnce(&mut Keras2Streams)) {
        if let Some(streams) = &mut *locked(&self.streams) {
            tell(streams);
        }
    }

    /// Rows are evaluated, in batches of `rows` each or of several sizes.
    pub(crate) fn evaluating(&self, rows: Option<usize>) {
        self.with_streams(|streams| streams.evaluating(rows));
    }

    /// Rows are predicted, in batches of `rows` each or of several sizes.
    pub(crate) fn predicting(&self, rows: Option<usize>) {
        self.with_streams(|streams| streams.predicting(rows));
    }

    /// Data has built a model that was not told the shape of its input.
    pub(crate) fn built(&self, variables: &Variables, to_train: bool) {
        self.with_streams(|streams| streams.built(variables, to_train));
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

    /// Which outputs are judged.
    pub(crate) fn judged(&self) -> Vec<usize> {
        self.compiled.iter().flat_map(|compiled| &compiled.heads).map(|head| head.output).collect()
    }

    /// Which way the metric of that figure is better.
    pub(crate) fn direction(&self, key: &str) -> Option<Direction> {
        let mut figures = self.compiled.iter().flat_map(|compiled| &compiled.heads).flat_map(|head| &head.figures);
        match &figures.find(|figure| figure.key == key)?.metric {
            Choice::Name(name) if ACCURACY.contains(&name.as_str()) => {
                Some(if name.starts_with("acc") { Direction::Up } else { Direction::Down })
            }
            metric => metric.resolve().ok()?.direction(),
        }
    }

    /// The names of the figures, in the order in which they are reported.
    pub(crate) fn figures(&self) -> Vec<String> {
        let heads = || self.compiled.iter().flat_map(|compiled| &compiled.heads);
        let loss = self.compiled.iter().map(|_| "loss".to_owned());
        let metrics = heads().flat_map(|head| &head.figures).map(|figure| figure.key.clone());
        loss.chain(heads().filter_map(|head| head.key.clone())).chain(metrics).collect()
    }

    /// What makes new weights, if the model is compiled.
    pub(crate) fn optimizer(&self) -> Option<&dyn Optimizer> {
        self.compiled.as_ref().map(|compiled| &*compiled.optimizer)
    }

    /// How the model was compiled, if it was.
    pub(crate) fn settings(&self) -> Option<&Compile> {
        self.compiled.as_ref().map(|compiled| &compiled.settings)
    }
}

impl Live {
    /// Where its variables are.
    ///
    /// # Errors
    /// Nowhere yet.
    fn opened(&self) -> Result<&Arc<Opened>> {
        self.opened.as_ref().ok_or_else(|| Error::usage("the model has no session yet"))
    }
}

/// What steps of a model are made of.
#[derive(Clone, Copy)]
pub(crate) struct Steps<'a> {
    pub(crate) name: &'a str,
    pub(crate) net: &'a Net,
    pub(crate) variables: &'a Variables,
    /// Where those are.
    pub(crate) opened: &'a Opened,
    pub(crate) training: &'a Training,
    /// The variables of training; none to predict.
    pub(super) state: Option<&'a State>,
}

/// The parts of a model that training and evaluating need, for one caller at a time.
pub(crate) struct Stage<'a> {
    pub(crate) name: &'a str,
    pub(crate) net: &'a Net,
    pub(crate) variables: &'a Variables,
    pub(crate) training: &'a Training,
    pub(crate) live: MutexGuard<'a, Live>,
}

impl<'a> Steps<'a> {
    /// Of a model that predicts.
    pub(crate) fn to_predict(
        (name, net, variables): (&'a str, &'a Net, &'a Variables),
        opened: &'a Opened,
        training: &'a Training,
    ) -> Steps<'a> {
        Steps { name, net, variables, opened, training, state: None }
    }

    /// A run of the program of a step over `rows` rows of such data.
    pub(crate) fn run(&self, kind: Kind, data: &Fed, rows: usize) -> Result<Lent> {
        let (store, owner) = (&self.opened.store, self.opened.owner());
        loop {
            if let Some(run) = store.programs().lend(owner, kind, |types| data.has(types, rows))? {
                return Ok(run);
            }
            let types = data.types(rows);
            let program = store.session().compile(&self.trace(kind, data, &types)?)?;
            store.programs().keep(owner, kind, types, program);
        }
    }

    /// The graph of a step over such data.
    pub(crate) fn trace(&self, kind: Kind, data: &Fed, types: &[Type]) -> Result<Graph> {
        let mut cx = Cx::new(self.variables, kind == Kind::Train)?;
        let inputs: Vec<Tensor> = types.iter().map(|ty| cx.input(ty.clone())).collect();
        let (xs, labels) = inputs.split_at(data.inputs);
        let predictions = predictions(self.net, self.name, &mut cx, xs)?;
        let (false, Some(compiled), Some(state)) = (labels.is_empty(), &self.training.compiled, self.state) else {
            let outputs: Vec<Tensor> = predictions.into_iter().map(|output| output.tensor).collect();
            return cx.finish(&outputs, &[]);
        };
        let (ys, weights) = labels.split_at(data.labels);
        let judged: Vec<Judged> = (compiled.heads.iter().zip(ys).enumerate())
            .map(|(place, (head, y))| Judged {
                y,
                predictions: &predictions[head.output],
                // One is for all.
                weights: weights.get(place).or(weights.first()),
            })
            .collect();
        let each: Vec<Option<Tensor>> =
            compiled.heads.iter().zip(&judged).map(|(head, judged)| judged.loss(head)).collect();
        let own = compiled.heads.iter().zip(&each).filter_map(|(head, loss)| head.weighted(loss.as_ref()?));
        let add = |total: Tensor, loss: Tensor| {
            let total = total.cast(total.dtype().widened());
            &total + loss.cast(total.dtype())
        };
        let all = own.chain(cx.losses().iter().cloned()).reduce(add);
        let loss = all.ok_or_else(|| Error::usage("no output has a loss"))?;
        let mut updates = Vec::new();
        if kind == Kind::Train {
            updates = state.optimize(&cx, &*compiled.optimizer, &loss);
        }
        state.count(&cx, &loss, &each, types[0].shape[0], &mut updates);
        for tracked in &state.metrics {
            updates.extend(tracked.update(cx.trace(), &judged[tracked.head])?);
        }
        cx.finish(&[], &updates)
    }
}

impl Stage<'_> {
    /// Makes sure there is a session. Where the variables are others or lie elsewhere than before, training begins anew
    /// there; what the optimizer remembers goes along.
    pub(crate) fn open(&mut self) -> Result<()> {
        let opened = self.variables.opened()?;
        if self.live.opened.as_ref().is_some_and(|known| Arc::ptr_eq(known, &opened)) {
            return Ok(());
        }
        let restored = self.live.optimizer_state(self.training).or(self.live.restored.take());
        let changes = std::mem::replace(&mut self.live.changes, self.variables.changes());
        if changes != self.live.changes {
            self.training.with_streams(Keras2Streams::forget_traces);
        }
        let changes = self.live.changes;
        *self.live = Live { state: None, opened: Some(opened), outline: None, restored, changes };
        Ok(())
    }

    /// Where variables are: found without a look at them.
    pub(crate) fn session(&self) -> Result<&Arc<dyn Session>> {
        Ok(self.live.opened()?.store.session())
    }

    /// What its steps are made of.
    pub(crate) fn steps(&self) -> Result<Steps<'_>> {
        let Stage { name, net, variables, training, live } = self;
        Ok(Steps { name, net, variables, training, opened: live.opened()?, state: live.state.as_ref() })
    }

    /// What the model gives for such data: each of its outputs.
    pub(crate) fn outline(&mut self, data: &Data) -> Result<Vec<Output>> {
        // Layers that remember rows take no other number of them.
        let types = data.sample(self.net.inputs.first().and_then(|input| input.shape[0]).unwrap_or(1));
        if let Some((_, outputs)) = self.live.outline.as_ref().filter(|(known, _)| *known == types) {
            return Ok(outputs.clone());
        }
        let mut cx = Cx::new(self.variables, false)?;
        let xs: Vec<Tensor> = types.iter().map(|ty| cx.input(ty.clone())).collect();
        let outputs: Vec<Output> = predictions(self.net, self.name, &mut cx, &xs)?.iter().map(Output::of).collect();
        cx.trace().check()?;
        self.live.outline = Some((types, outputs.clone()));
        Ok(outputs)
    }

    /// Looks at labels and model, and makes the variables of training.
    pub(crate) fn check_and_prepare(&mut self, what: &str, data: &Data, warnings: &mut Vec<Warning>) -> Result<()> {
        self.open()?;
        let outputs = self.outline(data).context(what)?;
        let compiled = self.training.compiled(what)?;
        let several = compiled.outputs.len() > 1;
        for (head, y) in compiled.heads.iter().zip(&data.y) {
            let (output, Some(loss)) = (&outputs[head.output], &head.loss) else { continue };
            let checked = checks::labels(y, &**loss, output);
            checked
                .map_err(|error| if several { error.context(format!("output `{}`", head.name)) } else { error })
                .context(what)?;
            warnings.extend(checks::output(&**loss, output));
        }
        warnings.extend(checks::metrics(&compiled.settings));
        let shapes: Vec<Shape> = outputs.into_iter().map(|output| output.shape).collect();
        self.prepare(what, data, &shapes)
    }

    /// Makes the variables of training, unless there are any, for such data and outputs of those shapes.
    pub(crate) fn prepare(&mut self, what: &str, data: &Data, outputs: &[Shape]) -> Result<()> {
        self.training.compiled(what)?;
        let Some(compiled) = self.training.compiled.as_ref().filter(|_| self.live.state.is_none()) else {
            return Ok(());
        };
        let weights: Vec<Named> = self.variables.trainable().cloned().collect();
        let state = State::new(compiled, weights, &data.y, outputs, self.session()?)?;
        self.live.state = Some(state);
        self.restore()
    }

    pub(super) fn state(&self) -> Result<&State> {
        self.live.state.as_ref().ok_or_else(|| Error::usage("the model has not been trained or evaluated yet"))
    }

    /// Sets all running totals to what they are at first.
    pub(crate) fn reset(&self) -> Result<()> {
        let starts = self.state()?.totals().iter().map(|(id, start)| (*id, start));
        self.session()?.write(&starts.collect::<Vec<_>>())
    }

    /// The running totals and what they are at first.
    pub(crate) fn starts(&self) -> Result<Vec<(VarId, Array)>> {
        Ok(self.state()?.totals().to_vec())
    }

    /// The figures that such running totals say.
    pub(crate) fn figures(&self, totals: &HashMap<VarId, Array>) -> Result<Scores> {
        self.state()?.figures(totals).map(Scores::new)
    }

    /// The running totals.
    pub(crate) fn totals(&self) -> Result<Vec<Array>> {
        let ids: Vec<VarId> = self.state()?.totals().iter().map(|(id, _)| *id).collect();
        self.session()?.read(&ids)
    }

    /// Sets the running totals.
    pub(crate) fn set_totals(&self, values: &[Array]) -> Result<()> {
        let totals = self.state()?.totals();
        if totals.iter().map(|(_, start)| start.ty()).ne(values.iter().map(Array::ty)) {
            return Err(Error::file("the running totals are those of other metrics"));
        }
        self.session()?.write(&totals.iter().zip(values).map(|((id, _), value)| (*id, value)).collect::<Vec<_>>())
    }

    /// The running figures: the loss, those of single outputs, then the metrics as they were asked for.
    pub(crate) fn logs(&self) -> Result<Vec<(String, f64)>> {
        self.live.state.as_ref().map_or_else(|| Ok(Vec::new()), State::logs)
    }
}

/// What the layers make of inputs.
fn predictions(net: &Net, name: &str, cx: &mut Cx, xs: &[Tensor]) -> Result<Vec<Wire>> {
    let inputs: Vec<Wire> = xs.iter().cloned().map(Wire::from).collect();
    let outputs = net.trace(cx, &inputs)?;
    if outputs.is_empty() {
        return Err(Error::usage(format!("model `{name}` has no layers")).help("add a layer"));
    }
    let rows = xs[0].dim(0);
    match outputs.iter().map(|output| output.tensor.shape()).find(|shape| shape.first() != Some(&rows)) {
        None => Ok(outputs),
        Some(got) => {
            let needed = "an output of one row for each row of input";
            let error = Error::usage(format!("model `{name}` needs {needed}, got {got} for {rows}"));
            Err(error.help("a layer must keep the first axis"))
        }
    }
}
