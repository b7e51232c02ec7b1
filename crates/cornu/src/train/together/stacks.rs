//! Stacks of models: their variables side by side in one session, and the epochs of their training.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use cornu_graph::{
    Array, Data, Error, ErrorKind, Feed, Given as Stands, Result, Role, Run as Steps, Session, Stack, Type, Value,
    VarId, VarSpec, beside, part, wide,
};

use super::{Form, Member, same};
use crate::model::Model;
use crate::step::Kind;
use crate::train::Scores;
use crate::train::feeding::Feeding;
use crate::train::interrupt::Interrupt;
use crate::train::run::Run;
use crate::variables::locked;

/// What stands for the inputs of a step: each model has its own order of the rows to train on.
pub(super) fn inputs(kind: Kind, rows: usize) -> Stands {
    if kind == Kind::Train { Stands::Rows(rows) } else { Stands::Same }
}

/// A model in a stack.
pub(super) struct Lane<'r, 'a> {
    run: &'r mut Run<'a>,
    member: &'r Member,
    session: Arc<dyn Session>,
    /// Its variables, as its session has them.
    pub(super) values: Vec<Array>,
    /// Whether its training goes on; if not, nothing is made of what becomes of it in the stack.
    goes_on: bool,
}

impl<'r, 'a> Lane<'r, 'a> {
    pub(super) fn new(run: &'r mut Run<'a>, member: &'r Member) -> Result<Lane<'r, 'a>> {
        let session = Arc::clone(run.model.stage().session()?);
        let values = session.read(&member.vars)?;
        Ok(Lane { run, member, session, values, goes_on: true })
    }

    /// Whether callbacks may look at the model between epochs, and change it.
    pub(super) fn is_looked_at(&self) -> bool {
        self.goes_on && self.run.looks_between_epochs()
    }

    /// Takes up what callbacks have changed; says whether that is anything.
    fn take_up(&mut self) -> Result<bool> {
        let now = self.session.read(&self.member.vars)?;
        let changed = now.iter().zip(&self.values).any(|(now, known)| !same(now, known));
        self.values = now;
        Ok(changed)
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

/// How the models of a form are trained: on which data, and for how long.
pub(super) struct Plan<'p, 'a> {
    form: &'p Form,
    own: HashSet<VarId>,
    /// The first, whose metrics say what running totals mean.
    model: &'a Model,
    epochs: Range<usize>,
    starts: Vec<(VarId, Array)>,
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
    pub(super) fn new(form: &'p Form, lanes: &[Lane<'_, 'a>], interrupt: &'p Interrupt) -> Result<Plan<'p, 'a>> {
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
            form,
            own: form.own(lanes),
            model: run.model,
            starts: starts(form, run.model)?,
            data: on_machine(&run.feeding)?,
            rows,
            validation,
            epochs: run.next_epoch().unwrap_or(run.fit.epochs)..run.fit.epochs,
            interrupt,
        })
    }

    pub(super) fn train(&self, lanes: &mut [Lane]) -> Result<()> {
        let sessions: Vec<Arc<dyn Session>> = lanes.iter().map(|lane| Arc::clone(&lane.session)).collect();
        let width = sessions[0].lanes();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let stacks = Mutex::new(lanes.chunks_mut(width));
        let work = |session: &Arc<dyn Session>| -> Result<()> {
            let mut machine = Machine::new(self, Arc::clone(session), width)?;
            while let Some(stack) = { locked(&stacks).next() } {
                machine.train(stack)?;
            }
            Ok(())
        };
        let count = sessions.len().div_ceil(width).min(cores);
        std::thread::scope(|scope| {
            let others: Vec<_> = sessions[1..count].iter().map(|session| scope.spawn(|| work(session))).collect();
            let own = work(&sessions[0]);
            let join = |other: std::thread::ScopedJoinHandle<Result<()>>| {
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            others.into_iter().map(join).fold(own, |end, other| end.and(other))
        })
    }
}

/// A session with the variables of one stack after the other, and its programs.
struct Machine<'m> {
    plan: &'m Plan<'m, 'm>,
    session: Arc<dyn Session>,
    width: usize,
    vars: Vec<VarId>,
    constants: Vec<((usize, Value), VarId)>,
    steps: Vec<(Kind, usize, Box<dyn Steps>)>,
    /// The running totals, and what they are at first.
    totals: Vec<(VarId, Array)>,
    /// Whether the models have what the stack has learned.
    is_given: bool,
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        self.session.release(&self.vars);
        self.session.release(&self.constants.iter().map(|&(_, var)| var).collect::<Vec<_>>());
    }
}

impl<'m> Machine<'m> {
    fn new(plan: &'m Plan<'m, 'm>, session: Arc<dyn Session>, width: usize) -> Result<Machine<'m>> {
        let mut machine = Machine {
            plan,
            session,
            width,
            vars: Vec::new(),
            constants: Vec::new(),
            steps: Vec::new(),
            totals: Vec::new(),
            is_given: true,
        };
        machine.declare()?;
        machine.compile()?;
        let wide = |(var, start): &(VarId, Array)| {
            let array = if plan.own.contains(var) { beside(&vec![start; width]) } else { start.clone() };
            (machine.var(*var), array)
        };
        machine.totals = plan.starts.iter().map(wide).collect();
        Ok(machine)
    }

    /// Declares the variables, and those that hold constants in which models differ.
    fn declare(&mut self) -> Result<()> {
        let form = self.plan.form;
        for (var, ty) in form.vars.iter().zip(self.types()) {
            let ty = if self.plan.own.contains(var) { wide(&ty, self.width) } else { ty };
            self.vars.push(self.session.declare(VarSpec::zeros("stacked", Role::State, ty))?);
        }
        for &(step, value) in &form.constants {
            let ty = wide(form.steps[step].2.ty(value), self.width);
            let var = self.session.declare(VarSpec::zeros("stacked", Role::State, ty))?;
            self.constants.push(((step, value), var));
        }
        Ok(())
    }

    fn compile(&mut self) -> Result<()> {
        for (step, (kind, rows, graph)) in self.plan.form.steps.iter().enumerate() {
            let constants = self.constants.iter().filter(|((of, _), _)| *of == step);
            let stack = Stack {
                models: self.width,
                inputs: vec![inputs(*kind, self.plan.rows.rows); graph.inputs.len()],
                own: self.plan.own.clone(),
                constants: constants.map(|&((_, value), var)| (value, var)).collect(),
            };
            let program = self.session.compile(&stack.graph(graph, |var| self.var(var)))?;
            self.steps.push((*kind, *rows, program.room()?));
        }
        Ok(())
    }

    /// The types of the variables, of each model alone.
    fn types(&self) -> Vec<Type> {
        let mut types = HashMap::new();
        for (.., graph) in &self.plan.form.traced {
            let all = graph.vars.iter().chain(&graph.updates);
            all.for_each(|&(var, value)| _ = types.insert(var, graph.ty(value).clone()));
        }
        self.plan.form.vars.iter().map(|var| types[var].clone()).collect()
    }

    /// What a variable of the first model is called here.
    fn var(&self, var: VarId) -> VarId {
        let place = self.plan.form.vars.iter().position(|&known| known == var);
        self.vars[place.expect("every variable of a step is declared")]
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
        let value = |place: usize, var: &VarId| match self.plan.own.contains(var) {
            true => beside(&all.iter().map(|lane| &lane.values[place]).collect::<Vec<_>>()),
            // Of those that go on: a model that has stopped has its counters of then.
            false => first.values[place].clone(),
        };
        let mut values: Vec<(VarId, Array)> =
            self.plan.form.vars.iter().enumerate().map(|(place, var)| (self.vars[place], value(place, var))).collect();
        values.extend(self.constants.iter().map(|(of, var)| {
            (*var, beside(&all.iter().map(|lane| lane.member.constants[of].array()).collect::<Vec<_>>()))
        }));
        self.write(&values)
    }

    /// Gives the models whose training goes on what the stack has learned.
    fn give(&mut self, lanes: &mut [Lane]) -> Result<()> {
        if std::mem::replace(&mut self.is_given, true) {
            return Ok(());
        }
        let values = self.session.read(&self.vars)?;
        for (number, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.goes_on) {
            for (place, (var, value)) in self.plan.form.vars.iter().zip(&values).enumerate() {
                lane.values[place] = if self.plan.own.contains(var) { part(value, number) } else { value.clone() };
            }
            lane.session.write(&lane.member.vars.iter().copied().zip(&lane.values).collect::<Vec<_>>())?;
        }
        Ok(())
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
        let is_single = |(_, var): &(usize, &VarId)| !self.plan.own.contains(var);
        for (place, _) in self.plan.form.vars.iter().enumerate().filter(is_single) {
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
            for ((var, _), value) in self.plan.starts.iter().zip(&values) {
                own.insert(*var, if self.plan.own.contains(var) { part(value, model) } else { value.clone() });
            }
            stage.figures(&own)
        };
        (0..models).map(&mut of).collect()
    }
}

/// The running totals, which some step of training changes.
fn starts(form: &Form, model: &Model) -> Result<Vec<(VarId, Array)>> {
    let starts = model.stage().starts()?;
    match starts.iter().all(|(var, _)| form.vars.contains(var)) {
        true => Ok(starts),
        false => Err(Error::usage("a metric has a running total that no step changes")),
    }
}

/// The run for batches of so many rows.
fn step(steps: &mut [(Kind, usize, Box<dyn Steps>)], kind: Kind, rows: usize) -> Result<&mut dyn Steps> {
    let step = steps.iter_mut().find(|(of, size, _)| (*of, *size) == (kind, rows));
    Ok(&mut *step.ok_or_else(|| Error::usage(format!("no step is for batches of {rows} rows")))?.2)
}
