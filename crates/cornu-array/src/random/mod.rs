//! Random numbers: the streams and distributions of TensorFlow on a CPU, and the generators of Python and NumPy, bit
//! for bit.
//!
//! A [`Stream`] says where a sequence of random words starts; it is six words of state that a graph can keep in a
//! variable. The functions of this module fill slices from it: value `i` depends on the stream and on `i` alone, so
//! threads may share the work, each filling a range of its own.
//!
//! ```
//! use cornu_array::random::{Stream, uniform};
//!
//! let stream = Stream::stateless([42, 0]);
//! let mut values = [0.0; 5];
//! uniform(stream, 0, -1.0, 1.0, &mut values);
//! let mut last_two = [0.0; 2];
//! uniform(stream, 3, -1.0, 1.0, &mut last_two);
//! assert_eq!(last_two, values[3..]);
//! ```

use std::hash::{BuildHasher, RandomState};

mod distribution;
pub mod libm;
mod mersenne;
mod philox;

pub use distribution::{
    int32, int64, normal, normal_f64, truncated_normal, truncated_normal_f64, uniform, uniform_f64, uniform01,
    uniform01_f64, words,
};
pub use mersenne::{LegacyRandomState, Mersenne, PyRandom};
pub use philox::{Philox, Stream};

/// 64 bits from the keys of a new hasher, which the standard library seeds from the operating system and changes each
/// time: not fit for secrets, but nobody can predict them.
pub fn entropy() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests;
