//! Which columns a part of a `ColumnTransformer` works on.

use cornu_array::{Error, Result};

use super::field::{Field, Object, not};
use super::frame::Frame;
use crate::{ColumnNames, Values};

/// Columns by their names, their places, or their types.
#[derive(Clone, Debug, PartialEq)]
pub enum Columns {
    /// Those of these names.
    Names(Vec<String>),
    /// Those at these places; negative ones count from the last.
    Places(Vec<i64>),
    /// Those whose type is one of `include`, if that has any, and none of `exclude`.
    Types {
        /// pandas' names of types (`float64`, `str`, `category`), or `number` for all that are numbers.
        include: Vec<String>,
        /// Names of types in the same way.
        exclude: Vec<String>,
    },
}

/// The columns of these types: `make_column_selector(["number"])`; `number` stands for all numbers.
pub fn make_column_selector(include: impl ColumnNames) -> Columns {
    Columns::Types { include: include.into_names(), exclude: Vec::new() }
}

/// The columns of all types but these.
pub fn make_column_selector_without(exclude: impl ColumnNames) -> Columns {
    Columns::Types { include: Vec::new(), exclude: exclude.into_names() }
}

macro_rules! names {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> From<$type> for Columns {
            fn from(names: $type) -> Columns {
                Columns::Names(ColumnNames::into_names(names))
            }
        }
    )*};
}

names! {
    [] &str;
    [] String;
    [] Vec<&str>;
    [] Vec<String>;
    [] &[&str];
    [] &[String];
    [const N: usize] [&str; N];
    [const N: usize] [String; N];
}

macro_rules! places {
    ($($type:ty),*) => {$(
        impl From<$type> for Columns {
            fn from(place: $type) -> Columns {
                Columns::Places(vec![i64::try_from(place).unwrap_or(i64::MAX)])
            }
        }

        impl From<Vec<$type>> for Columns {
            fn from(places: Vec<$type>) -> Columns {
                Columns::Places(places.into_iter().map(|place| i64::try_from(place).unwrap_or(i64::MAX)).collect())
            }
        }

        impl<const N: usize> From<[$type; N]> for Columns {
            fn from(places: [$type; N]) -> Columns {
                Columns::from(places.to_vec())
            }
        }

        impl From<std::ops::Range<$type>> for Columns {
            fn from(places: std::ops::Range<$type>) -> Columns {
                Columns::from(places.collect::<Vec<$type>>())
            }
        }
    )*};
}

places!(i32, i64, usize);

impl Columns {
    /// The places of the columns.
    ///
    /// # Errors
    /// Each must be there.
    pub(crate) fn places(&self, x: &Frame<'_>) -> Result<Vec<usize>> {
        let names = x.names();
        match self {
            Columns::Names(wanted) => {
                let place = |name: &String| names.iter().position(|other| other == name);
                let unknown = |name: &str| match x {
                    Frame::Table(table) => table.column(name).err(),
                    Frame::Rows(_) => None,
                };
                let missing = |name: &String| {
                    unknown(name).unwrap_or_else(|| {
                        Error::usage(format!("no column `{name}`: an array has no names"))
                            .help("give places, as in `[0, 1]`")
                    })
                };
                let named = matches!(x, Frame::Table(_));
                wanted.iter().map(|name| place(name).filter(|_| named).ok_or_else(|| missing(name))).collect()
            }
            Columns::Places(wanted) => {
                let width = names.len();
                let place = |&place: &i64| {
                    let at = if place < 0 { place.checked_add_unsigned(width as u64) } else { Some(place) };
                    let at = at.and_then(|at| usize::try_from(at).ok()).filter(|&at| at < width);
                    at.ok_or_else(|| {
                        Error::usage(format!("needs places below {width}, the number of columns, got {place}"))
                    })
                };
                wanted.iter().map(place).collect()
            }
            Columns::Types { include, exclude } => {
                let is = |values: &Values, types: &[String]| types.iter().any(|name| is_of(values, name));
                let fits = |values: &Values| (include.is_empty() || is(values, include)) && !is(values, exclude);
                let values = x.values();
                Ok((0..values.len()).filter(|&place| fits(&values[place])).collect())
            }
        }
    }
}

/// Whether values are of a type: pandas' name for it, or `number`.
fn is_of(values: &Values, name: &str) -> bool {
    let number = matches!(values, Values::Float(_) | Values::Float32(_) | Values::Int(_));
    match name {
        "number" => number,
        "object" | "string" => matches!(values, Values::Text(_) | Values::Truth(_) | Values::Object(_)),
        "datetime" | "datetime64" => matches!(values, Values::Date(_)),
        "float" => matches!(values, Values::Float(_)),
        "int" => matches!(values, Values::Int(_)),
        name => values.dtype() == name,
    }
}

/// A list of names or of places, or an object of types.
impl Field for Columns {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Columns::Names(names) => names.to_json(),
            Columns::Places(places) => places.to_json(),
            Columns::Types { include, exclude } => {
                serde_json::json!({ "dtype_include": include.to_json(), "dtype_exclude": exclude.to_json() })
            }
        }
    }

    fn from_json(json: &serde_json::Value) -> Result<Columns> {
        match json {
            serde_json::Value::Array(items) if items.iter().all(serde_json::Value::is_number) => {
                Vec::from_json(json).map(Columns::Places)
            }
            serde_json::Value::Array(_) => Vec::from_json(json).map(Columns::Names),
            serde_json::Value::Object(_) => {
                let mut object = Object::of(json)?;
                let (include, exclude) = (object.field("dtype_include")?, object.field("dtype_exclude")?);
                object.finish()?;
                Ok(Columns::Types { include, exclude })
            }
            _ => Err(not("names, places, or types of columns", json)),
        }
    }
}
