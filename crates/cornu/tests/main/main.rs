//! Layers and models against Keras.

use cornu_testkit::alloc::Counting;

mod batch_normalization;
mod callbacks;
mod choices;
mod closures;
mod convolutions;
mod cross_validation;
mod deep;
mod documents;
mod doubles;
mod dropout;
mod families;
mod first_lines;
mod flavor_differences;
mod flavors;
mod functional;
mod help;
mod interrupt;
mod kept_tensors;
mod keywords;
mod lacks;
mod layer_calls;
mod layers;
mod lesson;
mod loss_scale;
mod masks;
mod memory;
mod merging;
mod mistakes;
mod models;
mod names;
#[cfg(target_os = "linux")]
mod outputs;
mod own_classes;
mod passengers;
mod policies;
mod pooling;
mod preparing;
mod properties;
mod recurrences;
mod resume;
mod saved;
mod saving;
mod saving_mistakes;
mod scaled;
mod seeds;
mod serving;
mod settings;
mod several;
mod shapes;
mod sharing;
mod slips;
mod snapshots;
mod sources;
mod steps;
mod strangers;
mod summaries;
mod tables;
mod training;
mod trajectories;
mod trials;
mod turns;
mod validation;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
