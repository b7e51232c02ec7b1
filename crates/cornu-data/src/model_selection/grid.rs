//! Settings to try: every combination of lists of values, or some of them at random.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use cornu_array::numbers::repr;
use cornu_array::random::LegacyRandomState;
use cornu_array::{Error, Result, list, nearest};

use super::with_generator;
use crate::{Scalar, ToLabels, Value, Values};

/// Every combination of settings, in scikit-learn's order: by name, the values of the last one changing fastest.
///
/// ```
/// use cornu_data::model_selection::ParameterGrid;
///
/// let grid = ParameterGrid::new().with("units", [8, 16]).with("activation", ["relu", "tanh"]);
/// assert_eq!(grid.len()?, 4);
/// for parameters in grid.iter()? {
///     let units: usize = parameters.get("units")?;
///     let activation: &str = parameters.get("activation")?;
///     println!("{parameters}: {units} of {activation}");
/// }
/// let second = grid.at(1)?;
/// assert_eq!(second.to_string(), "{'activation': 'relu', 'units': 16}");
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// Several grids are tried one after the other: [`or`](ParameterGrid::or).
#[derive(Clone, Debug)]
pub struct ParameterGrid {
    /// The names of each grid, sorted, with their values.
    grids: Vec<Vec<(String, Result<Arc<Values>>)>>,
}

impl Default for ParameterGrid {
    fn default() -> Self {
        ParameterGrid::new()
    }
}

impl ParameterGrid {
    /// A grid of one combination, without settings.
    pub fn new() -> ParameterGrid {
        ParameterGrid { grids: vec![Vec::new()] }
    }

    /// Tries each of these values: numbers, texts, true and false; [`Scalar`]s of several kinds.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, values: impl ToLabels) -> ParameterGrid {
        let name = name.into();
        if let Some(grid) = self.grids.last_mut() {
            grid.retain(|(other, _)| *other != name);
            let place = grid.partition_point(|(other, _)| *other < name);
            grid.insert(place, (name, values.label_values()));
        }
        self
    }

    /// Tries the combinations of `other` after these.
    #[must_use]
    pub fn or(mut self, other: ParameterGrid) -> ParameterGrid {
        self.grids.extend(other.grids);
        self
    }

    /// The number of combinations.
    ///
    /// # Errors
    /// Each setting must have a value, and the combinations must be countable.
    pub fn len(&self) -> Result<usize> {
        self.sizes()?
            .iter()
            .try_fold(0usize, |sum, &size| sum.checked_add(size))
            .ok_or_else(|| Error::usage("a grid of settings has too many combinations to be counted"))
    }

    /// Whether there are none: a grid always has one.
    ///
    /// # Errors
    /// Those of [`ParameterGrid::len`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The number of combinations of each grid.
    fn sizes(&self) -> Result<Vec<usize>> {
        let size = |grid: &Vec<(String, Result<Arc<Values>>)>| {
            grid.iter().try_fold(1usize, |product, (name, values)| {
                let values = values.as_ref().map_err(|error| error.clone().context(format!("`{name}`")))?;
                if values.is_empty() {
                    return Err(Error::usage(format!("the setting `{name}` needs a value to try, got none")));
                }
                let many = || Error::usage("a grid of settings has too many combinations to be counted");
                product.checked_mul(values.len()).ok_or_else(many)
            })
        };
        self.grids.iter().map(size).collect()
    }

    /// The combination of that number.
    ///
    /// # Errors
    /// Those of [`ParameterGrid::len`], which the number must be below.
    pub fn at(&self, place: usize) -> Result<Parameters> {
        let sizes = self.sizes()?;
        let mut rest = place;
        for (grid, size) in self.grids.iter().zip(sizes) {
            if rest >= size {
                rest -= size;
                continue;
            }
            let mut settings: Vec<(String, Scalar)> = Vec::with_capacity(grid.len());
            for (name, values) in grid.iter().rev() {
                let values = values.as_ref().map_err(Clone::clone)?;
                settings.push((name.clone(), Scalar::from(values.get(rest % values.len()))));
                rest /= values.len();
            }
            settings.reverse();
            return Ok(Parameters { settings });
        }
        Err(Error::usage(format!("the grid has no combination {place}, only {}", self.len()?)))
    }

    /// Every combination in order.
    ///
    /// # Errors
    /// Those of [`ParameterGrid::len`].
    pub fn iter(&self) -> Result<impl Iterator<Item = Parameters>> {
        Ok((0..self.len()?).map_while(|place| self.at(place).ok()))
    }
}

/// Some of the combinations of a grid, each at most once: scikit-learn's `ParameterSampler` of lists.
///
/// ```
/// use cornu_data::model_selection::{ParameterGrid, ParameterSampler};
///
/// let grid = ParameterGrid::new().with("rate", [0.1, 0.01, 0.001]).with("units", [8, 16]);
/// let tried = ParameterSampler::new(grid, 2).random_state(0).draw()?;
/// assert_eq!(tried[0].to_string(), "{'rate': 0.001, 'units': 16}");
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ParameterSampler {
    grid: ParameterGrid,
    n_iter: usize,
    random_state: Option<u32>,
}

impl ParameterSampler {
    /// So many combinations; all of them if there are fewer.
    pub fn new(grid: ParameterGrid, n_iter: usize) -> ParameterSampler {
        ParameterSampler { grid, n_iter, random_state: None }
    }

    /// The seed of the choice; without one, NumPy's generator of this process chooses.
    #[must_use]
    pub fn random_state(self, seed: u32) -> ParameterSampler {
        ParameterSampler { random_state: Some(seed), ..self }
    }

    /// The combinations.
    ///
    /// # Errors
    /// Those of [`ParameterGrid::len`].
    pub fn draw(&self) -> Result<Vec<Parameters>> {
        let all = self.grid.len()?;
        let places =
            with_generator(self.random_state, |random| without_replacement(all, self.n_iter.min(all), random))?;
        places.into_iter().map(|place| self.grid.at(place)).collect()
    }
}

/// Different numbers below `all`, by the method that scikit-learn chooses for their share.
fn without_replacement(all: usize, count: usize, random: &mut LegacyRandomState) -> Result<Vec<usize>> {
    let share = count as f64 / all as f64;
    let below =
        |random: &mut LegacyRandomState, end: usize| random.randint(0, end as i64).map(|number| number as usize);
    if share > 0.01 && share < 0.99 {
        return random.choice(all, count);
    }
    if share < 0.2 {
        let mut seen = HashSet::new();
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count {
            let number = below(random, all)?;
            if seen.insert(number) {
                chosen.push(number);
            }
        }
        return Ok(chosen);
    }
    let mut chosen: Vec<usize> = (0..count).collect();
    for number in count..all {
        let place = below(random, number + 1)?;
        if place < count {
            chosen[place] = number;
        }
    }
    Ok(chosen)
}

/// One combination of settings. Prints as Python's dict.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    settings: Vec<(String, Scalar)>,
}

impl Parameters {
    /// The settings by name, in alphabetical order.
    pub fn settings(&self) -> &[(String, Scalar)] {
        &self.settings
    }

    /// The value of a setting, as a number, text (`&str` or [`String`]), truth value or [`Scalar`].
    ///
    /// # Errors
    /// There must be that setting, and its value must be of that type.
    pub fn get<'a, T: Parameter<'a>>(&'a self, name: &str) -> Result<T> {
        let value = self.settings.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_value());
        let Some(value) = value else {
            let names: Vec<&str> = self.settings.iter().map(|(name, _)| &**name).collect();
            let error = Error::usage(format!("no setting `{name}`; there are {}", list(&names)));
            return Err(match nearest(name, names) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            });
        };
        let other = || Error::usage(format!("the setting `{name}` must be {}, got {}", T::KIND, shown(value)));
        T::of(value).ok_or_else(other)
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.settings.iter().map(|(name, value)| format!("'{name}': {}", shown(value.as_value())));
        write!(f, "{{{}}}", settings.collect::<Vec<_>>().join(", "))
    }
}

/// A value as Python shows it.
fn shown(value: Value<'_>) -> String {
    match value {
        Value::Float(value) => repr(value),
        Value::Missing => "None".into(),
        value => crate::labels::shown(value),
    }
}

/// A type that the value of a setting can have.
pub trait Parameter<'a>: Sized {
    /// What it is, in words.
    const KIND: &'static str;

    /// The value as this type, if it is one.
    fn of(value: Value<'a>) -> Option<Self>;
}

macro_rules! parameters {
    ($($type:ty, $kind:literal, |$value:ident| $of:expr;)*) => {$(
        impl<'a> Parameter<'a> for $type {
            const KIND: &'static str = $kind;

            fn of($value: Value<'a>) -> Option<Self> {
                $of
            }
        }
    )*};
}

/// The whole number that a value is, also as a float.
fn whole(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(value) => Some(value),
        Value::Float(value) if value.fract() == 0.0 && value.abs() < (1i64 << 53) as f64 => Some(value as i64),
        _ => None,
    }
}

fn number(value: Value<'_>) -> Option<f64> {
    if let Value::Bool(_) = value { None } else { value.to_f64() }
}

parameters! {
    f64, "a number", |value| number(value);
    f32, "a number", |value| number(value).map(|value| value as f32);
    i64, "a whole number", |value| whole(value);
    i32, "a whole number", |value| whole(value)?.try_into().ok();
    u32, "a whole number from 0 up", |value| whole(value)?.try_into().ok();
    u64, "a whole number from 0 up", |value| whole(value)?.try_into().ok();
    usize, "a whole number from 0 up", |value| whole(value)?.try_into().ok();
    bool, "true or false", |value| if let Value::Bool(value) = value { Some(value) } else { None };
    &'a str, "text", |value| if let Value::Text(text) = value { Some(text) } else { None };
    String, "text", |value| if let Value::Text(text) = value { Some(text.into()) } else { None };
    Scalar, "a value", |value| Some(Scalar::from(value));
}
