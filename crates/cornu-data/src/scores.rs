//! How well classes were predicted: scikit-learn's scores over pairs of labels.

use cornu_graph::room::has_room;
use cornu_graph::{DType, Error, Result};
use ndarray::{Array2, ArrayD, ArrayView1, Axis};

use super::stats::sum;
use super::{ToArray, from_array};

/// The share of labels that were predicted right.
///
/// Labels are integers, booleans, or floats with whole values; `[n]` or `[n, 1]`.
///
/// ```
/// use cornu_data::accuracy_score;
///
/// assert_eq!(accuracy_score(&[0, 1, 1, 0], &[0.0, 1.0, 0.0, 0.0])?, 0.75);
/// # Ok::<(), cornu_graph::Error>(())
/// ```
///
/// # Errors
/// Both must hold labels, and as many; probabilities are to be rounded first.
pub fn accuracy_score(y_true: impl ToArray, y_pred: impl ToArray) -> Result<f64> {
    Ok(Counts::of(y_true, y_pred)?.accuracy())
}

/// How often class `i` was predicted to be class `j`, at `[i, j]`; the classes are those that occur, sorted.
///
/// # Errors
/// As [`accuracy_score`]; classes whose square has no room in memory.
pub fn confusion_matrix(y_true: impl ToArray, y_pred: impl ToArray) -> Result<Array2<usize>> {
    let Pairs { labels, places, .. } = Pairs::of(y_true, y_pred)?;
    let classes = labels.len();
    if !has_room::<usize>(&[classes, classes]) {
        let message = format!("`confusion_matrix` has no room for {classes} by {classes} classes");
        return Err(Error::data(message).help("are these numbers really classes?"));
    }
    let mut matrix = Array2::zeros((classes, classes));
    places.into_iter().for_each(|place| matrix[place] += 1);
    Ok(matrix)
}

/// The place of the greatest number along the last axis, the first of several: the class that the scores or probabilities
/// `[.., classes]` speak for, `[..]`. NumPy's `argmax(x, axis=-1)`.
///
/// ```
/// use cornu_data::argmax;
///
/// assert_eq!(argmax([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]])?, ndarray::array![1, 0].into_dyn());
/// # Ok::<(), cornu_graph::Error>(())
/// ```
///
/// # Errors
/// There must be a number along the last axis.
pub fn argmax(x: impl ToArray) -> Result<ArrayD<i64>> {
    let x = from_array::<f64>(&x.into_array()?);
    let last = x.ndim().checked_sub(1).filter(|&last| x.len_of(Axis(last)) > 0);
    let last = last.ok_or_else(|| Error::data(format!("`argmax` needs a number in each row, got {:?}", x.shape())))?;
    // Not-a-number is the greatest, as in NumPy.
    let above = |a: f64, b: f64| a > b || a.is_nan() && !b.is_nan();
    let place =
        |row: ArrayView1<'_, f64>| (1..row.len()).fold(0, |best, i| if above(row[i], row[best]) { i } else { best });
    Ok(x.map_axis(Axis(last), |row| place(row) as i64))
}

/// How the scores of the classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The score of class 1; there must be no classes but 0 and 1.
    Binary,
    /// The score over all labels at once, which is their accuracy.
    Micro,
    /// The mean over the classes.
    Macro,
    /// The mean over the classes, each weighted by how often it is true.
    Weighted,
}

/// Of the labels predicted to be of a class, the share that are. Zero where a class was never predicted.
///
/// # Errors
/// As [`accuracy_score`]; for [`Average::Binary`] the only classes must be 0 and 1.
pub fn precision_score(y_true: impl ToArray, y_pred: impl ToArray, average: Average) -> Result<f64> {
    Counts::of(y_true, y_pred)?.averaged(average, Counts::precision)
}

/// Of the labels of a class, the share predicted to be. Zero where a class never occurs.
///
/// # Errors
/// As [`precision_score`].
pub fn recall_score(y_true: impl ToArray, y_pred: impl ToArray, average: Average) -> Result<f64> {
    Counts::of(y_true, y_pred)?.averaged(average, Counts::recall)
}

/// The harmonic mean of precision and recall. Zero where both are.
///
/// # Errors
/// As [`precision_score`].
pub fn f1_score(y_true: impl ToArray, y_pred: impl ToArray, average: Average) -> Result<f64> {
    Counts::of(y_true, y_pred)?.averaged(average, Counts::f1)
}

/// Labels side by side.
struct Pairs {
    /// The classes that occur, sorted.
    labels: Vec<i64>,
    kind: Kind,
    /// Of each row the true class and the predicted one, by their places among the labels.
    places: Vec<[usize; 2]>,
}

/// Labels side by side, counted. All scores follow from these counts.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    /// The classes that occur, sorted.
    pub(super) labels: Vec<i64>,
    /// How the labels are written.
    pub(super) kind: Kind,
    classes: Vec<Class>,
    total: usize,
}

/// How often a class was predicted right, is true, and was predicted.
#[derive(Clone, Copy, Debug, Default)]
struct Class {
    right: usize,
    support: usize,
    predicted: usize,
}

/// What labels were given as, and are printed as: as the true ones, unless others were predicted; then the later of the
/// two kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Bool,
    Int,
    Float,
}

impl Pairs {
    fn of(y_true: impl ToArray, y_pred: impl ToArray) -> Result<Pairs> {
        let (truth, kind) = labels("y_true", y_true)?;
        let (predicted, predicted_kind) = labels("y_pred", y_pred)?;
        if truth.len() != predicted.len() {
            let (needed, got) = (truth.len(), predicted.len());
            return Err(Error::data(format!("`y_pred` needs {needed} labels as `y_true` has, got {got}")));
        }
        if truth.is_empty() {
            return Err(Error::data("`y_true` needs at least one label, got none"));
        }
        let known = classes(truth.clone());
        let labels = classes([&truth[..], &predicted].concat());
        let kind = if known.len() == labels.len() { kind } else { kind.max(predicted_kind) };
        let place = |label: i64| labels.partition_point(|&other| other < label);
        let places = truth.iter().zip(&predicted).map(|(&t, &p)| [place(t), place(p)]).collect();
        Ok(Pairs { labels, kind, places })
    }
}

/// The labels that occur, sorted.
fn classes(mut labels: Vec<i64>) -> Vec<i64> {
    labels.sort_unstable();
    labels.dedup();
    labels
}

impl Counts {
    pub(super) fn of(y_true: impl ToArray, y_pred: impl ToArray) -> Result<Counts> {
        let Pairs { labels, kind, places } = Pairs::of(y_true, y_pred)?;
        let mut classes = vec![Class::default(); labels.len()];
        for &[truth, predicted] in &places {
            classes[truth].support += 1;
            classes[predicted].predicted += 1;
            classes[truth].right += usize::from(truth == predicted);
        }
        Ok(Counts { labels, kind, classes, total: places.len() })
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn accuracy(&self) -> f64 {
        self.all_right() as f64 / self.total() as f64
    }

    /// How often a label was predicted right.
    pub(super) fn all_right(&self) -> usize {
        self.classes.iter().map(|class| class.right).sum()
    }

    fn right(&self, class: usize) -> usize {
        self.classes[class].right
    }

    /// How often the class is true.
    pub(super) fn support(&self, class: usize) -> usize {
        self.classes[class].support
    }

    /// How often the class was predicted.
    pub(super) fn predicted(&self, class: usize) -> usize {
        self.classes[class].predicted
    }

    pub(super) fn precision(&self, class: usize, undefined: f64) -> f64 {
        ratio(self.right(class), self.predicted(class), undefined)
    }

    pub(super) fn recall(&self, class: usize, undefined: f64) -> f64 {
        ratio(self.right(class), self.support(class), undefined)
    }

    pub(super) fn f1(&self, class: usize, undefined: f64) -> f64 {
        ratio(2 * self.right(class), self.support(class) + self.predicted(class), undefined)
    }

    /// The mean over the classes, weighted by `weight`; undefined scores that are NaN are left out. Weights that are all
    /// zero do not count.
    pub(super) fn mean(&self, score: impl Fn(usize) -> f64, weight: impl Fn(usize) -> f64) -> f64 {
        let scores = (0..self.labels.len()).map(|class| (score(class), weight(class)));
        let (scores, weights): (Vec<f64>, Vec<f64>) = scores.filter(|(score, _)| !score.is_nan()).unzip();
        if weights.iter().all(|&weight| weight == 0.0) {
            return sum(&scores) / scores.len() as f64;
        }
        let products: Vec<f64> = scores.iter().zip(&weights).map(|(score, weight)| score * weight).collect();
        sum(&products) / sum(&weights)
    }

    fn averaged(&self, average: Average, score: fn(&Counts, usize, f64) -> f64) -> Result<f64> {
        let score = |class| score(self, class, 0.0);
        match average {
            Average::Micro => Ok(self.accuracy()),
            Average::Macro => Ok(self.mean(score, |_| 1.0)),
            Average::Weighted => Ok(self.mean(score, |class| self.support(class) as f64)),
            Average::Binary => match self.labels.iter().find(|&&label| label != 0 && label != 1) {
                Some(label) => Err(Error::data(format!("`Average::Binary` needs the classes 0 and 1, got {label}"))
                    .help("choose `Average::Macro`, `Average::Weighted` or `Average::Micro`")),
                None => Ok(self.labels.iter().position(|&label| label == 1).map_or(0.0, score)),
            },
        }
    }

    /// A label as it was given.
    pub(super) fn name(&self, class: usize) -> String {
        let label = self.labels[class];
        match self.kind {
            Kind::Bool => (if label == 0 { "False" } else { "True" }).into(),
            Kind::Int => label.to_string(),
            Kind::Float => format!("{label}.0"),
        }
    }
}

fn ratio(part: usize, whole: usize, undefined: f64) -> f64 {
    if whole == 0 { undefined } else { part as f64 / whole as f64 }
}

/// The labels of `y`, `[n]` or `[n, 1]`.
fn labels(name: &str, y: impl ToArray) -> Result<(Vec<i64>, Kind)> {
    let y = y.into_array()?;
    match y.shape()[..] {
        [_] | [_, 1] => {}
        _ => {
            return Err(Error::data(format!("`{name}` needs one label in a row, got {}", y.ty()))
                .help("of one score for each class, take the greatest: `argmax(&y_pred)?`"));
        }
    }
    let kind = match y.dtype() {
        DType::Bool => Kind::Bool,
        dtype if dtype.is_float() => Kind::Float,
        _ => Kind::Int,
    };
    let fraction = |&row: &usize| y.get(row).fract() != 0.0;
    if let Some(row) = (0..y.len()).find(|row| kind == Kind::Float && fraction(row)) {
        let value = y.get(row);
        let error = Error::data(format!("`{name}` needs class labels, got the continuous value {value} in row {row}"));
        return Err(error.help("round probabilities first: `y_pred.round()`"));
    }
    Ok((y.to_vec(), kind))
}
