//! What one field says: a number, true or false, nothing. The rules are those of pandas' C parser.

use std::collections::HashSet;

/// The words that stand for a missing value, as in pandas.
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// The words that stand for a missing value in one column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Missing {
    words: HashSet<Vec<u8>>,
    longest: usize,
    /// Numbers among the words: they are missing however they are written.
    numbers: Vec<f64>,
}

impl Missing {
    pub(super) fn new<'a>(defaults: bool, more: impl IntoIterator<Item = &'a String>) -> Missing {
        let own: Vec<&str> = more.into_iter().map(String::as_str).collect();
        let numbers = own.iter().filter_map(|word| POINT.number(word.as_bytes())).collect();
        let words = MISSING.iter().filter(|_| defaults).chain(&own).map(|word| word.as_bytes().to_vec());
        let words: HashSet<Vec<u8>> = words.collect();
        let longest = words.iter().map(Vec::len).max().unwrap_or(0);
        Missing { words, longest, numbers }
    }

    /// Whether numbers can be missing values.
    pub(super) fn has_numbers(&self) -> bool {
        !self.numbers.is_empty()
    }

    pub(super) fn has(&self, cell: &[u8]) -> bool {
        cell.len() <= self.longest && self.words.contains(cell)
    }

    /// As [`Missing::has`], or a number among the words.
    pub(super) fn has_number(&self, cell: &[u8], numbers: &Numbers) -> bool {
        self.has(cell) || numbers.number(cell).is_some_and(|value| self.numbers.contains(&value))
    }
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) decimal: u8,
    pub(super) thousands: Option<u8>,
}

/// Points, and nothing between the thousands.
pub(super) const POINT: Numbers = Numbers { decimal: b'.', thousands: None };

/// What a field is as a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Is(i64),
    /// A whole number of more than 64 bits.
    Wide,
    No,
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

fn trim(mut cell: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = cell
        && is_space(*first)
    {
        cell = rest;
    }
    while let [rest @ .., last] = cell
        && is_space(*last)
    {
        cell = rest;
    }
    cell
}

/// 10 to the powers that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Whole numbers below this are doubles.
const MOST_EXACT: u64 = 1 << 53;

/// 2^(63 + z) / 5^n, rounded down, where 2^z is the lowest power of two that is not below 5^n; and z.
const FIFTHS: [(u64, u32); 20] = {
    let (mut fifths, mut n, mut power) = ([(0, 0); 20], 0, 1u128);
    while n < 20 {
        let z = power.next_power_of_two().trailing_zeros();
        fifths[n] = (((1u128 << (63 + z)) / power) as u64, z);
        (n, power) = (n + 1, power * 5);
    }
    fifths
};

/// The double nearest to `value / 10^n`, if 64 bits of the quotient tell which it is.
fn quotient(value: u64, n: usize) -> Option<f64> {
    let (fifth, z) = FIFTHS[n];
    let zeros = value.leading_zeros();
    // The quotient lies between `high` and `high + 1`, in units of 2^(1 - zeros - z - n).
    let high = ((u128::from(value << zeros) * u128::from(fifth)) >> 64) as u64;
    let spare_bits = 10 + (high >> 63) as u32;
    let (spare, half) = (high & ((1 << spare_bits) - 1), 1 << (spare_bits - 1));
    if spare == half || spare + 1 == half {
        return None;
    }
    let mantissa = (high >> spare_bits) + u64::from(spare > half);
    let exponent = u64::from(1024 + spare_bits - zeros - z) - n as u64;
    Some(mantissa as f64 * f64::from_bits(exponent << 52))
}

/// The number of four digits, if they are, by pairs side by side.
#[inline(always)]
fn four_digits(text: [u8; 4]) -> Option<u64> {
    const HIGH: u32 = 0xf0f0_f0f0;
    const ZEROS: u32 = 0x3030_3030;
    let word = u32::from_le_bytes(text);
    // Above nine the sum carries into the upper half of a byte.
    if word & HIGH != ZEROS || word.wrapping_add(0x0606_0606) & HIGH != ZEROS {
        return None;
    }
    let pairs = ((word & !HIGH).wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff;
    Some((pairs.wrapping_mul(100 << 16 | 1) >> 16).into())
}

impl Numbers {
    /// The field as a whole number.
    #[inline]
    pub(super) fn whole(&self, cell: &[u8]) -> Whole {
        let (negative, digits) = match cell {
            [b'-', digits @ ..] => (true, digits),
            _ => (false, cell),
        };
        // Eighteen digits fit; whatever else there is takes the long way.
        if digits.is_empty() || digits.len() > 18 {
            return self.odd_whole(cell);
        }
        let mut value = 0i64;
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return self.odd_whole(cell);
            }
            value = value * 10 + i64::from(digit);
        }
        Whole::Is(if negative { -value } else { value })
    }

    /// With spaces around, a sign, thousands, or many digits.
    #[cold]
    fn odd_whole(&self, cell: &[u8]) -> Whole {
        let cell = trim(cell);
        let digits = if let [b'-' | b'+', rest @ ..] = cell { rest } else { cell };
        if !digits.first().is_some_and(u8::is_ascii_digit) {
            return Whole::No;
        }
        let is_mark = |byte: &u8| Some(*byte) == self.thousands;
        if !digits.iter().all(|byte| byte.is_ascii_digit() || is_mark(byte)) {
            return Whole::No;
        }
        let text: String = cell.iter().filter(|byte| !is_mark(byte)).map(|&byte| char::from(byte)).collect();
        text.parse().map_or(Whole::Wide, Whole::Is)
    }

    /// The field as a number.
    #[inline]
    pub(super) fn number(&self, cell: &[u8]) -> Option<f64> {
        self.short(cell).or_else(|| self.odd(cell))
    }

    /// A number of at most 19 digits. A whole number below 2^53 over an exact power of ten is the nearest double after
    /// one rounding (Clinger).
    #[inline(always)]
    fn short(&self, cell: &[u8]) -> Option<f64> {
        let (negative, digits) = match cell {
            [b'-', digits @ ..] => (true, digits),
            _ => (false, cell),
        };
        if digits.len() > 19 {
            return None;
        }
        let whole = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (whole, rest) = digits.split_at(whole);
        let mut value = whole.iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0'));
        let fraction = match rest {
            [] => rest,
            [mark, fraction @ ..] if *mark == self.decimal => fraction,
            _ => return None,
        };
        let mut rest = fraction;
        while let Some((four, more)) = rest.split_first_chunk::<4>() {
            (value, rest) = (value * 10_000 + four_digits(*four)?, more);
        }
        for byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + u64::from(digit);
        }
        let (count, point) = (whole.len() + fraction.len(), fraction.len());
        let value = match value {
            _ if count == 0 => return None,
            0..MOST_EXACT => value as f64 / TENS[point],
            _ => quotient(value, point)?,
        };
        Some(if negative { -value } else { value })
    }

    /// Any number: `[+-]digits[.digits][e[+-]digits]` with spaces around, or a word for infinity without.
    fn odd(&self, cell: &[u8]) -> Option<f64> {
        let text = trim(cell);
        let digits = if let [b'-' | b'+', rest @ ..] = text { rest } else { text };
        if !digits.first().is_some_and(|&byte| byte.is_ascii_digit() || byte == self.decimal) {
            return infinity(cell);
        }
        if self.decimal == b'.' && self.thousands.is_none() {
            return std::str::from_utf8(text).ok()?.parse().ok();
        }
        self.translated(text)?.parse().ok()
    }

    /// A number with its decimal point a point, and nothing between its thousands.
    fn translated(&self, text: &[u8]) -> Option<String> {
        let mut plain = String::with_capacity(text.len());
        let (mut whole, mut digit_before) = (true, false);
        for &byte in text {
            let digit = byte.is_ascii_digit();
            if byte == self.decimal && whole {
                plain.push('.');
                whole = false;
            } else if Some(byte) == self.thousands && whole && digit_before {
                digit_before = false;
                continue;
            } else if digit || matches!(byte, b'+' | b'-' | b'e' | b'E') {
                plain.push(char::from(byte));
                whole = whole && !matches!(byte, b'e' | b'E');
            } else {
                return None;
            }
            digit_before = digit;
        }
        Some(plain)
    }
}

fn infinity(cell: &[u8]) -> Option<f64> {
    let (sign, word) = match cell {
        [b'-', word @ ..] => (-1.0, word),
        [b'+', word @ ..] => (1.0, word),
        word => (1.0, word),
    };
    let known = word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"infinity");
    known.then_some(sign * f64::INFINITY)
}

/// A number as pandas reads one.
pub(crate) fn number(text: &str) -> Option<f64> {
    POINT.number(text.as_bytes())
}

/// Words for true and false.
#[derive(Clone, Debug, Default)]
pub(super) struct Truths(pub(super) Vec<(Vec<u8>, bool)>);

impl Truths {
    pub(super) fn truth(&self, cell: &[u8]) -> Option<bool> {
        if let Some((_, truth)) = self.0.iter().find(|(word, _)| word == cell) {
            return Some(*truth);
        }
        if cell.eq_ignore_ascii_case(b"true") {
            Some(true)
        } else {
            cell.eq_ignore_ascii_case(b"false").then_some(false)
        }
    }
}

#[test]
fn four_digits_are_a_number() {
    for number in 0..10_000 {
        let text: [u8; 4] = format!("{number:04}").into_bytes().try_into().expect("four bytes");
        assert_eq!(four_digits(text), Some(number));
    }
    for byte in (0..=255).filter(|byte: &u8| !byte.is_ascii_digit()) {
        for at in 0..4 {
            let mut text = *b"9042";
            text[at] = byte;
            assert_eq!(four_digits(text), None, "{text:?}");
        }
    }
}

#[test]
fn short_numbers_are_the_nearest_doubles() {
    let mut bits = 1u64;
    for digits in 0..20_000usize {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = (bits >> 11) as f64 / (1u64 << 53) as f64 * 10f64.powi(digits as i32 % 9 - 4);
        for text in [format!("{value}"), format!("-{value:.*}", digits % 20), format!("{value:e}")] {
            let right: f64 = text.parse().unwrap();
            assert_eq!(number(&text).map(f64::to_bits), Some(right.to_bits()), "{text}");
        }
    }
    let comma = Numbers { decimal: b',', thousands: Some(b'.') };
    assert_eq!(comma.number(b"-1.234.567,5"), Some(-1_234_567.5));
    assert_eq!((comma.number(b"1..2"), comma.number(b"1,2,3"), comma.number(b".5")), (None, None, None));
    assert_eq!((number("."), number("1e"), number("-"), number("\u{661}")), (None, None, None, None));
}
