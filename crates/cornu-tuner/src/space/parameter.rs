//! One hyper-parameter: what it can be, on which scale, and when it exists.

use cornu::{Error, Result};
use serde_json::{Value as Json, json};

use crate::sampler::Kind;
use crate::value::{Value, Values};

/// The scale of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// Equal differences count alike.
    #[default]
    Linear,
    /// Equal ratios count alike: more small numbers.
    Log,
    /// Equal ratios, counted from the largest number down: more large numbers.
    ReverseLog,
}

impl Sampling {
    const ALL: [(Sampling, &str); 3] =
        [(Sampling::Linear, "linear"), (Sampling::Log, "log"), (Sampling::ReverseLog, "reverse_log")];

    /// KerasTuner's name.
    pub fn name(self) -> &'static str {
        Sampling::ALL.iter().find(|(sampling, _)| *sampling == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn named(name: &str) -> Option<Sampling> {
        Sampling::ALL.iter().find(|(_, known)| *known == name).map(|(sampling, _)| *sampling)
    }
}

/// What a hyper-parameter can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// A whole number; both bounds are among them.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
        /// What is between two: a difference, or a ratio where the scale is logarithmic.
        step: Option<i64>,
        /// The scale.
        sampling: Sampling,
    },
    /// A number; both bounds are among them.
    Float {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
        /// What is between two: a difference, or a ratio where the scale is logarithmic.
        step: Option<f64>,
        /// The scale.
        sampling: Sampling,
    },
    /// One of these.
    Choice {
        /// All of one kind.
        values: Vec<Value>,
        /// Whether their order means something: it does where they are numbers.
        ordered: bool,
    },
    /// A truth.
    Boolean,
    /// Always the same.
    Fixed(Value),
}

/// A condition on another parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The name of the other.
    pub name: String,
    /// The values of it under which this one exists.
    pub values: Vec<Value>,
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self, values: &Values) -> bool {
        values.get(&self.name).is_some_and(|value| self.values.contains(value))
    }
}

/// One hyper-parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name, with its scopes: `encoder/units`.
    pub name: String,
    /// What it can be.
    pub domain: Domain,
    /// What it is where nobody chooses, if that was told; else the least, or the first.
    pub default: Option<Value>,
    /// It exists where all of these hold.
    pub conditions: Vec<Condition>,
}

/// How many numbers KerasTuner's grid takes of a range without steps.
const SAMPLES: usize = 10;

/// So that a bound that lies on the grid but for rounding counts as lying on it.
const SLACK: f64 = 1e-8;

/// A range of numbers on its scale.
#[derive(Clone, Copy)]
struct Range {
    min: f64,
    max: f64,
    step: Option<f64>,
    sampling: Sampling,
}

impl Range {
    /// The number at that part of the range, which may reach further than the largest number.
    fn at(self, part: f64, max: f64) -> f64 {
        let Range { min, sampling, .. } = self;
        match sampling {
            Sampling::Linear => part * (max - min) + min,
            Sampling::Log => min * (max / min).powf(part),
            Sampling::ReverseLog => max + min - min * (max / min).powf(1.0 - part),
        }
    }

    /// The inverse of [`Range::at`].
    fn part(self, value: f64, max: f64) -> f64 {
        let Range { min, sampling, .. } = self;
        if max == min {
            return 0.5;
        }
        let log = |x: f64| (x / min).ln() / (max / min).ln();
        let part = match sampling {
            Sampling::Linear => (value - min) / (max - min),
            Sampling::Log => log(value),
            Sampling::ReverseLog => 1.0 - log(max + min - value),
        };
        if part.is_nan() { 0.5 } else { part.clamp(0.0, 1.0) }
    }

    /// How many numbers there are, if they are steps.
    fn count(self) -> Option<usize> {
        let Range { min, max, step, sampling } = self;
        if min == max {
            return Some(1);
        }
        let last = match sampling {
            Sampling::Linear => (max - min) / step?,
            _ => (max / min).ln() / step?.ln(),
        };
        Some((last + SLACK).floor() as usize + 1)
    }

    fn nth(self, index: usize) -> f64 {
        let Range { min, max, step, sampling } = self;
        let step = step.unwrap_or(1.0);
        match sampling {
            Sampling::Linear => min + index as f64 * step,
            Sampling::Log => min * step.powi(index as i32),
            Sampling::ReverseLog => max + min - min * step.powi(index as i32),
        }
    }

    /// Which of the steps a number is.
    fn index(self, value: f64) -> usize {
        let Range { min, max, step, sampling } = self;
        let step = step.unwrap_or(1.0);
        let index = match sampling {
            Sampling::Linear => (value - min) / step,
            Sampling::Log => (value / min).ln() / step.ln(),
            Sampling::ReverseLog => ((max + min - value) / min).ln() / step.ln(),
        };
        (index.round().max(0.0) as usize).min(self.count().unwrap_or(1) - 1)
    }
}

impl Parameter {
    /// The range, of a number.
    fn range(&self) -> Option<Range> {
        match self.domain {
            Domain::Int { min, max, step, sampling } => {
                let step = step.or((sampling == Sampling::Linear).then_some(1)).map(|step| step as f64);
                Some(Range { min: min as f64, max: max as f64, step, sampling })
            }
            Domain::Float { min, max, step, sampling } => Some(Range { min, max, step, sampling }),
            _ => None,
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self.domain, Domain::Int { .. })
    }

    fn of_number(&self, number: f64) -> Value {
        if self.is_whole() { Value::Int(number as i64) } else { Value::Float(number) }
    }

    /// The end of the range for draws: whole numbers are rounded down, so that the largest has its share.
    fn end(&self, range: Range) -> f64 {
        if self.is_whole() { range.max + 1.0 } else { range.max }
    }

    /// What it is where nobody chooses.
    pub fn default(&self) -> Value {
        self.default.clone().unwrap_or_else(|| match &self.domain {
            Domain::Int { min, .. } => Value::Int(*min),
            Domain::Float { min, .. } => Value::Float(*min),
            Domain::Choice { values, .. } => values[0].clone(),
            Domain::Boolean => Value::Bool(false),
            Domain::Fixed(value) => value.clone(),
        })
    }

    /// Whether it exists beside these values.
    pub fn is_active(&self, values: &Values) -> bool {
        self.conditions.iter().all(|condition| condition.holds(values))
    }

    /// What its coordinate is for a sampler; nothing, if there is nothing to choose.
    pub fn kind(&self) -> Option<Kind> {
        match &self.domain {
            Domain::Choice { values, ordered: true } => Some(Kind::Steps(values.len())),
            Domain::Choice { values, ordered: false } => Some(Kind::Choices(values.len())),
            Domain::Boolean => Some(Kind::Choices(2)),
            Domain::Fixed(_) => None,
            _ => Some(self.range().and_then(Range::count).map_or(Kind::Real, Kind::Steps)),
        }
    }

    /// The value at a coordinate of its kind.
    pub fn value_at(&self, coordinate: f64) -> Value {
        let index = |count: usize| (coordinate.max(0.0) as usize).min(count.saturating_sub(1));
        match &self.domain {
            Domain::Choice { values, .. } => values[index(values.len())].clone(),
            Domain::Boolean => Value::Bool(index(2) == 1),
            Domain::Fixed(value) => value.clone(),
            _ => {
                let Some(range) = self.range() else { return self.default() };
                let number = match range.count() {
                    Some(count) => range.nth(index(count)),
                    None => range.at(coordinate, self.end(range)),
                };
                // The power of a ratio may miss the bounds by its last bits.
                self.of_number(number.clamp(range.min, range.max))
            }
        }
    }

    /// The coordinate of a value; nothing, if it is none of this parameter's.
    pub fn coordinate(&self, value: &Value) -> Option<f64> {
        match &self.domain {
            Domain::Choice { values, .. } => values.iter().position(|known| known == value).map(|place| place as f64),
            Domain::Boolean => value.number().filter(|_| matches!(value, Value::Bool(_))),
            Domain::Fixed(_) => None,
            _ => {
                let (range, number) = (self.range()?, value.number()?);
                let centre = if self.is_whole() { number + 0.5 } else { number };
                let real = || range.part(centre, self.end(range));
                Some(range.count().map_or_else(real, |_| range.index(number) as f64))
            }
        }
    }

    /// The values that a grid takes, in their order: of a range without steps ten.
    pub fn grid(&self) -> Vec<Value> {
        match (self.range(), self.kind()) {
            (Some(_), Some(Kind::Real)) => {
                let mut values: Vec<Value> =
                    (0..SAMPLES).map(|i| self.value_at((i as f64 + 0.5) / SAMPLES as f64)).collect();
                values.dedup();
                values
            }
            _ => self.all().unwrap_or_default(),
        }
    }

    /// All values, if they can be counted.
    pub fn all(&self) -> Option<Vec<Value>> {
        match (self.kind(), &self.domain) {
            (Some(Kind::Real), Domain::Int { min, max, .. }) => Some((*min..=*max).map(Value::Int).collect()),
            (Some(Kind::Real), _) => None,
            (Some(Kind::Steps(count) | Kind::Choices(count)), _) => {
                Some((0..count).map(|index| self.value_at(index as f64)).collect())
            }
            (None, _) => Some(vec![self.default()]),
        }
    }

    /// [`Parameter::grid`] or [`Parameter::all`], the default before the others: the order in which KerasTuner's grid goes
    /// through them.
    pub(crate) fn default_first(&self, values: Vec<Value>) -> Vec<Value> {
        let default = self.default();
        let others = values.into_iter().filter(|value| *value != default);
        std::iter::once(default.clone()).chain(others).collect()
    }

    /// Whether it can be.
    ///
    /// # Errors
    /// Bounds the wrong way round, a scale or a step that they do not allow, nothing to choose from, a default that is none
    /// of the values.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::usage(format!("parameter `{}`: {what}", self.name)));
        if self.name.is_empty() || self.name.contains(char::is_control) {
            return Err(Error::usage(format!("a parameter needs a name without line breaks, got {:?}", self.name)));
        }
        if let Some(Range { min, max, step, sampling }) = self.range() {
            if !(min.is_finite() && max.is_finite()) || min > max {
                let (min, max) = (self.of_number(min), self.of_number(max));
                return wrong(format!("needs bounds from the smaller to the larger, got {min} to {max}"));
            }
            if sampling != Sampling::Linear && min <= 0.0 {
                let (name, min) = (sampling.name(), self.of_number(min));
                return wrong(format!("the scale `{name}` needs bounds above 0, got {min}"));
            }
            let least = if sampling == Sampling::Linear { 0.0 } else { 1.0 };
            if let Some(step) = step.filter(|step| !(*step > least && step.is_finite())) {
                let (name, step) = (sampling.name(), self.of_number(step));
                return wrong(format!("`step` needs more than {least} on the scale `{name}`, got {step}"));
            }
        }
        if let Domain::Choice { values, ordered } = &self.domain {
            let Some(first) = values.first() else {
                return wrong("needs something to choose from, got an empty list".into());
            };
            if let Some(other) = values.iter().find(|value| value.kind() != first.kind()) {
                return wrong(format!("needs values of one kind, got {} and {}", first.repr(), other.repr()));
            }
            if *ordered && first.number().is_none() {
                return wrong(format!("only numbers have an order, got {}", first.repr()));
            }
        }
        let default = self.default.as_ref().filter(|_| self.kind().is_some());
        match default.filter(|default| !self.holds(default)) {
            Some(default) => wrong(format!("the default needs to be one of its values, got {}", default.repr())),
            None => Ok(()),
        }
    }

    /// Whether that is one of its values, as far as the bounds say.
    fn holds(&self, value: &Value) -> bool {
        match (self.range(), value.number()) {
            (Some(range), Some(number)) => (range.min..=range.max).contains(&number),
            (Some(_), None) => false,
            (None, _) => self.coordinate(value).is_some(),
        }
    }

    /// KerasTuner's class.
    pub fn class_name(&self) -> &'static str {
        match self.domain {
            Domain::Int { .. } => "Int",
            Domain::Float { .. } => "Float",
            Domain::Choice { .. } => "Choice",
            Domain::Boolean => "Boolean",
            Domain::Fixed(_) => "Fixed",
        }
    }

    /// KerasTuner's settings of it.
    pub(crate) fn config(&self) -> Json {
        let numbers = |min: Json, max: Json, step: Json, sampling: Sampling| json!({ "min_value": min, "max_value": max, "step": step, "sampling": sampling.name() });
        let mut config = json!({ "name": self.name, "default": Json::Null, "conditions": [] });
        let own = match &self.domain {
            Domain::Int { min, max, step, sampling } => {
                let step = step.or((*sampling == Sampling::Linear).then_some(1));
                config["default"] = self.default.as_ref().map_or(Json::Null, Value::to_json);
                numbers((*min).into(), (*max).into(), step.into(), *sampling)
            }
            Domain::Float { min, max, step, sampling } => {
                config["default"] = self.default().to_json();
                numbers((*min).into(), (*max).into(), (*step).into(), *sampling)
            }
            Domain::Choice { values, ordered } => {
                config["default"] = self.default().to_json();
                json!({ "values": values.iter().map(Value::to_json).collect::<Vec<_>>(), "ordered": ordered })
            }
            Domain::Boolean => {
                config["default"] = self.default().to_json();
                json!({})
            }
            Domain::Fixed(value) => {
                let config = json!({ "name": self.name, "conditions": [], "value": value.to_json() });
                return self.with_conditions(config);
            }
        };
        if let (Some(config), Json::Object(own)) = (config.as_object_mut(), own) {
            config.extend(own);
        }
        self.with_conditions(config)
    }

    fn with_conditions(&self, mut config: Json) -> Json {
        let conditions = self.conditions.iter().map(|condition| {
            let values: Vec<Json> = condition.values.iter().map(Value::to_json).collect();
            json!({ "class_name": "Parent", "config": { "name": condition.name, "values": values } })
        });
        config["conditions"] = conditions.collect();
        config
    }

    /// What [`Parameter::config`] gave, of a parameter of that class.
    pub(crate) fn from_config(class: &str, config: &Json) -> Option<Parameter> {
        let sampling = || config["sampling"].as_str().map_or(Some(Sampling::Linear), Sampling::named);
        let domain = match class {
            "Int" => Domain::Int {
                min: config["min_value"].as_i64()?,
                max: config["max_value"].as_i64()?,
                step: config["step"].as_i64(),
                sampling: sampling()?,
            },
            "Float" => Domain::Float {
                min: config["min_value"].as_f64()?,
                max: config["max_value"].as_f64()?,
                step: config["step"].as_f64(),
                sampling: sampling()?,
            },
            "Choice" => Domain::Choice {
                values: config["values"].as_array()?.iter().map(Value::from_json).collect::<Option<_>>()?,
                ordered: config["ordered"].as_bool().unwrap_or(false),
            },
            "Boolean" => Domain::Boolean,
            "Fixed" => Domain::Fixed(Value::from_json(&config["value"])?),
            _ => return None,
        };
        let condition = |json: &Json| {
            let (name, values) = (json["config"]["name"].as_str()?.to_owned(), json["config"]["values"].as_array()?);
            Some(Condition { name, values: values.iter().map(Value::from_json).collect::<Option<_>>()? })
        };
        let conditions = config["conditions"].as_array()?.iter().map(condition).collect::<Option<_>>()?;
        let default = Value::from_json(&config["default"]);
        Some(Parameter { name: config["name"].as_str()?.to_owned(), domain, default, conditions })
    }
}
