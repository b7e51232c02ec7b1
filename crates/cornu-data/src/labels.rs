//! Labels of any kind: the classes that occur, in scikit-learn's order, and the class of each row.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use cornu_array::{Array, Buffer, Error, Result};
use ndarray::{ArrayBase, Data, Dimension};

use super::{Column, Index, Table, Value, Values, print};

mod gather;

pub use gather::Label;
pub(crate) use gather::gathered;

/// The classes that occur among labels, and which of them each row is of.
///
/// ```
/// use cornu_data::{Labels, ToLabels, Value};
///
/// let labels = ["no", "yes", "no"].to_labels()?;
/// assert_eq!((labels.codes(), labels.count()), (&[0, 1, 0][..], 2));
/// assert_eq!(labels.class(1), Value::Text("yes"));
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    classes: Values,
    codes: Vec<usize>,
}

impl Labels {
    /// The classes among `values`: numbers ascending, text by code point, false before true, what is missing last. NaN
    /// is one class, and so are zero and its negative. Categories are the values they stand for.
    pub fn of<'v>(values: &'v Values) -> Labels {
        if let Values::Category(category) = values {
            return Labels::of(&category.plain());
        }
        let (mut seen, mut first) = (HashMap::new(), Vec::new());
        let class = |(row, value): (usize, Value<'v>)| {
            *seen.entry(value.key()).or_insert_with(|| {
                first.push(row);
                first.len() - 1
            })
        };
        let codes: Vec<usize> = values.iter().enumerate().map(class).collect();
        let mut order: Vec<usize> = (0..first.len()).collect();
        order.sort_by(|&a, &b| compare(values.get(first[a]), values.get(first[b])));
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, &class)| places[class] = place);
        let classes = values.take(&order.iter().map(|&class| first[class]).collect::<Vec<_>>());
        let classes = match classes {
            // The negative zero may have come first.
            Values::Float(classes) => Values::Float(classes.into_iter().map(|class| class + 0.0).collect()),
            Values::Float32(classes) => Values::Float32(classes.into_iter().map(|class| class + 0.0).collect()),
            classes => classes,
        };
        Labels { classes, codes: codes.into_iter().map(|class| places[class]).collect() }
    }

    /// The class of each row, by its place among [`Labels::classes`].
    pub fn codes(&self) -> &[usize] {
        &self.codes
    }

    /// The classes, all different, in order.
    pub fn classes(&self) -> &Values {
        &self.classes
    }

    /// The class of that code.
    ///
    /// # Panics
    /// If `code` is not below [`Labels::count`].
    pub fn class(&self, code: usize) -> Value<'_> {
        self.classes.get(code)
    }

    /// The number of classes.
    pub fn count(&self) -> usize {
        self.classes.len()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Whether a label is missing: NaN, or a text that is not there.
    pub fn has_missing(&self) -> bool {
        self.count().checked_sub(1).is_some_and(|last| self.class(last).is_missing())
    }

    /// The code of a class, if there are rows of it; 1, 1.0 and true are one class.
    pub fn code(&self, class: Value<'_>) -> Option<usize> {
        find(&self.classes, class)
    }

    /// The labels that have these codes.
    ///
    /// # Errors
    /// Codes must be below [`Labels::count`].
    pub fn of_codes(&self, codes: &[usize]) -> Result<Values> {
        match codes.iter().position(|&code| code >= self.count()) {
            Some(row) => {
                let (count, got) = (self.count(), codes[row]);
                Err(Error::data(format!(
                    "labels need codes below {count}, the number of classes, got {got} in row {row}"
                )))
            }
            None => Ok(self.classes.take(codes)),
        }
    }

    /// Both lists of labels over the classes that occur in either; errors call them by `names`. The classes are of the
    /// first list's kind if it has all of them, else of one that holds both.
    ///
    /// # Errors
    /// Text is not compared with numbers, nor either with moments.
    pub fn joint(names: [&str; 2], first: &Labels, second: &Labels) -> Result<(Labels, Labels)> {
        let (needed, got) = (kind(&first.classes), kind(&second.classes));
        if needed != got && !first.is_empty() && !second.is_empty() {
            let [one, two] = names;
            let (has, other) = (shown(first.class(0)), shown(second.class(0)));
            let message = format!("`{two}` needs {needed} as `{one}` has (as {has}), got {got} (as {other})");
            return Err(Error::data(message).help("`LabelEncoder` turns classes into numbers, and back into classes"));
        }
        let classes = if second.classes.iter().all(|class| first.code(class).is_some()) {
            first.classes.clone()
        } else {
            // Lists of one kind have one that holds both.
            gathered(|| first.classes.iter().chain(second.classes.iter())).map(|all| Labels::of(&all).classes)?
        };
        let over = |labels: &Labels| {
            let places: Vec<usize> =
                labels.classes.iter().map(|class| find(&classes, class).unwrap_or_default()).collect();
            Labels { codes: labels.codes.iter().map(|&code| places[code]).collect(), classes: classes.clone() }
        };
        Ok((over(first), over(second)))
    }
}

/// What can be compared with each other.
fn kind(classes: &Values) -> &'static str {
    match classes {
        Values::Text(_) => "text",
        Values::Date(_) => "moments",
        Values::Object(_) => "values of several kinds",
        Values::Category(category) => kind(&category.categories),
        Values::Float(_) | Values::Float32(_) | Values::Int(_) | Values::Bool(_) | Values::Truth(_) => "numbers",
    }
}

/// A label in a message: text between quotes, as Python shows it.
pub(crate) fn shown(label: Value<'_>) -> String {
    match label {
        Value::Text(text) => format!("'{text}'"),
        label => print::label(label),
    }
}

/// The order of labels: numbers by size, then moments, then text by code point; what is missing comes last.
pub(crate) fn compare(a: Value<'_>, b: Value<'_>) -> Ordering {
    let rank = |value: Value<'_>| match value {
        missing if missing.is_missing() => 3,
        Value::Text(_) => 2,
        Value::Date(_) => 1,
        _ => 0,
    };
    let whole = |value| if let Value::Int(whole) = value { Some(whole) } else { None };
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(&b),
        _ => match (whole(a), whole(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.to_f64().partial_cmp(&b.to_f64()).unwrap_or(Ordering::Equal),
        },
    })
}

/// Where a value is among values in order.
pub(crate) fn find(sorted: &Values, value: Value<'_>) -> Option<usize> {
    let (mut low, mut high) = (0, sorted.len());
    while low < high {
        let middle = low.midpoint(high);
        match compare(sorted.get(middle), value) {
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
            Ordering::Equal => return Some(middle),
        }
    }
    None
}

/// Whatever holds a label for each row: columns, tables of one column, arrays `[n]` or `[n, 1]`, slices and vectors of
/// numbers, truth values or text, any of which may be missing.
pub trait ToLabels {
    /// The label of each row.
    ///
    /// # Errors
    /// There must be one label in each row.
    fn label_values(&self) -> Result<Arc<Values>>;

    /// The labels as a column; a column keeps its name and row labels.
    ///
    /// # Errors
    /// There must be one label in each row.
    fn label_column(&self) -> Result<Column> {
        let values = self.label_values()?;
        let index = Arc::new(Index::range(values.len()));
        Ok(Column { name: String::new(), values, index, first_text: None })
    }

    /// The classes that occur, and which of them each row is of.
    ///
    /// # Errors
    /// There must be one label in each row.
    fn to_labels(&self) -> Result<Labels> {
        Ok(Labels::of(&*self.label_values()?))
    }

    /// All labels row by row, where a row may hold several, and the sizes of the axes.
    ///
    /// # Errors
    /// Rows must be equally long.
    fn shaped_values(&self) -> Result<(Vec<usize>, Arc<Values>)> {
        self.label_values().map(|values| (vec![values.len()], values))
    }
}

fn several(width: impl std::fmt::Display) -> Error {
    Error::data(format!("one label is needed in each row, got {width}"))
        .help("of one score for each class, take the greatest: `argmax(&y_pred)?`")
}

impl ToLabels for Values {
    fn label_values(&self) -> Result<Arc<Values>> {
        Ok(Arc::new(self.clone()))
    }
}

impl ToLabels for Labels {
    fn label_values(&self) -> Result<Arc<Values>> {
        Ok(Arc::new(self.classes.take(&self.codes)))
    }

    fn to_labels(&self) -> Result<Labels> {
        Ok(self.clone())
    }
}

impl ToLabels for Column {
    fn label_values(&self) -> Result<Arc<Values>> {
        Ok(Arc::clone(&self.values))
    }

    fn label_column(&self) -> Result<Column> {
        Ok(self.clone())
    }
}

impl ToLabels for Table {
    fn label_values(&self) -> Result<Arc<Values>> {
        match self.columns() {
            [column] => column.label_values(),
            columns => Err(several(format!("{} columns", columns.len()))),
        }
    }

    fn shaped_values(&self) -> Result<(Vec<usize>, Arc<Values>)> {
        match self.columns() {
            [column] => Ok((vec![column.len(), 1], column.label_values()?)),
            _ => self.to_array()?.shaped_values(),
        }
    }

    fn label_column(&self) -> Result<Column> {
        self.label_values()?;
        Ok(self.columns()[0].clone())
    }
}

impl ToLabels for Array {
    fn label_values(&self) -> Result<Arc<Values>> {
        match self.shape()[..] {
            [_] | [_, 1] => {}
            _ => return Err(several(self.ty())),
        }
        self.shaped_values().map(|(_, values)| values)
    }

    fn shaped_values(&self) -> Result<(Vec<usize>, Arc<Values>)> {
        let values = match self.buffer() {
            Buffer::Bool(labels) => Values::Bool(labels.to_vec()),
            Buffer::F32(labels) => Values::Float32(labels.to_vec()),
            Buffer::F64(labels) => Values::Float(labels.to_vec()),
            half if half.dtype().is_half() => Values::Float32(self.to_vec()),
            _ => Values::Int(self.to_vec()),
        };
        Ok((self.shape().to_vec(), Arc::new(values)))
    }
}

impl<T: ToLabels + ?Sized> ToLabels for &T {
    fn label_values(&self) -> Result<Arc<Values>> {
        T::label_values(self)
    }

    fn label_column(&self) -> Result<Column> {
        T::label_column(self)
    }

    fn to_labels(&self) -> Result<Labels> {
        T::to_labels(self)
    }

    fn shaped_values(&self) -> Result<(Vec<usize>, Arc<Values>)> {
        T::shaped_values(self)
    }
}

impl<T: Label> ToLabels for [T] {
    fn label_values(&self) -> Result<Arc<Values>> {
        T::gather(&mut self.iter()).map(Arc::new)
    }

    fn shaped_values(&self) -> Result<(Vec<usize>, Arc<Values>)> {
        T::flatten(&mut self.iter()).map(|(shape, values)| (shape, Arc::new(values)))
    }
}

impl<T: Label> ToLabels for Vec<T> {
    fn label_values(&self) -> Result<Arc<Values>> {
        self[..].label_values()
    }

    fn shaped_values(&self) -> Result<(Vec<usize>, Arc<Values>)> {
        self[..].shaped_values()
    }
}

impl<T: Label, const N: usize> ToLabels for [T; N] {
    fn label_values(&self) -> Result<Arc<Values>> {
        self[..].label_values()
    }

    fn shaped_values(&self) -> Result<(Vec<usize>, Arc<Values>)> {
        self[..].shaped_values()
    }
}

impl<S: Data<Elem: Label>, D: Dimension> ToLabels for ArrayBase<S, D> {
    fn label_values(&self) -> Result<Arc<Values>> {
        match self.shape() {
            [_] | [_, 1] => S::Elem::gather(&mut self.iter()).map(Arc::new),
            shape => Err(several(format!("an array of shape {shape:?}"))),
        }
    }

    fn shaped_values(&self) -> Result<(Vec<usize>, Arc<Values>)> {
        S::Elem::gather(&mut self.iter()).map(|values| (self.shape().to_vec(), Arc::new(values)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each list: what classes come out, as scikit-learn 1.9's `LabelEncoder` gives them, and the codes.
    #[test]
    fn classes_come_in_the_order_of_scikit_learn() {
        let check = |labels: &dyn ToLabels, classes: &str, codes: &[usize]| {
            let labels = labels.to_labels().unwrap();
            let names: Vec<String> = labels.classes().iter().map(shown).collect();
            assert_eq!((names.join(" ").as_str(), labels.codes()), (classes, codes));
        };
        check(&[10, -3, 10, 2], "-3 2 10", &[2, 0, 2, 1]);
        check(&[true, false], "False True", &[1, 0]);
        check(&[2.5, f64::NAN, -0.0, 0.0, f64::NEG_INFINITY, f64::NAN], "-inf 0.0 2.5 nan", &[2, 3, 1, 1, 0, 3]);
        check(&["b", "é", "B", "", "b"], "'' 'B' 'b' 'é'", &[2, 3, 1, 0, 2]);
        check(&vec![Some("b"), None, Some("a")], "'a' 'b' NaN", &[1, 2, 0]);
        check(&[Some(true), None, Some(false)], "False True NaN", &[1, 2, 0]);
        check(&[[1u8], [0]], "0 1", &[1, 0]);
        check(&Array::new([2, 1], vec![1.5f32, 0.5]).unwrap(), "0.5 1.5", &[1, 0]);
        check(&ndarray::array![3u64, 1].view(), "1 3", &[1, 0]);
        check(&Column::new("y", vec!["x", "w"]), "'w' 'x'", &[1, 0]);
        check(&[Some(3), None, Some(1)], "1.0 3.0 nan", &[1, 2, 0]);
        let category = Values::Category(crate::Category {
            codes: vec![Some(1), None, Some(0)],
            categories: Arc::new(vec!["low", "high"].into()),
            ordered: true,
        });
        check(&category, "'high' 'low' NaN", &[0, 2, 1]);
    }

    #[test]
    fn labels_side_by_side_have_the_classes_of_both() {
        let joint = |a: &dyn ToLabels, b: &dyn ToLabels| {
            Labels::joint(["y_true", "y_pred"], &a.to_labels().unwrap(), &b.to_labels().unwrap())
        };
        let (a, b) = joint(&["b", "a"], &["c", "b"]).unwrap();
        assert_eq!((a.codes(), b.codes()), (&[1, 0][..], &[2, 1][..]));
        assert_eq!((a.classes(), a.classes()), (b.classes(), &vec!["a", "b", "c"].into()));
        // Predicted classes that are all known leave the kind of the true ones; others make it one that holds both.
        assert_eq!(joint(&[0, 1], &[1.0, 1.0]).unwrap().1.classes(), &vec![0, 1].into());
        assert_eq!(joint(&[0, 1], &[1.0, 2.0]).unwrap().1.classes(), &vec![0.0, 1.0, 2.0].into());
        assert_eq!(joint(&[false, true], &[0, 2]).unwrap().1.classes(), &vec![0, 1, 2].into());
        let error = joint(&["no", "yes"], &[0, 1]).unwrap_err();
        assert_eq!(error.message(), "`y_pred` needs text as `y_true` has (as 'no'), got numbers (as 0)");
    }

    #[test]
    fn codes_are_classes_again() {
        let labels = [5.0, 7.0].to_labels().unwrap();
        assert_eq!((labels.code(Value::Int(7)), labels.code(Value::Text("7"))), (Some(1), None));
        assert_eq!(labels.of_codes(&[1, 1, 0]).unwrap(), vec![7.0, 7.0, 5.0].into());
        let error = labels.of_codes(&[0, 2]).unwrap_err();
        assert_eq!(error.message(), "labels need codes below 2, the number of classes, got 2 in row 1");
        assert!([f64::NAN].to_labels().unwrap().has_missing() && !Vec::<i64>::new().to_labels().unwrap().has_missing());
        assert_eq!(Vec::<&str>::new().to_labels().unwrap().count(), 0);
    }

    #[test]
    fn rows_of_more_than_a_label_are_refused() {
        let refused = |labels: &dyn ToLabels| labels.to_labels().unwrap_err().message().to_owned();
        assert_eq!(refused(&[[0.5, 0.5]]), "one label is needed in each row, got 2");
        assert_eq!(refused(&vec![vec![1], vec![]]), "one label is needed in each row, got 0");
        assert_eq!(refused(&Array::new([1, 2], vec![0, 1]).unwrap()), "one label is needed in each row, got i32[1,2]");
        let table = Table::new([("a", vec![1]), ("b", vec![2])]).unwrap();
        assert_eq!(refused(&table), "one label is needed in each row, got 2 columns");
        assert_eq!(refused(&[u64::MAX]), format!("labels need whole numbers up to {}, got {}", i64::MAX, u64::MAX));
    }
}
