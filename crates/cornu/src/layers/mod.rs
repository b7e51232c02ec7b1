//! Layers: plain settings, and one function that extends a graph. One file a layer; `family!` is the one list of them.

mod attention;
mod base;
mod conv;
mod data_format;
mod gates;
mod global_pooling;
mod host;
mod layer;
mod lookup;
mod moments;
mod names;
mod padding;
mod placed;
mod pooling;
mod renorm;
mod wire;

#[cfg(test)]
pub(crate) use base::KEYS;
pub(crate) use base::dtype_name;
pub use base::{Base, BatchShape, IntoShape, LayerConfig};
pub(crate) use data_format::DataFormat;
pub use host::HostLayer;
pub use input::Input;
pub use layer::{Child, Layer};
pub use lookup::Tokens;
pub use names::clear_session;
pub(crate) use names::{automatic, snake_case};
pub(crate) use padding::{Padding, at_least_one};
pub use placed::{IntoLayer, LayerRef};
pub use rnn::{Cell, Recurrence, Recurrent, Steps};
pub use wire::{Argument, ArgumentKind, Inputs, Keywords, Wire};
pub(crate) use wire::{TRAINING, by_position};

use crate::choice::family;

family! {
    "layer" ("layer class") in layers: dyn Layer = [
        activation { Activation = ; }
        average_pooling2d { AveragePooling2D = "AvgPool2D"; }
        batch_normalization { BatchNormalization = ; }
        bidirectional { Bidirectional = ; }
        concatenate { Concatenate = ; }
        conv1d { Conv1D = "Convolution1D"; }
        conv2d { Conv2D = "Convolution2D"; }
        dense { Dense = ; }
        dropout { Dropout = ; }
        embedding { Embedding = ; }
        flatten { Flatten = ; }
        global_average_pooling1d { GlobalAveragePooling1D = "GlobalAvgPool1D"; }
        global_average_pooling2d { GlobalAveragePooling2D = "GlobalAvgPool2D"; }
        gru { GRU = ; GRUCell = ; }
        input { InputLayer = ; }
        layer_normalization { LayerNormalization = ; }
        lstm { LSTM = ; LSTMCell = ; }
        max_pooling2d { MaxPooling2D = "MaxPool2D"; }
        merge { Add = ; Average = ; Maximum = ; Minimum = ; Multiply = ; Subtract = ; }
        multi_head_attention { MultiHeadAttention = ; }
        re_lu { ReLU = ; }
        rescaling { Rescaling = ; }
        reshape { Reshape = ; }
        rnn { RNN = ; }
        string_lookup { StringLookup = ; }
    ]
}
