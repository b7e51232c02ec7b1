//! Layers and models against Keras.

mod choices;
mod dropout;
mod interrupt;
mod layers;
mod mistakes;
mod models;
mod seeds;
mod training;
