//! Comparisons, and the conditions made of them. A missing value equals nothing and is neither less nor greater.

use std::cmp::Ordering;

use cornu_array::{Error, Result};

use super::arithmetic::{Number, Numbers, common, doubles, ints, singles, zip};
use super::{Logic, Part};
use crate::{Category, Scalar, Value, Values, dates};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Comparison {
    /// What two values say that stand in this order; none do if one is missing.
    pub(crate) fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Comparison::Eq => order == Some(Ordering::Equal),
            Comparison::Ne => order != Some(Ordering::Equal),
            Comparison::Lt => order == Some(Ordering::Less),
            Comparison::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Comparison::Gt => order == Some(Ordering::Greater),
            Comparison::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }

    /// The comparison with its sides exchanged.
    fn turned(self) -> Comparison {
        match self {
            Comparison::Eq | Comparison::Ne => self,
            Comparison::Lt => Comparison::Gt,
            Comparison::Le => Comparison::Ge,
            Comparison::Gt => Comparison::Lt,
            Comparison::Ge => Comparison::Le,
        }
    }

    fn of<T: Copy + PartialOrd>(self, a: &Numbers<'_, T>, b: &Numbers<'_, T>) -> Vec<bool> {
        match self {
            Comparison::Eq => zip(a, b, |a, b| a == b),
            Comparison::Ne => zip(a, b, |a, b| a != b),
            Comparison::Lt => zip(a, b, |a, b| a < b),
            Comparison::Le => zip(a, b, |a, b| a <= b),
            Comparison::Gt => zip(a, b, |a, b| a > b),
            Comparison::Ge => zip(a, b, |a, b| a >= b),
        }
    }
}

pub(super) fn compute(left: &Part, comparison: Comparison, right: &Part) -> Result<Vec<bool>> {
    let values = match (left, right) {
        (Part::Column(values, _), _) => values,
        (Part::Scalar(_), Part::Column(..)) => return compute(right, comparison.turned(), left),
        (Part::Scalar(_), Part::Scalar(_)) => return Ok(Vec::new()),
    };
    match common(left, right) {
        Some(Number::Bool | Number::Int) => return Ok(comparison.of(&ints(left), &ints(right))),
        Some(Number::Float32) => return Ok(comparison.of(&singles(left), &singles(right))),
        Some(Number::Float) => return Ok(comparison.of(&doubles(left), &doubles(right))),
        None => {}
    }
    if let Values::Category(category) = &**values
        && let Part::Scalar(scalar) = right
    {
        return of_category(category, comparison, scalar).ok_or_else(|| refused(left, right));
    }
    each(values, comparison, right).ok_or_else(|| refused(left, right))
}

fn refused(left: &Part, right: &Part) -> Error {
    let error = Error::usage(format!("{} cannot be compared with {}", left.named(), right.named()));
    match left {
        Part::Column(values, _) => match &**values {
            Values::Category(_) => {
                error.help("categories without an order are only equal or not: use `eq`, `ne` or `is_in`")
            }
            Values::Date(_) => error.help("write a date as \"2024-05-31\""),
            _ => error.help("compare numbers with numbers and text with text; `astype` turns one into the other"),
        },
        Part::Scalar(_) => error,
    }
}

/// Each category is compared once: by its place if categories have an order.
fn of_category(category: &Category, comparison: Comparison, scalar: &Scalar) -> Option<Vec<bool>> {
    let place = category.categories.iter().position(|value| equal(value, scalar.as_value()));
    let order = |code: u32| match (place, comparison) {
        (Some(place), _) => Some((code as usize).cmp(&place)),
        // What is no category equals none.
        (None, Comparison::Eq | Comparison::Ne) => None,
        (None, _) => None,
    };
    let equality = matches!(comparison, Comparison::Eq | Comparison::Ne);
    if !equality && (!category.ordered || place.is_none()) {
        return None;
    }
    Some(category.codes.iter().map(|code| comparison.holds(code.and_then(order))).collect())
}

/// Value by value, for what is no number.
fn each(values: &Values, comparison: Comparison, right: &Part) -> Option<Vec<bool>> {
    let equality = matches!(comparison, Comparison::Eq | Comparison::Ne);
    let compared = |left: Value<'_>, right: Value<'_>| {
        if left.is_missing() || right.is_missing() {
            return Some(comparison.holds(None));
        }
        match ordered(left, right) {
            Some(order) => Some(comparison.holds(Some(order))),
            None if equality => Some(comparison.holds(None)),
            None => None,
        }
    };
    match right {
        Part::Column(others, _) => values.iter().zip(others.iter()).map(|(a, b)| compared(a, b)).collect(),
        Part::Scalar(scalar) => {
            let moment = match (values, scalar) {
                (Values::Date(_), Scalar::Text(text)) => dates::parse(text).map(Scalar::Date),
                _ => None,
            };
            let scalar = moment.as_ref().unwrap_or(scalar).as_value();
            values.iter().map(|value| compared(value, scalar)).collect()
        }
    }
}

/// How two values that are there stand to each other, if they are of one kind.
pub(crate) fn ordered(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) | (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
        _ => left.to_f64()?.partial_cmp(&right.to_f64()?),
    }
}

/// Whether two values are equal, or both missing.
pub(crate) fn equal(left: Value<'_>, right: Value<'_>) -> bool {
    match (left.is_missing(), right.is_missing()) {
        (false, false) => ordered(left, right) == Some(Ordering::Equal),
        (left, right) => left && right,
    }
}

pub(super) fn logic(left: &Part, logic: Logic, right: &Part) -> Result<Vec<bool>> {
    let truth = |part: &Part| match part {
        Part::Scalar(Scalar::Bool(value)) => Ok(Numbers::One(*value)),
        Part::Column(values, _) if matches!(**values, Values::Bool(_)) => match &**values {
            Values::Bool(values) => Ok(Numbers::Many(values.clone().into())),
            _ => Ok(Numbers::One(false)),
        },
        _ => Err(Error::usage(format!("`&` and `|` need conditions on both sides, got {}", part.named()))
            .help("compare first: `table[\"a\"].gt(1) & table[\"b\"].eq(\"x\")`")),
    };
    let (left, right) = (truth(left)?, truth(right)?);
    Ok(match logic {
        Logic::And => zip(&left, &right, |a, b| a & b),
        Logic::Or => zip(&left, &right, |a, b| a | b),
        Logic::Xor => zip(&left, &right, |a, b| a ^ b),
    })
}
