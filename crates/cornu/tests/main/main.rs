//! Layers and models against Keras.

mod choices;
mod deep;
mod documents;
mod doubles;
mod dropout;
mod flavors;
mod interrupt;
mod layers;
mod lesson;
mod mistakes;
mod models;
mod own_classes;
mod properties;
mod resume;
mod saving;
mod saving_mistakes;
mod seeds;
mod settings;
mod shapes;
mod steps;
mod training;
mod trajectories;
mod validation;
