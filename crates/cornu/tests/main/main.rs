//! Layers and models against Keras.

mod choices;
mod dropout;
mod layers;
mod models;
mod seeds;
