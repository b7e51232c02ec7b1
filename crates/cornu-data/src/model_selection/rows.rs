//! What can be split: things with rows.

use cornu_array::Array;
use ndarray::{ArrayBase, Axis, Data, RemoveAxis};

use crate::{Column, Table};

/// Something with rows, of which some can be taken in any order.
pub trait Rows {
    /// What the rows that were taken are kept in.
    type Taken;

    /// The number of rows.
    fn row_count(&self) -> usize;

    /// The rows that `order` names, in that order.
    ///
    /// # Panics
    /// If an index is not below [`Rows::row_count`].
    fn take_rows(&self, order: &[usize]) -> Self::Taken;
}

impl<T: Clone> Rows for [T] {
    type Taken = Vec<T>;

    fn row_count(&self) -> usize {
        self.len()
    }

    fn take_rows(&self, order: &[usize]) -> Vec<T> {
        order.iter().map(|&row| self[row].clone()).collect()
    }
}

impl<T: Clone> Rows for Vec<T> {
    type Taken = Vec<T>;

    fn row_count(&self) -> usize {
        self.len()
    }

    fn take_rows(&self, order: &[usize]) -> Vec<T> {
        self.as_slice().take_rows(order)
    }
}

impl<T: Clone, const N: usize> Rows for [T; N] {
    type Taken = Vec<T>;

    fn row_count(&self) -> usize {
        N
    }

    fn take_rows(&self, order: &[usize]) -> Vec<T> {
        self.as_slice().take_rows(order)
    }
}

impl<R: Rows + ?Sized> Rows for &R {
    type Taken = R::Taken;

    fn row_count(&self) -> usize {
        R::row_count(self)
    }

    fn take_rows(&self, order: &[usize]) -> R::Taken {
        R::take_rows(self, order)
    }
}

/// Rows along the first axis; one number has none.
impl Rows for Array {
    type Taken = Array;

    fn row_count(&self) -> usize {
        self.shape().first().copied().unwrap_or(0)
    }

    fn take_rows(&self, order: &[usize]) -> Array {
        self.rows(order)
    }
}

/// Rows along the first axis, of arrays and of views.
impl<S: Data<Elem: Clone>, D: RemoveAxis> Rows for ArrayBase<S, D> {
    type Taken = ndarray::Array<S::Elem, D>;

    fn row_count(&self) -> usize {
        self.shape().first().copied().unwrap_or(0)
    }

    fn take_rows(&self, order: &[usize]) -> Self::Taken {
        self.select(Axis(0), order)
    }
}

impl Rows for Table {
    type Taken = Table;

    fn row_count(&self) -> usize {
        self.rows()
    }

    fn take_rows(&self, order: &[usize]) -> Table {
        self.take(order).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Rows for Column {
    type Taken = Column;

    fn row_count(&self) -> usize {
        self.len()
    }

    fn take_rows(&self, order: &[usize]) -> Column {
        self.take(order).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Several things with rows, as a tuple.
pub trait Several {
    /// For each of them the part to train on and the part to test on.
    type Parts;

    /// The number of rows of each.
    fn row_counts(&self) -> Vec<usize>;

    /// The rows to train on and the rows to test on, of each.
    ///
    /// # Panics
    /// If an index is not below [`Several::row_counts`].
    fn take_parts(&self, train: &[usize], test: &[usize]) -> Self::Parts;
}

macro_rules! several {
    ($($name:ident)*) => {
        impl<$($name: Rows),*> Several for ($($name,)*) {
            type Parts = ($(($name::Taken, $name::Taken),)*);

            #[expect(non_snake_case, reason = "each thing is called as its type")]
            fn row_counts(&self) -> Vec<usize> {
                let ($($name,)*) = self;
                vec![$($name.row_count()),*]
            }

            #[expect(non_snake_case, reason = "each thing is called as its type")]
            fn take_parts(&self, train: &[usize], test: &[usize]) -> Self::Parts {
                let ($($name,)*) = self;
                ($(($name.take_rows(train), $name.take_rows(test)),)*)
            }
        }
    };
}

several!(A);
several!(A B);
several!(A B C);
several!(A B C D);
several!(A B C D E);
several!(A B C D E F);
