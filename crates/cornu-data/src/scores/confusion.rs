//! How often each class was taken for each other, and the scores that follow from it.

use std::fmt;
use std::ops::Deref;

use cornu_array::{Context, Error, Result};
use ndarray::{Array2, Axis};

use super::classification::{Classification, Disagreement, distinct};
use super::precision::Precision;
use crate::labels::compare;
use crate::{Index, Table, ToLabels, Values, print};

/// What the numbers of a [`ConfusionMatrix`] are shares of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalize {
    /// Of how often the class is true: each row adds up to 1.
    True,
    /// Of how often the class was predicted: each column adds up to 1.
    Pred,
    /// Of all labels.
    All,
}

/// How often class `i` was predicted to be class `j`, at `[i, j]`: a matrix with the names of its classes.
///
/// ```
/// use cornu_data::{Normalize, confusion_matrix};
///
/// let matrix = confusion_matrix(["cat", "dog", "cat", "cow"], ["cat", "dog", "dog", "cow"])?;
/// assert_eq!(matrix[[0, 2]], 1);
/// assert_eq!(matrix.to_string(), "     cat  cow  dog\ncat    1    0    1\ncow    0    1    0\ndog    0    0    1");
/// let two = matrix.labels(["dog", "cat"])?;
/// assert_eq!(*two, ndarray::array![[1, 0], [1, 1]]);
/// assert_eq!(*two.normalize(Normalize::True), ndarray::array![[1.0, 0.0], [0.5, 0.5]]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// Prints as a table: a row for each true class, a column for each predicted one.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix<T = usize> {
    labels: Values,
    names: Vec<String>,
    matrix: Array2<T>,
    /// How often each class is true: some labels must be.
    support: Vec<f64>,
}

impl<T> Deref for ConfusionMatrix<T> {
    type Target = Array2<T>;

    fn deref(&self) -> &Array2<T> {
        &self.matrix
    }
}

impl<T> ConfusionMatrix<T> {
    fn new(labels: Values, matrix: Array2<T>, support: Vec<f64>) -> ConfusionMatrix<T> {
        let names = labels.iter().map(print::label).collect();
        ConfusionMatrix { labels, names, matrix, support }
    }

    /// The classes of the rows and columns.
    pub fn classes(&self) -> &Values {
        &self.labels
    }

    /// The matrix alone.
    pub fn into_array(self) -> Array2<T> {
        self.matrix
    }
}

impl<T: Copy + Default> ConfusionMatrix<T> {
    /// The rows and columns of these classes, in this order.
    ///
    /// # Errors
    /// The labels must be different, and one of them must occur among the true ones.
    pub fn labels(&self, labels: impl ToLabels) -> Result<ConfusionMatrix<T>> {
        let labels = labels.label_values().context("`labels`")?;
        distinct(&labels)?;
        let place = |label| self.labels.iter().position(|other| compare(other, label).is_eq());
        let places: Vec<Option<usize>> = labels.iter().map(place).collect();
        if places.iter().flatten().all(|&place| self.support[place] == 0.0) {
            let names = self.names.join(", ");
            return Err(Error::data("`labels` needs a class that occurs in `y_true`, got none")
                .help(format!("the classes are {names}")));
        }
        let at = |i: usize, j: usize| places[i].zip(places[j]).map_or(T::default(), |(i, j)| self.matrix[[i, j]]);
        let matrix = Array2::from_shape_fn((places.len(), places.len()), |(i, j)| at(i, j));
        let support = places.iter().map(|place| place.map_or(0.0, |place| self.support[place])).collect();
        Ok(ConfusionMatrix::new((*labels).clone(), matrix, support))
    }

    /// Prints these names for the classes.
    ///
    /// # Errors
    /// There must be one for each class, all different.
    pub fn target_names<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Result<ConfusionMatrix<T>> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.names.len() {
            let (needed, got, classes) = (self.names.len(), names.len(), self.names.join(", "));
            return Err(Error::usage(format!("`target_names` needs {needed} names, for {classes}; got {got}")));
        }
        if let Some(name) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)).map(|(_, name)| name)
        {
            return Err(Error::usage(format!("`target_names` needs different names, got `{name}` twice")));
        }
        Ok(ConfusionMatrix { names, ..self })
    }
}

impl<T: Copy> ConfusionMatrix<T>
where
    Values: From<Vec<T>>,
{
    /// The matrix as a table: its columns are the predicted classes, its row labels the true ones.
    ///
    /// # Errors
    /// The names of the classes must be different.
    pub fn to_table(&self) -> Result<Table> {
        let columns = self.names.iter().zip(self.matrix.axis_iter(Axis(1)));
        let table = Table::new(columns.map(|(name, column)| (name.clone(), column.to_vec())))?;
        Ok(table.with_index(Index::new(self.names.clone())))
    }
}

impl ConfusionMatrix {
    /// Shares instead of counts; zero where there is nothing to be a share of.
    #[must_use]
    pub fn normalize(&self, normalize: Normalize) -> ConfusionMatrix<f64> {
        self.weighted().normalize(normalize)
    }

    /// The counts as floats.
    fn weighted(&self) -> ConfusionMatrix<f64> {
        let (labels, names, support) = (self.labels.clone(), self.names.clone(), self.support.clone());
        ConfusionMatrix { labels, names, matrix: self.matrix.mapv(|count| count as f64), support }
    }
}

impl ConfusionMatrix<f64> {
    /// Shares instead of weights; zero where there is nothing to be a share of.
    #[must_use]
    pub fn normalize(self, normalize: Normalize) -> ConfusionMatrix<f64> {
        let share = |part: f64, whole: f64| if whole == 0.0 { 0.0 } else { part / whole };
        let mut matrix = self.matrix;
        match normalize {
            Normalize::True => {
                let wholes = rows(&matrix);
                matrix.indexed_iter_mut().for_each(|((i, _), cell)| *cell = share(*cell, wholes[i]));
            }
            Normalize::Pred => {
                let wholes = columns(&matrix);
                matrix.indexed_iter_mut().for_each(|((_, j), cell)| *cell = share(*cell, wholes[j]));
            }
            Normalize::All => {
                let whole = total(&matrix);
                matrix.mapv_inplace(|cell| share(cell, whole));
            }
        }
        ConfusionMatrix { matrix, ..self }
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.matrix.mapv(|count| count as i64);
        let (labels, names, support) = (self.labels.clone(), self.names.clone(), self.support.clone());
        shown(&ConfusionMatrix { labels, names, matrix: counts, support }, f)
    }
}

impl fmt::Display for ConfusionMatrix<f64> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(self, f)
    }
}

fn shown<T: Copy>(matrix: &ConfusionMatrix<T>, f: &mut fmt::Formatter<'_>) -> fmt::Result
where
    Values: From<Vec<T>>,
{
    match matrix.to_table() {
        Ok(table) => write!(f, "{table:#}"),
        Err(error) => write!(f, "{error}"),
    }
}

/// The sum of each row.
fn rows(matrix: &Array2<f64>) -> Vec<f64> {
    matrix.rows().into_iter().map(|row| Precision::Double.sum(&row.to_vec())).collect()
}

/// The sum of each column.
fn columns(matrix: &Array2<f64>) -> Vec<f64> {
    matrix.columns().into_iter().map(|column| Precision::Double.sum_in_order(&column.to_vec())).collect()
}

/// The sum of all.
fn total(matrix: &Array2<f64>) -> f64 {
    Precision::Double.sum(&matrix.iter().copied().collect::<Vec<_>>())
}

fn products(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// How often class `i` was predicted to be class `j`, at `[i, j]`; the classes are those that occur, sorted.
///
/// # Errors
/// As [`accuracy_score`](super::accuracy_score); classes whose square has no room in memory.
pub fn confusion_matrix(y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<ConfusionMatrix> {
    let pairs = Classification::new().pairs(y_true, y_pred)?;
    Ok(ConfusionMatrix::new(pairs.classes().clone(), pairs.matrix(|_| 1)?, pairs.support()))
}

/// The mean over the classes of the share of their labels that were predicted.
///
/// # Errors
/// As [`accuracy_score`](super::accuracy_score).
pub fn balanced_accuracy_score(y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
    Classification::new().balanced_accuracy_score(y_true, y_pred)
}

/// The correlation of true and predicted classes, from -1 to 1; 0 where either is always the same.
///
/// # Errors
/// As [`accuracy_score`](super::accuracy_score).
pub fn matthews_corrcoef(y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
    Classification::new().matthews_corrcoef(y_true, y_pred)
}

/// How much more two lists of labels agree than chance would: 1 is always, 0 as chance. NaN where both are always the
/// same.
///
/// # Errors
/// As [`accuracy_score`](super::accuracy_score).
pub fn cohen_kappa_score(y1: impl ToLabels, y2: impl ToLabels) -> Result<f64> {
    Classification::new().cohen_kappa_score(y1, y2)
}

impl Classification {
    /// With what weight class `i` was predicted to be class `j`, at `[i, j]`; options `labels`, `sample_weight`.
    ///
    /// # Errors
    /// As [`confusion_matrix`] and [`ConfusionMatrix::labels`].
    pub fn confusion_matrix(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<ConfusionMatrix<f64>> {
        self.only("confusion_matrix", &["labels", "sample_weight"])?;
        self.confused(y_true, y_pred)
    }

    fn confused(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<ConfusionMatrix<f64>> {
        let pairs = self.pairs(y_true, y_pred)?;
        let matrix = ConfusionMatrix::new(pairs.classes().clone(), pairs.weighted_matrix()?, pairs.support());
        match self.given_labels()? {
            Some(labels) => matrix.labels(&*labels),
            None => Ok(matrix),
        }
    }

    /// The mean over the classes of the share of their labels that were predicted;
    /// [`adjusted(true)`](Classification::adjusted) makes it 0 for guesses.
    ///
    /// # Errors
    /// As [`accuracy_score`](super::accuracy_score); and the options must fit.
    pub fn balanced_accuracy_score(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
        self.only("balanced_accuracy_score", &["sample_weight", "adjusted"])?;
        let pairs = self.pairs(y_true, y_pred)?;
        let (right, truth) = match pairs.weights {
            // Weights are added up class by class.
            Some(_) => pairs.weighted_matrix().map(|matrix| (matrix.diag().to_vec(), rows(&matrix)))?,
            None => {
                let counts = pairs.counts();
                (counts.right, counts.truth)
            }
        };
        let shares = right.iter().zip(&truth).map(|(right, truth)| right / truth).filter(|share| !share.is_nan());
        let shares: Vec<f64> = shares.collect();
        let score = Precision::Double.average(&shares, None);
        let chance = 1.0 / shares.len() as f64;
        Ok(if self.adjusted == Some(true) { (score - chance) / (1.0 - chance) } else { score })
    }

    /// The correlation of true and predicted classes, from -1 to 1; 0 where either is always the same.
    ///
    /// # Errors
    /// As [`accuracy_score`](super::accuracy_score); and the options must fit.
    pub fn matthews_corrcoef(&self, y_true: impl ToLabels, y_pred: impl ToLabels) -> Result<f64> {
        self.only("matthews_corrcoef", &["sample_weight"])?;
        let pairs = self.pairs(y_true, y_pred)?;
        let (right, truth, predicted) = match pairs.weights {
            Some(_) => {
                pairs.weighted_matrix().map(|matrix| (matrix.diag().to_vec(), rows(&matrix), columns(&matrix)))?
            }
            None => {
                let counts = pairs.counts();
                (counts.right, counts.truth, counts.predicted)
            }
        };
        let (right, all) = (Precision::Double.sum(&right), Precision::Double.sum(&predicted));
        let both = right * all - products(&truth, &predicted);
        let spread = (all * all - products(&predicted, &predicted)) * (all * all - products(&truth, &truth));
        Ok(if spread == 0.0 { 0.0 } else { both / spread.sqrt() })
    }

    /// How much more two lists of labels agree than chance would; options `labels`, [`weights`](Classification::weights),
    /// `sample_weight`, `replace_undefined_by`.
    ///
    /// # Errors
    /// As [`confusion_matrix`]; and the options must fit.
    pub fn cohen_kappa_score(&self, y1: impl ToLabels, y2: impl ToLabels) -> Result<f64> {
        self.only("cohen_kappa_score", &["labels", "weights", "sample_weight", "replace_undefined_by"])?;
        let undefined = self.undefined.unwrap_or(f64::NAN);
        if !(undefined.is_nan() || (-1.0..=1.0).contains(&undefined)) {
            return Err(Error::usage(format!("`replace_undefined_by` must be from -1 to 1, or NaN, got {undefined}")));
        }
        let matrix = self.confused(y1, y2)?.into_array();
        let (first, second) = (columns(&matrix), rows(&matrix));
        let all = Precision::Double.sum(&first);
        if all == 0.0 {
            return Ok(undefined);
        }
        let apart = |i: usize, j: usize| match self.disagreement {
            None => f64::from(i != j),
            Some(Disagreement::Linear) => i.abs_diff(j) as f64,
            Some(Disagreement::Quadratic) => (i.abs_diff(j) as f64).powi(2),
        };
        let weighed = |cell: &dyn Fn(usize, usize) -> f64| {
            total(&Array2::from_shape_fn(matrix.dim(), |(i, j)| apart(i, j) * cell(i, j)))
        };
        let seen = weighed(&|i, j| matrix[[i, j]]);
        let expected = weighed(&|i, j| first[i] * second[j] / all);
        Ok(if expected == 0.0 { undefined } else { 1.0 - seen / expected })
    }
}
