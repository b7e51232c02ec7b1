//! What must be true of a step, or the step changes nothing and fails.

use std::fmt;
use std::sync::Arc;

use crate::{Error, Number, Origin, Value};

/// A truth that a step must find, and what is said where it does not. Prints as
/// `check %5 %6 : row {} has a token out of range`.
#[derive(Clone, Debug)]
pub struct Check {
    /// The boolean scalar.
    pub holds: Value,
    /// What is said, with `{}` for each of `numbers`. It is one line, without `;`.
    pub text: Arc<str>,
    /// The scalars that say where, or how many.
    pub numbers: Box<[Value]>,
    /// Where it was traced.
    pub origin: Origin,
}

impl Check {
    /// What it looks at: the truth, then the numbers.
    pub fn values(&self) -> impl Iterator<Item = Value> + '_ {
        std::iter::once(self.holds).chain(self.numbers.iter().copied())
    }

    /// The same check under the names that values have elsewhere.
    pub(crate) fn renamed(&self, mut name: impl FnMut(Value) -> Value) -> Check {
        let holds = name(self.holds);
        Check { holds, numbers: self.numbers.iter().map(|&value| name(value)).collect(), ..self.clone() }
    }

    /// The error of a step that found it false.
    pub fn error(&self, numbers: impl IntoIterator<Item = Number>) -> Error {
        let mut numbers = numbers.into_iter();
        let mut parts = self.text.split("{}");
        let mut message = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            message += &numbers.next().map(|number| number.to_string()).unwrap_or_default();
            message += part;
        }
        let error = self.origin.layer.iter().fold(Error::data(message), Error::context);
        self.origin.line.into_iter().fold(error, Error::at)
    }
}

/// Where it comes from is no part of it.
impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        (self.holds, &self.text, &self.numbers) == (other.holds, &other.text, &other.numbers)
    }
}

impl Eq for Check {}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: String = self.values().map(|value| format!(" {value}")).collect();
        write!(f, "check{values} : {}", self.text)
    }
}
