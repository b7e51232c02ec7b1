//! Layers and models against Keras.

mod choices;
mod documents;
mod dropout;
mod interrupt;
mod lacks;
mod layers;
mod lesson;
mod mistakes;
mod models;
mod properties;
mod saved;
mod saving;
mod saving_mistakes;
mod seeds;
mod steps;
mod tables;
mod training;
mod trajectories;
mod turns;
mod validation;
