//! What a search makes best.

use std::fmt;

use cornu::metrics::Direction;
use cornu::{Error, Model, Result, graph};

/// A figure, or several, and which way is better.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    name: String,
    direction: Option<Direction>,
    /// Those that are added up.
    parts: Vec<Objective>,
}

/// The name of several.
const SEVERAL: &str = "multi_objective";

/// The name where none was told, as in KerasTuner: a trial gives one number, of which less is better.
const PLAIN: &str = "default_objective";

impl Objective {
    /// A figure of that name: larger is better, [`Direction::Up`], or smaller, [`Direction::Down`].
    pub fn new(name: impl Into<String>, direction: Direction) -> Objective {
        Objective { name: name.into(), direction: Some(direction), parts: Vec::new() }
    }

    /// Of which larger is better: KerasTuner's `"max"`.
    pub fn max(name: impl Into<String>) -> Objective {
        Objective::new(name, Direction::Up)
    }

    /// Of which smaller is better: KerasTuner's `"min"`.
    pub fn min(name: impl Into<String>) -> Objective {
        Objective::new(name, Direction::Down)
    }

    /// Several: what is to be small is added up, what is to be large subtracted, and the sum made small.
    pub fn sum<O: Into<Objective>>(parts: impl IntoIterator<Item = O>) -> Objective {
        let parts = parts.into_iter().map(Into::into).collect();
        Objective { name: SEVERAL.into(), direction: Some(Direction::Down), parts }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which way is better; nothing, until the first model has been asked.
    pub fn direction(&self) -> Option<Direction> {
        self.direction
    }

    /// Whether larger is better.
    pub(crate) fn is_upwards(&self) -> bool {
        self.direction == Some(Direction::Up)
    }

    /// Whether a value is better than another.
    pub fn better_than(&self, value: f64, other: f64) -> bool {
        if self.is_upwards() { value > other } else { value < other }
    }

    /// The value, of which less is better.
    pub(crate) fn cost(&self, value: f64) -> f64 {
        if self.is_upwards() { -value } else { value }
    }

    /// Its value among figures.
    pub(crate) fn value(&self, figure: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
        if self.parts.is_empty() {
            return figure(&self.name);
        }
        self.parts.iter().map(|part| Some(part.cost(part.value(figure)?))).sum()
    }

    /// Whether a trial gives it itself, as one number.
    pub(crate) fn is_plain(&self) -> bool {
        self.name == PLAIN
    }

    /// The word for which way is better, if that is known.
    pub(crate) fn word(&self) -> Option<&'static str> {
        self.direction.map(word)
    }

    /// The objective of that name, which says which way is better unless a word does.
    pub(crate) fn named(self, name: &str, told: Option<&str>) -> Objective {
        match told {
            Some("max") if self.parts.is_empty() => Objective::max(name),
            Some("min") if self.parts.is_empty() => Objective::min(name),
            _ => self,
        }
    }

    /// Looks whether there are such figures, the model's or `own`, and which way is better where that was not told.
    ///
    /// # Errors
    /// Names that are not there, with those that are; a figure of which nobody knows which way is better.
    pub(crate) fn settle(&mut self, model: &Model, own: &[String], validates: bool) -> Result<()> {
        if self.is_plain() || !self.parts.is_empty() {
            return self.parts.iter_mut().try_for_each(|part| part.settle(model, own, validates));
        }
        let names = model.metrics_names();
        let validation = names.iter().map(|name| format!("val_{name}")).filter(|_| validates);
        let names: Vec<String> = names.iter().cloned().chain(validation).chain(own.iter().cloned()).collect();
        if !names.contains(&self.name) {
            return Err(self.missing(&names, validates));
        }
        if self.direction.is_none() {
            self.direction = model.direction(&self.name);
        }
        let unknown = || {
            let message = format!("objective `{}`: nobody knows whether it is better if it is larger", self.name);
            Error::usage(message).help(format!("say it: `.objective(Objective::max({:?}))`", self.name))
        };
        self.direction.map(drop).ok_or_else(unknown)
    }

    /// The error where there are other figures alone.
    pub(crate) fn missing(&self, names: &[String], validates: bool) -> Error {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let all = graph::list(&names);
        let error = Error::usage(format!("objective `{}` is no figure of the model: there are {all}", self.name));
        if self.name.starts_with("val_") && !validates && names.contains(&&self.name["val_".len()..]) {
            return error.help("without validation there is no such figure: `Fit::new().validation_split(0.2)`");
        }
        let begun = names.iter().find(|name| name.starts_with(&self.name)).copied();
        match begun.or_else(|| graph::nearest(&self.name, names)) {
            Some(name) => error.help(format!("is `{name}` meant?")),
            None => error.help("name one of these, or give the model such a metric: `Compile::new().metrics([…])`"),
        }
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "max",
        Direction::Down => "min",
    }
}

/// The figure of a trial that gives one number.
impl Default for Objective {
    fn default() -> Objective {
        Objective::min(PLAIN)
    }
}

/// A figure; which way is better, its metric knows.
impl From<&str> for Objective {
    fn from(name: &str) -> Objective {
        Objective { name: name.into(), direction: None, parts: Vec::new() }
    }
}

/// As KerasTuner prints it.
impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = self.direction.map_or("", word);
        if !self.parts.is_empty() {
            f.write_str("Multi")?;
        }
        write!(f, "Objective(name=\"{}\", direction=\"{direction}\")", self.name)?;
        if self.parts.is_empty() {
            return Ok(());
        }
        let parts: Vec<String> = self.parts.iter().map(Objective::to_string).collect();
        write!(f, ": [{}]", parts.join(", "))
    }
}
