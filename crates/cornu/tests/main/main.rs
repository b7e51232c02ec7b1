//! Layers and models against Keras.

use cornu_testkit::alloc::Counting;

mod choices;
mod closures;
mod documents;
mod dropout;
mod first_lines;
mod help;
mod interrupt;
mod kept_tensors;
mod lacks;
mod layers;
mod lesson;
mod memory;
mod mistakes;
mod models;
mod names;
#[cfg(target_os = "linux")]
mod outputs;
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

#[global_allocator]
static ALLOCATOR: Counting = Counting;
