//! One configuration, and what came of it.

use std::fmt::Write as _;

use cornu::graph::numbers::repr;
use serde_json::{Value as Json, json};

use crate::value::Values;

/// What is known of a trial's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It is under way, or was when a process ended.
    #[default]
    Running,
    /// It has a score.
    Completed,
    /// It was given up because others did better by then.
    Pruned,
    /// It failed as often as it may.
    Failed,
    /// What it built was the configuration of another.
    Repeated,
}

impl Status {
    const ALL: [(Status, &str); 5] = [
        (Status::Running, "RUNNING"),
        (Status::Completed, "COMPLETED"),
        (Status::Pruned, "PRUNED"),
        (Status::Failed, "FAILED"),
        (Status::Repeated, "REPEATED"),
    ];

    /// KerasTuner's word, where it has one.
    pub fn name(self) -> &'static str {
        Status::ALL.iter().find(|(status, _)| *status == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn named(name: &str) -> Option<Status> {
        let known = Status::ALL.iter().find(|(_, known)| *known == name).map(|(status, _)| *status);
        known.or((name == "INVALID").then_some(Status::Failed))
    }
}

/// One training of a trial's model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Execution {
    /// The objective after its best epoch.
    pub score: f64,
    /// That epoch, counted from 0.
    pub best_epoch: usize,
    /// All figures of it, by name.
    pub metrics: Vec<(String, f64)>,
}

impl Execution {
    fn to_json(&self) -> Json {
        let metrics: serde_json::Map<String, Json> =
            self.metrics.iter().map(|(name, value)| (name.clone(), number(*value))).collect();
        json!({ "score": number(self.score), "best_epoch": self.best_epoch, "metrics": metrics })
    }

    fn from_json(json: &Json) -> Option<Execution> {
        let metrics = json["metrics"].as_object()?.iter();
        let metrics = metrics.map(|(name, value)| Some((name.clone(), read(value)?))).collect::<Option<_>>()?;
        let best_epoch = json["best_epoch"].as_u64()? as usize;
        Some(Execution { score: read(&json["score"])?, best_epoch, metrics })
    }
}

/// A number as JSON, which has no infinities.
fn number(value: f64) -> Json {
    if value.is_finite() { value.into() } else { repr(value).into() }
}

fn read(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| json.as_str()?.parse().ok())
}

/// One configuration, and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// Its number, from 0.
    pub number: u64,
    /// The values of its parameters.
    pub values: Values,
    /// What is known of its end.
    pub status: Status,
    /// The mean of its executions' scores, if it has one.
    pub score: Option<f64>,
    /// Each training of its model.
    pub executions: Vec<Execution>,
    /// Why it failed.
    pub message: Option<String>,
    /// Whether all that it declares is known.
    pub(crate) is_built: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Trial {
    /// A trial that begins.
    pub(crate) fn new(number: u64, values: Values) -> Trial {
        Trial { number, values, ..Trial::default() }
    }

    /// It has ended with these executions.
    pub(crate) fn score(&mut self, status: Status, executions: Vec<Execution>) {
        let total: f64 = executions.iter().map(|execution| execution.score).sum();
        self.score = Some(total / executions.len().max(1) as f64);
        (self.status, self.executions) = (status, executions);
    }

    /// The figures after the best epochs, the mean of all executions.
    pub fn metrics(&self) -> Vec<(String, f64)> {
        let mut all: Vec<(String, Vec<f64>)> = Vec::new();
        for (name, value) in self.executions.iter().flat_map(|execution| &execution.metrics) {
            match all.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) => values.push(*value),
                None => all.push((name.clone(), vec![*value])),
            }
        }
        all.into_iter().map(|(name, values)| (name, values.iter().sum::<f64>() / values.len() as f64)).collect()
    }

    /// The mean of the best epochs, as KerasTuner rounds it: down.
    pub fn best_step(&self) -> usize {
        let total: usize = self.executions.iter().map(|execution| execution.best_epoch).sum();
        total / self.executions.len().max(1)
    }

    /// KerasTuner's summary of it; its number is `width` digits wide.
    pub(crate) fn summary(&self, width: usize) -> String {
        let mut text = format!("Trial {:0width$} summary\nHyperparameters:\n", self.number);
        self.values.iter().for_each(|(name, value)| _ = writeln!(text, "{name}: {value}"));
        if self.values.is_empty() {
            text += "default configuration\n";
        }
        if let Some(score) = self.score {
            _ = writeln!(text, "Score: {}", repr(score));
        }
        self.message.iter().for_each(|message| _ = writeln!(text, "{message}"));
        text
    }

    /// As journals write it.
    pub fn to_json(&self) -> Json {
        json!({
            "values": self.values.to_json(),
            "status": self.status.name(),
            "score": self.score.map(number),
            "executions": self.executions.iter().map(Execution::to_json).collect::<Vec<_>>(),
            "message": self.message,
            "seconds": self.seconds,
        })
    }

    /// What [`Trial::to_json`] gave; nothing, if it is damaged.
    pub fn from_json(number: u64, json: &Json) -> Option<Trial> {
        let status = Status::named(json["status"].as_str()?)?;
        let executions = json["executions"].as_array()?.iter().map(Execution::from_json).collect::<Option<_>>()?;
        Some(Trial {
            number,
            values: Values::from_json(&json["values"])?,
            status,
            score: read(&json["score"]),
            executions,
            message: json["message"].as_str().map(str::to_owned),
            is_built: status != Status::Running,
            seconds: json["seconds"].as_f64()?,
        })
    }
}
