//! Seeds and generators: the same seed gives the same initial weights, sample orders and dropout masks as in Keras on
//! TensorFlow, and the same splits as in scikit-learn.
//!
//! [`set_random_seed`] is Keras's: it sets every generator of the process. All of that state is one [`Seeds`] value; a
//! program that wants several independent ones makes its own and hands it where it is needed.

mod seeds;
mod shuffle;

pub use cornu_graph::random::{LegacyRandomState, Mersenne, PyRandom, Stream};
pub(crate) use seeds::{OpSeed, scope};
pub use seeds::{
    SeedGenerator, SeedSource, Seeds, generation, global_seed, keras_seed, op_seed, scoped, set_random_seed, with_seeds,
};

pub use crate::flavor::{Flavor, flavor, set_flavor};
pub use shuffle::Shuffle;

#[cfg(test)]
pub(crate) mod tests;
