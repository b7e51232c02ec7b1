//! Which rows come next: in training, and in order.

use serde_json::{Value, json};

use super::Fit;
use super::fit::batch_rows;
use crate::random::Shuffle;
use crate::step::Fed;

/// The rows of one batch after another.
pub(super) struct Batches {
    order: Order,
    pub(super) size: usize,
    /// How many rows the last batches had.
    last: usize,
}

enum Order {
    Shuffled(Shuffle),
    /// How many rows have been given out, and all rows in order.
    Plain(usize, Vec<u32>),
}

impl Batches {
    /// Batches of `size` rows: in an order of its own for each epoch, or else in the rows' own.
    pub(super) fn new(shuffle: Option<Shuffle>, rows: usize, size: usize) -> Batches {
        Batches {
            order: shuffle.map_or_else(|| Order::Plain(0, (0..rows as u32).collect()), Order::Shuffled),
            size,
            last: 0,
        }
    }

    /// Takes the next batches, so many at most and of one order; [`Batches::rows`] are theirs. An order that is used up
    /// begins anew.
    pub(super) fn next(&mut self, batches: usize) {
        let size = self.size.saturating_mul(batches);
        self.last = match &mut self.order {
            Order::Shuffled(shuffle) => shuffle.next_batch(size).len(),
            Order::Plain(used, rows) => {
                let first = if *used == rows.len() { 0 } else { *used };
                *used = first.saturating_add(size).min(rows.len());
                *used - first
            }
        };
    }

    /// The order begins anew, if it is that of the rows.
    pub(super) fn restart(&mut self) {
        if let Order::Plain(used, _) = &mut self.order {
            (*used, self.last) = (0, 0);
        }
    }

    /// The rows of the last batches.
    pub(super) fn rows(&self) -> &[u32] {
        let (order, used) = match &self.order {
            Order::Shuffled(shuffle) => shuffle.order(),
            Order::Plain(used, rows) => (&rows[..], *used),
        };
        &order[used - self.last..used]
    }

    /// Where the order stands, for [`Batches::seek`].
    pub(super) fn position(&self) -> Value {
        match &self.order {
            Order::Shuffled(shuffle) => shuffle.position(),
            Order::Plain(used, _) => json!({ "used": used }),
        }
    }

    /// Goes on from there; says whether that was a position of such an order.
    pub(super) fn seek(&mut self, position: &Value) -> bool {
        self.last = 0;
        match &mut self.order {
            Order::Shuffled(shuffle) => shuffle.seek(position),
            Order::Plain(used, rows) => match position["used"].as_u64().map(|used| used as usize) {
                Some(known) if known <= rows.len() && position["start"].is_null() => {
                    *used = known;
                    true
                }
                _ => false,
            },
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
pub(crate) struct InOrder {
    pub(super) size: usize,
    pub(crate) steps: usize,
}

impl InOrder {
    /// Batches of `size` rows, if that is said, and at most `steps` of them, if that is.
    pub(crate) fn new(rows: usize, size: Option<usize>, steps: Option<usize>) -> InOrder {
        let size = batch_rows(size, steps, rows);
        let all = rows.div_ceil(size);
        InOrder { size, steps: steps.map_or(all, |steps| steps.min(all)) }
    }
}

impl Fit {
    /// The batches to validate with.
    pub(super) fn validation_batches(&self, validation: &Fed) -> InOrder {
        InOrder::new(validation.rows(), self.validation_batch_size.or(self.batch_size), self.validation_steps)
    }
}
