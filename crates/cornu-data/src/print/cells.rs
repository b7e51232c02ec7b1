//! Values as text: one cell for each, as pandas formats those of a column together.

use cornu_array::numbers::repr;

use crate::{Category, Index, NAT, Scalar, Value, Values, dates};

/// Decimals, at most …
const DIGITS: usize = 6;
/// … so that nothing but zeros is seen of what is smaller than this.
const SMALL: f64 = 1e-6;
/// The longest text of a cell.
pub(super) const MAX_CELL: usize = 50;

/// The value between backticks, shortened.
pub(crate) fn quoted(value: Value<'_>) -> String {
    match value {
        Value::Text(text) => format!("`{}`", clipped(&escaped(text), MAX_CELL)),
        _ => "`NaN`".into(),
    }
}

/// A row label as text.
pub(crate) fn label(value: Value<'_>) -> String {
    match value {
        Value::Float(value) => repr(value),
        Value::Int(value) => value.to_string(),
        Value::Bool(value) => (if value { "True" } else { "False" }).into(),
        Value::Date(value) => dates::text(value, !dates::is_midnight(value)),
        Value::Text(text) => text.into(),
        Value::Missing => "NaN".into(),
    }
}

/// The row labels, as wide as they are. Numbers below zero leave a place for their sign before the others.
pub(super) fn labels(index: &Index, rows: &[usize]) -> Vec<String> {
    let values = index.to_shared();
    let plain = |row: &usize| label(values.get(*row));
    let mut labels: Vec<String> = match &*values {
        Values::Text(texts) => rows.iter().map(|&row| texts.get(row).map_or("NaN".into(), escaped)).collect(),
        Values::Int(_) if index.steps().is_some() => return rows.iter().map(plain).collect(),
        Values::Float(_) | Values::Float32(_) => {
            let cells = cells(&values, rows, usize::MAX);
            cells.into_iter().map(|cell| if cell == "NaN" { " NaN".into() } else { cell }).collect()
        }
        values => cells(values, rows, usize::MAX),
    };
    while !labels.is_empty() && labels.iter().all(|label| label.starts_with(' ')) {
        labels.iter_mut().for_each(|label| label.replace_range(..1, ""));
    }
    labels
}

/// The labels one behind the other, as those of a table without cells are listed.
pub(super) fn listed(values: &Values) -> String {
    const MOST: usize = 100;
    let text = |value: Value<'_>| match value {
        Value::Float(value) if !value.is_nan() => object(&Scalar::Float(value)).trim_start().to_owned(),
        Value::Date(moment) => dates::text(moment, true),
        Value::Text(text) => escaped(text),
        _ if matches!(values, Values::Date(_)) => "NaT".into(),
        value if value.is_missing() => "nan".into(),
        value => label(value),
    };
    let more = (values.len() > MOST).then(|| "...".into());
    values.iter().take(MOST).map(text).chain(more).collect::<Vec<_>>().join(", ")
}

/// What stands below a column of categories: how many there are, and which, broken into lines as wide as the terminal.
pub(super) fn categories(category: &Category, width: usize) -> String {
    const MOST: usize = 8;
    let all = &category.categories;
    let texts = |rows: &[usize]| match &**all {
        Values::Text(texts) => rows.iter().map(|&row| format!("'{}'", escaped(texts.get(row).unwrap_or("")))).collect(),
        values => cells(values, rows, usize::MAX).iter().map(|cell| cell.trim().to_owned()).collect::<Vec<_>>(),
    };
    let shown = if all.len() > MOST {
        let tail: Vec<usize> = (all.len() - MOST / 2..all.len()).collect();
        [texts(&(0..MOST / 2).collect::<Vec<_>>()), vec!["...".into()], texts(&tail)].concat()
    } else {
        texts(&(0..all.len()).collect::<Vec<_>>())
    };
    let head = format!("Categories ({}, {}): ", all.len(), all.dtype());
    let separator = if category.ordered { " < " } else { ", " };
    let (mut line, mut list) = (head.len(), String::new());
    for (place, text) in shown.iter().enumerate() {
        if line + separator.len() + super::width(text) > width {
            list += &format!("{}\n{}", separator.trim_end(), " ".repeat(head.len() + 1));
            line = head.len() + 1;
        } else if place > 0 {
            list += separator;
            line += separator.len();
        }
        list += text;
        line += super::width(text);
    }
    format!("{head}[{}]", list.replace(" < ... < ", " ... "))
}

/// The cells of these rows, each with a place for a sign; texts are cut to the `longest`.
pub(super) fn cells(values: &Values, rows: &[usize], longest: usize) -> Vec<String> {
    match values {
        Values::Float(values) => floats(&rows.iter().map(|&row| values[row]).collect::<Vec<_>>()),
        Values::Int(values) => rows.iter().map(|&row| signed(values[row] < 0, values[row].to_string())).collect(),
        Values::Float32(values) => floats(&rows.iter().map(|&row| values[row].into()).collect::<Vec<_>>()),
        Values::Bool(values) => rows.iter().map(|&row| if values[row] { " True" } else { " False" }.into()).collect(),
        Values::Truth(_) => rows.iter().map(|&row| format!(" {}", label(values.get(row)))).collect(),
        Values::Date(moments) => {
            let detail = dates::detail(&rows.iter().map(|&row| moments[row]).collect::<Vec<_>>());
            let text = |moment| if moment == NAT { "NaT".into() } else { dates::text_in(moment, detail) };
            rows.iter().map(|&row| text(moments[row])).collect()
        }
        Values::Object(values) => rows.iter().map(|&row| clipped(&object(&values[row]), longest)).collect(),
        Values::Category(category) => match &*category.categories {
            // Whole numbers stay so beside missing values.
            Values::Int(_) if category.codes.contains(&None) => {
                rows.iter().map(|&row| format!(" {}", label(values.get(row)))).collect()
            }
            _ => cells(&category.plain(), rows, longest),
        },
        Values::Text(values) => {
            let text = |row: usize| values.get(row).map_or("NaN".into(), escaped);
            rows.iter().map(|&row| clipped(&format!(" {}", text(row)), longest)).collect()
        }
    }
}

/// A cell among others of several kinds: six decimals at most, dates with their time of day.
fn object(value: &Scalar) -> String {
    match value {
        Scalar::Float(value) if !value.is_nan() => {
            trimmed(vec![float(*value, |value| format!("{value:.DIGITS$}"))]).remove(0)
        }
        Scalar::Date(NAT) => " NaT".into(),
        Scalar::Date(moment) => format!(" {}", dates::text(*moment, true)),
        Scalar::Text(text) => format!(" {}", escaped(text)),
        value => format!(" {}", label(value.as_value())),
    }
}

/// Six decimals, or as few as all the values need; powers of ten where that hides a small value or takes too much room.
fn floats(values: &[f64]) -> Vec<String> {
    let plain = trimmed(values.iter().map(|&value| float(value, |value| format!("{value:.DIGITS$}"))).collect());
    let too_long = plain.iter().any(|cell| cell.len() > DIGITS + 6);
    let large = values.iter().any(|value| value.abs() > 1e6);
    let small = values.iter().any(|value| value.abs() < SMALL && *value != 0.0);
    if small || (too_long && large) {
        return values.iter().map(|&value| float(value, power_of_ten)).collect();
    }
    plain
}

fn float(value: f64, finite: impl Fn(f64) -> String) -> String {
    if value.is_nan() {
        "NaN".into()
    } else {
        signed(value.is_sign_negative(), if value.is_infinite() { value.to_string() } else { finite(value) })
    }
}

/// `1.234560e+05`
fn power_of_ten(value: f64) -> String {
    let text = format!("{value:.DIGITS$e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    format!("{digits}e{sign}{power:0>2}")
}

fn signed(negative: bool, text: String) -> String {
    if negative { text } else { format!(" {text}") }
}

/// Takes off the zeros that all decimals end in, but for the first one behind the point.
fn trimmed(cells: Vec<String>) -> Vec<String> {
    let zeros = |cell: &String| {
        let (_, decimals) = cell.split_once('.')?;
        Some((decimals.len() - decimals.trim_end_matches('0').len()).min(DIGITS - 1))
    };
    let common = cells.iter().filter_map(zeros).min().unwrap_or(0);
    let cut = |cell: String| if cell.contains('.') { cell[..cell.len() - common].into() } else { cell };
    cells.into_iter().map(cut).collect()
}

/// The characters that would break a line as they are written in text.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\t', "\\t").replace('\r', "\\r").replace('\n', "\\n")
}

/// The text, cut where it is longer.
pub(super) fn clipped(text: &str, limit: usize) -> String {
    if super::width(text) <= limit {
        return text.into();
    }
    text.chars().take(limit - 3).chain("...".chars()).collect()
}
