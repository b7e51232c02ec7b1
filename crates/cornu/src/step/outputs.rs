//! What is said of the outputs of a model: one thing for all, or one for each, by position or by name.

use cornu_graph::{Error, Result, list, nearest};
use serde_json::{Map, Value};

use crate::choice::Choice;
use crate::config::Field;
use crate::registry::Family;

/// One thing for all outputs, or one for each: what Keras takes as an object, a list or a dictionary.
#[derive(Clone, Debug, PartialEq)]
pub enum PerOutput<T> {
    /// For all outputs.
    All(T),
    /// For each output, in order; nothing for one that has none.
    InOrder(Vec<Option<T>>),
    /// For the outputs of those names.
    Named(Vec<(String, T)>),
}

impl<T: Clone> PerOutput<T> {
    /// One for each output, where there is one; `what` it is, for messages.
    ///
    /// # Errors
    /// Too many or too few, or a name that no output has.
    pub(crate) fn each(&self, what: &str, outputs: &[String]) -> Result<Vec<Option<T>>> {
        match self {
            PerOutput::All(one) => Ok(vec![Some(one.clone()); outputs.len()]),
            PerOutput::InOrder(each) if each.len() == outputs.len() => Ok(each.clone()),
            PerOutput::InOrder(each) => {
                let (needed, got) = (outputs.len(), each.len());
                Err(Error::usage(format!("`{what}` needs {needed}, one for each output, got {got}")))
            }
            PerOutput::Named(named) => {
                let known: Vec<&str> = outputs.iter().map(String::as_str).collect();
                if let Some((other, _)) = named.iter().find(|(name, _)| !outputs.contains(name)) {
                    let error = Error::usage(format!("`{what}` has no output `{other}`; there are {}", list(&known)));
                    let near = nearest(other, known);
                    return Err(near.map_or(error.clone(), |near| error.help(format!("did you mean `{near}`?"))));
                }
                let of = |output: &String| named.iter().find(|(name, _)| name == output).map(|(_, one)| one.clone());
                Ok(outputs.iter().map(of).collect())
            }
        }
    }

    /// All that is said.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (all, each, named): (_, &[Option<T>], &[(String, T)]) = match self {
            PerOutput::All(one) => (Some(one), &[], &[]),
            PerOutput::InOrder(each) => (None, each, &[]),
            PerOutput::Named(named) => (None, &[], named),
        };
        all.into_iter().chain(each.iter().flatten()).chain(named.iter().map(|(_, one)| one))
    }
}

impl<T: Field> PerOutput<T> {
    /// An object, a list or a dictionary, as Keras writes it.
    pub fn to_json(&self) -> Value {
        match self {
            PerOutput::All(one) => one.to_json(),
            PerOutput::InOrder(each) => each.iter().map(Field::to_json).collect(),
            PerOutput::Named(named) => {
                named.iter().map(|(name, one)| (name.clone(), one.to_json())).collect::<Map<_, _>>().into()
            }
        }
    }
}

impl<T> PerOutput<T> {
    /// What `read` makes of the objects in an object, a list or a dictionary; `is_list` says whether it is a list of
    /// outputs.
    ///
    /// # Errors
    /// The first of `read`.
    pub fn from_json(
        json: &Value,
        is_list: fn(&[Value]) -> bool,
        mut read: impl FnMut(&Value) -> Result<T>,
    ) -> Result<Self> {
        match json {
            Value::Array(items) if is_list(items) => {
                let each = items.iter().map(|item| (!item.is_null()).then(|| read(item)).transpose());
                each.collect::<Result<_>>().map(PerOutput::InOrder)
            }
            Value::Object(outputs) if !outputs.contains_key("class_name") => {
                let said = outputs.iter().filter(|(_, one)| !one.is_null());
                said.map(|(name, one)| Ok((name.clone(), read(one)?))).collect::<Result<_>>().map(PerOutput::Named)
            }
            one => read(one).map(PerOutput::All),
        }
    }
}

impl<T: ?Sized, C: Into<Choice<T>>> From<C> for PerOutput<Choice<T>> {
    fn from(one: C) -> Self {
        PerOutput::All(one.into())
    }
}

impl<T: ?Sized + Family, C: Into<Choice<T>>, const N: usize> From<[C; N]> for PerOutput<Choice<T>> {
    fn from(each: [C; N]) -> Self {
        PerOutput::InOrder(each.into_iter().map(|one| Some(one.into())).collect())
    }
}

impl<T: ?Sized + Family, S: Into<String>, C: Into<Choice<T>>, const N: usize> From<[(S, C); N]>
    for PerOutput<Choice<T>>
{
    fn from(named: [(S, C); N]) -> Self {
        PerOutput::Named(named.into_iter().map(|(name, one)| (name.into(), one.into())).collect())
    }
}

impl<const N: usize> From<[f64; N]> for PerOutput<f64> {
    fn from(each: [f64; N]) -> Self {
        PerOutput::InOrder(each.map(Some).into())
    }
}

impl<S: Into<String>, const N: usize> From<[(S, f64); N]> for PerOutput<f64> {
    fn from(named: [(S, f64); N]) -> Self {
        PerOutput::Named(named.map(|(name, weight)| (name.into(), weight)).into())
    }
}
