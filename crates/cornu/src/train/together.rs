//! Several models at once: those whose steps are alike lie side by side in vectors, and have the bits of each alone.
#![allow(clippy::needless_pass_by_value, reason = "data may be handed over, and is lent from here on")]

mod families;
mod sizes;
mod stacks;

use std::collections::HashSet;
use std::ops::DerefMut;

use cornu_graph::{Graph, Result, ToArrays, VarId, lending};

use self::families::{Family, Form, Member};
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
/// in the time of two or three where vectors have sixteen lanes, and as many such stacks at once as there are cores. Models
/// that differ in the sizes of hidden layers are trained with those of about their size, in the time of the largest. It pays
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
    let forms = if models.len() < FEW || share_variables(&models) { Vec::new() } else { forms(&runs, by_name)? };
    let width = runs.first().map_or(Ok(1), |run| Ok(run.model.stage().session()?.lanes()))?;
    let families = Family::all(&forms, width);
    stacks::train(&families, &mut runs, &interrupt)?;
    let mut trained = vec![false; runs.len()];
    families.iter().flat_map(Family::runs).for_each(|run| trained[run] = true);
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

/// A model that is of a known form, by its number, or one of a form that may be known.
enum Found {
    Known(usize, Member),
    Traced(Form),
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
    // The first is there when all that follow look for theirs.
    let (first, others) = wanted.split_at(wanted.len().min(1));
    for wanted in std::iter::once(first).chain(others.chunks(AT_ONCE * cores)) {
        let known = &forms[..];
        let look = |wanted: &Wanted| {
            let mut members = known.iter().enumerate();
            match members.find_map(|(number, form)| Some(Found::Known(number, form.member(wanted)?))) {
                Some(found) => Ok(found),
                None => Ok(Found::Traced(Form::new(wanted, wanted.trace()?, known))),
            }
        };
        // A thread of its own is for as many as one stack takes: whoever trains one such has the other cores at work.
        let threads = wanted.len().div_ceil(AT_ONCE).clamp(1, cores);
        for found in by_threads(wanted, threads, look)? {
            match found {
                Found::Known(form, member) => forms[form].members.push(member),
                Found::Traced(form) => match forms.iter_mut().find(|known| known.is_that_of(&form)) {
                    Some(known) => known.members.extend(form.members),
                    None => forms.push(form),
                },
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
