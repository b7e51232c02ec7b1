//! Scales: where a number lies between the ends of an axis, and the round numbers that are written beside it.

use cornu_array::numbers::general;

/// A scale of numbers, which are finite, and positive on a logarithmic one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    log: bool,
}

impl Scale {
    /// Over what there is; of numbers that are not all positive, a linear one.
    pub(super) fn over(numbers: impl Iterator<Item = f64> + Clone, log: bool) -> Scale {
        let low = numbers.clone().fold(f64::INFINITY, f64::min);
        let high = numbers.fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            return Scale { low: 0.0, high: 1.0, log: false };
        }
        let log = log && low > 0.0;
        if low < high {
            return Scale { low, high, log };
        }
        let room = if low == 0.0 { 0.5 } else { low.abs() * 0.5 };
        Scale { low: low - room, high: high + room, log }
    }

    /// The same with a part of its length more at both ends.
    pub(super) fn wider(&self, part: f64) -> Scale {
        let (low, high) = if self.log {
            let room = (self.high.ln() - self.low.ln()) * part;
            ((self.low.ln() - room).exp().max(f64::MIN_POSITIVE), (self.high.ln() + room).exp())
        } else {
            let room = self.high * part - self.low * part;
            (self.low - room, self.high + room)
        };
        Scale { low: low.max(f64::MIN), high: high.min(f64::MAX), log: self.log }
    }

    /// From 0 at the low end to 1 at the high one.
    pub(super) fn at(&self, number: f64) -> f64 {
        if self.log {
            return (number.ln() - self.low.ln()) / (self.high.ln() - self.low.ln());
        }
        // Halves, since the difference of huge numbers is infinite.
        (number / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)
    }

    /// At most about so many round numbers between the ends, with their texts.
    pub(super) fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        let decades = if self.log { self.high.log10() - self.low.log10() } else { 0.0 };
        let numbers = if decades >= 1.0 { self.powers(decades, most) } else { self.steps(most) };
        numbers.into_iter().map(|number| (number, text(number))).collect()
    }

    fn powers(&self, decades: f64, most: usize) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let factors: &[f64] = match decades * 3.0 <= most as f64 {
            true => &[1.0, 2.0, 5.0],
            false => &[1.0],
        };
        let every = (decades / most as f64).ceil().max(1.0) as i32;
        let powers = (first..=last).filter(|power| power.rem_euclid(every) == 0);
        let numbers = powers.flat_map(|power| factors.iter().map(move |factor| scaled(*factor, power)));
        numbers.filter(|number| (self.low..=self.high).contains(number)).collect()
    }

    /// Multiples of 1, 2 or 5 times a power of ten.
    fn steps(&self, most: usize) -> Vec<f64> {
        let rough = (self.high / most as f64) - (self.low / most as f64);
        if !(rough > 0.0 && rough.is_finite()) {
            return vec![self.low];
        }
        let power = rough.log10().floor() as i32;
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| scaled(*factor, power) >= rough * 0.999);
        let factor = step.unwrap_or(10.0);
        let first = (self.low / scaled(factor, power)).ceil();
        // Whole multiples, so that 0.3 is not 0.30000000000000004.
        let multiple = |k: usize| scaled((first + k as f64) * factor, power) + 0.0;
        (0..=most + 1).map(multiple).take_while(|number| *number <= self.high).collect()
    }
}

/// A number by a power of ten; a division for negative powers rounds once.
fn scaled(number: f64, power: i32) -> f64 {
    if power < 0 && power > -300 { number / 10f64.powi(-power) } else { number * 10f64.powi(power) }
}

/// A number in few letters.
pub(super) fn text(number: f64) -> String {
    let text = general(number, 4);
    let Some((digits, exponent)) = text.split_once('e') else { return text.replace('-', "−") };
    let (sign, power) = exponent.split_at(1);
    let power = power.trim_start_matches('0');
    format!("{digits}e{}{power}", if sign == "-" { "−" } else { "" }).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(low: f64, high: f64, log: bool) -> String {
        let ticks = Scale::over([low, high].into_iter(), log).ticks(5);
        ticks.into_iter().map(|tick| tick.1).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(texts(0.0, 1.0, false), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(texts(-3.3, -1.2, false), "−3 −2.5 −2 −1.5");
        assert_eq!(texts(0.13, 0.52, false), "0.2 0.3 0.4 0.5");
        assert_eq!(texts(1e-6, 1.0, true), "1e−6 0.0001 0.01 1");
        assert_eq!(texts(4.0, 64.0, true), "5 10 20 50");
        assert_eq!(texts(0.0, 1.3e7, false), "0 5e6 1e7");
        assert_eq!(texts(3.0, 3.0, false), "2 3 4");
        assert_eq!(texts(-1e308, 1e308, false), "−5e307 0 5e307");
    }

    #[test]
    fn the_ends_of_a_scale_are_0_and_1() {
        for (low, high, log) in [(1.0, 100.0, true), (-5.0, 7.0, false), (f64::MIN, f64::MAX, false)] {
            let scale = Scale::over([low, high].into_iter(), log);
            assert_eq!((scale.at(low), scale.at(high)), (0.0, 1.0));
        }
        assert!((Scale::over([1.0, 100.0].into_iter(), true).at(10.0) - 0.5).abs() < 1e-12);
    }
}
