//! How good predictions are: scikit-learn's scores of classes, of rankings and probabilities, and of numbers.

mod averaged;
mod classification;
mod confusion;
mod curve;
mod pairs;
mod precision;
mod probability;
mod ranked;
mod ranking;
mod regression;
mod report;

pub use averaged::{
    PrecisionRecallFscoreSupport, f1_score, fbeta_score, jaccard_score, precision_recall_fscore_support,
    precision_score, recall_score,
};
pub use classification::{Average, Classification, Disagreement, accuracy_score, hamming_loss, zero_one_loss};
pub use confusion::{
    ConfusionMatrix, Normalize, balanced_accuracy_score, cohen_kappa_score, confusion_matrix, matthews_corrcoef,
};
pub use curve::auc;
pub(crate) use pairs::labels as classes_of;
pub use probability::{Probabilities, brier_score_loss, log_loss};
pub use ranking::{
    MultiClass, PrecisionRecallCurve, Ranking, RocCurve, average_precision_score, precision_recall_curve,
    roc_auc_score, roc_curve, top_k_accuracy_score,
};
pub use regression::{
    Multioutput, Regression, explained_variance_score, max_error, mean_absolute_error, mean_absolute_percentage_error,
    mean_squared_error, mean_squared_log_error, median_absolute_error, r2_score, root_mean_squared_error,
    root_mean_squared_log_error,
};
pub use report::{ClassScores, ClassificationReport, classification_report};
