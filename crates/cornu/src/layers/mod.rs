//! Layers: plain settings, and one function that extends a graph. One file a layer; `layers!` is the one list of them.

mod base;

pub use base::{Base, BatchShape, IntoShape, LayerConfig};
