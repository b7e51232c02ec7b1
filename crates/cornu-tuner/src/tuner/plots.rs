//! A search as pictures.

use std::path::Path;

use cornu::{Error, Result};
use cornu_files::atomic;

use super::Tuner;
use crate::oracle::Oracle;
use crate::plot::{self, State};
use crate::space::{Domain, Parameter, Sampling};
use crate::trial::{Status, Trial};
use crate::value::Value;

impl<O: Oracle> Tuner<O> {
    /// Draws the search into a file: its history, what each parameter matters, which values went together. `.svg` is a
    /// picture, `.html` a page that needs no network.
    ///
    /// # Errors
    /// A file of another kind, or one that cannot be written.
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        let (path, search) = (path.as_ref(), self.drawn());
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => plot::svg(&search),
            Some("html") => plot::html(&search),
            _ => {
                let error = Error::usage(format!("`plot` writes `.svg` and `.html`, got `{}`", path.display()));
                return Err(error.help("`tuner.plot(\"search.svg\")`"));
            }
        };
        atomic::write(path, text.as_bytes())
    }

    /// What each parameter matters for the score, of 1 in all, the most important first.
    pub fn importance(&self) -> Vec<(String, f64)> {
        plot::importance(&self.drawn())
    }

    /// The search as pictures see it: one parameter for each name that there is something to choose for.
    fn drawn(&self) -> plot::Search {
        let ledger = &self.ledger;
        let mut parameters: Vec<&Parameter> = Vec::new();
        for parameter in ledger.space.parameters().iter().filter(|parameter| parameter.kind().is_some()) {
            if !parameters.iter().any(|known| known.name == parameter.name) {
                parameters.push(parameter);
            }
        }
        let of_trial = |trial: &Trial| plot::Trial {
            number: trial.number,
            values: parameters.iter().map(|parameter| trial.values.get(&parameter.name).map(value)).collect(),
            score: trial.score,
            state: state(trial.status),
        };
        let trials = ledger.trials().iter().filter(|trial| trial.status != Status::Repeated).map(of_trial).collect();
        plot::Search {
            title: self.directory.as_ref().map_or_else(String::new, |directory| directory.display().to_string()),
            objective: ledger.objective.name().to_owned(),
            maximize: ledger.objective.is_upwards(),
            parameters: parameters.iter().map(|parameter| drawn(parameter)).collect(),
            trials,
        }
    }
}

fn drawn(parameter: &Parameter) -> plot::Parameter {
    let log = match &parameter.domain {
        Domain::Int { sampling, .. } | Domain::Float { sampling, .. } => *sampling == Sampling::Log,
        _ => false,
    };
    plot::Parameter { name: parameter.name.clone(), log }
}

fn value(value: &Value) -> plot::Value {
    match value {
        Value::Int(_) | Value::Float(_) => plot::Value::Number(value.number().unwrap_or_default()),
        other => plot::Value::Text(other.to_string()),
    }
}

fn state(status: Status) -> State {
    match status {
        Status::Running => State::Running,
        Status::Completed => State::Completed,
        Status::Pruned => State::Stopped,
        Status::Failed | Status::Repeated => State::Failed,
    }
}
