//! Distributions over a stream, as TensorFlow draws them.
//!
//! Every function takes a stream, the index of the first value wanted, and the slice to fill.

use super::libm::{logf, sincosf};
use super::{Philox, Stream};
use crate::{Error, Result};

/// The least argument of the logarithm in Box and Muller's method.
const SMALLEST: f64 = 1e-7;
/// How many blocks apart the groups of a truncated normal distribution read, so that none runs into the next.
const BLOCKS_PER_GROUP: u64 = 256;

/// The words themselves: full-range integers.
pub fn words(stream: Stream, first: usize, out: &mut [u32]) {
    fill(first, out, |group| stream.block(group));
}

/// Uniform in `[0, 1)`, with 23 random bits each.
pub fn uniform01(stream: Stream, first: usize, out: &mut [f32]) {
    fill(first, out, |group| stream.block(group).map(unit));
}

/// Uniform in `[low, high)`: `u (high - low) + low`, each operation rounded.
pub fn uniform(stream: Stream, first: usize, low: f32, high: f32, out: &mut [f32]) {
    let width = high - low;
    fill(first, out, |group| stream.block(group).map(|word| unit(word) * width + low));
}

/// Normal with that mean and standard deviation.
pub fn normal(stream: Stream, first: usize, mean: f32, stddev: f32, out: &mut [f32]) {
    fill(first, out, |group| {
        let [x0, x1, x2, x3] = stream.block(group);
        let ([a, b], [c, d]) = (box_muller(x0, x1), box_muller(x2, x3));
        [a, b, c, d].map(|z| z * stddev + mean)
    });
}

/// Normal with that mean and standard deviation, drawn again where further than two deviations from the mean.
pub fn truncated_normal(stream: Stream, first: usize, mean: f32, stddev: f32, out: &mut [f32]) {
    fill(first, out, |group| {
        let mut generator = Philox::new(stream);
        generator.skip(u128::from(group) * u128::from(BLOCKS_PER_GROUP));
        truncated_group(&mut generator).map(|z| z * stddev + mean)
    });
}

/// [`truncated_normal`] in double precision: groups of two, each with half as many blocks.
pub fn truncated_normal_f64(stream: Stream, first: usize, mean: f64, stddev: f64, out: &mut [f64]) {
    fill(first, out, |group| {
        let mut generator = Philox::new(stream);
        generator.skip(u128::from(group) * u128::from(BLOCKS_PER_GROUP / 2));
        let mut kept = [0.0; 2];
        let mut count = 0;
        while count < 2 {
            for z in box_muller_f64(generator.block()) {
                if z.abs() < 2.0 && count < 2 {
                    kept[count] = z;
                    count += 1;
                }
            }
        }
        kept.map(|z| z * stddev + mean)
    });
}

/// Whole numbers in `[low, high)`.
///
/// # Errors
/// `low` must be below `high`.
pub fn int32(stream: Stream, first: usize, low: i32, high: i32, out: &mut [i32]) -> Result<()> {
    check_range(&low, &high)?;
    let width = high.wrapping_sub(low).cast_unsigned();
    fill(first, out, |group| stream.block(group).map(|word| low.wrapping_add((word % width).cast_signed())));
    Ok(())
}

/// Whole numbers in `[low, high)`.
///
/// # Errors
/// `low` must be below `high`.
pub fn int64(stream: Stream, first: usize, low: i64, high: i64, out: &mut [i64]) -> Result<()> {
    check_range(&low, &high)?;
    let width = high.wrapping_sub(low).cast_unsigned();
    fill(first, out, |group| {
        let [x0, x1, x2, x3] = stream.block(group);
        [join(x1, x0), join(x3, x2)].map(|bits| low.wrapping_add((bits % width).cast_signed()))
    });
    Ok(())
}

/// Uniform in `[0, 1)`, with 52 random bits each.
pub fn uniform01_f64(stream: Stream, first: usize, out: &mut [f64]) {
    uniform_f64(stream, first, 0.0, 1.0, out);
}

/// Uniform in `[low, high)`: `u (high - low) + low`, each operation rounded.
pub fn uniform_f64(stream: Stream, first: usize, low: f64, high: f64, out: &mut [f64]) {
    let width = high - low;
    fill(first, out, |group| {
        let [x0, x1, x2, x3] = stream.block(group);
        [(x0, x1), (x2, x3)].map(|(a, b)| unit_f64(a, b) * width + low)
    });
}

/// Normal with that mean and standard deviation. Agrees with TensorFlow to about 1e-15, because logarithm, sine and
/// cosine are the platform's.
pub fn normal_f64(stream: Stream, first: usize, mean: f64, stddev: f64, out: &mut [f64]) {
    fill(first, out, |group| box_muller_f64(stream.block(group)).map(|z| z * stddev + mean));
}

/// Fills `out` with the values `first..` of a sequence that comes in groups of `N`.
#[inline]
fn fill<T: Copy, const N: usize>(first: usize, out: &mut [T], values: impl Fn(u64) -> [T; N]) {
    let (mut group, skipped) = ((first / N) as u64, first % N);
    let (head, rest) = out.split_at_mut(if skipped == 0 { 0 } else { out.len().min(N - skipped) });
    if !head.is_empty() {
        head.copy_from_slice(&values(group)[skipped..skipped + head.len()]);
        group += 1;
    }
    let (whole, tail) = rest.as_chunks_mut::<N>();
    for chunk in whole {
        *chunk = values(group);
        group += 1;
    }
    if !tail.is_empty() {
        tail.copy_from_slice(&values(group)[..tail.len()]);
    }
}

/// The low 23 bits as the mantissa of a number in `[1, 2)`, minus one.
#[inline]
fn unit(word: u32) -> f32 {
    f32::from_bits(0x3F80_0000 | word & 0x7F_FFFF) - 1.0
}

/// The low 52 bits as the mantissa of a number in `[1, 2)`, minus one.
#[inline]
fn unit_f64(high: u32, low: u32) -> f64 {
    f64::from_bits(0x3FF0_0000_0000_0000 | join(high & 0xF_FFFF, low)) - 1.0
}

#[inline]
fn join(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Two independent standard normal values from two words (Box and Muller, 1958).
#[inline]
fn box_muller(x0: u32, x1: u32) -> [f32; 2] {
    let radius = (-2.0 * logf(unit(x0).max(SMALLEST as f32))).sqrt();
    let angle = (std::f64::consts::TAU * f64::from(unit(x1))) as f32;
    let (sin, cos) = sincosf(angle);
    [sin * radius, cos * radius]
}

#[inline]
fn box_muller_f64([x0, x1, x2, x3]: [u32; 4]) -> [f64; 2] {
    let radius = (-2.0 * unit_f64(x0, x1).max(SMALLEST).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * unit_f64(x2, x3)).sin_cos();
    [sin, cos].map(|z| z * radius)
}

/// The next four standard normal values of `generator` that are less than 2 in size.
#[inline]
fn truncated_group(generator: &mut Philox) -> [f32; 4] {
    let mut kept = [0.0; 4];
    let mut count = 0;
    loop {
        let [x0, x1, x2, x3] = generator.block();
        for pair in [[x0, x1], [x2, x3]] {
            for z in box_muller(pair[0], pair[1]) {
                if z.abs() < 2.0 && count < 4 {
                    kept[count] = z;
                    count += 1;
                }
            }
            if count == 4 {
                return kept;
            }
        }
    }
}

fn check_range<T: PartialOrd + std::fmt::Display>(low: &T, high: &T) -> Result<()> {
    if low < high {
        return Ok(());
    }
    Err(Error::usage(format!("random whole numbers need `low` below `high`, got {low} and {high}")))
}
