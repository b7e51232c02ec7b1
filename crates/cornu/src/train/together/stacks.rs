//! Stacks of models: their variables side by side in one session, and the epochs of their training.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use cornu_graph::{
    Array, Data, Error, ErrorKind, Feed, Given as Stands, Held, Result, Role, Run as Steps, Session, Stack, Type,
    VarId, VarSpec, beside, corner, padded, part, wide,
};

use super::families::{Family, Member};
use crate::model::Model;
use crate::step::Kind;
use crate::train::Scores;
use crate::train::feeding::Feeding;
use crate::train::interrupt::Interrupt;
use crate::train::run::Run;
use crate::variables::locked;

/// What stands for the inputs of a step: each model has its own order of the rows to train on.
fn inputs(kind: Kind, rows: usize) -> Stands {
    if kind == Kind::Train { Stands::Rows(rows) } else { Stands::Same }
}

/// A model in a stack.
struct Lane<'r, 'a> {
    run: &'r mut Run<'a>,
    session: Arc<dyn Session>,
    /// Its variables, by the places of those of the common graphs that they are.
    vars: Vec<(usize, VarId)>,
    /// What each variable of the common graphs is for it, in its own sizes.
    values: Vec<Array>,
    /// Whether its training goes on; if not, nothing is made of what becomes of it in the stack.
    goes_on: bool,
}

impl<'r, 'a> Lane<'r, 'a> {
    fn new(run: &'r mut Run<'a>, family: &Family, of: (usize, &Member)) -> Result<Lane<'r, 'a>> {
        let session = Arc::clone(run.model.stage().session()?);
        let vars: Vec<(usize, VarId)> =
            family.variables().filter_map(|place| Some((place, family.name(place, of)?))).collect();
        let number = |(held, ty): &(Held, Type)| match held {
            Held::Variables(_) => Array::zeros(ty),
            Held::Constants(constants) => constants[of.0].array().clone(),
            Held::Corners(shapes) => {
                padded(&Array::from_fn(&Type::new(ty.dtype, shapes[of.0].clone()), |_| 1.0), &ty.shape).into_owned()
            }
        };
        let values = family.common.held().iter().map(number).collect();
        let mut lane = Lane { run, session, vars, values, goes_on: true };
        lane.take_up()?;
        Ok(lane)
    }

    /// Whether callbacks may look at the model between epochs, and change it.
    fn is_looked_at(&self) -> bool {
        self.goes_on && self.run.looks_between_epochs()
    }

    /// Takes up what its session has; says whether that is anything else than was known.
    fn take_up(&mut self) -> Result<bool> {
        let vars: Vec<VarId> = self.vars.iter().map(|&(_, var)| var).collect();
        let mut changed = false;
        for (&(place, _), now) in self.vars.iter().zip(self.session.read(&vars)?) {
            changed |= !same(&now, &self.values[place]);
            self.values[place] = now;
        }
        Ok(changed)
    }

    /// Takes up what a stack has learned, of which it is that lane.
    fn learn(&mut self, number: usize, plan: &Plan, learned: &[Array]) -> Result<()> {
        for (&(place, _), value) in self.vars.iter().zip(learned) {
            self.values[place] = corner(plan.of(VarId::new(place), value, number), self.values[place].shape());
        }
        let values: Vec<(VarId, &Array)> = self.vars.iter().map(|&(place, var)| (var, &self.values[place])).collect();
        self.session.write(&values)
    }

    fn end_epoch(&mut self, epoch: usize, (logs, validation): (Scores, Option<Scores>)) -> Result<()> {
        let Run { model, validation: whole, .. } = &mut *self.run;
        if let Some(whole) = whole.as_ref().filter(|_| validation.is_some()) {
            model.training().evaluating(whole.feeding.one_size());
        }
        self.run.end_epoch(epoch, logs, validation.as_ref())?;
        self.goes_on = !self.run.is_stopped();
        Ok(())
    }
}

/// How the models of a family are trained: on which data, and for how long.
struct Plan<'p, 'a> {
    family: &'p Family<'p>,
    own: HashSet<VarId>,
    /// The first, whose metrics say what running totals mean.
    model: &'a Model,
    epochs: Range<usize>,
    /// The running totals, the names that the first has for them, and what they are at first.
    starts: Vec<(VarId, VarId, Array)>,
    data: Vec<Data>,
    rows: Split,
    validation: Option<(Vec<Data>, Split)>,
    /// The numbers of rows, from the first on.
    order: Vec<u32>,
    interrupt: &'p Interrupt,
}

/// Rows in batches of one size.
#[derive(Clone, Copy)]
struct Split {
    rows: usize,
    size: usize,
}

fn of_rows() -> Error {
    Error::usage("fit_together needs rows in memory")
}

impl<'p, 'a> Plan<'p, 'a> {
    fn new(family: &'p Family<'p>, lanes: &[Lane<'_, 'a>], interrupt: &'p Interrupt) -> Result<Plan<'p, 'a>> {
        let run = &*lanes[0].run;
        let on_machine = |feeding: &Feeding| -> Result<Vec<Data>> {
            Ok(feeding.rows().0.there().ok_or_else(of_rows)?.into_iter().cloned().collect())
        };
        let split = |feeding: &Feeding, most: usize| {
            let (data, size) = (feeding.rows().0, feeding.size());
            Split { rows: most.saturating_mul(size).min(data.rows()), size }
        };
        let validation = run.validation.as_ref();
        let validation = validation.map(|whole| Ok((on_machine(&whole.feeding)?, split(&whole.feeding, whole.steps))));
        let validation: Option<(Vec<Data>, Split)> = validation.transpose()?;
        let rows = split(&run.feeding, usize::MAX);
        let most = validation.as_ref().map_or(0, |(_, split)| split.rows).max(rows.rows);
        Ok(Plan {
            order: (0..most as u32).collect(),
            family,
            own: own(family, lanes),
            model: run.model,
            starts: starts(&lanes[0])?,
            data: on_machine(&run.feeding)?,
            rows,
            validation,
            epochs: run.next_epoch().unwrap_or(run.fit.epochs)..run.fit.epochs,
            interrupt,
        })
    }

    /// One model's part of what a stack holds.
    fn of(&self, var: VarId, value: &Array, number: usize) -> Array {
        if self.own.contains(&var) { part(value, number) } else { value.clone() }
    }
}

/// Trains the models of families, as many stacks at once as there are cores.
pub(super) fn train(families: &[Family], runs: &mut [Run], interrupt: &Interrupt) -> Result<()> {
    let mut runs: Vec<Option<&mut Run>> = runs.iter_mut().map(Some).collect();
    let mut all: Vec<(Plan, Vec<Lane>)> = Vec::with_capacity(families.len());
    for family in families {
        let taken = family.members().filter_map(|of| Some((runs[of.1.run].take()?, of)));
        let lanes = taken.map(|(run, of)| Lane::new(run, family, of)).collect::<Result<Vec<_>>>()?;
        all.push((Plan::new(family, &lanes, interrupt)?, lanes));
    }
    let stacks = all.iter_mut().flat_map(|(plan, lanes)| {
        let (plan, width) = (&*plan, lanes[0].session.lanes());
        lanes.chunks_mut(width).map(move |stack| (plan, stack))
    });
    let stacks: Vec<(&Plan, &mut [Lane])> = stacks.collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let others = stacks.len().min(cores).saturating_sub(1);
    let stacks = Mutex::new(stacks.into_iter());
    let work = || -> Result<()> {
        let mut machine: Option<Machine> = None;
        while let Some((plan, stack)) = { locked(&stacks).next() } {
            let known = machine.take().filter(|machine| std::ptr::eq(machine.plan, plan));
            let machine = machine.insert(known.map_or_else(|| Machine::new(plan, &stack[0]), Ok)?);
            machine.train(stack)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
        let own = work();
        let join = |other: std::thread::ScopedJoinHandle<Result<()>>| {
            other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        others.into_iter().map(join).fold(own, |end, other| end.and(other))
    })
}

/// Which variables are each model's own.
fn own(family: &Family, lanes: &[Lane]) -> HashSet<VarId> {
    let held = family.common.held();
    let differs = |place: usize| lanes.iter().any(|lane| !same(&lane.values[place], &lanes[0].values[place]));
    // What callbacks change, as a learning rate, they change in one model; but for counters, which count the same.
    let looked_at = lanes.iter().any(Lane::is_looked_at);
    let is_own = |place: &usize| differs(*place) || looked_at && held[*place].1.dtype.is_float();
    let own = (0..held.len()).filter(is_own).map(VarId::new).collect();
    let mut stack = Stack { models: 1, inputs: Vec::new(), own };
    loop {
        let mut grows = false;
        for (kind, _, graph) in &family.steps {
            stack.inputs = vec![inputs(*kind, 1); graph.inputs.len()];
            grows |= stack.spread(graph);
        }
        if !grows {
            return stack.own;
        }
    }
}

/// Whether two arrays have the same bits.
fn same(a: &Array, b: &Array) -> bool {
    a.ty() == b.ty() && a.bits().eq(b.bits())
}

/// A session with the variables of one stack after the other, and its programs.
struct Machine<'m> {
    plan: &'m Plan<'m, 'm>,
    session: Arc<dyn Session>,
    width: usize,
    /// What each variable of the common graphs is called here.
    vars: Vec<VarId>,
    steps: Vec<(Kind, usize, Box<dyn Steps>)>,
    /// The running totals, and what they are at first.
    totals: Vec<(VarId, Array)>,
    /// Whether the models have what the stack has learned.
    is_given: bool,
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        self.session.release(&self.vars);
    }
}

impl<'m> Machine<'m> {
    /// A machine for such stacks, in the session of a model.
    fn new(plan: &'m Plan<'m, 'm>, lane: &Lane) -> Result<Machine<'m>> {
        let session = Arc::clone(&lane.session);
        let width = session.lanes();
        let (vars, steps, totals) = (Vec::new(), Vec::new(), Vec::new());
        let mut machine = Machine { plan, session, width, vars, steps, totals, is_given: true };
        for (place, (_, ty)) in plan.family.common.held().iter().enumerate() {
            let ty = if plan.own.contains(&VarId::new(place)) { wide(ty, width) } else { ty.clone() };
            machine.vars.push(machine.session.declare(VarSpec::zeros("stacked", Role::State, ty))?);
        }
        for (kind, rows, graph) in &plan.family.steps {
            let inputs = vec![inputs(*kind, plan.rows.rows); graph.inputs.len()];
            let stack = Stack { models: width, inputs, own: plan.own.clone() };
            let program = machine.session.compile(&stack.graph(graph, |var| machine.vars[var.index()]))?;
            machine.steps.push((*kind, *rows, program.room()?));
        }
        let wide = |(var, _, start): &(VarId, VarId, Array)| {
            let array = if plan.own.contains(var) { beside(&vec![start; width]) } else { start.clone() };
            (machine.vars[var.index()], array)
        };
        machine.totals = plan.starts.iter().map(wide).collect();
        Ok(machine)
    }

    /// Trains the models of a stack.
    fn train(&mut self, lanes: &mut [Lane]) -> Result<()> {
        self.load(lanes)?;
        let mut epochs = self.plan.epochs.clone();
        let end = epochs.try_for_each(|epoch| match lanes.iter().any(|lane| lane.goes_on) {
            true => self.epoch(epoch, lanes),
            false => Ok(()),
        });
        self.give(lanes).and(end)
    }

    /// Brings the models into the stack; where there are fewer than lanes, one fills the others.
    fn load(&self, lanes: &[Lane]) -> Result<()> {
        let first = lanes.iter().find(|lane| lane.goes_on).unwrap_or(&lanes[0]);
        let filled = |lane: usize| lanes.get(lane).unwrap_or(first);
        let all: Vec<&Lane> = (0..self.width).map(filled).collect();
        let value = |place: usize| match self.plan.own.contains(&VarId::new(place)) {
            true => {
                let size = &self.plan.family.common.held()[place].1.shape;
                let all: Vec<Cow<Array>> = all.iter().map(|lane| padded(&lane.values[place], size)).collect();
                beside(&all.iter().map(|value| &**value).collect::<Vec<_>>())
            }
            // Of those that go on: a model that has stopped has its counters of then.
            false => first.values[place].clone(),
        };
        let values: Vec<(VarId, Array)> =
            self.vars.iter().enumerate().map(|(place, &var)| (var, value(place))).collect();
        self.write(&values)
    }

    /// Gives the models whose training goes on what the stack has learned.
    fn give(&mut self, lanes: &mut [Lane]) -> Result<()> {
        if std::mem::replace(&mut self.is_given, true) {
            return Ok(());
        }
        let vars: Vec<VarId> = self.plan.family.variables().map(|place| self.vars[place]).collect();
        let learned = self.session.read(&vars)?;
        let mut lanes = lanes.iter_mut().enumerate().filter(|(_, lane)| lane.goes_on);
        lanes.try_for_each(|(number, lane)| lane.learn(number, self.plan, &learned))
    }

    /// Takes up what callbacks have changed between epochs.
    fn take_up(&self, lanes: &mut [Lane]) -> Result<()> {
        let mut changed = false;
        for lane in lanes.iter_mut().filter(|lane| lane.is_looked_at()) {
            changed |= lane.take_up()?;
        }
        if !changed {
            return Ok(());
        }
        let is_single = |place: &usize| !self.plan.own.contains(&VarId::new(*place));
        for place in self.plan.family.variables().filter(is_single) {
            let mut going_on = lanes.iter().filter(|lane| lane.goes_on).map(|lane| &lane.values[place]);
            let first = going_on.next();
            if going_on.any(|value| !first.is_some_and(|first| same(value, first))) {
                let error =
                    Error::usage("fit_together: a callback has changed a counter of one model, which all share");
                return Err(error.help("train the models that have this callback by themselves, with `fit`"));
            }
        }
        self.load(lanes)
    }

    fn write(&self, values: &[(VarId, Array)]) -> Result<()> {
        self.session.write(&values.iter().map(|(var, value)| (*var, value)).collect::<Vec<_>>())
    }

    fn epoch(&mut self, epoch: usize, lanes: &mut [Lane]) -> Result<()> {
        if self.plan.interrupt.is_pressed() {
            let message = format!("stopped before epoch {}", epoch + 1);
            return Err(Error::new(ErrorKind::Interrupted, message).help("the models keep what they have learned"));
        }
        lanes.iter_mut().filter(|lane| lane.goes_on).try_for_each(|lane| lane.run.begin_epoch(epoch))?;
        self.take_up(lanes)?;
        self.is_given = false;
        let order = self.order(lanes)?;
        let mut tables: Vec<Feed> = self.plan.data.iter().map(Feed::Whole).collect();
        self.write(&self.totals)?;
        for batch in self.plan.order[..self.plan.rows.rows].chunks(self.plan.rows.size) {
            tables.push(Feed::Rows(&order, batch));
            step(&mut self.steps, Kind::Train, batch.len())?.start(&tables)?;
            tables.pop();
        }
        let logs = self.figures(lanes.len())?;
        let due = lanes[0].run.fit.validates_in(epoch);
        let validation = if due { self.validation(lanes.len())? } else { vec![None; lanes.len()] };
        if lanes.iter().any(Lane::is_looked_at) {
            self.give(lanes)?;
        }
        let mut all = lanes.iter_mut().zip(logs.into_iter().zip(validation)).filter(|(lane, _)| lane.goes_on);
        all.try_for_each(|(lane, figures)| lane.end_epoch(epoch, figures))
    }

    /// The figures of the validation of each model, if there is one.
    fn validation(&mut self, models: usize) -> Result<Vec<Option<Scores>>> {
        let Some((data, split)) = &self.plan.validation else { return Ok(vec![None; models]) };
        self.write(&self.totals)?;
        for batch in self.plan.order[..split.rows].chunks(split.size) {
            let feeds: Vec<Feed> = data.iter().map(|data| Feed::Rows(data, batch)).collect();
            step(&mut self.steps, Kind::Test, batch.len())?.start(&feeds)?;
        }
        Ok(self.figures(models)?.into_iter().map(Some).collect())
    }

    /// The numbers of rows of an epoch, `[row, model]`.
    fn order(&self, lanes: &mut [Lane]) -> Result<Data> {
        let Split { rows, .. } = self.plan.rows;
        let mut numbers = vec![0; rows * self.width];
        for (number, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.goes_on) {
            let own = lane.run.rows_elsewhere();
            numbers[number..].iter_mut().step_by(self.width).zip(own).for_each(|(to, &row)| *to = row);
        }
        self.session.upload(Array::new([rows, self.width], numbers)?)
    }

    /// What the running totals say of each model.
    fn figures(&self, models: usize) -> Result<Vec<Scores>> {
        let totals: Vec<VarId> = self.totals.iter().map(|&(var, _)| var).collect();
        let values = self.session.read(&totals)?;
        let stage = self.plan.model.stage();
        let mut own: HashMap<VarId, Array> = HashMap::new();
        let mut of = |model: usize| {
            for ((var, name, _), value) in self.plan.starts.iter().zip(&values) {
                own.insert(*name, self.plan.of(*var, value, model));
            }
            stage.figures(&own)
        };
        (0..models).map(&mut of).collect()
    }
}

/// The running totals, which some step of training changes: as variables of the common graphs, and of a model.
fn starts(lane: &Lane) -> Result<Vec<(VarId, VarId, Array)>> {
    let place = |(name, start): (VarId, Array)| {
        let place = lane.vars.iter().find(|(_, var)| *var == name);
        let (place, _) = place.ok_or_else(|| Error::usage("a metric has a running total that no step changes"))?;
        Ok((VarId::new(*place), name, start))
    };
    lane.run.model.stage().starts()?.into_iter().map(place).collect()
}

/// The run for batches of so many rows.
fn step(steps: &mut [(Kind, usize, Box<dyn Steps>)], kind: Kind, rows: usize) -> Result<&mut dyn Steps> {
    let step = steps.iter_mut().find(|(of, size, _)| (*of, *size) == (kind, rows));
    Ok(&mut *step.ok_or_else(|| Error::usage(format!("no step is for batches of {rows} rows")))?.2)
}
