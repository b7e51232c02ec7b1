//! From a file to arrays and back to a verdict: tables, conversions, scalers, scores, splits, data sets.
//!
//! Names and results are those of pandas ([`Table`], [`Column`]), scikit-learn ([`StandardScaler`],
//! [`classification_report`], [`model_selection`], …) and `keras.utils` ([`to_categorical`], [`normalize`],
//! [`get_file`]). Whatever holds numbers is a [`ToArray`]; every function here takes any of them.
#![forbid(unsafe_code)]
// Both panic where the output takes nothing.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod column;
mod csv;
pub mod datasets;
mod dates;
mod describe;
mod estimator;
mod formats;
pub(crate) mod get_file;
mod index;
mod labels;
pub mod model_selection;
mod preprocess;
mod print;
pub mod random;
mod report;
mod scalar;
mod scores;
mod table;
#[cfg(test)]
mod tests;
mod texts;
mod values;

pub use column::Column;
use cornu_graph::AN_ARRAY;
pub use cornu_graph::{ToArray, from_array};
pub use csv::{ColumnKey, Csv, IndexCol, ParseDates, SkipRows};
pub use estimator::{Estimator, Stored};
pub use get_file::get_file;
pub use index::Index;
pub use labels::{Label, Labels, ToLabels};
pub use preprocess::{MinMaxScaler, StandardScaler, normalize, to_categorical, to_categorical_with};
pub use report::{ClassScores, ClassificationReport, classification_report};
pub use scalar::Scalar;
pub use scores::{Average, accuracy_score, argmax, confusion_matrix, f1_score, precision_score, recall_score};
pub use table::{ColumnNames, Table};
pub use texts::Texts;
pub use values::{Category, NAT, Value, Values};
