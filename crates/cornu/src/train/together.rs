//! Several models at once: those whose steps are alike lie side by side in vectors, and have the bits of each alone.

use std::collections::{HashMap, HashSet};
use std::ops::DerefMut;
use std::sync::{Arc, Mutex};

use cornu_graph::ops::{Constant, Leaf, Op};
use cornu_graph::{
    Array, Data, Error, ErrorKind, Feed, Given as Stands, Graph, Result, Role, Run as Steps, Session, Stack, ToArrays,
    Type, Value, VarId, VarSpec, beside, differences, part, passes,
};

use super::batches::Batches;
use super::feeding::Feeding;
use super::interrupt::Interrupt;
use super::model::Prepared;
use super::run::Run;
use super::{Fit, History, Scores};
use crate::model::Model;
use crate::step::{Fed, Given, Kind};
use crate::variables::locked;

/// Fewer models of a kind are trained one after the other: a stack takes about as long as two or three of them.
const FEW: usize = 4;

/// Multiply-adds of a product from which on a model alone is as quick.
const LARGE: usize = 100_000;

/// Trains several models on the same rows, each as its own [`fit`](Model::fit) would: with its seeds, first weights, order of
/// rows and rates. Every weight and figure has the bits of the model trained alone.
///
/// Models that differ in numbers only (first weights, seeds, rates, strengths of penalties) are trained side by side, sixteen
/// in the time of two or three where vectors have sixteen lanes, and as many such stacks at once as there are cores. It pays
/// for layers of up to about fifty units. All others are trained one after the other. Nothing is printed.
///
/// ```
/// use cornu::prelude::*;
/// use cornu::random::{Flavor, Seeds};
/// use cornu::train::fit_together;
///
/// let (x, y) = ([[0., 0.], [0., 1.], [1., 0.], [1., 1.]], [0, 1, 1, 1]);
/// let model = |seed: u32| -> cornu::Result<Sequential> {
///     let mut model = Sequential::seeded(Flavor::Keras3, Seeds::new(seed));
///     model.add(Dense::new(4).input_shape([2]).activation("relu"));
///     model.add(Dense::new(1).activation("sigmoid"));
///     let rate = 0.01 * f64::from(seed);
///     model.compile(Compile::new().loss("binary_crossentropy").optimizer(Adam::new().learning_rate(rate)))?;
///     Ok(model)
/// };
/// let mut models = (1..=8).map(model).collect::<cornu::Result<Vec<_>>>()?;
/// let histories = fit_together(&mut models, &x, &y, Fit::new().epochs(20))?;
/// assert_eq!(histories.len(), 8);
///
/// let alone = model(3)?.fit(&x, &y, Fit::new().epochs(20).verbose(0))?;
/// assert_eq!(histories[2]["loss"], alone["loss"]);
/// # Ok::<(), cornu::Error>(())
/// ```
///
/// # Errors
/// Those of [`Model::fit`] for the first model that has one; callbacks and a `validation_source`, which are of one model.
pub fn fit_together<M: DerefMut<Target = Model>>(
    models: &mut [M],
    x: impl ToArrays,
    y: impl ToArrays,
    fit: Fit,
) -> Result<Vec<History>> {
    fit.check()?;
    let given = Given::labelled(x, y)?;
    let by_name = std::iter::once(&given.x).chain(&given.y).any(|arrays| arrays.are_named());
    let mut prepared = Vec::with_capacity(models.len());
    for (number, model) in models.iter_mut().enumerate() {
        model.training().compiled("fit_together")?;
        let one = model.prepared(given.clone(), fit.again()?);
        prepared.push(one.map_err(|error| error.context(format!("model {number}")))?);
    }
    let models: Vec<&Model> = models.iter().map(|model| &**model).collect();
    let mut runs = Vec::with_capacity(models.len());
    for (&model, one) in models.iter().zip(prepared) {
        let Prepared { feeding, validation, fit, seeds, own, warnings } = one;
        let mut run = Run::new(model, feeding, validation, fit, warnings);
        run.take_up_streams(&seeds, own)?;
        runs.push(run);
    }
    let mut trained = vec![false; runs.len()];
    let forms = if share_variables(&models) { Vec::new() } else { forms(&runs, by_name)? };
    for form in forms.iter().filter(|form| form.members.len() >= FEW) {
        form.train(&mut runs)?;
        form.members.iter().for_each(|member| trained[member.run] = true);
    }
    let end = |((mut run, model), trained): ((Run, &Model), bool)| {
        let end = if trained { model.stage().finalize() } else { run.epochs() };
        model.ended(run, end)
    };
    runs.into_iter().zip(models).zip(trained).map(end).collect()
}

/// Whether models have variables in common: then one after the other changes them.
fn share_variables(models: &[&Model]) -> bool {
    let mut seen = HashSet::new();
    let all = models.iter().flat_map(|model| model.variables().all());
    let mut places = all.map(|named| std::ptr::from_ref(&**named));
    !places.all(|place| seen.insert(place))
}

/// Models whose steps are alike.
struct Form {
    /// The steps of the first, by what they are for and how many rows they take.
    steps: Vec<(Kind, usize, Graph)>,
    /// Its variables, at the places where each is first named.
    vars: Vec<VarId>,
    firsts: Vec<usize>,
    /// The constants in which others differ, by step.
    constants: HashSet<(usize, Value)>,
    members: Vec<Member>,
}

struct Member {
    /// Which run it is.
    run: usize,
    vars: Vec<VarId>,
    /// Its constants, by step.
    constants: HashMap<(usize, Value), Constant>,
}

/// The forms of all models that can be trained side by side.
fn forms(runs: &[Run], by_name: bool) -> Result<Vec<Form>> {
    let mut forms: Vec<Form> = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let Some(steps) = steps(run)? else { continue };
        let names = named(&steps);
        let fits = |form: &mut Form| {
            let first = &runs[form.members[0].run];
            is_same_data(run, first, by_name) && form.takes(number, &steps, &names)
        };
        if !forms.iter_mut().any(fits) {
            forms.push(Form::new(number, steps, &names));
        }
    }
    Ok(forms)
}

/// Whether both are trained on the same rows in batches of one size; those that go by name need the same names.
fn is_same_data(a: &Run, b: &Run, by_name: bool) -> bool {
    let inputs =
        |run: &Run| -> Vec<String> { run.model.net().named_inputs().iter().map(|input| input.name.clone()).collect() };
    let names = |run: &Run| by_name.then(|| (inputs(run), run.model.output_names()));
    a.feeding.told() == b.feeding.told() && names(a) == names(b) && a.model.flavor() == b.model.flavor()
}

/// The steps of a run, if they are such as can be done side by side and gain by it.
fn steps(run: &Run) -> Result<Option<Vec<(Kind, usize, Graph)>>> {
    let Feeding::Rows(data, batches) = &run.feeding else { return Ok(None) };
    let validation = match &run.validation {
        Some(whole) => match &whole.feeding {
            Feeding::Rows(data, batches) => Some((data, batches, whole.steps)),
            Feeding::Drawn(_) => return Ok(None),
        },
        None => None,
    };
    let stage = run.model.stage();
    if stage.session()?.lanes() == 1 || run.fit.steps_per_epoch.is_some() || run.fit.epochs <= run.fit.initial_epoch {
        return Ok(None);
    }
    let own = stage.steps()?;
    let sizes = |rows: usize, size: usize| [size.min(rows), if rows > size { rows % size } else { 0 }];
    let mut wanted: Vec<(Kind, usize, &Fed)> =
        sizes(data.rows(), batches.size).map(|size| (Kind::Train, size, data)).into();
    if let Some((data, batches, steps)) = validation {
        let rows = steps.saturating_mul(batches.size).min(data.rows());
        wanted.extend(sizes(rows, batches.size).map(|size| (Kind::Test, size, data)));
    }
    let mut all = Vec::with_capacity(wanted.len());
    for (kind, rows, data) in wanted.into_iter().filter(|&(_, rows, _)| rows > 0) {
        // As executors fold constants: what is known of one model is known of each.
        let graph = passes::fold(&own.trace(kind, data, &data.types(rows))?);
        if !gains(&graph) {
            return Ok(None);
        }
        all.push((kind, rows, graph));
    }
    Ok(Some(all))
}

/// Whether a step is quicker side by side: no product is large, and no op has to be done one by one.
fn gains(graph: &Graph) -> bool {
    graph.nodes().all(|(value, node)| match &node.op {
        Op::Dot(dot) => {
            let [a, b] = [0, 1].map(|i| &graph.ty(node.args[i]).shape);
            graph.ty(value).rank() == 2 && dot.sizes(a, b).is_some_and(|(_, m, k, n)| m * k * n < LARGE)
        }
        Op::Conv(_) | Op::ConvInput(_) | Op::ConvWeights(_) | Op::MaxPool(_) | Op::SumPool(_) | Op::Unpool(_) => false,
        Op::Scan(_) | Op::If(_) | Op::Call(_) | Op::While(_) | Op::ScatterAdd(_) => false,
        _ => true,
    })
}

/// The variables that steps name, node by node, then those that they update.
fn named(steps: &[(Kind, usize, Graph)]) -> Vec<VarId> {
    let of = |graph: &Graph| -> Vec<VarId> {
        let read = graph
            .nodes()
            .filter_map(|(_, node)| if let Op::Leaf(Leaf::Var { id, .. }) = node.op { Some(id) } else { None });
        read.chain(graph.updates.iter().map(|&(id, _)| id)).collect()
    };
    steps.iter().flat_map(|(.., graph)| of(graph)).collect()
}

/// The constants of steps.
fn constants(steps: &[(Kind, usize, Graph)]) -> HashMap<(usize, Value), Constant> {
    let of = |(step, (.., graph)): (usize, &(Kind, usize, Graph))| {
        let constants = graph.nodes().filter_map(move |(value, node)| match &node.op {
            Op::Leaf(Leaf::Constant(constant)) => Some(((step, value), constant.clone())),
            _ => None,
        });
        constants.collect::<Vec<_>>()
    };
    steps.iter().enumerate().flat_map(of).collect()
}

impl Form {
    fn new(run: usize, steps: Vec<(Kind, usize, Graph)>, names: &[VarId]) -> Form {
        let mut seen = HashSet::new();
        let firsts: Vec<usize> = (0..names.len()).filter(|&i| seen.insert(names[i])).collect();
        let vars: Vec<VarId> = firsts.iter().map(|&i| names[i]).collect();
        let member = Member { run, vars: vars.clone(), constants: constants(&steps) };
        Form { steps, vars, firsts, constants: HashSet::new(), members: vec![member] }
    }

    /// Takes in a model if its steps are alike.
    fn takes(&mut self, run: usize, steps: &[(Kind, usize, Graph)], names: &[VarId]) -> bool {
        if steps.len() != self.steps.len() {
            return false;
        }
        let mut found = Vec::new();
        for (step, (own, other)) in self.steps.iter().zip(steps).enumerate() {
            let Ok(values) = differences(&own.2, &other.2) else { return false };
            if (own.0, own.1) != (other.0, other.1) {
                return false;
            }
            found.extend(values.into_iter().map(|value| (step, value)));
        }
        let vars: Vec<VarId> = self.firsts.iter().map(|&i| names[i]).collect();
        let known: HashMap<VarId, VarId> = self.vars.iter().copied().zip(vars.iter().copied()).collect();
        let own = named(&self.steps);
        if own.len() != names.len() || own.iter().zip(names).any(|(own, other)| known[own] != *other) {
            return false;
        }
        self.constants.extend(found);
        self.members.push(Member { run, vars, constants: constants(steps) });
        true
    }

    /// Trains its models, as many stacks at once as there are cores.
    fn train(&self, runs: &mut [Run]) -> Result<()> {
        let sessions = self.members.iter().map(|member| Ok(Arc::clone(runs[member.run].model.stage().session()?)));
        let sessions: Vec<Arc<dyn Session>> = sessions.collect::<Result<_>>()?;
        let mut lanes: Vec<Lane> = Vec::with_capacity(self.members.len());
        for (member, session) in self.members.iter().zip(&sessions) {
            let values = session.read(&member.vars)?;
            let (_, batches) = runs[member.run].feeding.of_rows().ok_or_else(of_rows)?;
            let batches = std::mem::replace(batches, Batches::new(None, 0, 1));
            lanes.push(Lane { values, batches, constants: &member.constants, logs: Vec::new() });
        }
        let plan = Plan::new(self, &runs[self.members[0].run], &lanes)?;
        let end = plan.train(&mut lanes, &sessions);
        for ((member, session), lane) in self.members.iter().zip(&sessions).zip(lanes) {
            let run = &mut runs[member.run];
            session.write(&member.vars.iter().copied().zip(&lane.values).collect::<Vec<_>>())?;
            if let Some((_, batches)) = run.feeding.of_rows() {
                *batches = lane.batches;
            }
            if let Some(whole) =
                run.validation.as_ref().filter(|_| lane.logs.iter().any(|(_, scores)| scores.is_some()))
            {
                run.model.training().evaluating(whole.feeding.one_size());
            }
            lane.logs.into_iter().for_each(|(logs, validation)| run.note(logs, validation));
        }
        end
    }

    /// Which variables are each model's own, by the first one's names.
    fn own(&self, lanes: &[Lane]) -> HashSet<VarId> {
        let differs = |place: usize| lanes.iter().any(|lane| !same(&lane.values[place], &lanes[0].values[place]));
        let own = (0..self.vars.len()).filter(|&place| differs(place)).map(|place| self.vars[place]).collect();
        let mut stack = Stack { models: 1, inputs: Vec::new(), own, constants: HashMap::new() };
        loop {
            let mut grows = false;
            for (step, (kind, _, graph)) in self.steps.iter().enumerate() {
                stack.inputs = vec![inputs(*kind, 1); graph.inputs.len()];
                stack.constants = self.of_step(step).map(|value| (value, VarId::new(0))).collect();
                grows |= stack.spread(graph);
            }
            if !grows {
                return stack.own;
            }
        }
    }

    /// The constants of a step in which models differ.
    fn of_step(&self, step: usize) -> impl Iterator<Item = Value> {
        self.constants.iter().filter(move |(of, _)| *of == step).map(|&(_, value)| value)
    }
}

/// Whether two arrays have the same bits.
fn same(a: &Array, b: &Array) -> bool {
    Constant::new(a.clone()) == Constant::new(b.clone())
}

/// What stands for the inputs of a step: each model has its own order of the rows to train on.
fn inputs(kind: Kind, rows: usize) -> Stands {
    if kind == Kind::Train { Stands::Rows(rows) } else { Stands::Same }
}

/// A model in a stack.
struct Lane<'a> {
    /// Its variables.
    values: Vec<Array>,
    batches: Batches,
    constants: &'a HashMap<(usize, Value), Constant>,
    /// The figures of each epoch, and those of its validation.
    logs: Vec<(Scores, Option<Scores>)>,
}

/// How the models of a form are trained: on which data, and for how long.
struct Plan<'a> {
    form: &'a Form,
    own: HashSet<VarId>,
    /// The first, whose metrics say what running totals mean.
    model: &'a Model,
    starts: Vec<(VarId, Array)>,
    data: Vec<Data>,
    rows: Split,
    validation: Option<(Vec<Data>, Split)>,
    /// The numbers of rows, from the first on.
    order: Vec<u32>,
    epochs: std::ops::Range<usize>,
    freq: usize,
    interrupt: Interrupt,
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

impl<'a> Plan<'a> {
    fn new(form: &'a Form, run: &Run<'a>, lanes: &[Lane]) -> Result<Plan<'a>> {
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
        let rows = Split { size: lanes[0].batches.size, ..split(&run.feeding, usize::MAX) };
        let most = validation.as_ref().map_or(0, |(_, split)| split.rows).max(rows.rows);
        Ok(Plan {
            order: (0..most as u32).collect(),
            form,
            own: form.own(lanes),
            model: run.model,
            starts: run.model.stage().starts()?,
            data: on_machine(&run.feeding)?,
            rows,
            validation,
            epochs: run.fit.initial_epoch..run.fit.epochs,
            freq: run.fit.validation_freq,
            interrupt: Interrupt::watch(),
        })
    }

    fn train(&self, lanes: &mut [Lane], sessions: &[Arc<dyn Session>]) -> Result<()> {
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
struct Machine<'a> {
    plan: &'a Plan<'a>,
    session: Arc<dyn Session>,
    width: usize,
    vars: Vec<VarId>,
    constants: Vec<((usize, Value), VarId)>,
    steps: Vec<(Kind, usize, Box<dyn Steps>)>,
    /// The running totals, and what they are at first.
    totals: Vec<(VarId, Array)>,
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        self.session.release(&self.vars);
        self.session.release(&self.constants.iter().map(|&(_, var)| var).collect::<Vec<_>>());
    }
}

impl<'a> Machine<'a> {
    fn new(plan: &'a Plan, session: Arc<dyn Session>, width: usize) -> Result<Machine<'a>> {
        let mut machine = Machine {
            plan,
            session,
            width,
            vars: Vec::new(),
            constants: Vec::new(),
            steps: Vec::new(),
            totals: Vec::new(),
        };
        let form = plan.form;
        let types = machine.types();
        for (var, ty) in form.vars.iter().zip(types) {
            let ty = if plan.own.contains(var) { machine.wide(&ty) } else { ty };
            machine.vars.push(machine.session.declare(VarSpec::zeros("stacked", Role::State, ty))?);
        }
        for &(step, value) in &form.constants {
            let ty = machine.wide(form.steps[step].2.ty(value));
            let var = machine.session.declare(VarSpec::zeros("stacked", Role::State, ty))?;
            machine.constants.push(((step, value), var));
        }
        for (step, (kind, rows, graph)) in form.steps.iter().enumerate() {
            let stack = Stack {
                models: width,
                inputs: vec![inputs(*kind, plan.rows.rows); graph.inputs.len()],
                own: plan.own.clone(),
                constants: machine
                    .constants
                    .iter()
                    .filter(|((of, _), _)| *of == step)
                    .map(|&((_, value), var)| (value, var))
                    .collect(),
            };
            let program = machine.session.compile(&stack.graph(graph, |var| machine.var(var)))?;
            machine.steps.push((*kind, *rows, program.room()?));
        }
        let wide = |(var, start): &(VarId, Array)| {
            let array = if plan.own.contains(var) { beside(&vec![start; width]) } else { start.clone() };
            (machine.var(*var), array)
        };
        machine.totals = plan.starts.iter().filter(|(var, _)| form.vars.contains(var)).map(wide).collect();
        Ok(machine)
    }

    fn wide(&self, ty: &Type) -> Type {
        Type::new(ty.dtype, ty.shape.iter().copied().chain([self.width]).collect::<cornu_graph::Shape>())
    }

    /// The types of the variables, of each model alone.
    fn types(&self) -> Vec<Type> {
        let mut types = HashMap::new();
        for (.., graph) in &self.plan.form.steps {
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

    /// Trains the models of a stack; where there are fewer than lanes, the first fills the others.
    fn train(&mut self, lanes: &mut [Lane]) -> Result<()> {
        let filled = |lane: usize| &lanes[if lane < lanes.len() { lane } else { 0 }];
        let all: Vec<&Lane> = (0..self.width).map(filled).collect();
        let value = |place: usize, var: &VarId| match self.plan.own.contains(var) {
            true => beside(&all.iter().map(|lane| &lane.values[place]).collect::<Vec<_>>()),
            false => lanes[0].values[place].clone(),
        };
        let mut values: Vec<(VarId, Array)> =
            self.plan.form.vars.iter().enumerate().map(|(place, var)| (self.vars[place], value(place, var))).collect();
        values.extend(
            self.constants.iter().map(|(of, var)| {
                (*var, beside(&all.iter().map(|lane| lane.constants[of].array()).collect::<Vec<_>>()))
            }),
        );
        self.write(&values)?;
        let end = self.plan.epochs.clone().try_for_each(|epoch| self.epoch(epoch, lanes));
        let values = self.session.read(&self.vars)?;
        for (place, (var, value)) in self.plan.form.vars.iter().zip(values).enumerate() {
            for (number, lane) in lanes.iter_mut().enumerate() {
                lane.values[place] = if self.plan.own.contains(var) { part(&value, number) } else { value.clone() };
            }
        }
        end
    }

    fn write(&self, values: &[(VarId, Array)]) -> Result<()> {
        self.session.write(&values.iter().map(|(var, value)| (*var, value)).collect::<Vec<_>>())
    }

    fn epoch(&mut self, epoch: usize, lanes: &mut [Lane]) -> Result<()> {
        if self.plan.interrupt.is_pressed() {
            let message = format!("stopped before epoch {}", epoch + 1);
            return Err(Error::new(ErrorKind::Interrupted, message).help("the models keep what they have learned"));
        }
        let Split { rows, .. } = self.plan.rows;
        let mut numbers = vec![0; rows * self.width];
        lanes.iter_mut().for_each(|lane| lane.batches.next(usize::MAX));
        for number in 0..self.width {
            let lane = &lanes[if number < lanes.len() { number } else { 0 }];
            numbers[number..].iter_mut().step_by(self.width).zip(lane.batches.rows()).for_each(|(to, &row)| *to = row);
        }
        let order = self.session.upload(Array::new([rows, self.width], numbers)?)?;
        let mut tables: Vec<Feed> = self.plan.data.iter().map(Feed::Whole).collect();
        self.write(&self.totals)?;
        for batch in self.plan.order[..rows].chunks(self.plan.rows.size) {
            tables.push(Feed::Rows(&order, batch));
            step(&mut self.steps, Kind::Train, batch.len())?.start(&tables)?;
            tables.pop();
        }
        let logs = self.figures(lanes.len())?;
        let due = (epoch + 1).is_multiple_of(self.plan.freq);
        let validation = match self.plan.validation.as_ref().filter(|_| due) {
            Some((data, split)) => {
                self.write(&self.totals)?;
                for batch in self.plan.order[..split.rows].chunks(split.size) {
                    let feeds: Vec<Feed> = data.iter().map(|data| Feed::Rows(data, batch)).collect();
                    step(&mut self.steps, Kind::Test, batch.len())?.start(&feeds)?;
                }
                self.figures(lanes.len())?.into_iter().map(Some).collect()
            }
            None => vec![None; lanes.len()],
        };
        let all = lanes.iter_mut().zip(logs.into_iter().zip(validation));
        all.for_each(|(lane, logs)| lane.logs.push(logs));
        Ok(())
    }

    /// What the running totals say of each model.
    fn figures(&self, models: usize) -> Result<Vec<Scores>> {
        let totals: Vec<VarId> = self.totals.iter().map(|&(var, _)| var).collect();
        let values = self.session.read(&totals)?;
        let stage = self.plan.model.stage();
        let mut own: HashMap<VarId, Array> = self.plan.starts.iter().cloned().collect();
        let of = |model: usize| {
            for ((var, _), value) in
                self.plan.starts.iter().filter(|(var, _)| self.plan.form.vars.contains(var)).zip(&values)
            {
                own.insert(*var, if self.plan.own.contains(var) { part(value, model) } else { value.clone() });
            }
            stage.figures(&own)
        };
        (0..models).map(of).collect()
    }
}

/// The run for batches of so many rows.
fn step(steps: &mut [(Kind, usize, Box<dyn Steps>)], kind: Kind, rows: usize) -> Result<&mut dyn Steps> {
    let step = steps.iter_mut().find(|(of, size, _)| (*of, *size) == (kind, rows));
    Ok(&mut *step.ok_or_else(|| Error::usage(format!("no step is for batches of {rows} rows")))?.2)
}
