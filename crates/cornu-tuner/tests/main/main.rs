//! What a user of the crate sees of it.

mod samplers;
