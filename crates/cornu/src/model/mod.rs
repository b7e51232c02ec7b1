//! Models: graphs of layers, and the memory they share.

mod json;
mod model;
mod names;
mod net;
mod sequential;

pub use model::{LayerView, Model};
pub use names::clear_session;
pub use net::{Call, Entry, Net, Wire};
pub use sequential::Sequential;
