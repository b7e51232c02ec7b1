//! Draws that depend on a seed, a trial and a name alone: whoever asks, whenever, gets the same.

use crate::sampler::Kind;

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

/// A coordinate for that parameter.
pub(crate) fn coordinate(seed: u64, trial: u64, name: &str, kind: Kind) -> f64 {
    let part = (bits(seed, trial, name) >> 11) as f64 / (1u64 << 53) as f64;
    match kind {
        Kind::Real => part,
        Kind::Steps(count) | Kind::Choices(count) => (part * count as f64).floor(),
    }
}
