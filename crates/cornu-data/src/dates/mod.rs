//! Moments as text and back: microseconds since 1970-01-01 00:00, in the calendar of ISO 8601.

mod parse;

pub(crate) use parse::{parse, read};

use super::NAT;

const DAY: i64 = 86_400_000_000;

/// Whether a moment is at midnight.
pub(crate) fn is_midnight(micros: i64) -> bool {
    micros.rem_euclid(DAY) == 0
}

/// `2024-05-31`, or with the time of day `2024-05-31 14:00:00`, with six decimals where there are fractions.
pub(crate) fn text(micros: i64, time: bool) -> String {
    match micros.rem_euclid(1_000_000) {
        _ if !time => day(micros),
        0 => seconds(micros),
        fraction => format!("{}.{fraction:06}", seconds(micros)),
    }
}

fn day(micros: i64) -> String {
    let (year, month, day) = civil(micros.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Day and time of day, without fractions of a second.
fn seconds(micros: i64) -> String {
    let seconds = micros.rem_euclid(DAY) / 1_000_000;
    format!("{} {:02}:{:02}:{:02}", day(micros), seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// How much of its moments a column shows: as much as the most exact of them needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    Day,
    Second,
    Millisecond,
    Microsecond,
}

/// What the most exact of moments needs.
pub(crate) fn detail(moments: &[i64]) -> Detail {
    let of = |&moment: &i64| match moment {
        NAT => Detail::Day,
        moment if is_midnight(moment) => Detail::Day,
        moment if moment % 1_000_000 == 0 => Detail::Second,
        moment if moment % 1_000 == 0 => Detail::Millisecond,
        _ => Detail::Microsecond,
    };
    moments.iter().map(of).max().unwrap_or(Detail::Day)
}

/// A moment as a column of that detail shows it.
pub(crate) fn text_in(micros: i64, detail: Detail) -> String {
    let fraction = micros.rem_euclid(1_000_000);
    match detail {
        Detail::Day => day(micros),
        Detail::Second => seconds(micros),
        Detail::Millisecond => format!("{}.{:03}", seconds(micros), fraction / 1000),
        Detail::Microsecond => format!("{}.{fraction:06}", seconds(micros)),
    }
}

/// Year, month and day of a number of days since 1970-01-01: the inverse of a count of days in years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The number of days since 1970-01-01 of a day that is in the calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let shifted = year - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    // The 30th of February is another day when it comes back.
    (civil(days) == (year, month, day)).then_some(days)
}

#[test]
fn days_are_those_of_the_calendar() {
    let cases = [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (11_016, "2000-02-29"),
        (19_874, "2024-05-31"),
        (-719_162, "0001-01-01"),
    ];
    for (days, date) in cases {
        assert_eq!(text(days * DAY, false), date);
    }
    assert_eq!(text(DAY - 1, true), "1970-01-01 23:59:59.999999");
    assert!(is_midnight(-DAY) && !is_midnight(1));
}
