//! The space of a search: its parameters, in the order in which they were declared.

mod draft;
mod hyperparameters;
mod parameter;

use cornu::{Error, Result};
use serde_json::{Value as Json, json};

pub use draft::{Boolean, Choice, Float, Int, Whole};
pub use hyperparameters::HyperParameters;
pub(crate) use hyperparameters::{OWN, Unknown};
pub use parameter::{Condition, Domain, Parameter, Sampling};

use crate::sampler::{Axis, Point, When};
use crate::value::{Value, Values};

/// The parameters of a search. One name may stand for several, which differ in their conditions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space(Vec<Parameter>);

impl Space {
    /// All of them.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0
    }

    /// Adds a parameter, unless it is there; says whether it is new.
    ///
    /// # Errors
    /// One of that name and those conditions that can be something else.
    pub(crate) fn add(&mut self, parameter: &Parameter) -> Result<bool> {
        let same = |known: &&Parameter| known.name == parameter.name && known.conditions == parameter.conditions;
        let Some(known) = self.0.iter().find(same) else {
            self.0.push(parameter.clone());
            return Ok(true);
        };
        // One that was read has its default in words.
        if *known == *parameter || known.config() == parameter.config() {
            return Ok(false);
        }
        let told = |parameter: &Parameter| python(&parameter.config());
        let (name, first, second) = (&parameter.name, told(known), told(parameter));
        let message = format!("parameter `{name}` was declared as {first}, then as {second}");
        Err(Error::usage(message).help("give one of them another name, or a conditional scope"))
    }

    /// The parameter of that name that exists beside these values.
    pub(crate) fn active(&self, name: &str, values: &Values) -> Option<&Parameter> {
        self.0.iter().find(|parameter| parameter.name == name && parameter.is_active(values))
    }

    /// The space as samplers see it, with the places of its axes among the parameters.
    pub(crate) fn axes(&self) -> (Vec<Axis>, Vec<usize>) {
        let places: Vec<usize> = (0..self.0.len()).filter(|&place| self.0[place].kind().is_some()).collect();
        let axis_of = |name: &str| places.iter().position(|&place| self.0[place].name == name);
        let when = |condition: &Condition| {
            let axis = axis_of(&condition.name)?;
            let parent = &self.0[places[axis]];
            let among = condition.values.iter().filter_map(|value| parent.coordinate(value)).map(|c| c as usize);
            Some(When { axis, among: among.collect() })
        };
        let axis = |&place: &usize| {
            let parameter = &self.0[place];
            let kind = parameter.kind()?;
            let when = parameter.conditions.iter().filter_map(when).collect();
            Some(Axis { name: self.told_apart(place), kind, when })
        };
        (places.iter().filter_map(axis).collect(), places)
    }

    /// The name, with the conditions where several have it.
    fn told_apart(&self, place: usize) -> String {
        let parameter = &self.0[place];
        if !self.0[..place].iter().any(|other| other.name == parameter.name) {
            return parameter.name.clone();
        }
        let told = |condition: &Condition| {
            let values: Vec<String> = condition.values.iter().map(Value::to_string).collect();
            format!("{}={}", condition.name, values.join("|"))
        };
        format!("{} [{}]", parameter.name, parameter.conditions.iter().map(told).collect::<Vec<_>>().join(", "))
    }

    /// The values of a point.
    pub(crate) fn values(&self, point: &Point) -> Values {
        let (mut values, mut coordinates) = (Values::default(), point.iter());
        for parameter in &self.0 {
            let coordinate = parameter.kind().and_then(|_| coordinates.next().copied().flatten());
            if parameter.is_active(&values) {
                values.set(&parameter.name, coordinate.map_or_else(|| parameter.default(), |c| parameter.value_at(c)));
            }
        }
        values
    }

    /// Where values lie.
    pub(crate) fn point(&self, values: &Values) -> Point {
        let axes = self.0.iter().filter(|parameter| parameter.kind().is_some());
        axes.map(|parameter| {
            let value = values.get(&parameter.name).filter(|_| parameter.is_active(values));
            value.and_then(|value| parameter.coordinate(value))
        })
        .collect()
    }

    /// The values after these in the order of a grid, whose last parameter moves first, each through its `options`;
    /// nothing after the last. KerasTuner's order: the default comes first.
    pub(crate) fn next(&self, values: &Values, options: impl Fn(&Parameter) -> Vec<Value>) -> Option<Values> {
        let is_moved = |parameter: &&Parameter| {
            let Some(value) = values.get(&parameter.name).filter(|_| parameter.is_active(values)) else { return false };
            parameter.kind().is_some() && parameter.default_first(options(parameter)).last() != Some(value)
        };
        let place = self.0.iter().rposition(|parameter| is_moved(&parameter))?;
        let mut next = Values::default();
        for (i, parameter) in self.0.iter().enumerate() {
            let known = values.get(&parameter.name).filter(|_| i <= place && parameter.is_active(values));
            let value = match known {
                Some(value) if i == place => {
                    let options = parameter.default_first(options(parameter));
                    let at = options.iter().position(|option| option == value)?;
                    options[at + 1].clone()
                }
                Some(value) => value.clone(),
                None => parameter.default(),
            };
            if parameter.is_active(&next) {
                next.set(&parameter.name, value);
            }
        }
        Some(next)
    }

    /// Whether all configurations can be counted.
    pub(crate) fn is_finite(&self) -> bool {
        self.0.iter().all(|parameter| parameter.all().is_some())
    }

    /// KerasTuner's list of it.
    pub(crate) fn config(&self) -> Json {
        self.0
            .iter()
            .map(|parameter| json!({ "class_name": parameter.class_name(), "config": parameter.config() }))
            .collect()
    }

    /// What [`Space::config`] gave.
    pub(crate) fn from_config(config: &Json) -> Option<Space> {
        let parameter = |json: &Json| Parameter::from_config(json["class_name"].as_str()?, &json["config"]);
        config.as_array()?.iter().map(parameter).collect::<Option<_>>().map(Space)
    }

    /// KerasTuner's `search_space_summary`.
    pub(crate) fn summary(&self) -> String {
        let mut text = format!("Search space summary\nDefault search space size: {}\n", self.0.len());
        for parameter in &self.0 {
            let mut config = parameter.config();
            config.as_object_mut().and_then(|config| config.shift_remove("name"));
            text += &format!("{} ({})\n{}\n", parameter.name, parameter.class_name(), python(&config));
        }
        text
    }
}

/// JSON as Python prints the object.
pub(crate) fn python(json: &Json) -> String {
    match json {
        Json::Null => "None".into(),
        Json::Array(all) => format!("[{}]", all.iter().map(python).collect::<Vec<_>>().join(", ")),
        Json::Object(all) => {
            let pairs = all.iter().map(|(key, value)| format!("'{key}': {}", python(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        plain => Value::from_json(plain).map(|value| value.repr()).unwrap_or_default(),
    }
}
