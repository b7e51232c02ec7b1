//! Layers and models against Keras.

use cornu_testkit::alloc::Counting;

mod choices;
mod documents;
mod dropout;
mod interrupt;
mod layers;
mod lesson;
mod memory;
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

#[global_allocator]
static ALLOCATOR: Counting = Counting;
