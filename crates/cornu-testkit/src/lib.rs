//! Suites that walk every op, layer and golden file of cornu, and what their tests share. For tests only.

pub mod alloc;
pub mod bits;
pub mod bodies;
pub mod checks;
pub mod edges;
pub mod ends;
pub mod folder;
pub mod golden;
pub mod lists;
pub mod lstm;
pub mod nets;
pub mod ops;
pub mod process;
pub mod random_graphs;
pub mod sessions;
pub mod slopes;
pub mod stacks;
pub mod text;
mod whole;
