//! The labels of the rows: what pandas calls an Index.

use std::ops::Range;
use std::sync::Arc;

use cornu_array::{Error, Result};

use super::{Value, Values, print};

/// The labels of the rows. They stay with their rows when rows are selected or put in another order.
#[derive(Clone, Debug)]
pub struct Index {
    labels: Labels,
    name: Option<String>,
}

#[derive(Clone, Debug)]
enum Labels {
    /// The number of each row in the table it was read into.
    Range(Range<usize>),
    /// Values of any kind.
    Values(Arc<Values>),
}

impl Index {
    /// The labels 0, 1, 2, … of so many rows.
    pub fn range(rows: usize) -> Index {
        Index { labels: Labels::Range(0..rows), name: None }
    }

    /// These labels.
    pub fn new(labels: impl Into<Values>) -> Index {
        Index::shared(Arc::new(labels.into()))
    }

    /// These labels, which a column may hold too.
    pub(crate) fn shared(labels: Arc<Values>) -> Index {
        Index { labels: Labels::Values(labels), name: None }
    }

    /// The same labels under this name, or under none.
    pub(crate) fn with_name(self, name: Option<String>) -> Index {
        Index { name, ..self }
    }

    /// The same labels under this name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Index {
        Index { name: Some(name.into()), ..self }
    }

    /// The name of the labels.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match &self.labels {
            Labels::Range(range) => range.len(),
            Labels::Values(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The label of the row at `position`.
    ///
    /// # Panics
    /// If `position` is not below [`Index::len`].
    pub fn get(&self, position: usize) -> Value<'_> {
        match &self.labels {
            Labels::Range(range) => {
                assert!(position < range.len(), "no row {position} among {}", range.len());
                Value::Int((range.start + position) as i64)
            }
            Labels::Values(values) => values.get(position),
        }
    }

    /// Whether there is a label for each of so many rows.
    pub(crate) fn check_rows(&self, rows: usize) -> Result<()> {
        match self.len() {
            labels if labels == rows => Ok(()),
            labels => Err(Error::usage(format!("an index needs {rows} labels, one for each row, got {labels}"))),
        }
    }

    /// The labels in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value<'_>> {
        (0..self.len()).map(|position| self.get(position))
    }

    /// The labels as values of a column.
    pub fn values(&self) -> Values {
        match &self.labels {
            Labels::Range(range) => Values::Int(range.clone().map(|label| label as i64).collect()),
            Labels::Values(values) => (**values).clone(),
        }
    }

    /// The labels as values that a column may share.
    pub(crate) fn to_shared(&self) -> Arc<Values> {
        match &self.labels {
            Labels::Range(_) => Arc::new(self.values()),
            Labels::Values(values) => Arc::clone(values),
        }
    }

    /// First label and step, if the labels are whole numbers in even steps: what pandas keeps as a `RangeIndex`.
    pub(crate) fn steps(&self) -> Option<(i64, i64)> {
        match &self.labels {
            Labels::Range(range) => Some((range.start as i64, 1)),
            Labels::Values(values) => match &**values {
                Values::Int(labels) => {
                    let first = *labels.first()?;
                    let step = labels.get(1).map_or(1, |second| second.wrapping_sub(first));
                    let even = |pair: &[i64]| pair[1].wrapping_sub(pair[0]) == step;
                    (step != 0 && labels.windows(2).all(even)).then_some((first, step))
                }
                _ => None,
            },
        }
    }

    /// Whether the labels are numbers in a row from 0 on.
    pub fn is_range(&self) -> bool {
        matches!(&self.labels, Labels::Range(range) if range.start == 0)
    }

    /// Whether the labels are equal, whatever their names.
    pub(crate) fn same_labels(&self, other: &Index) -> bool {
        if let (Labels::Range(a), Labels::Range(b)) = (&self.labels, &other.labels) {
            return a == b || a.is_empty() && b.is_empty();
        }
        let same = |(a, b): (Value<'_>, Value<'_>)| a.key() == b.key();
        self.len() == other.len() && self.iter().zip(other.iter()).all(same)
    }

    /// The label of the row at `position`, as text.
    pub(crate) fn label(&self, position: usize) -> String {
        print::label(self.get(position))
    }

    /// The labels of the rows at `positions`, all of which must be within the table.
    pub(crate) fn take(&self, positions: &[usize]) -> Index {
        let labels = match &self.labels {
            Labels::Range(range) => Values::Int(positions.iter().map(|&row| (range.start + row) as i64).collect()),
            Labels::Values(values) => values.take(positions),
        };
        Index::new(labels).with_name(self.name.clone())
    }

    /// The labels of the rows of a range, which must be within the table.
    pub(crate) fn slice(&self, rows: Range<usize>) -> Index {
        let labels = match &self.labels {
            Labels::Range(range) => Labels::Range(range.start + rows.start..range.start + rows.end),
            Labels::Values(values) => Labels::Values(Arc::new(values.slice(rows))),
        };
        Index { labels, name: self.name.clone() }
    }
}

/// Labels and names are equal, whatever holds them.
impl PartialEq for Index {
    fn eq(&self, other: &Index) -> bool {
        self.name == other.name && self.same_labels(other)
    }
}
