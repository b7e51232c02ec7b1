//! Random numbers of a seed, a trial and a name. What else there is to draw, and in what order, does not matter.

use std::f64::consts::TAU;

use cornu_array::random::{Philox, Stream};

/// The numbers of one trial and one name, each from a word pair of a Philox stream of their own.
pub(crate) struct Draws {
    words: Philox,
    second: Option<f64>,
}

impl Draws {
    /// The counter is the hash of the name, the trial, and 16 bits for the blocks.
    pub(crate) fn new(seed: u64, trial: u64, name: &str) -> Draws {
        let place = u128::from(hash(name.bytes().map(u64::from))) << 64 | u128::from(trial << 16);
        let counter = [0, 32, 64, 96].map(|shift| (place >> shift) as u32);
        Draws { words: Philox::new(Stream { key: [seed as u32, (seed >> 32) as u32], counter }), second: None }
    }

    /// The next number of 0 to 1, without 1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.second.take().unwrap_or_else(|| {
            let [a, b, c, d] = self.words.block();
            self.second = Some(double(c, d));
            double(a, b)
        })
    }

    /// The next whole number below `count`, or 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// The next number of the standard normal distribution (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    /// The next number of a normal distribution, of those within 0 to 1, in which `mean` lies.
    pub(crate) fn truncated(&mut self, mean: f64, deviation: f64) -> f64 {
        // At least a third of the mass lies within, where the deviation is at most 1.
        let within = (0..64).map(|_| mean + deviation * self.normal()).find(|x| (0.0..=1.0).contains(x));
        within.unwrap_or(mean)
    }
}

/// FNV-1a of words; of a text its bytes are such.
pub(crate) fn hash(words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(0xCBF2_9CE4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01B3))
}

/// 53 bits of two words as a number of 0 to 1, without 1.
fn double(high: u32, low: u32) -> f64 {
    (u64::from(high) << 21 | u64::from(low) >> 11) as f64 * (-53.0_f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(seed: u64, trial: u64, name: &str) -> [f64; 3] {
        let mut draws = Draws::new(seed, trial, name);
        [0; 3].map(|_| draws.unit())
    }

    #[test]
    fn seed_trial_and_name_choose_the_numbers() {
        let first = units(1, 2, "rate");
        assert_eq!(first, units(1, 2, "rate"));
        for other in [units(2, 2, "rate"), units(1, 3, "rate"), units(1, 2, "units"), units(1 << 32 | 1, 2, "rate")] {
            assert!(first.iter().zip(other).all(|(a, b)| *a != b));
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut draws = Draws::new(5, 0, "x");
        let mut moments = |draw: fn(&mut Draws) -> f64| {
            let values: Vec<f64> = (0..20_000).map(|_| draw(&mut draws)).collect();
            let mean = values.iter().sum::<f64>() / 20_000.0;
            (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0)
        };
        let near = |(mean, variance): (f64, f64), (m, v): (f64, f64)| {
            assert!((mean - m).abs() < 0.03 && (variance - v).abs() < 0.05 * v, "{mean} {variance}");
        };
        near(moments(Draws::unit), (0.5, 1.0 / 12.0));
        near(moments(Draws::normal), (0.0, 1.0));
        near(moments(|draws| draws.below(7) as f64), (3.0, 4.0));
        near(moments(|draws| draws.truncated(0.3, 0.05)), (0.3, 0.0025));
    }
}
