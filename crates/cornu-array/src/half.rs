//! Floats of 16 bits: stored as such, computed with as singles.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

macro_rules! halves {
    ($($(#[$doc:meta])* $name:ident: $digits:literal digits from 2^$least:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Default)]
        #[repr(transparent)]
        pub struct $name(u16);

        impl $name {
            /// The element of those bits.
            pub const fn from_bits(bits: u16) -> Self {
                $name(bits)
            }

            /// Its bits.
            pub const fn to_bits(self) -> u16 {
                self.0
            }

            /// The nearest element, of two as near the even one; infinity beyond the largest. It is rounded once.
            pub fn from_f64(x: f64) -> Self {
                $name(narrow(x, $digits, $least))
            }

            /// The element nearest to a whole number, rounded once.
            pub fn from_whole(x: i128) -> Self {
                Self::from_f64(odd(x))
            }

            /// The number, which a double holds.
            pub fn to_f64(self) -> f64 {
                widen(self.0, $digits, $least)
            }

            /// The number, which a single holds.
            pub fn to_f32(self) -> f32 {
                self.to_f64() as f32
            }

            /// The number with the fewest decimal digits that is rounded to this element, and of these the nearest.
            pub fn shortest(self) -> f64 {
                shortest(self.to_f64(), |x| $name::from_f64(x).0 == self.0)
            }

            /// The usual not-a-number.
            pub const NAN: Self = $name(((1 << (17 - $digits)) - 1) << ($digits - 2));
        }

        /// As numbers are: zeros are equal, and not-a-number is equal to nothing.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.to_f64() == other.to_f64()
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                self.to_f64().partial_cmp(&other.to_f64())
            }
        }

        impl From<$name> for f64 {
            fn from(x: $name) -> f64 {
                x.to_f64()
            }
        }

        /// As many digits as tell it from its neighbours.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.shortest(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.shortest(), f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseFloatError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map($name::from_f64)
            }
        }
    )* };
}

halves! {
    /// IEEE half precision: five bits of exponent, eleven digits, up to 65,504.
    F16: 11 digits from 2^-14;
    /// The upper half of a single: its range, eight digits.
    Bf16: 8 digits from 2^-126;
}

/// The bits of the element nearest to `x`, of a type with so many binary digits whose least number of full precision is
/// 2^`least`. Only numbers that a double holds in full precision occur, so that flushing small ones changes nothing.
fn narrow(x: f64, digits: u32, least: i32) -> u16 {
    let (sign, infinity) = ((x.to_bits() >> 48) as u16 & 0x8000, ((1 << (16 - digits)) - 1) << (digits - 1));
    if x.is_nan() {
        let payload = (x.to_bits() << 12 >> (65 - digits)) as u16;
        return sign | infinity | 1 << (digits - 2) | payload;
    }
    let exponent = ((x.to_bits() >> 52 & 0x7ff) as i32 - 1023).clamp(least, 2 - least);
    // In units of the last digit; numbers below `least` have fewer digits, and the largest carry into infinity.
    let units = (x.abs() * power_of_two(digits as i32 - 1 - exponent)).round_ties_even();
    let bits = f64::from((exponent - least) << (digits - 1)) + units;
    sign | bits.min(f64::from(infinity)) as u16
}

/// The number of those bits.
fn widen(bits: u16, digits: u32, least: i32) -> f64 {
    let (fraction, field) = (u64::from(bits) & ((1 << (digits - 1)) - 1), i32::from(bits & 0x7fff) >> (digits - 1));
    let size = match field {
        0 => fraction as f64 * power_of_two(least + 1 - digits as i32),
        _ if field == 1 - 2 * least + 2 => f64::from_bits(0x7ff << 52 | fraction << (53 - digits)),
        _ => f64::from_bits(((field + least - 1 + 1023) as u64) << 52 | fraction << (53 - digits)),
    };
    f64::from_bits(size.to_bits() | u64::from(bits & 0x8000) << 48)
}

/// The whole number as a double: what does not fit is told by an odd last digit, so that the next rounding is the only one.
fn odd(x: i128) -> f64 {
    let size = x.unsigned_abs();
    let cut = (128 - size.leading_zeros()).saturating_sub(53);
    let kept = (size >> cut) | u128::from(size & ((1 << cut) - 1) != 0);
    (kept as f64 * power_of_two(cut as i32)).copysign(if x < 0 { -1.0 } else { 1.0 })
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// The number with the fewest decimal digits that is rounded to the same element, and of these the nearest.
fn shortest(x: f64, same: impl Fn(f64) -> bool) -> f64 {
    let rounded = |digits: usize| format!("{x:.digits$e}").parse().unwrap_or(x);
    (0..6).map(rounded).find(|&rounded| same(rounded)).unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The double halfway between an element and the next one up.
    fn between(a: f64, b: f64) -> f64 {
        a + (b - a) / 2.0
    }

    /// Every element, its number, and what lies between it and the next: nearest, of two as near the even one, once.
    macro_rules! rounds {
        ($t:ident, $infinity:literal, $largest:literal, $least:expr) => {
            for bits in (0..=u16::MAX).map($t::from_bits) {
                let x = bits.to_f64();
                if x.is_nan() {
                    // With the sign and the payload that it has, and quiet.
                    assert_eq!($t::from_f64(x).to_bits(), bits.to_bits() | $t::NAN.to_bits());
                    continue;
                }
                assert_eq!($t::from_f64(x).to_bits(), bits.to_bits(), "{x}");
                assert_eq!(f64::from(bits.to_f32()).to_bits(), x.to_bits());
                assert_eq!(bits.to_string().parse::<$t>().map($t::to_bits), Ok(bits.to_bits()));
            }
            for low in 0..$infinity - 1 {
                let (even, next) = (low + low % 2, low + 1);
                let (a, b) = ($t::from_bits(low).to_f64(), $t::from_bits(next).to_f64());
                let middle = between(a, b);
                for (x, want) in [(middle, even), (middle.next_down(), low), (middle.next_up(), next)] {
                    assert_eq!($t::from_f64(x).to_bits(), want, "{x}");
                    assert_eq!($t::from_f64(-x).to_bits(), want | 0x8000, "{x}");
                }
            }
            assert_eq!($t::from_bits($infinity - 1).to_f64(), $largest);
            assert_eq!($t::from_bits(1).to_f64(), $least);
            assert_eq!($t::from_bits($infinity).to_f64(), f64::INFINITY);
            assert!($t::NAN.to_f64().is_nan());
        };
    }

    #[test]
    fn every_element_is_the_nearest_to_what_is_around_it() {
        rounds!(F16, 0x7c00, 65504.0, 2f64.powi(-24));
        rounds!(Bf16, 0x7f80, 3.389_531_389_251_535_5e38, 2f64.powi(-133));
        let beyond = [(65_519.9, 0x7bff), (65_520.0, 0x7c00), (1e300, 0x7c00), (-f64::INFINITY, 0xfc00), (1e-300, 0)];
        beyond.iter().for_each(|&(x, want)| assert_eq!(F16::from_f64(x).to_bits(), want, "{x}"));
    }

    #[test]
    fn whole_numbers_are_rounded_once() {
        // A double of this is halfway between two elements.
        assert_eq!(Bf16::from_whole((1 << 60) + (1 << 52) + 1).to_f64(), 2f64.powi(60) + 2f64.powi(53));
        assert_eq!(Bf16::from_whole((1 << 60) + (1 << 52)).to_f64(), 2f64.powi(60));
        assert_eq!(Bf16::from_whole(i128::MIN).to_f64(), -(2f64.powi(127)));
        assert_eq!(
            [0, -7, 2049, 65_519, 65_520].map(|x| F16::from_whole(x).to_f64()),
            [0.0, -7.0, 2048.0, 65504.0, f64::INFINITY]
        );
    }

    /// The digits are those that NumPy prints.
    #[test]
    fn texts_have_the_digits_that_tell_them_apart() {
        let half = |x: f64| format!("{:?}", F16::from_f64(x));
        assert_eq!(
            [0.1, 1.0, 65504.0, 2048.0, 6e-8, -1.0 / 3.0].map(half),
            ["0.1", "1.0", "65500.0", "2048.0", "6e-8", "-0.3333"]
        );
        let brain = |x: f64| format!("{}", Bf16::from_f64(x));
        assert_eq!([0.1, 1.0, 3.0e38, f64::NAN, -f64::INFINITY].map(brain)[..2], ["0.1", "1"]);
    }
}
