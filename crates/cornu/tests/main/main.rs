//! Layers and models against Keras.

mod dropout;
mod layers;
mod models;
mod seeds;
mod training;
