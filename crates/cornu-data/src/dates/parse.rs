//! Texts as moments: the forms that pandas finds out, and those that are given.

use std::sync::LazyLock;

use cornu_array::{Error, Result};

use super::{DAY, days};
use crate::{NAT, Texts};

/// A part of a form of dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    ShortYear,
    Month,
    MonthName,
    ShortMonthName,
    Day,
    DayName,
    Hour,
    Hour12,
    Minute,
    Second,
    Fraction,
    HalfDay,
    Mark(char),
}

/// The parts of a form such as `%Y-%m-%d %H:%M`.
fn parts(format: &str) -> Result<Vec<Part>> {
    let (mut parts, mut marks) = (Vec::new(), format.chars());
    while let Some(mark) = marks.next() {
        if mark != '%' {
            parts.push(Part::Mark(mark));
            continue;
        }
        parts.push(match marks.next() {
            Some('Y') => Part::Year,
            Some('y') => Part::ShortYear,
            Some('m') => Part::Month,
            Some('B') => Part::MonthName,
            Some('b') => Part::ShortMonthName,
            Some('d') => Part::Day,
            Some('a' | 'A') => Part::DayName,
            Some('H') => Part::Hour,
            Some('I') => Part::Hour12,
            Some('M') => Part::Minute,
            Some('S') => Part::Second,
            Some('f') => Part::Fraction,
            Some('p') => Part::HalfDay,
            Some('%') => Part::Mark('%'),
            other => {
                let got = other.map(String::from).unwrap_or_default();
                return Err(Error::usage(format!("`date_format` knows no `%{got}`, in `{format}`"))
                    .help("it knows %Y %y %m %b %B %d %a %A %H %I %M %S %f %p"));
            }
        });
    }
    Ok(parts)
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The digits at the start of a text, as many as may be, and what is behind them.
fn digits(text: &str, least: usize, most: usize) -> Option<(i64, usize, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(count);
    (count >= least).then_some((number.parse().ok()?, count, rest))
}

/// Which of the names a text begins with, in any case, whole or by its first three letters; the longer one first.
fn name<'a>(text: &'a str, names: &[&str], short: Option<bool>) -> Option<(i64, &'a str)> {
    let begins = |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let whole = names.iter().position(|name| short != Some(true) && begins(name)).map(|at| (at, names[at].len()));
    let first =
        || names.iter().position(|name| short != Some(false) && begins(&name[..3.min(name.len())])).map(|at| (at, 3));
    let (at, len) = whole.or_else(first)?;
    Some((at as i64, &text[len..]))
}

impl Part {
    /// What the start of a text says of this part, and what is behind it.
    fn read<'a>(&self, text: &'a str) -> Option<(i64, &'a str)> {
        let number = |least, most| digits(text, least, most).map(|(number, _, rest)| (number, rest));
        match self {
            Part::Mark(mark) => Some((0, text.strip_prefix(*mark)?)),
            Part::Year => number(4, 4),
            Part::ShortYear => number(2, 2).map(|(year, rest)| (year + if year < 69 { 2000 } else { 1900 }, rest)),
            Part::MonthName => name(text, &MONTHS, Some(false)).map(|(month, rest)| (month + 1, rest)),
            Part::ShortMonthName => name(text, &MONTHS, Some(true)).map(|(month, rest)| (month + 1, rest)),
            Part::DayName => name(text, &DAYS, None),
            Part::HalfDay => name(text, &["am", "pm"], Some(false)),
            Part::Fraction => {
                let (number, count, rest) = digits(text, 1, 9)?;
                let nanos = number * 10i64.pow(9 - count as u32);
                (nanos % 1000 == 0).then_some((nanos / 1000, rest))
            }
            Part::Month | Part::Day | Part::Hour | Part::Hour12 | Part::Minute | Part::Second => number(1, 2),
        }
    }
}

/// The moment that a text of this form means.
fn moment(text: &str, parts: &[Part]) -> Option<i64> {
    let (mut year, mut month, mut day) = (1900, 1, 1);
    let (mut hour, mut minute, mut second, mut micros, mut half) = (0, 0, 0, 0, None);
    let mut rest = text;
    for part in parts {
        let (value, behind) = part.read(rest)?;
        rest = behind;
        match part {
            Part::Year | Part::ShortYear => year = value,
            Part::Month | Part::MonthName | Part::ShortMonthName => month = value,
            Part::Day => day = value,
            Part::Hour | Part::Hour12 => hour = value,
            Part::Minute => minute = value,
            Part::Second => second = value,
            Part::Fraction => micros = value,
            Part::HalfDay => half = Some(value),
            Part::DayName | Part::Mark(_) => {}
        }
    }
    if parts.contains(&Part::Hour12) {
        hour = (1..=12).contains(&hour).then_some(hour % 12 + 12 * half.unwrap_or(0))?;
    }
    let valid = rest.is_empty() && (1..=12).contains(&month) && hour < 24 && minute < 60 && second < 60 && year > 0;
    let seconds = (hour * 60 + minute) * 60 + second;
    valid.then_some(days(year, month, day)? * DAY + seconds * 1_000_000 + micros)
}

/// Forms of days, in the order in which they are tried. Month and day may change places ([`orders`]).
const FORMS: [&str; 25] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%m/%d/%Y",
    "%m-%d-%Y",
    "%m.%d.%Y",
    "%m/%d/%y",
    "%m-%d-%y",
    "%m.%d.%y",
    "%y/%m/%d",
    "%Y-%m",
    "%m/%Y",
    "%Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d%b%Y",
    "%b %Y",
    "%B %Y",
    "%a %b %d %Y",
    "%A, %B %d, %Y",
];
const TIMES: [&str; 11] = [
    "",
    " %H:%M:%S",
    "T%H:%M:%S",
    " %H:%M",
    "T%H:%M",
    " %H:%M:%S.%f",
    "T%H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
    " %H",
    "T%H",
];

/// A form with month and day in the orders in which pandas tries them: days come before months if that is said, or
/// where it makes no date otherwise and a whole year is at the end.
fn orders(form: &str, dayfirst: bool) -> Vec<String> {
    let plain = form.to_owned();
    let swapped = plain.replace("%m", "%M").replace("%d", "%m").replace("%M", "%d");
    let both = form.contains("%m") && form.contains("%d");
    match (both, dayfirst) {
        (true, true) => vec![swapped, plain],
        (true, false) if plain.ends_with("%Y") => vec![plain, swapped],
        _ => vec![plain],
    }
}

/// The form of a text, if it is a date.
fn guess(text: &str, dayfirst: bool) -> Option<Vec<Part>> {
    let forms = FORMS.iter().flat_map(|form| orders(form, dayfirst));
    let timed = forms.flat_map(|form| TIMES.map(|time| format!("{form}{time}")));
    timed.filter_map(|form| parts(&form).ok()).find(|parts| moment(text, parts).is_some())
}

/// Texts as moments: of this form, or else of that of the first one. `None` if one of them is not.
///
/// # Errors
/// The parts of the form must be known.
pub(crate) fn read(texts: &Texts, format: Option<&str>, dayfirst: bool) -> Result<Option<Vec<i64>>> {
    let parts = match (format, texts.iter().flatten().next()) {
        (Some(format), _) => parts(format)?,
        (None, Some(first)) => match guess(first, dayfirst) {
            Some(parts) => parts,
            None => return Ok(None),
        },
        (None, None) => Vec::new(),
    };
    Ok(texts.iter().map(|text| text.map_or(Some(NAT), |text| moment(text, &parts))).collect())
}

/// The forms of ISO 8601, with a time of day or without.
static ISO: LazyLock<Vec<Vec<Part>>> = LazyLock::new(|| {
    let timed = ["%Y-%m-%d", "%Y-%m", "%Y"].into_iter().flat_map(|form| TIMES.map(|time| format!("{form}{time}")));
    timed.filter_map(|form| parts(&form).ok()).collect()
});

/// The moment that a text of ISO 8601 means: `2024`, `2024-05`, `2024-05-31`, `2024-05-31 14:00`, with seconds and
/// fractions.
pub(crate) fn parse(text: &str) -> Option<i64> {
    ISO.iter().find_map(|parts| moment(text.trim(), parts))
}

#[test]
fn texts_of_moments_are_read_back() {
    for at in [0, -1, 951_782_400_000_000, 1_717_164_000_000_000, 1_717_164_000_000_001, -62_135_596_800_000_000] {
        assert_eq!(parse(&super::text(at, true)), Some(at));
    }
    assert_eq!(parse("2024-05"), parse("2024-05-01T00:00"));
    for wrong in ["", "2024-02-30", "2024-13-01", "24-01-01", "2024-01-01 25:00", "x", "2024-01-01-01"] {
        assert_eq!(parse(wrong), None, "{wrong}");
    }
}
