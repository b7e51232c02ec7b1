//! The standard normal distribution: its mass, its tail far out, and the improvement that is expected of it; and scores
//! brought to its mean and variance.

use std::f64::consts::{PI, TAU};

/// Numerator and denominator of Mills' ratio up to 4, highest power first (Hart and others, "Computer
/// approximations", 1968, number 5666).
const UPPER: [f64; 7] = [
    3.526_249_659_989_11e-2,
    0.700_383_064_443_688,
    6.373_962_203_531_65,
    33.912_866_078_383,
    112.079_291_497_871,
    221.213_596_169_931,
    220.206_867_912_376,
];
const LOWER: [f64; 8] = [
    8.838_834_764_831_84e-2,
    1.755_667_163_182_64,
    16.064_177_579_207,
    86.780_732_202_946_1,
    296.564_248_779_674,
    637.333_633_378_831,
    793.826_512_519_948,
    440.413_735_824_752,
];

/// The density.
pub(super) fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / TAU.sqrt()
}

/// What lies above `x`, which is not negative, divided by the density there (Mills' ratio).
fn mills(x: f64) -> f64 {
    if x < 4.0 {
        let at = |factors: &[f64]| factors.iter().fold(0.0, |sum, factor| sum * x + factor);
        return at(&UPPER) / at(&LOWER) * TAU.sqrt();
    }
    // Laplace's continued fraction.
    1.0 / (1..=30).rev().fold(x, |rest, k| x + f64::from(k) / rest)
}

/// What lies below `x`.
pub(super) fn below(x: f64) -> f64 {
    let tail = if x.abs() > 38.0 { 0.0 } else { density(x) * mills(x.abs()) };
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// The logarithm of the expected excess of a standard normal number over `-z`, and its slope: `log(φ(z) + z Φ(z))`
/// (Ament and others, "Unexpected improvements to expected improvement", 2023).
pub(super) fn log_excess(z: f64) -> (f64, f64) {
    if z > -1.0 {
        let (mass, excess) = (below(z), density(z) + z * below(z));
        return (excess.ln(), mass / excess);
    }
    // The density is taken out, so that nothing vanishes: 1 + z M(-z), of which 1/z² is left far out.
    let tail = mills(-z);
    let rest = if z < -1e3 { 1.0 / (z * z) } else { 1.0 + z * tail };
    (rest.ln() - 0.5 * z * z - 0.5 * (2.0 * PI).ln(), tail / rest)
}

/// Scores of mean 0 and variance 1.
pub(crate) fn standard(scores: &[f64]) -> Vec<f64> {
    let n = scores.len() as f64;
    let largest = scores.iter().fold(0.0, |most: f64, x| most.max(x.abs())).max(f64::MIN_POSITIVE);
    // Of huge numbers squares would be infinite.
    let small: Vec<f64> = scores.iter().map(|x| x / largest).collect();
    let mean = small.iter().sum::<f64>() / n;
    let deviation = (small.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt();
    let scale = if deviation > 1e-12 { deviation } else { 1.0 };
    small.iter().map(|x| (x - mean) / scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, right: f64, tolerance: f64) {
        assert!(((value - right) / right).abs() <= tolerance, "{value}, {right}");
    }

    /// Right values of mpmath, to 40 digits.
    #[test]
    fn masses_are_right_to_fourteen_digits() {
        let right = [
            (-38.0, 2.885_428_36e-316),
            (-8.0, 6.220_960_574_271_784e-16),
            (-7.07, 7.746_684_865_636_478e-13),
            (-3.0, 0.001_349_898_031_630_094_5),
            (-0.5, 0.308_537_538_725_986_9),
            (0.0, 0.5),
            (0.7, 0.758_036_347_776_927),
            (2.5, 0.993_790_334_674_224),
            (9.0, 1.0),
        ];
        for (x, mass) in right {
            near(below(x), mass, if x < -37.0 { 1e-7 } else { 1e-13 });
        }
    }

    #[test]
    fn improvement_and_its_slope_are_right_far_out() {
        let right = [
            (-1000.0, -500_014.734_452_091_16),
            (-999.0, -499_015.232_451_096_5),
            (-30.0, -457.724_653_760_598),
            (-7.1, -30.099_966_527_823_08),
            (-7.0, -29.368_107_183_141_278),
            (-1.0, -2.485_121_025_712_641_3),
            (-0.99, -2.466_114_391_669_049_4),
            (0.0, -0.918_938_533_204_672_7),
            (0.5, -0.359_827_683_745_063_8),
            (3.0, 1.098_739_665_327_707_8),
            (50.0, 3.912_023_005_428_146),
        ];
        for (z, log) in right {
            near(log_excess(z).0, log, 1e-12);
            let step = 1e-5 * z.abs().max(1.0);
            near(log_excess(z).1, (log_excess(z + step).0 - log_excess(z - step).0) / (2.0 * step), 1e-5);
        }
        assert!(log_excess(-1e8).0.is_finite() && log_excess(-1e8).1.is_finite());
    }
}
