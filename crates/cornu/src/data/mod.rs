//! From a file to arrays and back to a verdict: tables, conversions, scalers, scores.
//!
//! Names and results are those of pandas ([`Table`], [`Column`]), scikit-learn ([`StandardScaler`],
//! [`classification_report`], …) and `keras.utils` ([`to_categorical`], [`normalize`], [`get_file`]). Whatever holds
//! numbers is a [`ToArray`]; every function here takes any of them.

mod column;
mod convert;
mod csv;
mod describe;
mod formats;
pub(crate) mod get_file;
mod preprocess;
mod print;
mod report;
mod scores;
mod table;
#[cfg(test)]
mod tests;

pub use column::{Column, Index, Value, Values};
pub(crate) use convert::AN_ARRAY;
pub use convert::{Nested, Number, ToArray, from_array};
pub use get_file::get_file;
pub use preprocess::{MinMaxScaler, StandardScaler, normalize, to_categorical, to_categorical_with};
pub use report::{ClassScores, ClassificationReport, classification_report};
pub use scores::{Average, accuracy_score, argmax, confusion_matrix, f1_score, precision_score, recall_score};
pub use table::{ColumnNames, Table};
