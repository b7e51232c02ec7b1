//! Layers and models against Keras.

mod choices;
mod documents;
mod dropout;
mod interrupt;
mod layers;
mod lesson;
mod mistakes;
mod models;
mod properties;
mod saving;
mod saving_mistakes;
mod seeds;
mod steps;
mod strangers;
mod training;
mod trajectories;
mod validation;
