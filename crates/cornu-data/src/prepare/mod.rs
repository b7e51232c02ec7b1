//! Transformers: what is learnt from columns and done to columns like them. The one list of their classes.
//!
//! Each class is a file, with scikit-learn's name, settings and numbers. What is learnt can be [saved](MinMaxScaler::save)
//! as JSON and loaded.

mod binarizer;
mod categories;
mod column_transformer;
mod columns;
mod field;
mod frame;
mod function_transformer;
mod label_encoder;
mod matrix;
mod max_abs_scaler;
mod min_max_scaler;
mod normalizer;
mod one_hot_encoder;
mod ordinal_encoder;
mod pipeline;
mod polynomial_features;
mod robust_scaler;
mod simple_imputer;
mod standard_scaler;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use cornu_array::{Context, Error, Result, nearest};
use cornu_files::atomic;
use serde_json::Value as Json;

use crate::Table;
use field::{Field, Object, pretty};

pub use binarizer::Binarizer;
pub use categories::Frequency;
pub use column_transformer::{Branch, ColumnTransformer};
pub use columns::{Columns, make_column_selector, make_column_selector_without};
pub use frame::{Features, Frame, Rows};
pub use function_transformer::FunctionTransformer;
pub use label_encoder::LabelEncoder;
pub use max_abs_scaler::MaxAbsScaler;
pub use min_max_scaler::MinMaxScaler;
pub use normalizer::{Norm, Normalizer};
pub use one_hot_encoder::{DropCategory, HandleUnknown, OneHotEncoder};
pub use ordinal_encoder::{OrdinalEncoder, Unknown};
pub use pipeline::{Last, Pipeline};
pub use polynomial_features::PolynomialFeatures;
pub use robust_scaler::RobustScaler;
pub use simple_imputer::{SimpleImputer, Strategy};
pub use standard_scaler::StandardScaler;

/// Learns from the columns of a table, and changes tables with such columns.
pub trait Transformer: fmt::Debug + Send + Sync {
    /// The name of the class.
    fn class(&self) -> &'static str;

    /// Learns from features.
    ///
    /// # Errors
    /// Features of another kind than it works on.
    fn learn(&mut self, x: &Frame<'_>) -> Result<()>;

    /// Features changed as was learnt.
    ///
    /// # Errors
    /// There must have been a fit, on such columns.
    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>>;

    /// What was changed to `x`.
    ///
    /// # Errors
    /// Most have no way back.
    fn undo(&self, _: Frame<'_>) -> Result<Frame<'static>> {
        Err(Error::usage(format!("`{}` has no inverse", self.class())))
    }

    /// The names of the columns that come out, if those that go in are called `input`; without that they are called as at
    /// the fit.
    ///
    /// # Errors
    /// There must have been a fit, on as many columns.
    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>>;

    /// Its settings and what it learnt.
    fn config(&self) -> Json;

    /// Whether a file can hold all of it.
    ///
    /// # Errors
    /// Says what no file can hold.
    fn check_storable(&self) -> Result<()> {
        Ok(())
    }

    /// A copy.
    fn boxed(&self) -> Box<dyn Transformer>;

    /// Learns from a table.
    ///
    /// # Errors
    /// Columns of another kind than it works on.
    fn fit(&mut self, x: &Table) -> Result<()> {
        self.learn(&x.into())
    }

    /// A table changed as was learnt.
    ///
    /// # Errors
    /// There must have been a fit, on such columns.
    fn transform(&self, x: &Table) -> Result<Table> {
        self.apply(x.into())?.into_table()
    }

    /// Learns from a table and changes it.
    ///
    /// # Errors
    /// As [`Transformer::fit`].
    fn fit_transform(&mut self, x: &Table) -> Result<Table> {
        self.fit(x)?;
        self.transform(x)
    }

    /// The table that was changed to `x`.
    ///
    /// # Errors
    /// Most have no way back.
    fn inverse_transform(&self, x: &Table) -> Result<Table> {
        self.undo(x.into())?.into_table()
    }
}

impl Clone for Box<dyn Transformer> {
    fn clone(&self) -> Self {
        self.boxed()
    }
}

/// A scaler that multiplies each column by a number and adds another: what a `Rescaling` layer does as well.
pub trait Linear {
    /// For each column what it is multiplied by, and what is added then.
    ///
    /// # Errors
    /// There must have been a fit; values that are clipped are not on a line.
    fn scale_and_offset(&self) -> Result<(Vec<f64>, Vec<f64>)>;
}

macro_rules! classes {
    ($($class:ident,)*) => {
        const CLASSES: &[&str] = &[$(stringify!($class)),*];

        /// The settings of a class when nothing is said.
        #[cfg(test)]
        fn defaults(class: &str) -> Option<Json> {
            match class {
                $(stringify!($class) => Some($class::default().config()),)*
                _ => None,
            }
        }

        /// The transformer of a class, out of its settings and what it learnt.
        fn read(class: &str, config: &Json) -> Result<Box<dyn Transformer>> {
            match class {
                $(stringify!($class) => Ok(Box::new($class::from_json(config).context("config")?)),)*
                _ => {
                    let error = Error::unsupported(format!("the class `{class}` is not known here"));
                    Err(match nearest(class, CLASSES.iter().copied()) {
                        Some(near) => error.help(format!("did you mean `{near}`?")),
                        None => error.help("it may have been written by a later version"),
                    })
                }
            }
        }
    };
}

classes! {
    Binarizer,
    ColumnTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    Pipeline,
    PolynomialFeatures,
    RobustScaler,
    SimpleImputer,
    StandardScaler,
}

/// An object of a class name and what the class keeps, as Keras writes layers.
impl Field for Box<dyn Transformer> {
    fn to_json(&self) -> Json {
        to_json(&**self)
    }

    fn from_json(json: &Json) -> Result<Self> {
        let mut object = Object::of(json)?;
        let class: String = object.field("class_name")?;
        let config = object.json("config")?;
        object.finish()?;
        read(&class, config).context(format!("`{class}`"))
    }
}

fn to_json(transformer: &dyn Transformer) -> Json {
    serde_json::json!({ "class_name": transformer.class(), "config": transformer.config() })
}

/// The form of files; a file of a later one is refused.
const VERSION: usize = 1;
const FORMAT: &str = "cornu transformer";

/// Writes JSON of a class to a file.
fn write(path: &Path, content: Json) -> Result<()> {
    let mut map = serde_json::Map::new();
    map.insert("format".into(), FORMAT.into());
    map.insert("version".into(), VERSION.into());
    if let Json::Object(content) = content {
        map.extend(content);
    }
    atomic::write(path, format!("{}\n", pretty(&Json::Object(map), 0)?).as_bytes())
}

/// Reads what [`write`] wrote.
fn read_file(path: &Path) -> Result<Json> {
    let unreadable = |error: std::io::Error| Error::file(format!("it cannot be read: {error}")).caused_by(error);
    let json: Json = serde_json::from_slice(&atomic::read(path).map_err(unreadable)?)
        .map_err(|error| Error::file(format!("needs JSON, got something else: {error}")).caused_by(error))?;
    in_json(json)
}

/// The class in the JSON of a file of this form, and not of a later one.
fn in_json(json: Json) -> Result<Json> {
    let Json::Object(mut map) = json else { return Err(field::not("an object", &json)) };
    if map.shift_remove("format") != Some(Json::from(FORMAT)) {
        return Err(Error::file(format!("needs a file with the format `{FORMAT}`, got another"))
            .help("such a file is written by `save` of a scaler, an encoder or a pipeline"));
    }
    match map.shift_remove("version").as_ref().map(usize::from_json) {
        Some(Ok(version)) if version <= VERSION => Ok(Json::Object(map)),
        Some(Ok(version)) => Err(Error::unsupported(format!("needs version {VERSION} or below, got {version}"))
            .help("a later cornu wrote this file; use that or a later one")),
        Some(Err(error)) => Err(error.context("version")),
        None => Err(Error::file("needs `version`, which is not there")),
    }
}

/// Writes a transformer to a file.
///
/// # Errors
/// A place that cannot be written; a transformer that holds what no file can.
fn save(transformer: &dyn Transformer, path: &Path) -> Result<()> {
    transformer.check_storable()?;
    write(path, to_json(transformer))
}

/// Reads a transformer of any class from a file that `save` wrote.
///
/// # Errors
/// A file that cannot be read or holds something else: the message says at which place.
pub fn load_transformer(path: impl AsRef<Path>) -> Result<Box<dyn Transformer>> {
    let path = path.as_ref();
    read_file(path).and_then(|json| Box::from_json(&json)).context(format!("`{}`", path.display()))
}

/// What a file holds, if it is of the class that was asked for.
fn load<T: Field>(class: &str, path: &Path) -> Result<T> {
    let read = |json: Json| {
        let mut object = Object::of(&json)?;
        let got: String = object.field("class_name")?;
        if got != class {
            let known = read(&got, &Json::Null).is_ok() || CLASSES.contains(&&*got);
            let error = Error::file(format!("needs a `{class}`, got a `{got}`"));
            return Err(if known {
                error.help(format!("`{got}::load` reads it, or `load_transformer`"))
            } else {
                error
            });
        }
        let config = object.json("config")?;
        object.finish()?;
        T::from_json(config).context("config")
    };
    read_file(path).and_then(read).context(format!("`{}`", path.display()))
}

/// What was learnt, if there was a fit.
fn learnt<'a, L>(who: &str, learnt: &'a Option<L>) -> Result<&'a L> {
    let none = || Error::usage(format!("this `{who}` has learnt nothing yet")).help("call `fit` first");
    learnt.as_ref().ok_or_else(none)
}

/// The methods that every transformer has: those of [`Transformer`] on features of any form, and `save` and `load`.
macro_rules! methods {
    ($class:ident $($inverse:ident)?) => {
        impl $class {
            /// Learns from `x`: a table, or numbers `[rows, columns]`; `[rows]` is one column.
            ///
            /// # Errors
            /// Features of another kind than it works on, and none at all.
            pub fn fit(&mut self, x: impl $crate::Features) -> cornu_array::Result<()> {
                $crate::Transformer::learn(self, &x.frame(stringify!($class))?)
            }

            /// `x` changed as was learnt: a table of a table, else an array of doubles.
            ///
            /// # Errors
            /// There must have been a `fit`, on such columns.
            pub fn transform<X: $crate::Features>(&self, x: X) -> cornu_array::Result<X::Prepared> {
                X::prepared($crate::Transformer::apply(self, x.frame(stringify!($class))?)?)
            }

            /// Learns from `x` and changes it.
            ///
            /// # Errors
            /// As [`fit`](Self::fit).
            pub fn fit_transform<X: $crate::Features>(&mut self, x: X) -> cornu_array::Result<X::Prepared> {
                let frame = x.frame(stringify!($class))?;
                $crate::Transformer::learn(self, &frame)?;
                X::prepared($crate::Transformer::apply(self, frame)?)
            }

            /// The names of the columns that come out.
            ///
            /// # Errors
            /// There must have been a `fit`.
            pub fn get_feature_names_out(&self) -> cornu_array::Result<Vec<String>> {
                $crate::Transformer::feature_names_out(self, None)
            }

            $($crate::prepare::methods!(@$inverse);)?
        }
    };
    (@inverse) => {
        /// What was changed to `x`.
        ///
        /// # Errors
        /// As [`transform`](Self::transform).
        pub fn inverse_transform<X: $crate::Features>(&self, x: X) -> cornu_array::Result<X::Prepared> {
            X::prepared($crate::Transformer::undo(self, x.frame($crate::Transformer::class(self))?)?)
        }
    };
    // Categories may be text, which no array of numbers holds.
    (@inverse_table) => {
        /// The table that was changed to `x`.
        ///
        /// # Errors
        /// As [`transform`](Self::transform); codes that stand for no category.
        pub fn inverse_transform(&self, x: impl $crate::Features) -> cornu_array::Result<$crate::Table> {
            $crate::Transformer::undo(self, x.frame($crate::Transformer::class(self))?)?.into_table()
        }
    };
}
use methods;

/// `save` and `load`.
macro_rules! files {
    ($class:ident) => {
        impl $class {
            /// Writes the settings and what was learnt to a file of JSON, in one step.
            ///
            /// # Errors
            /// A place that cannot be written.
            pub fn save(&self, path: impl AsRef<std::path::Path>) -> cornu_array::Result<()> {
                $crate::prepare::save(self, path.as_ref())
            }

            /// Reads what [`save`](Self::save) wrote.
            ///
            /// # Errors
            /// A file that cannot be read or holds something else: the message says at which place.
            pub fn load(path: impl AsRef<std::path::Path>) -> cornu_array::Result<$class> {
                $crate::prepare::load(stringify!($class), path.as_ref())
            }
        }
    };
}
use files;

/// What is the same for every class of which a file keeps everything.
macro_rules! stored {
    ($class:ident) => {
        fn class(&self) -> &'static str {
            stringify!($class)
        }

        fn config(&self) -> serde_json::Value {
            $crate::prepare::field::Field::to_json(self)
        }

        fn boxed(&self) -> Box<dyn $crate::Transformer> {
            Box::new(self.clone())
        }
    };
}
use stored;
