//! The types that are asked for by name.

use std::collections::HashMap;
use std::sync::Arc;

use cornu_array::{Error, Result};

use super::grow::{Kind, Only};
use crate::{Category, Texts, Value, Values, print};

/// A type that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dtype {
    Float,
    Float32,
    Int,
    Bool,
    Text,
    Category,
}

impl Dtype {
    /// The type of that name in pandas, or in Python.
    pub(super) fn named(name: &str) -> Result<Dtype> {
        Ok(match name {
            "float64" | "float" | "f8" => Dtype::Float,
            "float32" | "f4" => Dtype::Float32,
            "int64" | "int" | "i8" => Dtype::Int,
            "bool" => Dtype::Bool,
            "str" | "string" | "object" => Dtype::Text,
            "category" => Dtype::Category,
            _ => {
                let needed = "`float64`, `float32`, `int64`, `bool`, `str` or `category`";
                let error = Error::usage(format!("`dtype` needs {needed}, got `{name}`"));
                return Err(if name.starts_with("datetime") {
                    error.help("dates are read by `Csv::new().parse_dates([..])`")
                } else {
                    error
                });
            }
        })
    }

    /// What values have to be, and as what they begin.
    pub(super) fn start(dtype: Option<Dtype>) -> (Kind, Option<Only>) {
        match dtype {
            None | Some(Dtype::Category) => (Kind::Missing(0), None),
            Some(Dtype::Float | Dtype::Float32) => (Kind::Missing(0), Some(Only::Numbers)),
            Some(Dtype::Int) => (Kind::Missing(0), Some(Only::Whole)),
            Some(Dtype::Bool) => (Kind::Missing(0), Some(Only::Truths)),
            Some(Dtype::Text) => (Kind::Text(Texts::default()), None),
        }
    }

    /// Values of this type. `whole`: floats are whole numbers, some of them missing.
    ///
    /// # Errors
    /// Each of the values must have one.
    pub(super) fn cast(self, values: Values, whole: bool, name: &str) -> Result<Values> {
        let floats = |values: &Values| values.iter().map(|value| value.to_f64().unwrap_or(f64::NAN)).collect();
        let cast = match self {
            Dtype::Text if values.is_empty() => Values::Text(Texts::default()),
            Dtype::Text => values,
            Dtype::Category => Values::Category(categories(&values, whole)),
            Dtype::Float => match values {
                Values::Float(_) => values,
                Values::Truth(truths) => {
                    Values::Float(truths.into_iter().map(|truth| truth.map_or(f64::NAN, f64::from)).collect())
                }
                values => Values::Float(floats(&values)),
            },
            Dtype::Float32 => match Dtype::Float.cast(values, whole, name)? {
                Values::Float(values) => Values::Float32(values.into_iter().map(|value| value as f32).collect()),
                values => values,
            },
            Dtype::Int => match values {
                Values::Int(_) => values,
                values => Values::Int(each(&values, name, "whole numbers", |value| {
                    let value = value.to_f64()?;
                    (value.fract() == 0.0 && value.abs() < 9.2e18).then_some(value as i64)
                })?),
            },
            Dtype::Bool => match values {
                Values::Bool(_) => values,
                values => Values::Bool(each(&values, name, "true and false", |value| {
                    let value = value.to_f64()?;
                    (value == 0.0 || value == 1.0).then_some(value != 0.0)
                })?),
            },
        };
        Ok(cast)
    }
}

fn each<T>(values: &Values, name: &str, needed: &str, cast: impl Fn(Value<'_>) -> Option<T>) -> Result<Vec<T>> {
    let cast = |(row, value): (usize, Value<'_>)| {
        let got = || if value.is_missing() { "a missing value".into() } else { print::quoted(value) };
        cast(value).ok_or_else(|| Error::data(format!("column `{name}` needs {needed}, got {} in row {row}", got())))
    };
    values.iter().enumerate().map(cast).collect()
}

/// The values as categories in ascending order.
fn categories(values: &Values, whole: bool) -> Category {
    let mut places = HashMap::new();
    let mut firsts = Vec::new();
    for (row, value) in values.iter().enumerate().filter(|(_, value)| !value.is_missing()) {
        places.entry(value.key()).or_insert_with(|| {
            firsts.push(row);
            0u32
        });
    }
    let order = |&a: &usize, &b: &usize| match (values.get(a), values.get(b)) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(&b),
        (a, b) => a.to_f64().unwrap_or(0.0).total_cmp(&b.to_f64().unwrap_or(0.0)),
    };
    firsts.sort_by(order);
    places.extend(firsts.iter().zip(0..).map(|(&row, code)| (values.get(row).key(), code)));
    let codes = values.iter().map(|value| places.get(&value.key()).copied()).collect();
    let categories = match values.take(&firsts) {
        Values::Float(values) if whole => Values::Int(values.into_iter().map(|value| value as i64).collect()),
        values => values,
    };
    Category { codes, categories: Arc::new(categories), ordered: false }
}
