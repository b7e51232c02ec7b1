//! Moments as text: microseconds since 1970-01-01 00:00, in the calendar of ISO 8601.

const DAY: i64 = 86_400_000_000;

/// Whether a moment is at midnight.
pub(crate) fn is_midnight(micros: i64) -> bool {
    micros.rem_euclid(DAY) == 0
}

/// `2024-05-31`, or with the time of day `2024-05-31 14:00:00`, with six decimals where there are fractions.
pub(crate) fn text(micros: i64, time: bool) -> String {
    let (year, month, day) = civil(micros.div_euclid(DAY));
    let date = format!("{year:04}-{month:02}-{day:02}");
    if !time {
        return date;
    }
    let of_day = micros.rem_euclid(DAY);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 { format!("{date} {clock}") } else { format!("{date} {clock}.{fraction:06}") }
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
