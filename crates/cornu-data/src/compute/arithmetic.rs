//! `+`, `-`, `*`, `/`, `//`, `%` and `**` of columns and numbers, in the types that pandas computes them in.

use std::borrow::Cow;

use cornu_array::{Error, Result};

use super::Part;
use crate::{Scalar, Texts, Values};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

impl Arithmetic {
    fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Sub => "-",
            Arithmetic::Mul => "*",
            Arithmetic::Div => "/",
            Arithmetic::FloorDiv => "//",
            Arithmetic::Mod => "%",
            Arithmetic::Pow => "**",
        }
    }
}

/// The types that numbers are computed in, from the narrowest on.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Number {
    Bool,
    Int,
    Float32,
    Float,
}

/// One number, or one for each row.
pub(super) enum Numbers<'a, T: Clone> {
    One(T),
    Many(Cow<'a, [T]>),
}

/// The function of the numbers of each row.
pub(super) fn zip<T: Copy, R: Clone>(a: &Numbers<'_, T>, b: &Numbers<'_, T>, f: impl Fn(T, T) -> R) -> Vec<R> {
    match (a, b) {
        (Numbers::Many(a), Numbers::Many(b)) => a.iter().zip(b.iter()).map(|(&a, &b)| f(a, b)).collect(),
        (Numbers::Many(a), Numbers::One(b)) => a.iter().map(|&a| f(a, *b)).collect(),
        (Numbers::One(a), Numbers::Many(b)) => b.iter().map(|&b| f(*a, b)).collect(),
        (Numbers::One(a), Numbers::One(b)) => vec![f(*a, *b)],
    }
}

pub(super) fn compute(left: &Part, operator: Arithmetic, right: &Part) -> Result<Values> {
    let refused = || {
        let symbol = operator.symbol();
        Error::usage(format!("`{symbol}` has no meaning for {} and {}", left.named(), right.named()))
    };
    if operator == Arithmetic::Add
        && let Some(texts) = joined(left, right)
    {
        return Ok(Values::Text(texts));
    }
    let number = common(left, right).ok_or_else(&refused)?;
    match number {
        Number::Bool => truth(left, operator, right)
            .ok_or_else(|| refused().help("turn the conditions into numbers first: `astype(\"int64\")`")),
        Number::Int => whole(&ints(left), operator, &ints(right)),
        Number::Float32 => Ok(Values::Float32(zip(&singles(left), &singles(right), |a, b| single(a, operator, b)))),
        Number::Float => Ok(Values::Float(floats(&doubles(left), operator, &doubles(right)))),
    }
}

/// The type that both sides are computed in; one value takes part in that of the column, as in NumPy.
pub(super) fn common(left: &Part, right: &Part) -> Option<Number> {
    let of = |part: &Part| match part {
        Part::Column(values, _) => match &**values {
            Values::Float(_) => Some(Number::Float),
            Values::Float32(_) => Some(Number::Float32),
            Values::Int(_) => Some(Number::Int),
            Values::Bool(_) => Some(Number::Bool),
            _ => None,
        },
        Part::Scalar(scalar) => match scalar {
            Scalar::Missing | Scalar::Float(_) => Some(Number::Float),
            Scalar::Int(_) => Some(Number::Int),
            Scalar::Bool(_) => Some(Number::Bool),
            Scalar::Date(_) | Scalar::Text(_) => None,
        },
    };
    let (a, b) = (of(left)?, of(right)?);
    let one_is_scalar = matches!(left, Part::Scalar(_)) || matches!(right, Part::Scalar(_));
    match (a, b) {
        (Number::Float32, Number::Float | Number::Int) | (Number::Float | Number::Int, Number::Float32) => {
            Some(if one_is_scalar { Number::Float32 } else { Number::Float })
        }
        _ => Some(if a > b { a } else { b }),
    }
}

/// The texts of both sides, one behind the other.
fn joined(left: &Part, right: &Part) -> Option<Texts> {
    fn text(part: &Part, row: usize) -> Option<Option<&str>> {
        match part {
            Part::Scalar(Scalar::Text(text)) => Some(Some(text)),
            Part::Column(values, _) => match &**values {
                Values::Text(texts) => Some(if row < texts.len() { texts.get(row) } else { None }),
                _ => None,
            },
            Part::Scalar(_) => None,
        }
    }
    text(left, 0).and(text(right, 0))?;
    let rows = [left, right].into_iter().find_map(|part| match part {
        Part::Column(values, _) => Some(values.len()),
        Part::Scalar(_) => None,
    })?;
    let mut texts = Texts::with_capacity(rows, 0);
    for row in 0..rows {
        let both = text(left, row)?.zip(text(right, row)?);
        texts.push(both.map(|(left, right)| format!("{left}{right}")).as_deref());
    }
    Some(texts)
}

/// Of true and false, `+` is or and `*` is and.
fn truth(left: &Part, operator: Arithmetic, right: &Part) -> Option<Values> {
    let function: fn(bool, bool) -> bool = match operator {
        Arithmetic::Add => |a, b| a | b,
        Arithmetic::Mul => |a, b| a & b,
        _ => return None,
    };
    Some(Values::Bool(zip(&bools(left), &bools(right), function)))
}

fn whole(a: &Numbers<'_, i64>, operator: Arithmetic, b: &Numbers<'_, i64>) -> Result<Values> {
    let as_floats = |numbers: &Numbers<'_, i64>| match numbers {
        Numbers::One(value) => Numbers::One(*value as f64),
        Numbers::Many(values) => Numbers::Many(Cow::Owned(values.iter().map(|&value| value as f64).collect())),
    };
    let any = |test: fn(i64) -> bool| match b {
        Numbers::One(value) => test(*value),
        Numbers::Many(values) => values.iter().any(|&value| test(value)),
    };
    let function: fn(i64, i64) -> i64 = match operator {
        Arithmetic::Add => i64::wrapping_add,
        Arithmetic::Sub => i64::wrapping_sub,
        Arithmetic::Mul => i64::wrapping_mul,
        Arithmetic::Div => return Ok(Values::Float(floats(&as_floats(a), operator, &as_floats(b)))),
        // A division by zero has no whole number for its result.
        Arithmetic::FloorDiv | Arithmetic::Mod if any(|value| value == 0) => {
            let part = |a: i64, b: i64| match (b, operator) {
                (0, Arithmetic::FloorDiv) => divided(a as f64, 0.0).0,
                (0, _) => f64::NAN,
                (_, Arithmetic::FloorDiv) => floor(a, b) as f64,
                _ => rest(a, b) as f64,
            };
            return Ok(Values::Float(zip(a, b, part)));
        }
        Arithmetic::FloorDiv => floor,
        Arithmetic::Mod => rest,
        Arithmetic::Pow if any(|value| value < 0) => {
            return Err(Error::usage("`**` of whole numbers needs exponents of at least 0, got a negative one")
                .help("turn the column into numbers first: `astype(\"float64\")`"));
        }
        Arithmetic::Pow => power,
    };
    Ok(Values::Int(zip(a, b, function)))
}

/// The quotient, rounded down.
fn floor(a: i64, b: i64) -> i64 {
    a.wrapping_div(b) - i64::from(a.wrapping_rem(b) != 0 && (a < 0) != (b < 0))
}

/// What is left, with the sign of the divisor.
fn rest(a: i64, b: i64) -> i64 {
    let rest = a.wrapping_rem(b);
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

fn power(mut base: i64, mut exponent: i64) -> i64 {
    let mut result = 1_i64;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}

/// Two matches are better than one for each row: each operator gets its own loop.
fn floats(a: &Numbers<'_, f64>, operator: Arithmetic, b: &Numbers<'_, f64>) -> Vec<f64> {
    match operator {
        Arithmetic::Add => zip(a, b, |a, b| a + b),
        Arithmetic::Sub => zip(a, b, |a, b| a - b),
        Arithmetic::Mul => zip(a, b, |a, b| a * b),
        Arithmetic::Div => zip(a, b, |a, b| a / b),
        Arithmetic::FloorDiv => zip(a, b, |a, b| divided(a, b).0),
        Arithmetic::Mod => zip(a, b, |a, b| divided(a, b).1),
        Arithmetic::Pow => match b {
            Numbers::One(2.0) => zip(a, b, |a, _| a * a),
            Numbers::One(0.5) => zip(a, b, |a, _| a.sqrt()),
            _ => zip(a, b, f64::powf),
        },
    }
}

fn single(a: f32, operator: Arithmetic, b: f32) -> f32 {
    match operator {
        Arithmetic::Add => a + b,
        Arithmetic::Sub => a - b,
        Arithmetic::Mul => a * b,
        Arithmetic::Div => a / b,
        // The rest of two singles is exact in doubles, and so is the quotient before it is rounded.
        Arithmetic::FloorDiv => divided(a.into(), b.into()).0 as f32,
        Arithmetic::Mod => divided(a.into(), b.into()).1 as f32,
        Arithmetic::Pow if b == 2.0 => a * a,
        Arithmetic::Pow if b == 0.5 => a.sqrt(),
        Arithmetic::Pow => a.powf(b),
    }
}

/// Quotient, rounded down, and rest, which has the sign of the divisor: Python's `divmod` as NumPy computes it.
fn divided(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    if b == 0.0 {
        return (a / b, rest);
    }
    let mut quotient = (a - rest) / b;
    if rest == 0.0 {
        rest = 0.0_f64.copysign(b);
    } else if (b < 0.0) != (rest < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0.0_f64.copysign(a / b), rest);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, rest)
}

macro_rules! numbers {
    ($($name:ident $type:ty, $kind:ident, $scalar:ident => $of_scalar:expr, $($other:ident |$value:ident| $convert:expr),*;)*) => {$(
        pub(super) fn $name(part: &Part) -> Numbers<'_, $type> {
            match part {
                Part::Scalar($scalar) => Numbers::One($of_scalar),
                Part::Column(values, _) => Numbers::Many(match &**values {
                    Values::$kind(values) => Cow::Borrowed(values),
                    $(Values::$other(values) => Cow::Owned(values.iter().map(|&$value| $convert).collect()),)*
                    _ => Cow::Borrowed(&[]),
                }),
            }
        }
    )*};
}

numbers! {
    doubles f64, Float, scalar => scalar.to_f64().unwrap_or(f64::NAN),
        Float32 |value| value.into(), Int |value| value as f64, Bool |value| value.into();
    singles f32, Float32, scalar => scalar.to_f64().unwrap_or(f64::NAN) as f32,
        Float |value| value as f32, Int |value| value as f32, Bool |value| value.into();
    ints i64, Int, scalar => if let Scalar::Int(value) = scalar { *value } else { i64::from(*scalar == Scalar::Bool(true)) },
        Bool |value| value.into();
    bools bool, Bool, scalar => *scalar == Scalar::Bool(true),;
}

#[test]
fn quotients_and_rests_are_those_of_python() {
    for (a, b, quotient, rest) in
        [(7.0, 2.0, 3.0, 1.0), (-7.0, 2.0, -4.0, 1.0), (7.0, -2.0, -4.0, -1.0), (-7.5, -2.0, 3.0, -1.5)]
    {
        assert_eq!(divided(a, b), (quotient, rest));
    }
    let (quotient, rest) = divided(1.0, 0.0);
    assert!(quotient == f64::INFINITY && rest.is_nan());
}
