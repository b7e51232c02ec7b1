//! Several models at once: those whose steps are alike lie side by side in vectors, and have the bits of each alone.

mod stacks;

use std::collections::{HashMap, HashSet};
use std::ops::DerefMut;

use cornu_graph::ops::{Constant, Leaf, Op};
use cornu_graph::{Array, Graph, Result, Stack, ToArrays, Value, VarId, differences, passes};

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
    let given = Given::labelled(x, y)?;
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
    for form in forms.iter().filter(|form| form.members.len() >= FEW) {
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

/// Whether both are trained on the same rows in batches of one size, from the same epoch on; those that go by name need the same names.
fn is_same_data(a: &Run, b: &Run, by_name: bool) -> bool {
    let inputs =
        |run: &Run| -> Vec<String> { run.model.net().named_inputs().iter().map(|input| input.name.clone()).collect() };
    let names = |run: &Run| by_name.then(|| (inputs(run), run.model.output_names()));
    let place = |run: &Run| (run.next_epoch(), run.feeding.told(), run.model.flavor());
    place(a) == place(b) && names(a) == names(b)
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
    if stage.session()?.lanes() == 1
        || run.fit.steps_per_epoch.is_some()
        || run.next_epoch().is_none()
        || !run.can_be_elsewhere()
    {
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
