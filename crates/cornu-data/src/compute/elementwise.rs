//! What is computed of a column value by value.

use std::collections::HashSet;

use cornu_array::{Error, Result};

use super::arithmetic::Arithmetic;
use super::compare::{Comparison, equal};
use super::{Computed, Logic, Operand, Operator, binary};
use crate::{Column, Scalar, Value, Values};

/// What a column and a computed one both have. Nothing fails here: a mistake is told when the result is used.
macro_rules! computed {
    ($($(#[$doc:meta])* fn $name:ident($this:ident $(, $arg:ident: $type:ty)*) $body:block)*) => {
        impl Column {$(
            $(#[$doc])*
            pub fn $name(&self $(, $arg: $type)*) -> Computed {
                Computed::from(self).$name($($arg),*)
            }
        )*}

        impl Computed {$(
            $(#[$doc])*
            #[must_use]
            pub fn $name(&self $(, $arg: $type)*) -> Computed {
                let $this = self.clone();
                $body
            }
        )*}
    };
}

computed! {
    /// Which rows equal the value, or the row of another column. Dates are compared with `"2024-05-31"`.
    fn eq(this, other: impl Into<Operand>) {
        binary(this, Operator::Compare(Comparison::Eq), other)
    }

    /// Which rows differ from the value, or from the row of another column; missing ones do.
    fn ne(this, other: impl Into<Operand>) {
        binary(this, Operator::Compare(Comparison::Ne), other)
    }

    /// Which rows are less.
    fn lt(this, other: impl Into<Operand>) {
        binary(this, Operator::Compare(Comparison::Lt), other)
    }

    /// Which rows are less or equal.
    fn le(this, other: impl Into<Operand>) {
        binary(this, Operator::Compare(Comparison::Le), other)
    }

    /// Which rows are greater.
    fn gt(this, other: impl Into<Operand>) {
        binary(this, Operator::Compare(Comparison::Gt), other)
    }

    /// Which rows are greater or equal.
    fn ge(this, other: impl Into<Operand>) {
        binary(this, Operator::Compare(Comparison::Ge), other)
    }

    /// Which rows lie between two values, both of which count.
    fn between(this, left: impl Into<Operand>, right: impl Into<Operand>) {
        binary(this.ge(left), Operator::Logic(Logic::And), this.le(right))
    }

    /// Which rows are one of the values; missing ones are if a missing value is among them. Text is no number, nor a date.
    fn is_in(this, values: impl IntoIterator<Item: Into<Scalar>>) {
        let values: Vec<Scalar> = values.into_iter().map(Into::into).collect();
        this.then(|column| Ok(column.with_values(Values::Bool(is_in(column.values(), &values)))))
    }

    /// Which texts contain the text, letter by letter; missing ones do not.
    fn contains(this, text: &str) {
        this.then(|column| match column.values() {
            Values::Text(texts) => {
                let found = texts.iter().map(|cell| cell.is_some_and(|cell| cell.contains(text)));
                Ok(column.with_values(Values::Bool(found.collect())))
            }
            _ => Err(refused(column, "contains", "text")),
        })
    }

    /// The quotient, rounded down.
    fn floordiv(this, other: impl Into<Operand>) {
        binary(this, Operator::Arithmetic(Arithmetic::FloorDiv), other)
    }

    /// To the power.
    fn pow(this, other: impl Into<Operand>) {
        binary(this, Operator::Arithmetic(Arithmetic::Pow), other)
    }

    /// Without the sign.
    fn abs(this) {
        this.then(|column| Ok(column.with_values(match column.values() {
            Values::Float(values) => Values::Float(values.iter().map(|value| value.abs()).collect()),
            Values::Float32(values) => Values::Float32(values.iter().map(|value| value.abs()).collect()),
            Values::Int(values) => Values::Int(values.iter().map(|value| value.wrapping_abs()).collect()),
            Values::Bool(_) => return Ok(column.clone()),
            _ => return Err(refused(column, "abs", "numbers")),
        })))
    }

    /// To so many decimals, halves to the even neighbour; of a negative number, to tens, hundreds, …. What is no number
    /// stays as it is.
    fn round(this, decimals: i32) {
        this.then(|column| Ok(round(column, decimals)))
    }

    /// Nothing below `lower`, nothing above `upper`; a bound that is missing (`None::<f64>`) is none.
    fn clip(this, lower: impl Into<Scalar>, upper: impl Into<Scalar>) {
        let (lower, upper) = (lower.into(), upper.into());
        this.then(|column| clip(column, &lower, &upper))
    }

    /// The function of each number: `column.map(f64::ln)`. For words, see [`Column::replace`] and [`Column::map_values`].
    fn map(this, function: impl Fn(f64) -> f64) {
        this.then(|column| Ok(column.with_values(match column.values() {
            Values::Float(values) => Values::Float(values.iter().map(|&value| function(value)).collect()),
            Values::Float32(values) => {
                Values::Float32(values.iter().map(|&value| function(value.into()) as f32).collect())
            }
            Values::Int(values) => Values::Float(values.iter().map(|&value| function(value as f64)).collect()),
            Values::Bool(values) => Values::Float(values.iter().map(|&value| function(value.into())).collect()),
            _ => return Err(refused(column, "map", "numbers").help("`apply` takes a function of values of any kind")),
        })))
    }
}

fn refused(column: &Column, method: &str, needed: &str) -> Error {
    let (name, dtype) = (column.name(), column.dtype());
    Error::usage(format!("`{method}` needs a column of {needed}, got `{name}` of {dtype}"))
}

pub(super) fn not(column: &Column) -> Result<Column> {
    match column.values() {
        Values::Bool(values) => Ok(column.with_values(Values::Bool(values.iter().map(|value| !value).collect()))),
        Values::Int(values) => Ok(column.with_values(Values::Int(values.iter().map(|value| !value).collect()))),
        _ => Err(refused(column, "!", "true and false")),
    }
}

pub(super) fn negative(column: &Column) -> Result<Column> {
    Ok(column.with_values(match column.values() {
        Values::Float(values) => Values::Float(values.iter().map(|value| -value).collect()),
        Values::Float32(values) => Values::Float32(values.iter().map(|value| -value).collect()),
        Values::Int(values) => Values::Int(values.iter().map(|value| value.wrapping_neg()).collect()),
        _ => return Err(refused(column, "-", "numbers")),
    }))
}

fn is_in(values: &Values, list: &[Scalar]) -> Vec<bool> {
    let missing = list.iter().any(Scalar::is_missing);
    // Kinds apart, the key of a value tells it from others; numbers of the list take the kind of the column.
    let converted = |scalar: &Scalar| match (values, scalar) {
        (Values::Int(_) | Values::Bool(_), Scalar::Bool(value)) => Some(Scalar::Int((*value).into())),
        (Values::Int(_) | Values::Bool(_), Scalar::Float(value)) => {
            (value.fract() == 0.0 && value.abs() < 2f64.powi(63)).then_some(Scalar::Int(*value as i64))
        }
        (Values::Int(_) | Values::Bool(_), Scalar::Int(_)) => Some(scalar.clone()),
        (Values::Float(_) | Values::Float32(_), _) => scalar.to_f64().map(Scalar::Float),
        (Values::Text(_), Scalar::Text(_)) | (Values::Date(_), Scalar::Date(_)) => Some(scalar.clone()),
        _ => None,
    };
    let list: Vec<Scalar> = match values {
        Values::Category(category) => {
            let found = is_in(&category.categories, list);
            let is_in = |code: &Option<u32>| code.map_or(missing, |code| found[code as usize]);
            return category.codes.iter().map(is_in).collect();
        }
        Values::Truth(_) | Values::Object(_) => {
            return values.iter().map(|value| list.iter().any(|scalar| equal(value, scalar.as_value()))).collect();
        }
        _ => list.iter().filter(|scalar| !scalar.is_missing()).filter_map(converted).collect(),
    };
    let keys: HashSet<_> = list.iter().map(|scalar| scalar.as_value().key()).collect();
    let found = |value: Value<'_>| if value.is_missing() { missing } else { keys.contains(&value.key()) };
    values.iter().map(found).collect()
}

fn round(column: &Column, decimals: i32) -> Column {
    let scale = 10_f64.powi(decimals.saturating_abs().min(400));
    let round = |value: f64| {
        if decimals >= 0 {
            (value * scale).round_ties_even() / scale
        } else {
            (value / scale).round_ties_even() * scale
        }
    };
    column.with_values(match column.values() {
        Values::Float(values) if decimals == 0 => Values::Float(values.iter().map(|v| v.round_ties_even()).collect()),
        Values::Float(values) => Values::Float(values.iter().map(|&value| round(value)).collect()),
        Values::Float32(values) => {
            let scale = scale as f32;
            let round = |value: f32| {
                let up = decimals >= 0;
                if up { (value * scale).round_ties_even() / scale } else { (value / scale).round_ties_even() * scale }
            };
            Values::Float32(values.iter().map(|&value| round(value)).collect())
        }
        Values::Int(values) if decimals < 0 => {
            Values::Int(values.iter().map(|&value| round(value as f64) as i64).collect())
        }
        _ => return column.clone(),
    })
}

fn clip(column: &Column, lower: &Scalar, upper: &Scalar) -> Result<Column> {
    let bound = |bound: &Scalar| match bound {
        _ if bound.is_missing() => Ok(None),
        _ => bound.to_f64().map(Some).ok_or_else(|| {
            let kind = bound.kind();
            Error::usage(format!("`clip` of column `{}` needs numbers for its bounds, got {kind}", column.name()))
        }),
    };
    let (low, high) = (bound(lower)?, bound(upper)?);
    let clip = |value: f64| {
        let value = if let Some(low) = low
            && value < low
        {
            low
        } else {
            value
        };
        if let Some(high) = high
            && value > high
        {
            high
        } else {
            value
        }
    };
    let whole = |bound: &Scalar| bound.is_missing() || matches!(bound, Scalar::Int(_));
    let end = |bound: &Scalar, none| if let Scalar::Int(value) = bound { *value } else { none };
    Ok(column.with_values(match column.values() {
        Values::Float(values) => Values::Float(values.iter().map(|&value| clip(value)).collect()),
        Values::Float32(values) => Values::Float32(values.iter().map(|&value| clip(value.into()) as f32).collect()),
        Values::Int(values) if whole(lower) && whole(upper) => {
            let (low, high) = (end(lower, i64::MIN), end(upper, i64::MAX));
            Values::Int(values.iter().map(|&value| value.max(low).min(high)).collect())
        }
        Values::Int(values) => Values::Float(values.iter().map(|&value| clip(value as f64)).collect()),
        _ => return Err(refused(column, "clip", "numbers")),
    }))
}
