//! The variables of training: those of the optimizer, and the running totals of losses and metrics.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cornu_graph::{
    Array, DType, Error, Feed, Graph, Result, Role, Run, Session, Shape, Tensor, Trace, Type, VarId, VarSpec, gradients,
};

use super::compile::{Compiled, Figure, Head};
use crate::choice::Choice;
use crate::flavor::Flavor;
use crate::layers::Wire;
use crate::losses;
use crate::metrics::{self, ACCURACY, Metric, Total};
use crate::optimizers::{self, LearningRate, Optimizer, Slot, Stepped, With};
use crate::trace::Cx;
use crate::variables::{Named, locked};

/// The variables of training: those of the optimizer, and the running totals.
pub(super) struct State {
    /// The weights that learned when the model was compiled.
    pub(super) weights: Vec<Named>,
    /// Those of the optimizer.
    pub(super) remembered: Remembered,
    /// Sum of the losses of all rows, number of rows.
    loss: [VarId; 2],
    /// The same of the losses of single outputs, by names of figures, where these are figures of their own.
    losses: Vec<Option<(String, [VarId; 2])>>,
    pub(super) metrics: Vec<Tracked>,
    /// What the running totals are at first.
    starts: Vec<(VarId, Array)>,
    all: Declared,
}

/// The variables of an optimizer.
pub(super) struct Remembered {
    /// What it keeps of each weight, `[role][weight]`.
    pub(super) slots: Vec<Vec<VarId>>,
    /// What it keeps beside that.
    pub(super) scalars: Vec<VarId>,
    pub(super) iterations: VarId,
    /// There, unless a schedule says it.
    pub(super) learning_rate: Option<VarId>,
}

impl Remembered {
    fn new(all: &mut Declared, optimizer: &dyn Optimizer, weights: &[Named]) -> Result<Remembered> {
        let mut slot = |slot: &Slot, weight: &Named| {
            all.declare(slot.variable(format!("{}/{}", weight.path, slot.name), &weight.ty, || weight.value())?)
        };
        let kept = optimizer.kept();
        let slots = kept.iter().map(|role| weights.iter().map(|weight| slot(role, weight)).collect());
        let slots = slots.collect::<Result<_>>()?;
        let zero = || Ok(Array::scalar(0.0f32));
        let scalars = optimizer.scalars().into_iter();
        let scalars = scalars.map(|slot| all.declare(slot.variable(slot.name.into(), &slot.scalar(), zero)?));
        let scalars = scalars.collect::<Result<_>>()?;
        let iterations = all.declare(VarSpec::zeros("iterations", Role::Slot, Type::scalar(DType::I64)))?;
        let mut rate = |rate: f64| all.declare(VarSpec::value("learning_rate", Role::Slot, Array::scalar(rate as f32)));
        let learning_rate = match optimizer.common().learning_rate {
            LearningRate::Fixed(fixed) => Some(rate(fixed)?),
            LearningRate::Schedule(_) => None,
        };
        Ok(Remembered { slots, scalars, iterations, learning_rate })
    }
}

/// Variables that are in a session as long as this lives.
struct Declared {
    session: Arc<dyn Session>,
    all: Vec<VarId>,
}

impl Declared {
    fn declare(&mut self, spec: VarSpec) -> Result<VarId> {
        let id = self.session.declare(spec)?;
        self.all.push(id);
        Ok(id)
    }
}

impl Drop for Declared {
    fn drop(&mut self) {
        self.session.release(&self.all);
    }
}

/// A metric and its variables.
pub(super) struct Tracked {
    /// Of the output that this head judges.
    pub(super) head: usize,
    key: String,
    metric: Arc<dyn Metric>,
    weighted: bool,
    state: Vec<(Total, VarId)>,
    /// What its variables say, and its run once that was asked for.
    result: Graph,
    run: Mutex<Option<Box<dyn Run>>>,
}

impl Tracked {
    /// The updates of its variables by a batch.
    pub(super) fn update(&self, trace: &Trace, judged: &Judged) -> Result<Vec<(VarId, Tensor)>> {
        let masked = Flavor::of(judged.y).masks_all_metrics() || self.metric.follows_mask();
        let weights = judged.weights_of(self.weighted, masked);
        let old: Vec<Tensor> = self.state.iter().map(|(total, id)| trace.var(*id, total.ty.clone())).collect();
        // Numbers of 16 bits are judged as singles, as in Keras.
        let predictions = judged.predictions.cast(judged.predictions.tensor.dtype().widened());
        let new = self.metric.update_wire(&old, judged.y, &predictions, weights.as_ref());
        self.check(trace, &new).or_else(|error| trace.check().and(Err(error)))?;
        Ok(self.state.iter().map(|(_, id)| *id).zip(new).collect())
    }

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
        match self.state.iter().zip(new).find(|((total, _), new)| new.ty() != total.ty) {
            Some(((Total { name, ty, .. }, _), new)) => wrong(format!("{ty} for `{name}`"), new.ty().to_string()),
            None => Ok(()),
        }
    }

    /// What its variables say.
    fn figure(&self, values: &HashMap<VarId, Array>) -> Result<f64> {
        let mut run = locked(&self.run);
        if run.is_none() {
            *run = Some(metrics::host()?.compile(&self.result)?.room()?);
        }
        let run = run.as_mut().ok_or_else(|| Error::usage("there is no run"))?;
        run.start(&self.state.iter().map(|(_, id)| Feed::Host(&values[id])).collect::<Vec<_>>())?;
        Ok(run.output(0)?.get(0))
    }
}

impl State {
    /// The variables of training those weights, for such labels and outputs of those shapes.
    pub(super) fn new(
        compiled: &Compiled,
        weights: Vec<Named>,
        labels: &[Array],
        outputs: &[Shape],
        session: &Arc<dyn Session>,
    ) -> Result<State> {
        let mut all = Declared { session: Arc::clone(session), all: Vec::new() };
        let remembered = Remembered::new(&mut all, &*compiled.optimizer, &weights)?;
        let mut starts = Vec::new();
        let mut make = |total: &Total| {
            let id = all.declare(VarSpec::value(total.name, Role::State, total.value()))?;
            starts.push((id, total.value()));
            Ok(id)
        };
        let scalar = |name| Total::zeros(name, Shape::scalar());
        let mut total = || Ok([make(&scalar("total"))?, make(&scalar("count"))?]);
        let loss = total()?;
        let of_heads = compiled.heads.iter().map(|head| head.key.clone().map(|key| Ok((key, total()?))).transpose());
        let losses = of_heads.collect::<Result<_>>()?;
        let mut metrics = Vec::new();
        for (place, (head, y)) in compiled.heads.iter().zip(labels).enumerate() {
            for Figure { key, metric, weighted } in &head.figures {
                let metric = by_shapes(metric, y.shape(), &outputs[head.output])?;
                let kept = metric.state(&y.ty(), &Type::f32(outputs[head.output].clone()));
                let (result, run) = (single_number(&*metric, &kept)?, Mutex::default());
                let state = kept.into_iter().map(|total| make(&total).map(|id| (total, id))).collect::<Result<_>>()?;
                let (key, weighted) = (key.clone(), *weighted);
                metrics.push(Tracked { head: place, key, metric, weighted, state, result, run });
            }
        }
        Ok(State { weights, remembered, loss, losses, metrics, starts, all })
    }

    /// The running totals, and what they are at first.
    pub(super) fn totals(&self) -> &[(VarId, Array)] {
        &self.starts
    }

    /// Its variables, in the order in which they were declared.
    pub(super) fn declared(&self) -> &[VarId] {
        &self.all.all
    }

    /// The updates of weights, slots and the number of steps.
    pub(super) fn optimize(&self, cx: &Cx, optimizer: &dyn Optimizer, loss: &Tensor) -> Vec<(VarId, Tensor)> {
        let (weights, scalars) = (&self.weights, optimizer.scalars());
        let var = |id: VarId, ty: &Type| cx.trace().var(id, ty.clone());
        let of_role = |ids: &Vec<VarId>| ids.iter().zip(weights).map(|(&id, weight)| var(id, &weight.ty)).collect();
        let before = Stepped {
            weights: weights.iter().map(|weight| var(weight.id(), &weight.ty)).collect(),
            slots: self.remembered.slots.iter().map(of_role).collect(),
            scalars: self.remembered.scalars.iter().zip(scalars).map(|(&id, slot)| var(id, &slot.scalar())).collect(),
            iterations: var(self.remembered.iterations, &Type::scalar(DType::I64)),
        };
        let rate = self.remembered.learning_rate.map(|id| var(id, &Type::scalar(DType::F32)));
        let paths: Vec<&str> = weights.iter().map(|weight| weight.path.as_str()).collect();
        let gradients = gradients(&optimizers::scaled(optimizer, &before, loss), &before.weights);
        let held = |place: usize, new: Tensor| match &weights[place].constraint {
            Some(constraint) => constraint.apply(&new),
            None => new,
        };
        let with = With { paths: &paths, rate: rate.as_ref(), held: &held };
        let new = optimizers::apply(optimizer, &before, gradients, &with);
        let mut updates: Vec<(VarId, Tensor)> = weights.iter().map(|weight| weight.id()).zip(new.weights).collect();
        updates.extend(self.remembered.slots.concat().into_iter().zip(new.slots.concat()));
        updates.extend(self.remembered.scalars.iter().copied().zip(new.scalars));
        updates.push((self.remembered.iterations, new.iterations));
        updates
    }

    /// The updates of the running losses: each row of the batch counts with the loss of the batch. In Keras 3 each batch
    /// counts as one for those of single outputs.
    pub(super) fn count(
        &self,
        cx: &Cx,
        loss: &Tensor,
        each: &[Option<Tensor>],
        rows: usize,
        updates: &mut Vec<(VarId, Tensor)>,
    ) {
        let var = |id| cx.trace().var(id, Type::scalar(DType::F32));
        let mut add = |[total, count]: [VarId; 2], loss: &Tensor, rows: f64| {
            let loss = loss.cast(loss.dtype().widened());
            updates.push((total, var(total) + (loss * rows).cast(DType::F32)));
            updates.push((count, var(count) + rows));
        };
        add(self.loss, loss, rows as f64);
        let rows = if cx.flavor().weighs_losses_by_rows() { rows as f64 } else { 1.0 };
        for (tracked, loss) in self.losses.iter().zip(each) {
            if let (Some((_, ids)), Some(loss)) = (tracked, loss) {
                add(*ids, loss, rows);
            }
        }
    }

    /// The running figures, all as one step left them.
    pub(super) fn logs(&self) -> Result<Vec<(String, f64)>> {
        let ids: Vec<VarId> = self.totals().iter().map(|(id, _)| *id).collect();
        self.figures(&ids.iter().copied().zip(self.all.session.read(&ids)?).collect())
    }

    /// The figures that running totals say.
    pub(super) fn figures(&self, values: &HashMap<VarId, Array>) -> Result<Vec<(String, f64)>> {
        let mean = |ids: [VarId; 2]| {
            let [total, count] = ids.map(|id| values[&id].get(0) as f32);
            f64::from(if count == 0.0 { 0.0 } else { total / count })
        };
        let figure = |tracked: &Tracked| Ok((tracked.key.clone(), tracked.figure(values)?));
        let loss = std::iter::once(("loss".to_owned(), mean(self.loss)));
        let losses = self.losses.iter().flatten().map(|(key, ids)| (key.clone(), mean(*ids)));
        loss.chain(losses).map(Ok).chain(self.metrics.iter().map(figure)).collect()
    }
}

/// An output and what it is judged by.
pub(super) struct Judged<'a> {
    pub(super) y: &'a Tensor,
    pub(super) predictions: &'a Wire,
    pub(super) weights: Option<&'a Tensor>,
}

impl Judged<'_> {
    /// The weights of samples, of positions, or of both, as far as they are asked for.
    fn weights_of(&self, samples: bool, positions: bool) -> Option<Tensor> {
        let weights = self.weights.filter(|_| samples);
        let Some(mask) = self.predictions.mask.as_ref().filter(|_| positions) else { return weights.cloned() };
        let mask = mask.cast(DType::F32);
        let rows = |weights: &Tensor| {
            let mut shape = vec![1; mask.rank().max(1)];
            shape[0] = weights.dim(0);
            weights.cast(DType::F32).reshape(&shape[..])
        };
        Some(weights.map_or(mask.clone(), |weights| rows(weights) * &mask))
    }

    pub(super) fn loss(&self, head: &Head) -> Option<Tensor> {
        let loss = head.loss.as_ref()?;
        Some(losses::of_rows(&**loss, self.y, self.predictions, self.weights))
    }
}

/// The graph of a result that is a single number.
fn single_number(metric: &dyn Metric, state: &[Total]) -> Result<Graph> {
    let graph = metrics::result_graph(metric, state)?;
    let ty = graph.ty(graph.outputs[0]);
    if ty.shape.size() == 1 {
        return Ok(graph);
    }
    let message = format!("a figure is a single number, but the metric `{}` gives {ty}", metric.class_name());
    Err(Error::usage(message).help("look at it alone: `metrics::Running`"))
}

/// A metric; that of `"accuracy"` goes by the shapes.
fn by_shapes(metric: &Choice<dyn Metric>, y: &Shape, output: &Shape) -> Result<Arc<dyn Metric>> {
    match metric {
        Choice::Name(name) if ACCURACY.contains(&name.as_str()) => Ok(metrics::by_shapes(name, y, output)),
        metric => metric.resolve(),
    }
}
