//! What a user of the crate sees of it.

mod plots;
mod samplers;
