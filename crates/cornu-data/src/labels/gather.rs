//! Values of one kind out of labels of many types.

use std::fmt;

use cornu_array::{Error, Result};

use super::{several, shown};
use crate::{NAT, Scalar, Value, Values};

/// What slices of labels are made of.
pub trait Label {
    /// The labels as values of a column.
    ///
    /// # Errors
    /// Each must be one label, and whole numbers no larger than [`i64::MAX`].
    fn gather<'a>(labels: &mut dyn Iterator<Item = &'a Self>) -> Result<Values>
    where
        Self: 'a;

    /// The labels inside, which may be rows of labels, and the sizes of the axes.
    ///
    /// # Errors
    /// Those of [`Label::gather`] of a single label; rows must be equally long.
    fn flatten<'a>(labels: &mut dyn Iterator<Item = &'a Self>) -> Result<(Vec<usize>, Values)>
    where
        Self: 'a,
    {
        Self::gather(labels).map(|values| (vec![values.len()], values))
    }
}

/// The labels inside equally long rows, and the sizes of the axes.
fn flatten_rows<'a, T: Label + 'a>(rows: &[&'a [T]]) -> Result<(Vec<usize>, Values)> {
    let width = rows.first().map_or(0, |row| row.len());
    if let Some(row) = rows.iter().position(|row| row.len() != width) {
        let got = rows[row].len();
        return Err(Error::data(format!("row {row}: needs {width} labels as the first row, got {got}")));
    }
    let (inner, values) = T::flatten(&mut rows.iter().flat_map(|row| row.iter()))?;
    Ok(([&[rows.len(), width], &inner[1..]].concat(), values))
}

macro_rules! labels {
    ($($label:ty => $gather:expr;)*) => {$(
        impl Label for $label {
            fn gather<'a>(labels: &mut dyn Iterator<Item = &'a Self>) -> Result<Values>
            where
                Self: 'a,
            {
                let gather: fn(&mut dyn Iterator<Item = &'a $label>) -> Result<Values> = $gather;
                gather(labels)
            }
        }
    )*};
}

labels! {
    bool => |labels| Ok(Values::Bool(labels.copied().collect()));
    f32 => |labels| Ok(Values::Float32(labels.copied().collect()));
    f64 => |labels| Ok(Values::Float(labels.copied().collect()));
    i64 => |labels| Ok(Values::Int(labels.copied().collect()));
    i8 => whole; i16 => whole; i32 => whole; isize => whole;
    u8 => whole; u16 => whole; u32 => whole; u64 => whole; usize => whole;
    &str => |labels| Ok(Values::Text(labels.map(|label| Some(*label)).collect()));
    String => |labels| Ok(Values::Text(labels.map(|label| Some(&**label)).collect()));
    char => |labels| {
        let texts: Vec<String> = labels.map(char::to_string).collect();
        Ok(Values::from(texts))
    };
    Option<&str> => |labels| Ok(Values::Text(labels.copied().collect()));
    Option<String> => |labels| Ok(Values::Text(labels.map(Option::as_deref).collect()));
    Scalar => |labels| Ok(Values::Object(labels.cloned().collect()));
    Option<bool> => |labels| Ok(Values::Truth(labels.copied().collect()));
    Option<f64> => |labels| Ok(Values::Float(labels.map(|label| label.unwrap_or(f64::NAN)).collect()));
    Option<i64> => |labels| {
        let labels: Vec<Value<'_>> = labels.map(|label| label.map_or(Value::Missing, Value::Int)).collect();
        gathered(|| labels.iter().copied())
    };
}

/// Whole numbers of any size.
fn whole<'a, T: Copy + TryInto<i64> + fmt::Display + 'a>(labels: &mut dyn Iterator<Item = &'a T>) -> Result<Values> {
    let large = |label| Error::data(format!("labels need whole numbers up to {}, got {label}", i64::MAX));
    labels.map(|&label| label.try_into().map_err(|_| large(label))).collect::<Result<_>>().map(Values::Int)
}

/// Rows of one label.
impl<T: Label, const N: usize> Label for [T; N] {
    fn gather<'a>(labels: &mut dyn Iterator<Item = &'a Self>) -> Result<Values>
    where
        Self: 'a,
    {
        if N != 1 {
            return Err(several(N));
        }
        T::gather(&mut labels.flatten())
    }

    fn flatten<'a>(labels: &mut dyn Iterator<Item = &'a Self>) -> Result<(Vec<usize>, Values)>
    where
        Self: 'a,
    {
        flatten_rows(&labels.map(|row| &row[..]).collect::<Vec<_>>())
    }
}

/// Rows of one label.
impl<T: Label> Label for Vec<T> {
    fn gather<'a>(labels: &mut dyn Iterator<Item = &'a Self>) -> Result<Values>
    where
        Self: 'a,
    {
        let rows: Vec<&'a Vec<T>> = labels.collect();
        match rows.iter().find(|row| row.len() != 1) {
            Some(row) => Err(several(row.len())),
            None => T::gather(&mut rows.into_iter().flatten()),
        }
    }

    fn flatten<'a>(labels: &mut dyn Iterator<Item = &'a Self>) -> Result<(Vec<usize>, Values)>
    where
        Self: 'a,
    {
        flatten_rows(&labels.map(|row| &row[..]).collect::<Vec<_>>())
    }
}

impl<T: Label> Label for &T {
    fn gather<'a>(labels: &mut dyn Iterator<Item = &'a Self>) -> Result<Values>
    where
        Self: 'a,
    {
        T::gather(&mut labels.map(|label| &**label))
    }

    fn flatten<'a>(labels: &mut dyn Iterator<Item = &'a Self>) -> Result<(Vec<usize>, Values)>
    where
        Self: 'a,
    {
        T::flatten(&mut labels.map(|label| &**label))
    }
}

/// Values of the narrowest kind that holds all of them, which may be missing: true and false, whole numbers, numbers,
/// moments, text.
///
/// # Errors
/// Nothing holds text and numbers, or moments and either.
pub(crate) fn gathered<'v, I: Iterator<Item = Value<'v>>>(values: impl Fn() -> I) -> Result<Values> {
    let any = |test: fn(Value<'_>) -> bool| values().find(|&value| test(value));
    let missing = any(|v| v.is_missing()).is_some();
    let [text, moment] = [any(|v| matches!(v, Value::Text(_))), any(|v| matches!(v, Value::Date(_)))];
    let number = any(|v| !matches!(v, Value::Text(_) | Value::Date(_)) && !v.is_missing());
    if let (Some(one), Some(other)) = (text.or(moment), if text.is_some() { moment.or(number) } else { number }) {
        let message = format!("values of one kind are needed, got {} and {}", shown(one), shown(other));
        return Err(Error::data(message).help("give all as text, or all as numbers"));
    }
    if text.is_some() {
        return Ok(Values::Text(values().map(|v| if let Value::Text(text) = v { Some(text) } else { None }).collect()));
    }
    if moment.is_some() {
        return Ok(Values::Date(values().map(|v| if let Value::Date(at) = v { at } else { NAT }).collect()));
    }
    let whole = |v| if let Value::Int(whole) = v { whole } else { i64::from(v == Value::Bool(true)) };
    let truth = |v| if let Value::Bool(truth) = v { Some(truth) } else { None };
    let has_float = any(|v| matches!(v, Value::Float(v) if !v.is_nan())).is_some();
    let has_whole = any(|v| matches!(v, Value::Int(_))).is_some();
    Ok(match (missing, number) {
        (false, Some(_)) if !has_float && has_whole => Values::Int(values().map(whole).collect()),
        (false, Some(_)) if !has_float => Values::Bool(values().filter_map(truth).collect()),
        (true, Some(_)) if !has_float && !has_whole => Values::Truth(values().map(truth).collect()),
        _ => Values::Float(values().map(|v| v.to_f64().unwrap_or(f64::NAN)).collect()),
    })
}
