//! From a file to arrays and back to a verdict: tables, conversions, scalers, scores, splits, data sets.
//!
//! Names and results are those of pandas ([`Table`], [`Column`]), scikit-learn ([`StandardScaler`],
//! [`classification_report`], [`model_selection`], …) and `keras.utils` ([`to_categorical`], [`normalize`],
//! [`get_file`]). Whatever holds numbers is a [`ToArray`]; every function here takes any of them.
#![forbid(unsafe_code)]
// Both panic where the output takes nothing.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

#[cfg(feature = "arrow")]
mod arrow;
mod column;
mod compute;
mod csv;
mod cut;
pub mod datasets;
mod dates;
mod describe;
mod estimator;
mod factorize;
mod formats;
#[cfg(test)]
mod formats_tests;
mod get_dummies;
pub(crate) mod get_file;
mod index;
mod info;
mod json_lines;
mod labels;
pub mod model_selection;
mod order;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "polars")]
mod polars;
mod predictions;
mod prepare;
mod preprocess;
mod print;
pub mod random;
mod rows;
mod scalar;
mod scores;
#[cfg(test)]
mod sklearn;
mod stats;
mod table;
#[cfg(test)]
mod tests;
mod threads;
mod to_csv;
mod values;

pub use column::{Column, Counts, Fill, Keep};
pub use compute::{Computed, Operand};
use cornu_array::AN_ARRAY;
pub use cornu_array::Texts;
pub use cornu_array::{ToArray, from_array};
pub use csv::{ColumnKey, Csv, IndexCol, ParseDates, SkipRows};
pub use cut::{Cut, CutLabels, QCut, cut, cut_retbins, qcut, qcut_retbins};
pub use describe::Describe;
pub use estimator::{Estimator, Stored};
pub use factorize::{Factorize, factorize, factorize_with};
pub use get_dummies::{Dummies, DummyType, Prefix, ToDummies, get_dummies, get_dummies_with};
pub use get_file::get_file;
pub use index::Index;
pub use labels::{Label, Labels, ToLabels};
pub use predictions::{Predictions, argmax};
pub use prepare::{
    Binarizer, Branch, ColumnTransformer, Columns, DropCategory, Features, Frame, Frequency, FunctionTransformer,
    HandleUnknown, LabelEncoder, Last, Linear, MaxAbsScaler, MinMaxScaler, Norm, Normalizer, OneHotEncoder,
    OrdinalEncoder, Pipeline, PolynomialFeatures, RobustScaler, Rows, SimpleImputer, StandardScaler, Strategy,
    Transformer, Unknown, load_transformer, make_column_selector, make_column_selector_without,
};
pub use preprocess::{normalize, to_categorical, to_categorical_with};
pub use rows::{Sample, SortBy};
pub use scalar::Scalar;
pub use scores::*;
pub use table::{ColumnNames, Concat, DropNa, Duplicates, IntoColumn, Table, concat, concat_with};
pub use to_csv::ToCsv;
pub use values::{Category, NAT, Value, Values};
