//! The labels of the rows: what pandas calls an Index.

use std::ops::Range;

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
    Values(Values),
}

impl Index {
    /// The labels 0, 1, 2, … of so many rows.
    pub fn range(rows: usize) -> Index {
        Index { labels: Labels::Range(0..rows), name: None }
    }

    /// These labels.
    pub fn new(labels: impl Into<Values>) -> Index {
        Index { labels: Labels::Values(labels.into()), name: None }
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

    /// The labels in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value<'_>> {
        (0..self.len()).map(|position| self.get(position))
    }

    /// The labels as values of a column.
    pub fn values(&self) -> Values {
        match &self.labels {
            Labels::Range(range) => Values::Int(range.clone().map(|label| label as i64).collect()),
            Labels::Values(values) => values.clone(),
        }
    }

    /// Whether the labels are numbers in a row from 0 on.
    pub fn is_range(&self) -> bool {
        matches!(&self.labels, Labels::Range(range) if range.start == 0)
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
        Index { labels: Labels::Values(labels), name: self.name.clone() }
    }

    /// The labels of the rows of a range, which must be within the table.
    pub(crate) fn slice(&self, rows: Range<usize>) -> Index {
        let labels = match &self.labels {
            Labels::Range(range) => Labels::Range(range.start + rows.start..range.start + rows.end),
            Labels::Values(values) => Labels::Values(values.take(&rows.collect::<Vec<_>>())),
        };
        Index { labels, name: self.name.clone() }
    }
}

/// Labels and names are equal, whatever holds them.
impl PartialEq for Index {
    fn eq(&self, other: &Index) -> bool {
        let same = |(a, b): (Value<'_>, Value<'_>)| a.key() == b.key();
        self.name == other.name && self.len() == other.len() && self.iter().zip(other.iter()).all(same)
    }
}
