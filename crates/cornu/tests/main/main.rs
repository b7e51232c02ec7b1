//! Layers and models against Keras.

mod choices;
mod closures;
mod documents;
mod dropout;
mod first_lines;
mod help;
mod interrupt;
mod lacks;
mod layers;
mod lesson;
mod mistakes;
mod models;
mod names;
mod properties;
mod saved;
mod saving;
mod saving_mistakes;
mod seeds;
mod slips;
mod steps;
mod tables;
mod training;
mod trajectories;
mod turns;
mod validation;
