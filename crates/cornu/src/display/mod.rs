//! What is printed: progress while training, `summary` tables, numbers and arrays.
//!
//! Everything here is a pure renderer: it knows no model, reads no clock, and writes only where it is told to.

mod bar;
mod numpy;
mod progress;
mod summary;
mod table;
mod terminal;

pub use cornu_graph::{Verbose, numbers};
pub use numpy::numpy;
pub use progress::Progress;
pub use summary::{Count, Row, Summary, SummaryOptions};
pub use terminal::Terminal;

/// Which Keras to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// As Keras 2.13 prints: `62/62 [====] - 0s 2ms/step - loss: 0.6 - accuracy: 0.7`.
    Keras2,
    /// As Keras 3 prints: `62/62 ━━━━ 0s 2ms/step - accuracy: 0.7 - loss: 0.6`.
    Keras3,
}
