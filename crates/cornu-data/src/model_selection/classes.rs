//! The classes that rows belong to.

use std::cmp::Ordering;

use cornu_graph::Array;
use ndarray::{ArrayBase, Data, Ix1};

use crate::{Column, Values};

/// The class of each row, numbered from 0 in the order of the labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    codes: Vec<usize>,
    count: usize,
}

impl Classes {
    /// The class of each row.
    pub fn codes(&self) -> &[usize] {
        &self.codes
    }

    /// The number of different classes.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The rows of each class, in ascending order.
    pub(super) fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.count];
        self.codes.iter().enumerate().for_each(|(row, &class)| members[class].push(row));
        members
    }

    fn of<'a, T: Label + 'a>(labels: impl Iterator<Item = &'a T>) -> Classes {
        let labels: Vec<&T> = labels.collect();
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|&a, &b| labels[a].order(labels[b]));
        let mut codes = vec![0; labels.len()];
        let mut count = 0;
        for (position, &row) in order.iter().enumerate() {
            let is_new = position == 0 || labels[order[position - 1]].order(labels[row]) != Ordering::Equal;
            count += usize::from(is_new);
            codes[row] = count - 1;
        }
        Classes { codes, count }
    }
}

/// A label that tells classes apart and puts them in order.
pub trait Label {
    /// How two labels compare.
    fn order(&self, other: &Self) -> Ordering;
}

macro_rules! ordered_labels {
    ($($label:ty)*) => {
        $(impl Label for $label {
            fn order(&self, other: &Self) -> Ordering { self.cmp(other) }
        })*
    };
}
ordered_labels!(bool u8 u16 u32 u64 usize i8 i16 i32 i64 isize char &str String);

/// What is missing comes last.
impl<T: Ord> Label for Option<T> {
    fn order(&self, other: &Self) -> Ordering {
        (self.is_none(), self).cmp(&(other.is_none(), other))
    }
}

macro_rules! float_labels {
    ($($label:ty)*) => {
        // Adding zero makes -0 and 0 one class.
        $(impl Label for $label {
            fn order(&self, other: &Self) -> Ordering { (self + 0.0).total_cmp(&(other + 0.0)) }
        })*
    };
}
float_labels!(f32 f64);

impl From<&Classes> for Classes {
    fn from(classes: &Classes) -> Classes {
        classes.clone()
    }
}

impl<T: Label> From<&[T]> for Classes {
    fn from(labels: &[T]) -> Classes {
        Classes::of(labels.iter())
    }
}

impl<T: Label, const N: usize> From<&[T; N]> for Classes {
    fn from(labels: &[T; N]) -> Classes {
        Classes::of(labels.iter())
    }
}

impl<T: Label> From<&Vec<T>> for Classes {
    fn from(labels: &Vec<T>) -> Classes {
        Classes::of(labels.iter())
    }
}

impl<T: Label, S: Data<Elem = T>> From<&ArrayBase<S, Ix1>> for Classes {
    fn from(labels: &ArrayBase<S, Ix1>) -> Classes {
        Classes::of(labels.iter())
    }
}

/// Each value is a label; those that are missing are one class, the last.
impl From<&Column> for Classes {
    fn from(labels: &Column) -> Classes {
        match labels.values() {
            Values::Float(labels) => Classes::from(labels),
            Values::Float32(labels) => Classes::from(labels),
            Values::Int(labels) | Values::Date(labels) => Classes::from(labels),
            Values::Bool(labels) => Classes::from(labels),
            Values::Truth(labels) => Classes::of(labels.iter()),
            Values::Text(labels) => Classes::of(labels.iter().collect::<Vec<_>>().iter()),
            Values::Object(labels) => {
                let texts: Vec<String> = labels.iter().map(ToString::to_string).collect();
                Classes::of(texts.iter().map(String::as_str).collect::<Vec<_>>().iter())
            }
            // Those of categories come in the order of their labels, as NumPy sorts them.
            Values::Category(category) => Classes::from(&labels.with_values(category.plain())),
        }
    }
}

impl From<&&Column> for Classes {
    fn from(labels: &&Column) -> Classes {
        Classes::from(*labels)
    }
}

/// Each element is a label.
impl From<&Array> for Classes {
    fn from(labels: &Array) -> Classes {
        Classes::from(&labels.to_vec::<f64>())
    }
}
