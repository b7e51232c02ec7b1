//! Arithmetic and conditions on columns. Operators cannot fail in Rust, so what they give carries a mistake along until
//! it is used, as a tensor does.

mod arithmetic;
mod compare;
mod elementwise;

use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Rem, Sub};
use std::sync::Arc;

use cornu_array::{Error, Result};

pub(crate) use self::arithmetic::Arithmetic;
pub(crate) use self::compare::{Comparison, equal, ordered};
use super::{Column, Index, Scalar, Values};

/// A column that was computed, or the mistake that was made.
///
/// ```
/// use cornu_data::{Table, Values};
///
/// let table = Table::new([("age", Values::from(vec![31, 58, 7])), ("sex", vec!["f", "m", "m"].into())])?;
/// let men = table.filter(table["age"].gt(18) & table["sex"].eq("m"))?;
/// assert_eq!(men.to_string(), "   age sex\n1   58   m");
/// let months = (&table["age"] * 12 + 6).column()?;
/// assert_eq!(months.values(), &Values::from(vec![378, 702, 90]));
/// assert!(table.filter(table["sex"].gt(18) & table["age"].eq(1)).is_err());
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Computed(Result<Column>);

/// What stands on one side of an operator: a column, a computed one, or one value (a number, a text, a date as text).
#[derive(Clone, Debug)]
pub struct Operand(pub(crate) Side);

#[derive(Clone, Debug)]
pub(crate) enum Side {
    Column(Result<Column>),
    Scalar(Scalar),
}

impl Computed {
    /// The column.
    ///
    /// # Errors
    /// The first mistake on the way to it: kinds that do not go together, rows that are not the same.
    pub fn column(self) -> Result<Column> {
        self.0
    }

    /// The rows in which a condition on rows of these labels holds.
    pub(crate) fn rows(self, index: &Index) -> Result<Vec<usize>> {
        let column = self.0?;
        let Values::Bool(holds) = column.values() else {
            let (name, dtype) = (column.name(), column.dtype());
            let message = format!("`filter` needs true or false for each row, got `{name}` of {dtype}");
            return Err(Error::usage(message).help("compare it with something: `table[\"age\"].gt(30)`"));
        };
        if !std::ptr::eq(&*column.index, index) && !column.index.same_labels(index) {
            return Err(Error::usage("the condition of `filter` needs the rows of what it filters, got others"));
        }
        Ok(holds.iter().enumerate().filter_map(|(row, &holds)| holds.then_some(row)).collect())
    }

    pub(crate) fn then(self, next: impl FnOnce(&Column) -> Result<Column>) -> Computed {
        Computed(self.0.and_then(|column| next(&column)))
    }
}

macro_rules! from_column {
    ($($type:ty => |$value:ident| $result:expr;)*) => {$(
        impl From<$type> for Operand {
            fn from($value: $type) -> Operand {
                Operand(Side::Column($result))
            }
        }
    )*};
}

from_column! {
    Column => |column| Ok(column);
    &Column => |column| Ok(column.clone());
    Computed => |computed| computed.0;
    &Computed => |computed| computed.0.clone();
}

impl<T: Into<Scalar>> From<T> for Operand {
    fn from(value: T) -> Operand {
        Operand(Side::Scalar(value.into()))
    }
}

impl From<Column> for Computed {
    fn from(column: Column) -> Computed {
        Computed(Ok(column))
    }
}

impl From<&Column> for Computed {
    fn from(column: &Column) -> Computed {
        Computed(Ok(column.clone()))
    }
}

impl From<&Computed> for Computed {
    fn from(computed: &Computed) -> Computed {
        computed.clone()
    }
}

impl From<Result<Column>> for Computed {
    fn from(column: Result<Column>) -> Computed {
        Computed(column)
    }
}

/// What two operands become.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operator {
    Arithmetic(Arithmetic),
    Compare(Comparison),
    Logic(Logic),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Logic {
    And,
    Or,
    Xor,
}

/// The operands of an operator, side by side: at least one is a column, and two have the same row labels.
pub(crate) fn binary(left: impl Into<Operand>, operator: Operator, right: impl Into<Operand>) -> Computed {
    let column = |side: Side| match side {
        Side::Column(column) => column.map(|column| (Some(column), Scalar::Missing)),
        Side::Scalar(scalar) => Ok((None, scalar)),
    };
    let compute = || {
        let ((left, left_scalar), (right, right_scalar)) = (column(left.into().0)?, column(right.into().0)?);
        let (model, name) = match (&left, &right) {
            (Some(left), Some(right)) => {
                same_rows(left, right)?;
                (left, if left.name == right.name { left.name.clone() } else { String::new() })
            }
            (Some(column), None) | (None, Some(column)) => (column, column.name.clone()),
            (None, None) => return Err(Error::usage("an operator on tables needs a column, got two values")),
        };
        let side = |column: &'_ Option<Column>, scalar| match column {
            Some(column) => Part::Column(Arc::clone(&column.values), column.name.clone()),
            None => Part::Scalar(scalar),
        };
        let (left, right) = (side(&left, left_scalar), side(&right, right_scalar));
        let values = match operator {
            Operator::Arithmetic(arithmetic) => arithmetic::compute(&left, arithmetic, &right),
            Operator::Compare(comparison) => compare::compute(&left, comparison, &right).map(Values::Bool),
            Operator::Logic(logic) => compare::logic(&left, logic, &right).map(Values::Bool),
        }?;
        Ok(Column { name, ..model.with_values(values) })
    };
    Computed(compute())
}

/// One side of an operator: the values of a column and its name, or one value.
pub(crate) enum Part {
    Column(Arc<Values>, String),
    Scalar(Scalar),
}

impl Part {
    /// The side for a message.
    pub(crate) fn named(&self) -> String {
        match self {
            Part::Column(values, name) => format!("`{name}` of {}", values.dtype()),
            Part::Scalar(Scalar::Text(text)) => format!("the text `{text}`"),
            Part::Scalar(scalar) => format!("{} ({scalar})", scalar.kind()),
        }
    }
}

fn same_rows(left: &Column, right: &Column) -> Result<()> {
    if left.len() != right.len() {
        let (a, b) = (left.len(), right.len());
        return Err(Error::usage(format!(
            "`{}` and `{}` need equally many rows, got {a} and {b}",
            left.name, right.name
        )));
    }
    if Arc::ptr_eq(&left.index, &right.index) || left.index.same_labels(&right.index) {
        return Ok(());
    }
    Err(Error::usage(format!("`{}` and `{}` need the same row labels in the same order", left.name, right.name))
        .help("`reset_index` of both tables numbers the rows anew"))
}

macro_rules! operators {
    ($($trait:ident $method:ident $operator:expr;)*) => {
        $(operators! { @each $trait $method $operator; Column, &Column, Computed, &Computed })*
    };
    (@each $trait:ident $method:ident $operator:expr; $($left:ty),*) => {$(
        impl<R: Into<Operand>> $trait<R> for $left {
            type Output = Computed;

            fn $method(self, right: R) -> Computed {
                binary(self, $operator, right)
            }
        }
    )*};
}

operators! {
    Add add Operator::Arithmetic(Arithmetic::Add);
    Sub sub Operator::Arithmetic(Arithmetic::Sub);
    Mul mul Operator::Arithmetic(Arithmetic::Mul);
    Div div Operator::Arithmetic(Arithmetic::Div);
    Rem rem Operator::Arithmetic(Arithmetic::Mod);
    BitAnd bitand Operator::Logic(Logic::And);
    BitOr bitor Operator::Logic(Logic::Or);
    BitXor bitxor Operator::Logic(Logic::Xor);
}

macro_rules! numbers_first {
    ($($number:ty),*) => {$(
        numbers_first! { @each $number; Add add Add, Sub sub Sub, Mul mul Mul, Div div Div, Rem rem Mod }
    )*};
    (@each $number:ty; $($trait:ident $method:ident $operator:ident),*) => {$(
        numbers_first! { @both $number; $trait $method $operator; Column, &Column, Computed, &Computed }
    )*};
    (@both $number:ty; $trait:ident $method:ident $operator:ident; $($right:ty),*) => {$(
        impl $trait<$right> for $number {
            type Output = Computed;

            fn $method(self, right: $right) -> Computed {
                binary(self, Operator::Arithmetic(Arithmetic::$operator), right)
            }
        }
    )*};
}

numbers_first! { f64, i64, i32 }

macro_rules! texts_first {
    ($($right:ty),*) => {$(
        impl Add<$right> for &str {
            type Output = Computed;

            fn add(self, right: $right) -> Computed {
                binary(self, Operator::Arithmetic(Arithmetic::Add), right)
            }
        }
    )*};
}

texts_first! { Column, &Column, Computed, &Computed }

macro_rules! unary {
    ($($type:ty),*) => {$(
        impl Not for $type {
            type Output = Computed;

            fn not(self) -> Computed {
                Computed::from(self).then(elementwise::not)
            }
        }

        impl Neg for $type {
            type Output = Computed;

            fn neg(self) -> Computed {
                Computed::from(self).then(elementwise::negative)
            }
        }
    )*};
}

unary! { Column, &Column, Computed, &Computed }
