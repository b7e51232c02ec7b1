//! What a build function declares its parameters with, and reads their values from.

use std::cell::RefCell;
use std::mem;

use cornu::{Error, Result};

use super::{Boolean, Choice, Condition, Domain, Float, Int, Parameter, Space, Whole};
use crate::draw;
use crate::value::{Value, Values};

/// Where the value of a parameter comes from that nobody has chosen yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Unknown {
    /// It is the default.
    #[default]
    Default,
    /// It is drawn, by this seed, the trial of that number, and the parameter's name.
    Drawn { seed: u64, trial: u64 },
}

/// The parameters of one trial: a build function declares them, each where it is needed, and is given their values. A mistake
/// in a declaration does not stop it: the trial fails with it afterwards.
///
/// ```
/// use cornu_tuner::prelude::*;
///
/// let mut hp = HyperParameters::new();
/// let units: usize = hp.int("units", 4..=64).step(4).get();
/// let rate: f64 = hp.float("rate", 1e-4..=1e-1).log().get();
/// let activation = hp.choice("activation", ["relu", "tanh"]).get();
/// assert_eq!((units, rate, activation), (4, 1e-4, "relu"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct HyperParameters(RefCell<State>);

#[derive(Clone, Debug, Default)]
struct State {
    /// Those that were declared since the values were given.
    space: Space,
    values: Values,
    unknown: Unknown,
    names: Vec<String>,
    conditions: Vec<Condition>,
    /// Scopes that were asked for while their conditions did not hold.
    inactive: Vec<Vec<Condition>>,
    problem: Option<Error>,
}

impl HyperParameters {
    /// Without values: each parameter has its default.
    pub fn new() -> HyperParameters {
        HyperParameters::default()
    }

    /// With those values.
    pub fn of(values: Values) -> HyperParameters {
        HyperParameters::with(values, Unknown::Default)
    }

    pub(crate) fn with(values: Values, unknown: Unknown) -> HyperParameters {
        HyperParameters(RefCell::new(State { values, unknown, ..State::default() }))
    }

    /// A whole number from the first bound to the last, which are both among them. It is an argument where a number is
    /// one; [`Int::get`] gives the number.
    pub fn int<T: Whole>(&self, name: impl Into<String>, range: std::ops::RangeInclusive<T>) -> Int<'_, T> {
        Int::new(self, name.into(), range)
    }

    /// A number from the first bound to the last.
    pub fn float(&self, name: impl Into<String>, range: std::ops::RangeInclusive<f64>) -> Float<'_> {
        Float::new(self, name.into(), range)
    }

    /// One of some values, all numbers, texts or truths.
    pub fn choice<T: Clone + Into<Value>>(
        &self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Choice<'_, T> {
        Choice::new(self, name.into(), values.into_iter().collect())
    }

    /// A truth; false where nobody chooses.
    pub fn boolean(&self, name: impl Into<String>) -> Boolean<'_> {
        Boolean::new(self, name.into())
    }

    /// A value that is always the same, to be noted with the others.
    pub fn fixed<T: Clone + Into<Value>>(&self, name: &str, value: T) -> T {
        let domain = Domain::Fixed(value.clone().into());
        self.declare(name, domain, None, None);
        value
    }

    /// What is declared within exists only where the parameter of that name, which was declared before, has one of these
    /// values; elsewhere `body` is not called.
    ///
    /// ```
    /// use cornu_tuner::prelude::*;
    ///
    /// let mut hp = HyperParameters::new();
    /// hp.choice("model", ["mlp", "cnn"]).get();
    /// let filters = hp.conditional_scope("model", ["cnn"], |hp| hp.int("filters", 8..=32).get());
    /// let units = hp.conditional_scope("model", ["mlp"], |hp| hp.int("units", 4..=64).get());
    /// assert_eq!((filters, units), (None, Some(4)));
    /// ```
    pub fn conditional_scope<T, V: Into<Value>>(
        &mut self,
        parent: &str,
        values: impl IntoIterator<Item = V>,
        body: impl FnOnce(&mut HyperParameters) -> T,
    ) -> Option<T> {
        let condition = self.condition(parent, values.into_iter().map(Into::into).collect())?;
        let state = self.0.get_mut();
        let outer = state.conditions.clone();
        state.conditions.push(condition);
        let holds = state.conditions.iter().all(|condition| condition.holds(&state.values));
        if !holds {
            state.inactive.push(mem::replace(&mut state.conditions, outer));
            return None;
        }
        let given = body(self);
        self.0.get_mut().conditions = outer;
        Some(given)
    }

    /// What is declared within has this name before its own: `encoder/units`.
    pub fn name_scope<T>(&mut self, name: &str, body: impl FnOnce(&mut HyperParameters) -> T) -> T {
        self.0.get_mut().names.push(name.to_owned());
        let given = body(self);
        self.0.get_mut().names.pop();
        given
    }

    /// The value of a parameter that has one.
    pub fn get(&self, name: &str) -> Option<Value> {
        let state = self.0.borrow();
        state.values.get(&state.full(name)).cloned()
    }

    /// All values, also of parameters that were not declared.
    pub fn values(&self) -> Values {
        self.0.borrow().values.clone()
    }

    /// The parameters that were declared.
    pub fn space(&self) -> Space {
        self.0.borrow().space.clone()
    }

    /// The condition that a parameter has one of these values.
    pub(super) fn condition(&self, parent: &str, values: Vec<Value>) -> Option<Condition> {
        let mut state = self.0.borrow_mut();
        let name = state.full(parent);
        if state.space.parameters().iter().any(|parameter| parameter.name == name) {
            return Some(Condition { name, values });
        }
        let message = format!("a condition needs a parameter that was declared before, got `{name}`");
        state.note(Error::usage(message));
        None
    }

    /// Declares a parameter and gives its value; nothing, where its conditions do not hold.
    pub(super) fn declare(
        &self,
        name: &str,
        domain: Domain,
        default: Option<Value>,
        condition: Option<Condition>,
    ) -> Option<Value> {
        let mut state = self.0.borrow_mut();
        let mut conditions = state.conditions.clone();
        conditions.extend(condition);
        let name = state.full(name);
        let parameter = Parameter { name, domain, default, conditions };
        if let Err(error) = parameter.check().and_then(|()| state.space.add(&parameter)) {
            state.note(error);
            return None;
        }
        if !parameter.is_active(&state.values) {
            return None;
        }
        let known = state.values.get(&parameter.name).cloned().filter(|_| parameter.kind().is_some());
        let value = known.unwrap_or_else(|| match (state.unknown, parameter.kind()) {
            (Unknown::Drawn { seed, trial }, Some(kind)) => {
                parameter.value_at(draw::coordinate(seed, trial, &parameter.name, kind))
            }
            _ => parameter.default(),
        });
        state.values.set(&parameter.name, value.clone());
        Some(value)
    }

    /// Keeps a mistake.
    pub(super) fn note(&self, error: Error) {
        self.0.borrow_mut().note(error);
    }

    /// The values of what was declared, and those that a tuner has added.
    ///
    /// # Errors
    /// The first mistake in a declaration.
    pub(crate) fn settled(&self) -> Result<Values> {
        let state = self.0.borrow();
        if let Some(problem) = &state.problem {
            return Err(problem.clone());
        }
        let mut values = state.values.clone();
        values.retain(|name, _| name.starts_with(OWN) || state.space.active(name, &state.values).is_some());
        Ok(values)
    }

    /// The first mistake in a declaration.
    pub(crate) fn problem(&self) -> Option<Error> {
        self.0.borrow().problem.clone()
    }

    /// Scopes that were asked for while their conditions did not hold.
    pub(crate) fn inactive(&self) -> Vec<Vec<Condition>> {
        self.0.borrow().inactive.clone()
    }
}

/// What the names of values begin with that are a tuner's, as in KerasTuner.
pub(crate) const OWN: &str = "tuner/";

impl State {
    fn full(&self, name: &str) -> String {
        self.names.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("/")
    }

    fn note(&mut self, error: Error) {
        self.problem.get_or_insert(error);
    }
}
