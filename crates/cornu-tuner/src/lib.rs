//! Search for hyper-parameters, in KerasTuner's words: spaces that a build function declares, trials that run side by
//! side, samplers that learn from those that ended, and a journal from which a killed search goes on.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod plot;
pub mod sampler;
