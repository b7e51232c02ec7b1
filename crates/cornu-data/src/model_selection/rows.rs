//! What can be split: things with rows.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use cornu_graph::Array;
use ndarray::{ArrayBase, Axis, Data, RemoveAxis};

use crate::{Column, Table};

/// How many values pay for a thread.
const PAYS: usize = 1 << 20;

/// What becomes of each item, in order; every thread of this machine takes some.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(items.len()).max(1);
    let part = |items: &[T]| items.iter().map(&work).collect::<Vec<R>>();
    thread::scope(|scope| {
        let mut parts = items.chunks(items.len().div_ceil(threads).max(1));
        let own = parts.next().unwrap_or_default();
        // Without a thread the part is done here.
        let start = |items| thread::Builder::new().spawn_scoped(scope, move || part(items)).map_err(|_| items);
        let others: Vec<_> = parts.map(start).collect();
        let mut all = part(own);
        for other in others {
            all.extend(match other {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(items) => part(items),
            });
        }
        all
    })
}

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
        if order.len().saturating_mul(self.columns().len()) < PAYS || order.iter().any(|&row| row >= self.rows()) {
            return self.take(order).unwrap_or_else(|error| panic!("{error}"));
        }
        let index = Arc::new(self.index().take(order));
        let columns = side_by_side(self.columns(), |column| column.take_unchecked(order, &index));
        Table::from_columns(columns).unwrap_or_else(|error| panic!("{error}"))
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

#[test]
fn items_keep_their_order_whoever_works_on_them() {
    let items: Vec<usize> = (0..103).collect();
    assert_eq!(side_by_side(&items, |item| item * 2), (0..103).map(|item| item * 2).collect::<Vec<_>>());
    assert!(side_by_side(&[0usize; 0], |item| *item).is_empty());
    // Enough values for threads.
    let rows = 300_000;
    let columns = (0..4).map(|i| (i.to_string(), (0..rows).map(|row| row * 4 + i).collect::<Vec<i64>>()));
    let table = Table::new(columns).expect("a table");
    let order: Vec<usize> = (0..rows as usize).rev().collect();
    assert_eq!(table.take_rows(&order), table.take(&order).expect("rows"));
}
