//! Layers and models against Keras.

mod choices;
mod documents;
mod dropout;
mod interrupt;
mod layers;
mod lesson;
mod mistakes;
mod models;
#[cfg(target_os = "linux")]
mod outputs;
mod properties;
mod saving;
mod saving_mistakes;
mod seeds;
mod steps;
mod training;
mod trajectories;
mod validation;
