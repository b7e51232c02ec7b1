//! Random numbers: the streams and distributions of TensorFlow on a CPU, bit for bit.
//!
//! A [`Stream`] says where a sequence of random words starts; it is six words of state that a graph can keep in a
//! variable. The functions of this module fill slices from it: value `i` depends on the stream and on `i` alone, so
//! threads may share the work, each filling a range of its own.
//!
//! ```
//! use cornu_graph::random::{Stream, uniform};
//!
//! let stream = Stream::stateless([42, 0]);
//! let mut values = [0.0; 5];
//! uniform(stream, 0, -1.0, 1.0, &mut values);
//! let mut last_two = [0.0; 2];
//! uniform(stream, 3, -1.0, 1.0, &mut last_two);
//! assert_eq!(last_two, values[3..]);
//! ```

mod distribution;
pub mod libm;
mod philox;

pub use distribution::{
    int32, int64, normal, normal_f64, truncated_normal, truncated_normal_f64, uniform, uniform_f64, uniform01,
    uniform01_f64, words,
};
pub use philox::{Philox, Stream};

#[cfg(test)]
mod tests;
