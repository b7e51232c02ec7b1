//! Categories as columns of true and false.

use std::sync::Arc;

use cornu_array::room::room;
use cornu_array::{AN_ARRAY, Error, Result};

use crate::labels::find;
use crate::{Column, ColumnNames, Labels, Table, ToLabels, Value, Values, print};

/// What stands before the names of the categories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// The same for every column.
    One(String),
    /// One for each column that becomes categories, in order.
    Each(Vec<String>),
    /// One for each column, by its name.
    ByColumn(Vec<(String, String)>),
}

impl From<&str> for Prefix {
    fn from(prefix: &str) -> Prefix {
        Prefix::One(prefix.into())
    }
}

impl<const N: usize> From<[&str; N]> for Prefix {
    fn from(prefixes: [&str; N]) -> Prefix {
        Prefix::Each(prefixes.map(String::from).to_vec())
    }
}

impl From<Vec<String>> for Prefix {
    fn from(prefixes: Vec<String>) -> Prefix {
        Prefix::Each(prefixes)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Prefix {
    fn from(prefixes: [(&str, &str); N]) -> Prefix {
        Prefix::ByColumn(prefixes.map(|(column, prefix)| (column.into(), prefix.into())).to_vec())
    }
}

/// The kind of the columns that [`get_dummies`] makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DummyType {
    /// True and false.
    #[default]
    Bool,
    /// One and zero.
    Int,
    /// One and zero, as `float64`.
    Float,
}

/// The options of pandas' `get_dummies`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dummies {
    columns: Option<Vec<String>>,
    prefix: Option<Prefix>,
    prefix_sep: String,
    drop_first: bool,
    dummy_na: bool,
    dtype: DummyType,
}

impl Default for Dummies {
    fn default() -> Self {
        Dummies {
            columns: None,
            prefix: None,
            prefix_sep: "_".into(),
            drop_first: false,
            dummy_na: false,
            dtype: DummyType::Bool,
        }
    }
}

impl Dummies {
    /// Every column of text or categories.
    pub fn new() -> Self {
        Dummies::default()
    }

    /// These columns instead, of any kind.
    #[must_use]
    pub fn columns(self, columns: impl ColumnNames) -> Self {
        Dummies { columns: Some(columns.into_names()), ..self }
    }

    /// What stands before the category, instead of the name of its column.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<Prefix>) -> Self {
        Dummies { prefix: Some(prefix.into()), ..self }
    }

    /// What stands between prefix and category, instead of `_`.
    #[must_use]
    pub fn prefix_sep(self, prefix_sep: impl Into<String>) -> Self {
        Dummies { prefix_sep: prefix_sep.into(), ..self }
    }

    /// Whether the first category of each column gets none: it is where all others are false.
    #[must_use]
    pub fn drop_first(self, drop_first: bool) -> Self {
        Dummies { drop_first, ..self }
    }

    /// Whether what is missing is a category, the last.
    #[must_use]
    pub fn dummy_na(self, dummy_na: bool) -> Self {
        Dummies { dummy_na, ..self }
    }

    /// The kind of the columns.
    #[must_use]
    pub fn dtype(self, dtype: DummyType) -> Self {
        Dummies { dtype, ..self }
    }

    /// The prefix of each column that becomes categories.
    fn prefixes(&self, names: &[&str]) -> Result<Vec<String>> {
        match &self.prefix {
            None => Ok(names.iter().map(|&name| name.into()).collect()),
            Some(Prefix::One(prefix)) => Ok(vec![prefix.clone(); names.len()]),
            Some(Prefix::Each(prefixes)) if prefixes.len() != names.len() => {
                let (needed, got) = (names.len(), prefixes.len());
                Err(Error::usage(format!("`prefix` needs one text for each of {needed} columns, got {got}")))
            }
            Some(Prefix::Each(prefixes)) => Ok(prefixes.clone()),
            Some(Prefix::ByColumn(prefixes)) => {
                let prefix = |name: &&str| {
                    let found = prefixes.iter().find(|(column, _)| column == name).map(|(_, prefix)| prefix.clone());
                    found.ok_or_else(|| Error::usage(format!("`prefix` needs one for column `{name}`, which it lacks")))
                };
                names.iter().map(prefix).collect()
            }
        }
    }

    /// The columns that one becomes, under their names.
    fn of(&self, column: &Column, prefix: Option<&str>) -> Result<Vec<Column>> {
        let levels = levels(column.values());
        let labels = Labels::of(column.values());
        let places: Vec<Option<usize>> = labels.classes().iter().map(|class| levels.place(class)).collect();
        let count = levels.count();
        let all = count + usize::from(self.dummy_na);
        if self.drop_first && all <= 1 {
            return Ok(Vec::new());
        }
        room::<f64>(AN_ARRAY, &[all, column.len()])?;
        let level_of = |row: usize| {
            let code = labels.codes()[row];
            if labels.class(code).is_missing() { self.dummy_na.then_some(count) } else { places[code] }
        };
        let rows: Vec<Option<usize>> = (0..column.len()).map(level_of).collect();
        let made = |level: usize| {
            let name = if level == count { "nan".into() } else { print::label(levels.classes.get(level)) };
            let name = prefix.map_or_else(|| name.clone(), |prefix| format!("{prefix}{}{name}", self.prefix_sep));
            let hits = rows.iter().map(|&row| row == Some(level));
            let values = match self.dtype {
                DummyType::Bool => Values::Bool(hits.collect()),
                DummyType::Int => Values::Int(hits.map(i64::from).collect()),
                DummyType::Float => Values::Float(hits.map(f64::from).collect()),
            };
            Column { name, ..column.with_values(values) }
        };
        Ok((usize::from(self.drop_first)..all).map(made).collect())
    }
}

/// The categories of a column, in order.
struct Levels {
    classes: Arc<Values>,
    /// The same in ascending order, and the place of each among the others.
    sorted: Labels,
}

impl Levels {
    fn count(&self) -> usize {
        self.classes.len()
    }

    fn place(&self, class: Value<'_>) -> Option<usize> {
        let code = find(self.sorted.classes(), class)?;
        self.sorted.codes().iter().position(|&other| other == code)
    }
}

/// Categories in their own order, whether or not they occur; other values sorted.
fn levels(values: &Values) -> Levels {
    let classes = match values {
        Values::Category(category) => Arc::clone(&category.categories),
        values => {
            let labels = Labels::of(values);
            let there: Vec<usize> = (0..labels.count()).filter(|&code| !labels.class(code).is_missing()).collect();
            Arc::new(labels.classes().take(&there))
        }
    };
    Levels { sorted: Labels::of(&classes), classes }
}

/// What can become columns of categories: a table, or anything that holds one label in each row.
pub trait ToDummies {
    /// The table of the categories.
    ///
    /// # Errors
    /// Columns and prefixes that do not go with the table.
    fn to_dummies(&self, options: &Dummies) -> Result<Table>;
}

impl ToDummies for Table {
    fn to_dummies(&self, options: &Dummies) -> Result<Table> {
        let by_default = |column: &&Column| {
            matches!(column.values(), Values::Text(_) | Values::Category(_) | Values::Truth(_) | Values::Object(_))
        };
        let names: Vec<&str> = match &options.columns {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => self.columns().iter().filter(by_default).map(Column::name).collect(),
        };
        let (encoded, prefixes) = (self.select(&names)?, options.prefixes(&names)?);
        let mut columns = self.drop(&names)?.columns().to_vec();
        for (column, prefix) in encoded.columns().iter().zip(prefixes) {
            columns.extend(options.of(column, Some(&prefix))?);
        }
        Ok(Table::from_columns(columns)?.with_index(self.index().clone()))
    }
}

impl<T: ToDummies + ?Sized> ToDummies for &T {
    fn to_dummies(&self, options: &Dummies) -> Result<Table> {
        T::to_dummies(self, options)
    }
}

macro_rules! one_column {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> ToDummies for $type {
            fn to_dummies(&self, options: &Dummies) -> Result<Table> {
                let column = self.label_column()?;
                let prefix = match &options.prefix {
                    Some(_) => options.prefixes(&[column.name()])?.pop(),
                    None => None,
                };
                let made = options.of(&column, prefix.as_deref())?;
                Ok(Table::from_columns(made)?.with_index(column.index().clone()))
            }
        }
    )*};
}

one_column! {
    [] Column;
    [] Values;
    [T: crate::Label] [T];
    [T: crate::Label] Vec<T>;
    [T: crate::Label, const N: usize] [T; N];
}

/// A column of true and false for each category: pandas' `get_dummies`.
///
/// ```
/// use cornu_data::{Table, get_dummies};
///
/// let table = Table::new([("port", vec!["S", "C", "S"])])?;
/// let dummies = get_dummies(&table)?;
/// assert_eq!(dummies.to_string(), "   port_C  port_S\n0   False    True\n1    True   False\n2   False    True");
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// The columns that stay come first. To do the same to other rows later, take a [`OneHotEncoder`](crate::OneHotEncoder),
/// which keeps the categories.
///
/// # Errors
/// Columns that the table has not; prefixes that are not as many; names that come out twice.
pub fn get_dummies(x: impl ToDummies) -> Result<Table> {
    x.to_dummies(&Dummies::new())
}

/// [`get_dummies`], with options.
///
/// # Errors
/// As [`get_dummies`].
pub fn get_dummies_with(x: impl ToDummies, options: &Dummies) -> Result<Table> {
    x.to_dummies(options)
}
