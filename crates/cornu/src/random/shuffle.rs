//! The order in which `fit(shuffle=True)` shows the rows.

use cornu_cpu::Level;
use cornu_cpu::kernels::shuffle::{AT_ONCE, draw};
use cornu_graph::random::Stream;
use serde_json::{Value, json};

use super::{Flavor, Seeds};

/// The orders of the epochs of one call of `fit`.
///
/// Each call starts a new stream, whatever was drawn before, and its first epoch uses the first permutation of that
/// stream whatever `initial_epoch` says. Keras 2 goes on along the stream; Keras 3 repeats the first permutation as
/// long as a seed is set. With a validation split the rows are those of training only.
#[derive(Clone, Debug)]
pub struct Shuffle {
    start: Stream,
    stream: Stream,
    /// The stream that the present order was drawn from.
    drawn: Stream,
    repeats: bool,
    order: Vec<u32>,
    /// How many rows of the present order have been given out as batches.
    used: usize,
    level: Level,
}

impl Shuffle {
    /// The orders of the next `fit` over `rows` rows, of which there are fewer than 2^32.
    pub fn new(flavor: Flavor, seeds: &Seeds, rows: usize) -> Shuffle {
        let start = seeds.stateful(0);
        let repeats = flavor.order_repeats(seeds.global_seed().is_some());
        let order = (0..rows as u32).collect();
        Shuffle { start, stream: start, drawn: start, repeats, order, used: rows, level: Level::detect() }
    }

    /// The order of the next epoch: row numbers. Nothing is allocated.
    pub fn next_order(&mut self) -> &[u32] {
        let n = self.order.len();
        if self.repeats {
            self.stream = self.start;
        }
        self.drawn = self.stream;
        self.order.iter_mut().enumerate().for_each(|(i, row)| *row = i as u32);
        // Position i is exchanged with itself or a later one; the last position has no choice, so it draws nothing,
        // and words left over in the last block are dropped.
        let (last, mut further) = (n.saturating_sub(1), [0; AT_ONCE]);
        for first in (0..last).step_by(AT_ONCE) {
            draw(self.level, self.stream, (n - first) as u32, &mut further);
            let count = AT_ONCE.min(last - first);
            for (i, further) in (first..).zip(&further[..count]) {
                self.order.swap(i, i + *further as usize);
            }
            self.stream.advance(count.div_ceil(4) as u128);
        }
        self.used = 0;
        &self.order
    }

    /// The next batch: up to `size` rows of the present order, or of the next one if that has been used up.
    ///
    /// This carries the rest of an order over into the next epoch, as `fit(steps_per_epoch=…)` does.
    pub fn next_batch(&mut self, size: usize) -> &[u32] {
        if self.is_used_up() {
            self.next_order();
        }
        let first = self.used;
        self.used = first.saturating_add(size).min(self.order.len());
        &self.order[first..self.used]
    }

    /// The present order, and how many of its rows have been given out.
    pub(crate) fn order(&self) -> (&[u32], usize) {
        (&self.order, self.used)
    }

    /// Where it stands, for [`Shuffle::seek`].
    pub(crate) fn position(&self) -> Value {
        json!({
            "start": self.start.pack(),
            "next": self.stream.pack(),
            "drawn": self.drawn.pack(),
            "repeats": self.repeats,
            "used": self.used,
        })
    }

    /// Goes on from there; says whether that was a position over as many rows.
    pub(crate) fn seek(&mut self, position: &Value) -> bool {
        let stream = |key: &str| stream(&position[key]);
        let (Some(start), Some(next), Some(drawn)) = (stream("start"), stream("next"), stream("drawn")) else {
            return false;
        };
        let (Some(repeats), Some(used)) = (position["repeats"].as_bool(), position["used"].as_u64()) else {
            return false;
        };
        if used as usize > self.order.len() {
            return false;
        }
        (self.start, self.stream, self.repeats) = (start, drawn, false);
        self.next_order();
        (self.stream, self.repeats, self.used) = (next, repeats, used as usize);
        true
    }

    /// Whether every row of the present order has been in a batch. In Keras 3 this ends an epoch early.
    pub fn is_used_up(&self) -> bool {
        self.used == self.order.len()
    }
}

/// A stream of six words.
fn stream(json: &Value) -> Option<Stream> {
    let words = json.as_array()?.iter().map(|word| u32::try_from(word.as_u64()?).ok());
    let words: Vec<u32> = words.collect::<Option<_>>()?;
    Some(Stream::unpack(words.try_into().ok()?))
}
