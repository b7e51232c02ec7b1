//! Keras for Rust: the same models, names, numbers and files.
//!
//! A [`Sequential`] is a line of [`layers`]; each layer is plain settings, written as in Keras. A model is built when
//! the shape of its input is known: then it has weights, the same as Keras's for the same seed.
//!
//! ```
//! use cornu::prelude::*;
//!
//! set_random_seed(42);
//! let model = sequential![
//!     Dense::new(12).input_shape([8]).activation("relu"),
//!     Dense::new(8).activation("relu"),
//!     Dense::new(1).activation("sigmoid"),
//! ];
//! assert_eq!(model.output_shape(), Some(vec![None, Some(1)]));
//! assert_eq!(model.weights()[0][[0, 0]], 0.392_376_54);
//! assert_eq!(model.layers()[1].name(), "dense_1");
//! ```
//!
//! Models of other shapes are written with symbols, and share layers as they like:
//!
//! ```
//! use cornu::prelude::*;
//!
//! let x = Input::new([8]).symbol()?;
//! let encoder = Model::new([&x], [Dense::new(2).activation("tanh").apply(&x)?])?;
//! let whole = Model::new([&x], [Dense::new(1).apply(&encoder.apply(&x)?)?])?;
//! assert_eq!(whole.count_params(), encoder.count_params() + 3);
//! # Ok::<(), cornu::Error>(())
//! ```
//!
//! The house, from the bottom up: [`config`](mod@config) declares settings, [`registry`] finds classes by name, a [`Cx`]
//! lets a layer ask for weights while it extends a graph, a [`LayerRef`](layers::LayerRef) is a layer wherever it is used,
//! a [`Net`] connects layers, and a [`Model`] is a view over them that trains; [`random`] are Keras's seeds.
//!
//! A layer of one's own is a [`config!`] and one function: see [`layers::Layer`]; so is a [loss](losses::Loss), a
//! [metric](metrics::Metric), an [optimizer](optimizers::Optimizer), an [initializer](initializers::Initializer), a
//! [regularizer](regularizers::Regularizer), a [constraint](constraints::Constraint), an
//! [activation](activations::Activation). Each family has a `register`, so that files with such classes are read.
#![deny(unsafe_code)]
// Both panic where the output takes nothing.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod activations;
pub mod choice;
pub mod config;
pub mod constraints;
#[cfg(feature = "data")]
mod estimator;
mod flavor;
pub mod initializers;
pub mod layers;
pub mod losses;
pub mod metrics;
mod model;
mod net;
pub mod optimizers;
mod policy;
pub mod random;
pub mod registry;
pub mod regularizers;
pub mod saving;
mod step;
mod trace;
pub mod train;
mod variables;

pub use cornu_cpu::Cpu;
#[cfg(feature = "data")]
pub use cornu_data::{self as data, datasets, model_selection};
pub use cornu_display as display;
pub use cornu_graph as graph;
pub use cornu_graph::{
    AnyArray, Array, Arrays, Context, DType, DataKind, Error, ErrorKind, Executor, Result, Shape, Tensor, TextArray,
    ToArrays, Type, VarId, gradients,
};
pub use layers::clear_session;
pub use model::{LayerView, Model, Sequential};
pub use net::{Apply, Call, InputSpec, Keyword, Net, Port, Spec, Symbol, ToSymbols};
pub use policy::{DTypePolicy, dtype_policy, set_dtype_policy};
pub use saving::load_model;
#[doc(hidden)]
pub use serde_json as json;
pub use trace::{Cx, Random};
pub use variables::{Named, Role, Variable, Variables, Vocabulary};

/// What most programs need, and those that declare layers, losses, metrics, optimizers or callbacks of their own:
/// `use cornu::prelude::*;`
pub mod prelude {
    pub use crate::choice::Choice;
    pub use crate::constraints::Constraint;
    #[cfg(feature = "data")]
    pub use crate::data::{
        Column, ColumnTransformer, Csv, LabelEncoder, MaxAbsScaler, MinMaxScaler, OneHotEncoder, OrdinalEncoder,
        Pipeline, Predictions, RobustScaler, SimpleImputer, StandardScaler, Strategy, Table, Transformer,
        accuracy_score, argmax, classification_report, confusion_matrix, f1_score, get_dummies, mean_absolute_error,
        mean_squared_error, precision_score, r2_score, recall_score, roc_auc_score, root_mean_squared_error,
        to_categorical, to_categorical_with,
    };
    #[cfg(feature = "data")]
    pub use crate::datasets;
    pub use crate::initializers::Initializer;
    pub use crate::layers::{
        Activation, Add, Argument, Average, AveragePooling2D, BatchNormalization, Bidirectional, Concatenate, Conv1D,
        Conv2D, Dense, Dropout, Embedding, Flatten, GRU, GlobalAveragePooling1D, GlobalAveragePooling2D, Input, Inputs,
        IntoLayer, LSTM, Layer, LayerNormalization, LayerRef, MaxPooling2D, Maximum, Minimum, MultiHeadAttention,
        Multiply, ReLU, Rescaling, Reshape, StringLookup, Subtract, Wire,
    };
    pub use crate::losses::{
        BinaryCrossentropy, CategoricalCrossentropy, Loss, MeanAbsoluteError, MeanSquaredError,
        SparseCategoricalCrossentropy, loss,
    };
    pub use crate::metrics::{BinaryAccuracy, CategoricalAccuracy, Metric, SparseCategoricalAccuracy};
    #[cfg(feature = "data")]
    pub use crate::model_selection::{KFold, ParameterGrid, Split, StratifiedKFold, cross_val_score, train_test_split};
    pub use crate::net::{Apply, Keyword, Symbol};
    pub use crate::optimizers::{Adam, AdamW, Optimizer, RMSprop, SGD, Slot, Update};
    pub use crate::random::set_random_seed;
    pub use crate::regularizers::Regularizer;
    pub use crate::saving::{Load, Save, load_model, load_model_with};
    pub use crate::train::{
        Callback, Compile, Control, EarlyStopping, Evaluate, Fit, History, ModelCheckpoint, Predict, ReduceLROnPlateau,
        Scores,
    };
    pub use crate::{Array, Cx, DType, Shape, Tensor, Type, VarId, gradients};
    pub use crate::{Model, Sequential, clear_session, sequential};
}

/// The programs of the readmes and of the lesson, so that they are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../../README.es.md")]
#[doc = include_str!("../../../docs/callbacks.md")]
#[doc = include_str!("../../../docs/convnet.en.md")]
#[doc = include_str!("../../../docs/convnet.es.md")]
#[doc = include_str!("../../../docs/from-pandas.md")]
#[doc = include_str!("../../../docs/tutorial.en.md")]
#[doc = include_str!("../../../docs/tutorial.es.md")]
struct Documents;
