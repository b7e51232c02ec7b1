//! What depends on a seed, a trial and a name alone: whoever asks, whenever, gets the same.

use crate::sampler::{Axis, Kind, Random, Sampler};

/// Bits of all that went in (SplitMix64 by Steele, Lea and Flood, 2014).
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// 64 bits for that name in that trial.
pub(crate) fn bits(seed: u64, trial: u64, name: &str) -> u64 {
    name.bytes().fold(mix(mix(seed) ^ trial), |bits, byte| mix(bits ^ u64::from(byte)))
}

/// A coordinate for that parameter: what a random sampler gives for an axis of its name.
pub(crate) fn coordinate(seed: u64, trial: u64, name: &str, kind: Kind) -> f64 {
    let axis = Axis { name: name.to_owned(), kind, when: Vec::new() };
    let points = Random::new(seed).ask(&[axis], &[], trial, 1);
    points.first().and_then(|point| point.first().copied().flatten()).unwrap_or_default()
}
