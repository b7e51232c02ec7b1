//! What is printed: progress while training, `summary` tables, arrays as NumPy has them.
//!
//! Everything here is a pure renderer: it knows no model, reads no clock, and writes only where it is told to.

#![forbid(unsafe_code)]
// Both panic where the output takes nothing.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod bar;
mod numpy;
mod progress;
mod summary;
mod table;
mod terminal;

pub use cornu_array::{Verbose, numbers};
pub use numpy::numpy;
pub use progress::Progress;
pub use summary::{Count, Row, Summary, SummaryOptions};
pub use terminal::Terminal;

/// Which Keras's progress and tables it looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Keras 2.13's: `[=====>...] - ETA: 3s`; tables of spaces between rules.
    Keras2,
    /// Keras 3's: `━━━━━━━━ 3s 12ms/step`; tables in boxes.
    #[default]
    Keras3,
}
