//! The containers against files that Keras and NumPy wrote, files that were damaged, and files written here.
#![forbid(unsafe_code)]

mod damage;
mod golden;
mod hdf5;
mod messages;
mod round_trip;
