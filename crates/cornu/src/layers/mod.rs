//! Layers: plain settings, and one function that extends a graph. One file a layer; `family!` is the one list of them.

mod base;
mod gates;
mod layer;
mod names;
mod placed;
mod wire;

#[cfg(test)]
pub(crate) use base::KEYS;
pub(crate) use base::dtype_name;
pub use base::{Base, BatchShape, IntoShape, LayerConfig};
pub use input::Input;
pub use layer::{Child, Layer};
pub use names::clear_session;
pub(crate) use names::{automatic, snake_case};
pub use placed::{IntoLayer, LayerRef};
pub use rnn::{Cell, Recurrence, Recurrent, Steps};
pub use wire::{Argument, ArgumentKind, Inputs, Keywords, Wire};
pub(crate) use wire::{TRAINING, by_position};

use crate::choice::family;

family! {
    "layer" ("layer class") in layers: dyn Layer = [
        activation { Activation = ; }
        bidirectional { Bidirectional = ; }
        dense { Dense = ; }
        dropout { Dropout = ; }
        flatten { Flatten = ; }
        gru { GRU = ; GRUCell = ; }
        input { InputLayer = ; }
        lstm { LSTM = ; LSTMCell = ; }
        rescaling { Rescaling = ; }
        rnn { RNN = ; }
    ]
}
