//! Several models at once: those whose steps are alike lie side by side in vectors, and have the bits of each alone.
#![allow(clippy::needless_pass_by_value, reason = "data may be handed over, and is lent from here on")]

mod stacks;

use std::collections::{HashMap, HashSet};
use std::ops::DerefMut;
use std::sync::Arc;

use cornu_graph::ops::{Constant, Leaf, Op};
use cornu_graph::{Array, Graph, Result, Stack, ToArrays, Value, VarId, differences, lending, passes};

use self::stacks::{Lane, Plan, inputs};
use super::feeding::Feeding;
use super::interrupt::Interrupt;
use super::model::Prepared;
use super::run::Run;
use super::{Callback, Fit, Fits, History};
use crate::model::Model;
use crate::step::{Fed, Given, Kind};

/// Fewer models of a kind are trained one after the other: a stack takes about as long as two or three of them.
const FEW: usize = 4;

/// Multiply-adds of a product from which on a model alone is as quick.
const LARGE: usize = 100_000;

/// Trains several models on the same rows, each as its own [`fit`](Model::fit) would: with its seeds, first weights, order of
/// rows and rates. Every weight and figure has the bits of the model trained alone.
///
/// Models that differ in numbers only (first weights, seeds, rates, strengths of penalties) are trained side by side, sixteen
/// in the time of two or three where vectors have sixteen lanes, and as many such stacks at once as there are cores. It pays
/// for layers of up to about fifty units. All others are trained one after the other, among them those with a callback that
/// is called within epochs ([`Callback::between_epochs`]). Each model has callbacks of its own, made by
/// [`Callback::again`]; one that is stopped keeps what it had learned by then. Nothing is printed.
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
/// Those of [`Model::fit`] for the first model that has one; a `validation_source`, and callbacks of which there cannot be
/// several.
pub fn fit_together<M: DerefMut<Target = Model>>(
    models: &mut [M],
    x: impl ToArrays,
    y: impl ToArrays,
    fit: Fit,
) -> Result<Vec<History>> {
    fit_together_with(models, x, y, fit, |_| Vec::new())
}

/// [`fit_together`], with callbacks of each model, by its number.
///
/// # Errors
/// Those of [`fit_together`].
pub fn fit_together_with<M: DerefMut<Target = Model>>(
    models: &mut [M],
    x: impl ToArrays,
    y: impl ToArrays,
    fit: Fit,
    mut callbacks: impl FnMut(usize) -> Vec<Box<dyn Callback>>,
) -> Result<Vec<History>> {
    let fits = Fits::new(fit)?;
    lending(|loan| {
        let given = Given::lent(&x, &y, loan)?;
        fit_given(models, &given, &fits, &mut callbacks)
    })
}

fn fit_given<M: DerefMut<Target = Model>>(
    models: &mut [M],
    given: &Given,
    fits: &Fits,
    callbacks: &mut dyn FnMut(usize) -> Vec<Box<dyn Callback>>,
) -> Result<Vec<History>> {
    let by_name = std::iter::once(&given.x).chain(&given.y).any(|arrays| arrays.are_named());
    let mut prepared = Vec::with_capacity(models.len());
    for (number, model) in models.iter_mut().enumerate() {
        model.training().compiled("fit_together")?;
        let fit = fits.fit().verbose(0).callbacks(callbacks(number));
        let one = model.prepared(given.clone(), fit);
        prepared.push(one.map_err(|error| error.context(format!("model {number}")))?);
    }
    let models: Vec<&Model> = models.iter().map(|model| &**model).collect();
    let interrupt = Interrupt::watch();
    let mut runs = Vec::with_capacity(models.len());
    for (&model, one) in models.iter().zip(prepared) {
        let Prepared { feeding, validation, fit, seeds, own, warnings } = one;
        let mut run = Run::new(model, feeding, validation, fit, warnings);
        run.take_up_streams(&seeds, own)?;
        run.begin()?;
        runs.push(run);
    }
    let mut trained = vec![false; runs.len()];
    let forms = if models.len() < FEW || share_variables(&models) { Vec::new() } else { forms(&runs, by_name)? };
    for form in forms.iter().filter(|form| form.gains && form.members.len() >= FEW) {
        form.train(&mut runs, &interrupt)?;
        form.members.iter().for_each(|member| trained[member.run] = true);
    }
    let end = |((mut run, model), trained): ((Run, &Model), bool)| {
        let end = if trained { run.end() } else { run.epochs(&interrupt) };
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

/// The steps of a model, by what they are for and how many rows they take.
type Traced = Vec<(Kind, usize, Graph)>;

/// What is to be traced of a run.
struct Wanted<'a> {
    run: usize,
    model: &'a Model,
    steps: Vec<(Kind, usize, &'a Fed)>,
    /// What models have to have in common to be trained on the same rows.
    data: String,
    /// What its steps follow from, with its variables ([`Stage::told`](crate::step::Stage::told)).
    told: Option<(String, Vec<VarId>)>,
}

/// Models whose steps are alike.
struct Form {
    data: String,
    told: Option<(String, Vec<VarId>)>,
    /// The steps of the first, as they were traced, and as executors fold constants.
    traced: Traced,
    steps: Traced,
    /// Whether it is quicker to train them side by side.
    gains: bool,
    /// The variables of the first, at the places where each is first named.
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
    constants: Arc<HashMap<(usize, Value), Constant>>,
}

/// A known form that a model is of: by what its steps follow from, with its variables; or by its steps.
enum Found {
    Told(usize, Vec<VarId>),
    Traced(Traced, Option<usize>),
}

/// Models that are traced at once, for each core.
const AT_ONCE: usize = 16;

/// The forms of all models that can be trained side by side.
fn forms(runs: &[Run], by_name: bool) -> Result<Vec<Form>> {
    let mut wanted = Vec::with_capacity(runs.len());
    for (number, run) in runs.iter().enumerate() {
        wanted.extend(Wanted::new(number, run, by_name)?);
    }
    let mut forms: Vec<Form> = Vec::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // The first is compared with by all that follow.
    let (first, others) = wanted.split_at(wanted.len().min(1));
    for wanted in std::iter::once(first).chain(others.chunks(AT_ONCE * cores)) {
        let known = &forms[..];
        let look = |wanted: &Wanted| {
            for (number, form) in known.iter().enumerate() {
                if let Some(vars) = form.vars_of(wanted) {
                    return Ok(Found::Told(number, vars));
                }
            }
            let traced = wanted.trace()?;
            let alike = known.iter().position(|form| form.data == wanted.data && form.is_like(&traced));
            Ok(Found::Traced(traced, alike))
        };
        // A thread of its own is for as many as one stack takes: whoever trains one such has the other cores at work.
        let threads = wanted.len().div_ceil(AT_ONCE).clamp(1, cores);
        for (wanted, found) in wanted.iter().zip(by_threads(wanted, threads, look)?) {
            match found {
                Found::Told(form, vars) => forms[form].add(wanted.run, vars),
                Found::Traced(traced, Some(form)) => {
                    let vars = forms[form].vars_in(&traced);
                    forms[form].add(wanted.run, vars);
                }
                Found::Traced(traced, None) => add(&mut forms, wanted, traced),
            }
        }
    }
    Ok(forms)
}

/// Does something with each, on so many threads.
fn by_threads<T: Sync, R: Send>(all: &[T], threads: usize, work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let some = |part: &[T]| part.iter().map(&work).collect::<Result<Vec<R>>>();
    let (own, others) = all.split_at(all.len().div_ceil(threads));
    std::thread::scope(|scope| {
        let threads = others.chunks(own.len().max(1)).map(|part| scope.spawn(|| some(part)));
        let threads: Vec<_> = threads.collect();
        let mut done = some(own)?;
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(done)
    })
}

/// Adds a model to the form whose steps are like its own but for constants, or to a new one.
fn add(forms: &mut Vec<Form>, wanted: &Wanted, traced: Traced) {
    // As executors fold constants: what is known of one model is known of each.
    let steps: Traced = traced.iter().map(|(kind, rows, graph)| (*kind, *rows, passes::fold(graph))).collect();
    let takes = |form: &mut Form| form.data == wanted.data && form.takes(wanted.run, &traced, &steps);
    if !forms.iter_mut().any(takes) {
        forms.push(Form::new(wanted, traced, steps));
    }
}

impl<'a> Wanted<'a> {
    /// The steps of a run, if they are such as can be done side by side.
    fn new(number: usize, run: &'a Run<'a>, by_name: bool) -> Result<Option<Wanted<'a>>> {
        let Feeding::Rows(data, batches) = &run.feeding else { return Ok(None) };
        let validation = match &run.validation {
            Some(whole) => match &whole.feeding {
                Feeding::Rows(data, batches) => Some((data, batches, whole.steps)),
                Feeding::Drawn(_) => return Ok(None),
            },
            None => None,
        };
        let one_lane = run.model.stage().session()?.lanes() == 1;
        if one_lane || run.fit.steps_per_epoch.is_some() || run.next_epoch().is_none() || !run.can_be_elsewhere() {
            return Ok(None);
        }
        let sizes = |rows: usize, size: usize| [size.min(rows), if rows > size { rows % size } else { 0 }];
        let mut steps: Vec<(Kind, usize, &Fed)> =
            sizes(data.rows(), batches.size).map(|size| (Kind::Train, size, data)).into();
        if let Some((data, batches, count)) = validation {
            let rows = count.saturating_mul(batches.size).min(data.rows());
            steps.extend(sizes(rows, batches.size).map(|size| (Kind::Test, size, data)));
        }
        steps.retain(|&(_, rows, _)| rows > 0);
        let types = steps.iter().map(|(kind, rows, data)| (*kind, data.types(*rows))).collect::<Vec<_>>();
        let data = format!("{} {types:?}", same_data(run, by_name));
        Ok(Some(Wanted { run: number, model: run.model, steps, data, told: run.model.stage().told()? }))
    }

    fn trace(&self) -> Result<Traced> {
        let stage = self.model.stage();
        let own = stage.steps()?;
        let trace =
            |&(kind, rows, data): &(Kind, usize, &Fed)| Ok((kind, rows, own.trace(kind, data, &data.types(rows))?));
        self.steps.iter().map(trace).collect()
    }
}

/// What models have to have in common to be trained on the same rows: batches of one size, from one epoch on; those that go by
/// name need the same names.
fn same_data(run: &Run, by_name: bool) -> String {
    let inputs = || run.model.net().named_inputs().iter().map(|input| input.name.clone()).collect::<Vec<_>>();
    let names = by_name.then(|| (inputs(), run.model.output_names()));
    format!("{:?} {} {names:?} {:?}", run.next_epoch(), run.feeding.told(), run.model.flavor())
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
fn named(steps: &Traced) -> impl Iterator<Item = VarId> {
    steps.iter().flat_map(|(.., graph)| {
        let read = graph.nodes().filter_map(|(_, node)| match node.op {
            Op::Leaf(Leaf::Var { id, .. }) => Some(id),
            _ => None,
        });
        read.chain(graph.updates.iter().map(|&(id, _)| id))
    })
}

/// The constants of steps.
fn constants(steps: &Traced) -> HashMap<(usize, Value), Constant> {
    let of = |(step, (.., graph)): (usize, &(Kind, usize, Graph))| {
        let constants = graph.nodes().filter_map(move |(value, node)| match &node.op {
            Op::Leaf(Leaf::Constant(constant)) => Some(((step, value), constant.clone())),
            _ => None,
        });
        constants.collect::<Vec<_>>()
    };
    steps.iter().enumerate().flat_map(of).collect()
}

/// The constants in which steps differ that else do the same, but for the names of variables.
fn differing(first: &Traced, other: &Traced) -> Option<Vec<(usize, Value)>> {
    let mut found = Vec::new();
    for (step, (own, other)) in first.iter().zip(other).enumerate() {
        let values = differences(&own.2, &other.2).ok().filter(|_| (own.0, own.1) == (other.0, other.1))?;
        found.extend(values.into_iter().map(|value| (step, value)));
    }
    (first.len() == other.len()).then_some(found)
}

impl Form {
    fn new(wanted: &Wanted, traced: Traced, steps: Traced) -> Form {
        let (mut seen, names) = (HashSet::new(), named(&traced).collect::<Vec<_>>());
        let firsts: Vec<usize> = (0..names.len()).filter(|&i| seen.insert(names[i])).collect();
        let vars: Vec<VarId> = firsts.iter().map(|&i| names[i]).collect();
        let member = Member { run: wanted.run, vars: vars.clone(), constants: Arc::new(constants(&steps)) };
        let gains = steps.iter().all(|(.., graph)| gains(graph));
        let (data, told) = (wanted.data.clone(), wanted.told.clone());
        Form { data, told, traced, steps, gains, vars, firsts, constants: HashSet::new(), members: vec![member] }
    }

    /// The variables of a model, if what its steps follow from is the same as for the first.
    fn vars_of(&self, wanted: &Wanted) -> Option<Vec<VarId>> {
        let ((text, own), (other, theirs)) = self.told.as_ref().zip(wanted.told.as_ref())?;
        let is_same = self.data == wanted.data && text == other && own.len() == theirs.len();
        let place = |var: &VarId| own.iter().position(|known| known == var);
        if is_same { self.vars.iter().map(|var| Some(theirs[place(var)?])).collect() } else { None }
    }

    /// Those of a model whose steps are like those of the first.
    fn vars_in(&self, traced: &Traced) -> Vec<VarId> {
        let names: Vec<VarId> = named(traced).collect();
        self.firsts.iter().map(|&i| names[i]).collect()
    }

    /// Whether a model differs from the first in nothing but the names of variables.
    fn is_like(&self, traced: &Traced) -> bool {
        differing(&self.traced, traced).is_some_and(|found| found.is_empty()) && self.has_names_of(traced)
    }

    /// Whether another has the same variables at the same places, under names of its own.
    fn has_names_of(&self, traced: &Traced) -> bool {
        let mut known: HashMap<VarId, VarId> = HashMap::with_capacity(self.vars.len());
        named(&self.traced).zip(named(traced)).all(|(own, other)| *known.entry(own).or_insert(other) == other)
    }

    /// Takes in a model whose steps are those of the first.
    fn add(&mut self, run: usize, vars: Vec<VarId>) {
        let constants = Arc::clone(&self.members[0].constants);
        self.members.push(Member { run, vars, constants });
    }

    /// Takes in a model if its steps are alike but for constants.
    fn takes(&mut self, run: usize, traced: &Traced, steps: &Traced) -> bool {
        let found = differing(&self.steps, steps).filter(|_| differing(&self.traced, traced).is_some());
        let Some(found) = found.filter(|_| self.has_names_of(traced)) else { return false };
        self.constants.extend(found);
        self.members.push(Member { run, vars: self.vars_in(traced), constants: Arc::new(constants(steps)) });
        true
    }

    /// Trains its models, as many stacks at once as there are cores.
    fn train(&self, runs: &mut [Run], interrupt: &Interrupt) -> Result<()> {
        let mut lanes = Vec::with_capacity(self.members.len());
        let mut members = self.members.iter().peekable();
        for (number, run) in runs.iter_mut().enumerate() {
            if let Some(member) = members.next_if(|member| member.run == number) {
                lanes.push(Lane::new(run, member)?);
            }
        }
        Plan::new(self, &lanes, interrupt)?.train(&mut lanes)
    }

    /// Which variables are each model's own, by the first one's names.
    fn own(&self, lanes: &[Lane]) -> HashSet<VarId> {
        let differs = |place: usize| lanes.iter().any(|lane| !same(&lane.values[place], &lanes[0].values[place]));
        // What callbacks change, as a learning rate, they change in one model; but for counters, which count the same.
        let looked_at = lanes.iter().any(Lane::is_looked_at);
        let is_float = |place: usize| lanes[0].values[place].dtype().is_float();
        let is_own = |place: &usize| differs(*place) || looked_at && is_float(*place);
        let own = (0..self.vars.len()).filter(is_own).map(|place| self.vars[place]).collect();
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
    a.ty() == b.ty() && a.bits().eq(b.bits())
}
