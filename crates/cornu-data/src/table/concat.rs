//! Tables one below the other, or side by side.

use std::sync::Arc;

use cornu_array::{Error, Result};

use super::Table;
use crate::{Category, Column, Index, Scalar, Values};

/// How [`concat_with`] puts tables together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Concat {
    columns: bool,
    inner: bool,
    ignore_index: bool,
}

impl Concat {
    /// One below the other, with every column that one of them has.
    pub fn new() -> Concat {
        Concat::default()
    }

    /// Side by side (`axis=1`): rows of equal labels beside each other.
    #[must_use]
    pub fn columns(self) -> Concat {
        Concat { columns: true, ..self }
    }

    /// With the columns, or rows, alone that all of them have (`join="inner"`).
    #[must_use]
    pub fn inner(self) -> Concat {
        Concat { inner: true, ..self }
    }

    /// Whether the rows are labelled anew: 0, 1, 2, ….
    #[must_use]
    pub fn ignore_index(self, ignore_index: bool) -> Concat {
        Concat { ignore_index, ..self }
    }
}

/// The rows of several tables one below the other; a column that one of them lacks is missing there.
///
/// ```
/// use cornu_data::{Table, concat};
///
/// let a = Table::from_csv_str("x,y\n1,2\n")?;
/// let b = Table::from_csv_str("x\n3\n")?;
/// assert_eq!(concat([&a, &b])?.to_string(), "   x    y\n0  1  2.0\n0  3  NaN");
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// # Errors
/// There must be a table.
pub fn concat<'a>(tables: impl IntoIterator<Item = &'a Table>) -> Result<Table> {
    concat_with(tables, Concat::new())
}

/// Tables one below the other, or side by side.
///
/// # Errors
/// There must be a table. Side by side, their columns need different names, and rows of different labels need labels that
/// differ from each other.
pub fn concat_with<'a>(tables: impl IntoIterator<Item = &'a Table>, how: Concat) -> Result<Table> {
    let tables: Vec<&Table> = tables.into_iter().collect();
    if tables.is_empty() {
        return Err(Error::usage("`concat` needs a table, got none"));
    }
    let table = if how.columns { beside(&tables, how)? } else { below(&tables, how) };
    Ok(if how.ignore_index && !how.columns { table.renumbered() } else { table })
}

fn below(tables: &[&Table], how: Concat) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for name in tables.iter().flat_map(|table| table.names()) {
        let everywhere = || tables.iter().all(|table| table.column(name).is_ok());
        if !names.contains(&name) && (!how.inner || everywhere()) {
            names.push(name);
        }
    }
    let index = Arc::new(joined_labels(tables));
    let column = |name: &str| {
        let parts: Vec<(usize, Option<&Values>)> =
            tables.iter().map(|table| (table.rows(), table.column(name).ok().map(Column::values))).collect();
        Column { index: Arc::clone(&index), ..Column::of(name, Arc::new(joined(&parts))) }
    };
    Table { columns: names.into_iter().map(column).collect(), index: Arc::clone(&index) }
}

/// The labels one below the other; their name, if all have it.
fn joined_labels(tables: &[&Table]) -> Index {
    if let [table] = tables {
        return (*table.index).clone();
    }
    let labels: Vec<Arc<Values>> = tables.iter().map(|table| table.index.to_shared()).collect();
    let parts: Vec<(usize, Option<&Values>)> = labels.iter().map(|labels| (labels.len(), Some(&**labels))).collect();
    let name = tables[0].index.name().filter(|name| tables.iter().all(|table| table.index.name() == Some(name)));
    Index::new(joined(&parts)).with_name(name.map(str::to_owned))
}

/// Values one below the other, so many rows of each part; parts without values are missing.
fn joined(parts: &[(usize, Option<&Values>)]) -> Values {
    let there: Vec<&Values> = parts.iter().filter_map(|(_, values)| *values).collect();
    if let Some(category) = same_categories(&there) {
        let codes = parts.iter().flat_map(|(rows, values)| match values {
            Some(Values::Category(category)) => category.codes.clone(),
            _ => vec![None; *rows],
        });
        return Values::Category(category.with_codes(codes.collect()));
    }
    let gap = parts.iter().any(|(rows, values)| values.is_none() && *rows > 0);
    let scalars = parts.iter().flat_map(|(rows, values)| match values {
        Some(values) => values.iter().map(Scalar::from).collect::<Vec<_>>(),
        None => vec![Scalar::Missing; *rows],
    });
    let values = Column::new("", scalars.collect::<Vec<Scalar>>());
    let cast = values.astype(common_type(&there, gap));
    (*cast.unwrap_or(values).values).clone()
}

/// The type that holds the values of all parts, and missing ones where there are gaps.
fn common_type(parts: &[&Values], gap: bool) -> &'static str {
    let plain = |values: &Values| match values {
        Values::Category(category) => category.categories.dtype(),
        values => values.dtype(),
    };
    let mut dtypes: Vec<&'static str> = parts.iter().map(|values| plain(values)).collect();
    dtypes.sort_unstable();
    dtypes.dedup();
    match dtypes[..] {
        ["int64"] if gap => "float64",
        ["bool"] if gap => "object",
        [dtype] => dtype,
        ["bool", "int64"] if !gap => "int64",
        ["bool", "float32"] if !gap => "float32",
        ["float32", "float64"] | ["float32", "float64", "int64"] | ["float32" | "float64", "int64"] => "float64",
        _ => "object",
    }
}

/// The categories, if all parts have the same in the same order.
fn same_categories<'a>(parts: &[&'a Values]) -> Option<&'a Category> {
    let category = |values: &&'a Values| if let Values::Category(category) = values { Some(category) } else { None };
    let first = category(parts.first()?)?;
    let same = |other: &Category| other.categories == first.categories && other.ordered == first.ordered;
    parts.iter().all(|values| category(values).is_some_and(same)).then_some(first)
}

fn beside(tables: &[&Table], how: Concat) -> Result<Table> {
    let same = tables.iter().all(|table| table.index.same_labels(&tables[0].index));
    let index = if same { Arc::clone(&tables[0].index) } else { Arc::new(common_labels(tables, how.inner)) };
    let mut columns = Vec::new();
    for column in tables.iter().flat_map(|table| &table.columns) {
        columns.push(if same {
            Column { index: Arc::clone(&index), ..column.clone() }
        } else {
            column.aligned(&index)?
        });
    }
    let table = Table::from_columns(columns)
        .map_err(|error| error.help("`rename` gives the columns of one of the tables other names"))?;
    Ok(Table { index, ..table })
}

/// The labels of all tables, or those that all have, in the order in which they first appear.
fn common_labels(tables: &[&Table], inner: bool) -> Index {
    let labels: Vec<Arc<Values>> = tables.iter().map(|table| table.index.to_shared()).collect();
    let keys: Vec<std::collections::HashSet<_>> =
        labels.iter().map(|labels| labels.iter().map(crate::Value::key).collect()).collect();
    let mut seen = std::collections::HashSet::new();
    let mut common: Vec<Scalar> = Vec::new();
    for label in labels.iter().flat_map(|labels| labels.iter()) {
        if seen.insert(label.key()) && (!inner || keys.iter().all(|keys| keys.contains(&label.key()))) {
            common.push(label.into());
        }
    }
    Index::new(Values::from(common))
}
