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
