//! What a shuffle draws.

use cornu_graph::random::Stream;

use super::simd::{Simd, dispatch};

/// Positions that are drawn for at a time.
pub const AT_ONCE: usize = 128;

dispatch! {
    /// For each of the next positions of a shuffle, of which `left` positions are left, how many further that one is with
    /// which it is exchanged: the words of a stream, modulo `left`, `left - 1` and so on. What is beyond the last but one is
    /// of no meaning.
    pub fn draw = draw_with(stream: Stream, left: u32, to: &mut [u32; AT_ONCE]);
}

#[inline(always)]
fn draw_with<S: Simd>(_: S, stream: Stream, left: u32, to: &mut [u32; AT_ONCE]) {
    let mut words = [[0; 4]; AT_ONCE / 4];
    stream.blocks(&mut words);
    for (i, (to, &word)) in to.iter_mut().zip(words.as_flattened()).enumerate() {
        let left = left.saturating_sub(i as u32).max(2);
        // Vectors divide doubles. What is no whole number is at least `1 / left` away from the next one, and is rounded by
        // less, so that it stays below.
        let quotient = f64::from(word) / f64::from(left);
        // SAFETY: it is below 2^31.
        let quotient = unsafe { quotient.to_int_unchecked::<i32>() }.cast_unsigned();
        *to = word - quotient * left;
    }
}

#[test]
fn remainders_are_those_of_whole_numbers() {
    for level in super::simd::Level::all() {
        for left in [2, 3, 7, 127, 128, 129, 614, 60_000, 65_537, 16_777_217, u32::MAX] {
            for seed in 0..50 {
                let (mut stream, mut to) = (Stream::stateful(seed, 0), [0; AT_ONCE]);
                stream.counter[0] = u32::MAX - 7;
                stream.counter[1] = u32::MAX * (seed as u32 % 2);
                draw(level, stream, left, &mut to);
                for (i, &to) in to.iter().enumerate().take(left as usize - 1) {
                    let word = stream.block(i as u64 / 4)[i % 4];
                    assert_eq!(to, word % (left - i as u32), "{left} left, {i} on {}", level.name());
                }
            }
        }
    }
}
