//! Which rows come next: in training, and in order.

use super::Fit;
use super::feed::Data;
use super::fit::batch_rows;
use crate::random::{Seeds, Shuffle};

/// The rows of one batch after another.
pub(super) struct Batches {
    order: Order,
    pub(super) size: usize,
}

enum Order {
    Shuffled(Shuffle),
    /// How many rows have been given out, and all rows in order.
    Plain(usize, Vec<usize>),
}

impl Batches {
    /// Batches of `size` rows: in an order of the seeds' for each epoch, or without any in the rows' own.
    pub(super) fn new(seeds: Option<&Seeds>, rows: usize, size: usize) -> Batches {
        let order = seeds
            .map_or_else(|| Order::Plain(0, (0..rows).collect()), |seeds| Order::Shuffled(Shuffle::new(seeds, rows)));
        Batches { order, size }
    }

    /// The next batch. An order that is used up begins anew.
    pub(super) fn next(&mut self) -> &[usize] {
        match &mut self.order {
            Order::Shuffled(shuffle) => shuffle.next_batch(self.size),
            Order::Plain(used, rows) => {
                let first = if *used == rows.len() { 0 } else { *used };
                *used = first.saturating_add(self.size).min(rows.len());
                &rows[first..*used]
            }
        }
    }

    /// Begins with the first row of a new order.
    pub(super) fn restart(&mut self) {
        match &mut self.order {
            Order::Shuffled(shuffle) => {
                shuffle.next_order();
            }
            Order::Plain(used, _) => *used = 0,
        }
    }

    pub(super) fn is_used_up(&self) -> bool {
        match &self.order {
            Order::Shuffled(shuffle) => shuffle.is_used_up(),
            Order::Plain(used, rows) => *used == rows.len(),
        }
    }
}

/// Batches from the first row on.
#[derive(Clone, Copy)]
pub(super) struct InOrder {
    pub(super) size: usize,
    pub(super) steps: usize,
}

impl InOrder {
    /// Batches of `size` rows, if that is said, and at most `steps` of them, if that is.
    pub(super) fn new(data: &Data, size: Option<usize>, steps: Option<usize>) -> InOrder {
        let size = batch_rows(size, steps, data.rows());
        let all = data.rows().div_ceil(size);
        InOrder { size, steps: steps.map_or(all, |steps| steps.min(all)) }
    }
}

impl Fit {
    /// The batches to validate with.
    pub(super) fn validation_batches(&self, validation: &Data) -> InOrder {
        InOrder::new(validation, self.validation_batch_size.or(self.batch_size), self.validation_steps)
    }
}
