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
mod cut;
pub mod datasets;
mod dates;
mod describe;
mod estimator;
mod factorize;
mod formats;
mod get_dummies;
pub(crate) mod get_file;
mod index;
mod labels;
pub mod model_selection;
mod prepare;
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
pub use cut::{Cut, CutLabels, QCut, cut, cut_retbins, qcut, qcut_retbins};
pub use estimator::{Estimator, Stored};
pub use factorize::{Factorize, factorize};
pub use get_dummies::{Dummies, DummyType, Prefix, ToDummies, get_dummies};
pub use get_file::get_file;
pub use index::Index;
pub use labels::{Label, Labels, ToLabels};
pub use prepare::{
    Binarizer, Branch, ColumnTransformer, Columns, DropCategory, Features, Frame, Frequency, FunctionTransformer,
    HandleUnknown, LabelEncoder, Last, Linear, MaxAbsScaler, MinMaxScaler, Norm, Normalizer, OneHotEncoder,
    OrdinalEncoder, Pipeline, PolynomialFeatures, RobustScaler, Rows, SimpleImputer, StandardScaler, Strategy,
    Transformer, Unknown, load_transformer, make_column_selector, make_column_selector_without,
};
pub use preprocess::{normalize, to_categorical, to_categorical_with};
pub use report::{ClassScores, ClassificationReport, classification_report};
pub use scalar::Scalar;
pub use scores::{Average, accuracy_score, argmax, confusion_matrix, f1_score, precision_score, recall_score};
pub use table::{ColumnNames, Table};
pub use texts::Texts;
pub use values::{Category, NAT, Value, Values};
