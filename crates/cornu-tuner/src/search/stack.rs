//! Trials whose models are alike, trained side by side: each has the bits of its training alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use cornu::graph::Shape;
use cornu::train::fit_together_with;
use cornu::{Error, Model, Result};

use super::queue::{Message, alone};
use super::task::{
    Built, Common, End, Fault, Job, Run, Task, Training, callbacks, ended, executed, finished, locked, panicked,
};
use crate::hypermodel::Results;

/// The models that one thread trains at a time, at most: the lanes of a vector.
pub(super) const LANES: usize = 16;

/// A trial whose models are built.
struct Ready {
    job: Job,
    built: Option<Built>,
    /// One for each execution.
    models: Vec<Model>,
}

/// Models of one architecture, for as many epochs.
#[derive(PartialEq)]
struct Form {
    weights: Vec<Shape>,
    epochs: Option<(usize, usize)>,
}

/// Runs those trials: what can be is trained side by side, all else as it is alone.
pub(super) fn work(training: &Training, common: &Arc<Common>, jobs: Vec<Job>, tell: &Sender<Message>) {
    let mut groups: Vec<(Form, Vec<Ready>)> = Vec::new();
    for job in jobs {
        // What fails is retried, and told, where it is run alone.
        match ready(training, common, &job) {
            Ok((form, ready)) => match groups.iter_mut().find(|(known, _)| *known == form) {
                Some((_, group)) => group.push(ready),
                None => groups.push((form, vec![ready])),
            },
            Err(()) => alone(training, common, &job, tell, false),
        }
    }
    groups.into_iter().for_each(|(_, group)| train(training, common, group, tell));
}

/// Builds the models of a trial.
fn ready(training: &Training, common: &Arc<Common>, job: &Job) -> Result<(Form, Ready), ()> {
    let (mut built, mut models) = (None, Vec::new());
    for execution in 0..training.executions(common) {
        let mut tell = |known| built = Some(known);
        let model = executed(common, job, (execution, 0), &mut tell, |hp, run| {
            let (mut model, _) = training.ready(hp, run)?;
            model.own_seeds();
            Ok(model)
        });
        models.push(model.map_err(drop)?);
    }
    let weights = models.first().ok_or(())?.variables().weights().map(|variable| variable.ty.shape.clone());
    let epochs = job.budget.as_ref().map(|budget| (budget.initial_epoch, budget.epochs));
    Ok((Form { weights: weights.collect(), epochs }, Ready { job: job.clone(), built, models }))
}

/// Trains the models of some trials, the same execution of each together.
fn train(training: &Training, common: &Arc<Common>, mut group: Vec<Ready>, tell: &Sender<Message>) {
    let begun = Instant::now();
    group.iter().for_each(|ready| _ = tell.send(Message::Began(ready.job.number)));
    let trained = catch_unwind(AssertUnwindSafe(|| trained(training, common, &mut group)));
    let trained = trained.unwrap_or_else(|panic| Err(Error::usage(panicked(&*panic)).into()));
    let seconds = begun.elapsed().as_secs_f64() / group.len() as f64;
    let mut runs = trained.map(Vec::into_iter);
    for Ready { job, built, .. } in group {
        let end = match &mut runs {
            Ok(runs) => ended(common, runs.next().into_iter().flatten().map(Ok)).map_err(drop),
            Err(Fault::Search(error)) => Ok(End::Stop(error.clone())),
            Err(_) => Err(()),
        };
        match end {
            Ok(end) => _ = tell.send(Message::Ended { number: job.number, end, built, seconds }),
            // Which of them has failed, and why, is found where each is alone.
            Err(_) => alone(training, common, &job, tell, false),
        }
    }
}

/// What came of the executions of each trial.
fn trained(training: &Training, common: &Arc<Common>, group: &mut [Ready]) -> Result<Vec<Vec<Run>>, Fault> {
    let objective = locked(&common.objective).clone();
    let told = group[0].job.clone();
    let mut runs: Vec<(usize, usize, Run)> = Vec::new();
    let folds = training.data.len();
    // Executions of one fold have the same rows.
    for fold in 0..folds {
        let (mut places, mut models, mut watches, mut seen) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (trial, Ready { job, models: own, .. }) in group.iter_mut().enumerate() {
            for (execution, model) in own.iter_mut().enumerate().skip(fold).step_by(folds) {
                let (callbacks, watched) = callbacks(common, job, execution);
                places.push((trial, execution));
                models.push(model);
                watches.push(callbacks);
                seen.push(watched);
            }
        }
        let (data, fit) = (training.rows(fold), training.told(&told, fold, training.fits.fit()));
        let own = |number: usize| std::mem::take(&mut watches[number]);
        let histories = fit_together_with(&mut models, &data.x, &data.y, fit, own)?;
        for ((history, seen), (trial, execution)) in histories.into_iter().zip(seen).zip(places) {
            let seen = std::mem::take(&mut *locked(&seen));
            runs.push((trial, execution, finished(Results::History(history), seen, &objective)?));
        }
    }
    runs.sort_by_key(|&(trial, execution, _)| (trial, execution));
    let mut all: Vec<Vec<Run>> = group.iter().map(|_| Vec::new()).collect();
    runs.into_iter().for_each(|(trial, _, run)| all[trial].push(run));
    Ok(all)
}
