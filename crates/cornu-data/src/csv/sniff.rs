//! What separates the values of a file that does not say it.

use cornu_array::Result;

use super::cells::{Numbers, POINT};
use super::lines::Lines;
use super::tokens::Sep;

/// How many rows are looked at.
const SAMPLE: usize = 100;

/// Separators beside the comma, and what they are called.
const MARKS: [(u8, &str, &str); 3] = [(b';', "semicolons", ";"), (b'\t', "tabs", "\\t"), (b'|', "bars", "|")];

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) sep: u8,
    pub(super) numbers: Numbers,
}

impl Found {
    /// What to tell whoever reads the file.
    pub(super) fn message(&self) -> String {
        let (_, words, mark) = MARKS.iter().find(|(sep, ..)| *sep == self.sep).expect("one of the list");
        let mut message = format!("the values are separated by {words}");
        let mut options = format!(".sep('{mark}')");
        if self.numbers.decimal == b',' {
            message += ", and commas are decimal points";
            options += ".decimal(',')";
        }
        if self.numbers.thousands.is_some() {
            options += ".thousands('.')";
        }
        format!("{message}; say so by `Csv::new(){options}`")
    }
}

/// The separator, if it is not the comma. It is in the first line, and separates as many fields on all lines.
pub(super) fn find(lines: &mut Lines<'_>) -> Result<Option<Found>> {
    let Ok(by_comma) = fields(lines, b',') else { return Ok(None) };
    let longer = |counts: &[usize]| counts.iter().skip(2).any(|&count| count > counts[0].max(counts[1]));
    if by_comma.is_empty() || (by_comma[0] > 1 && !longer(&by_comma)) {
        return Ok(None);
    }
    let mut best = None;
    let taken = [Some(lines.dialect.quote), lines.dialect.escape, lines.dialect.comment];
    for (mark, ..) in MARKS.into_iter().filter(|(mark, ..)| !taken.contains(&Some(*mark))) {
        let Some(counts) = fields(lines, mark).ok().filter(|counts| !counts.is_empty()) else { continue };
        let equal = counts.iter().filter(|&&count| count == counts[0]).count();
        let fits = counts[0] > 1 && !longer(&counts) && equal * 10 >= counts.len() * 8;
        // Where commas are in the first line too, there must be no doubt.
        if fits && (by_comma[0] == 1 || (equal == counts.len() && equal > 2)) {
            best = best.max(Some((counts[0], mark)));
        }
    }
    let Some((_, sep)) = best else { return Ok(None) };
    Ok(Some(Found { sep, numbers: numbers(lines, sep)? }))
}

/// How many fields the first rows have with this separator.
fn fields(lines: &mut Lines<'_>, mark: u8) -> Result<Vec<usize>> {
    let old = std::mem::replace(&mut lines.dialect.sep, Sep::Mark(mark));
    let rows = lines.head(SAMPLE, |_, _, _| Ok(()));
    lines.dialect.sep = old;
    Ok(rows?.into_iter().map(|(fields, _)| fields).collect())
}

/// Whether commas are decimal points: some field is a number so, and none is a number with a point.
fn numbers(lines: &mut Lines<'_>, mark: u8) -> Result<Numbers> {
    const COMMA: Numbers = Numbers { decimal: b',', thousands: None };
    const GROUPED: Numbers = Numbers { decimal: b',', thousands: Some(b'.') };
    let (mut commas, mut points, mut grouped) = (false, false, false);
    let old = std::mem::replace(&mut lines.dialect.sep, Sep::Mark(mark));
    let seen = lines.head(SAMPLE, |lines, _, cells| {
        for field in 0..cells.len() {
            let text = lines.field(cells, field)?;
            let text = text.trim().as_bytes();
            let has = |mark: &u8| text.contains(mark);
            let number = |numbers: Numbers| numbers.number(text).is_some();
            commas |= has(&b',') && !has(&b'.') && number(COMMA);
            points |= has(&b'.') && number(POINT);
            grouped |= has(&b',') && has(&b'.') && number(GROUPED);
        }
        Ok(())
    });
    lines.dialect.sep = old;
    seen?;
    Ok(match (commas, points, grouped) {
        (_, _, true) => GROUPED,
        (true, false, false) => COMMA,
        _ => POINT,
    })
}
