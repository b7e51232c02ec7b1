//! Directories of KerasTuner: `oracle.json`, and a `trial.json` for each trial.

use std::fs;
use std::path::Path;

use cornu::graph::Context;
use cornu::{Error, Result};
use serde_json::Value as Json;

use crate::objective::Objective;
use crate::space::Space;
use crate::trial::{Execution, Status, Trial};
use crate::value::Values;

/// A search of KerasTuner: its parameters and trials.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KerasTunerProject {
    /// The parameters.
    pub space: Space,
    /// The trials, in the order in which they began.
    pub trials: Vec<Trial>,
    /// What was made best, as far as it can be told: its directories do not say it, but scores are values of it.
    pub objective: Option<Objective>,
}

const ORACLE: &str = "oracle.json";

fn read(path: &Path) -> Result<Json> {
    let failed = |error: &dyn std::fmt::Display| Error::file(format!("`{}`: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}

impl KerasTunerProject {
    /// Whether there is one in that folder, `directory/project_name`.
    pub fn is_in(folder: impl AsRef<Path>) -> bool {
        folder.as_ref().join(ORACLE).exists()
    }

    /// Reads what is in that folder, `directory/project_name`.
    ///
    /// # Errors
    /// Files that are missing or damaged.
    pub fn open(folder: impl AsRef<Path>) -> Result<KerasTunerProject> {
        let folder = folder.as_ref();
        let oracle = read(&folder.join(ORACLE))?;
        let damaged = |path: &Path| Error::file(format!("`{}`: this is none of KerasTuner's", path.display()));
        let order = oracle["start_order"].as_array();
        let (space, order) = (Space::from_config(&oracle["hyperparameters"]["space"]), order);
        let (Some(space), Some(order)) = (space, order) else { return Err(damaged(&folder.join(ORACLE))) };
        let mut project = KerasTunerProject { space, ..KerasTunerProject::default() };
        for (number, id) in order.iter().enumerate() {
            let id = id.as_str().ok_or_else(|| damaged(&folder.join(ORACLE)))?;
            let path = folder.join(format!("trial_{id}")).join("trial.json");
            let json = read(&path)?;
            let trial = trial(number as u64, &json).ok_or_else(|| damaged(&path));
            project.trials.push(trial.context(format_args!("trial {id}"))?);
            project.objective = project.objective.or_else(|| objective(&json));
        }
        Ok(project)
    }
}

/// The figure whose value is the score. Of several the first is the one that KerasTuner validates with.
fn objective(json: &Json) -> Option<Objective> {
    let score = json["score"].as_f64()?;
    let metrics = json["metrics"]["metrics"].as_object()?.iter();
    let is_it = |metric: &Json| value(metric) == Some(score);
    let mut found: Vec<_> = metrics.filter(|(_, metric)| is_it(metric)).collect();
    found.sort_by_key(|(name, _)| !name.starts_with("val_"));
    let (name, metric) = found.first()?;
    match metric["direction"].as_str()? {
        "max" => Some(Objective::max(*name)),
        _ => Some(Objective::min(*name)),
    }
}

/// The mean of what was observed.
fn value(metric: &Json) -> Option<f64> {
    let observed: Vec<f64> = metric["observations"][0]["value"].as_array()?.iter().filter_map(Json::as_f64).collect();
    (!observed.is_empty()).then(|| observed.iter().sum::<f64>() / observed.len() as f64)
}

fn trial(number: u64, json: &Json) -> Option<Trial> {
    let mut trial = Trial::new(number, Values::from_json(&json["hyperparameters"]["values"])?);
    trial.status = Status::named(json["status"].as_str()?)?;
    trial.score = json["score"].as_f64();
    trial.message = json["message"].as_str().map(str::to_owned);
    let metrics = json["metrics"]["metrics"].as_object()?.iter();
    let metrics = metrics.filter_map(|(name, metric)| Some((name.clone(), value(metric)?))).collect();
    let best_epoch = json["best_step"].as_u64().unwrap_or_default() as usize;
    trial.executions.extend(trial.score.map(|score| Execution { score, best_epoch, metrics }));
    Some(trial)
}
