//! Tables and columns as text, laid out as pandas 3 lays them out on a terminal of 80 columns.

use cornu_graph::numbers::repr;
use cornu_graph::pad::{left, right};

use super::{Column, Index, NAT, Scalar, Table, Value, Values, dates};

/// No line is longer, unless two columns and the row labels are.
const WIDTH: usize = 80;
/// More rows than this are cut …
const MAX_ROWS: usize = 60;
/// … to this many.
const SHOWN_ROWS: usize = 10;
/// Decimals, at most …
const DIGITS: usize = 6;
/// … so that nothing but zeros is seen of what is smaller than this.
const SMALL: f64 = 1e-6;
/// The longest text of a cell.
const MAX_CELL: usize = 50;
/// Stands for columns left out.
const DOTS: &str = " ...";

/// The lines of one printed column, all equally wide.
struct Strip {
    lines: Vec<String>,
    width: usize,
    /// How wide the lines below a very long name are.
    cells: usize,
}

impl Strip {
    fn of(lines: &[String], pad: impl Fn(&str, usize) -> String) -> Strip {
        let width = lines.iter().map(|line| width(line)).max().unwrap_or(0);
        Strip { lines: lines.iter().map(|line| pad(line, width)).collect(), width, cells: width }
    }
}

/// The table with its row labels. Unless `whole` is said, the middle is left out where there are too many rows or
/// columns.
pub(super) fn table(table: &Table, whole: bool) -> String {
    let (rows, columns) = table.shape();
    if rows == 0 || columns == 0 {
        let names = table.names().iter().map(|name| escaped(name)).collect::<Vec<_>>().join(", ");
        let labels = labels(table.index(), &(0..rows).collect::<Vec<_>>()).join(", ");
        return format!("Empty DataFrame\nColumns: [{names}]\nIndex: [{labels}]");
    }
    let shown = if whole { (0..rows).collect() } else { shown_rows(rows) };
    let cut = shown.len() < rows;
    let mut index = labels(table.index(), &shown);
    index.insert(0, String::new());
    let mut strips = vec![Strip::of(&index, left)];
    let longest = if whole { usize::MAX } else { MAX_CELL };
    let strip = |column: &Column| strip(column, &shown, longest);
    if whole || columns <= WIDTH {
        strips.extend(table.columns().iter().map(strip));
    } else {
        let (head, tail) = (&table.columns()[..WIDTH / 2], &table.columns()[columns - WIDTH / 2..]);
        strips.extend(head.iter().map(strip));
        strips.push(dot_column(shown.len() + 1));
        strips.extend(tail.iter().map(strip));
    }
    if cut {
        strips.iter_mut().enumerate().for_each(|(i, strip)| dot_row(strip, i == 0));
    }
    let narrow = !whole && fit(&mut strips);
    let mut text = joined(&strips);
    if cut || narrow || !whole && columns > WIDTH {
        text += &format!("\n\n[{rows} rows x {columns} columns]");
    }
    text
}

/// The column with its row labels, then its name and type.
pub(super) fn series(column: &Column) -> String {
    let rows = column.len();
    let name = format!("Name: {}", escaped(column.name()));
    if rows == 0 {
        return format!("Series([], {name}, dtype: {})", column.dtype());
    }
    let shown = shown_rows(rows);
    let mut index = labels(column.index(), &shown);
    let mut values = Strip::of(&cells(column.values(), &shown, MAX_CELL), right);
    let mut length = String::new();
    if shown.len() < rows {
        let dots = if values.width > 3 { "..." } else { ".." };
        values.lines.insert(SHOWN_ROWS / 2, centered(dots, values.width));
        index.insert(SHOWN_ROWS / 2, String::new());
        length = format!(", Length: {rows}");
    }
    let index = Strip::of(&index, left);
    let lines = index.lines.iter().zip(&values.lines).map(|(label, value)| format!("{label}   {value}\n"));
    format!("{}{name}{length}, dtype: {}", lines.collect::<String>(), column.dtype())
}

/// The value between backticks, shortened.
pub(super) fn quoted(value: Value<'_>) -> String {
    match value {
        Value::Text(text) => format!("`{}`", clipped(&escaped(text), MAX_CELL)),
        _ => "`NaN`".into(),
    }
}

/// A row label as text.
pub(super) fn label(value: Value<'_>) -> String {
    match value {
        Value::Float(value) => repr(value),
        Value::Int(value) => value.to_string(),
        Value::Bool(value) => (if value { "True" } else { "False" }).into(),
        Value::Date(value) => dates::text(value, !dates::is_midnight(value)),
        Value::Text(text) => text.into(),
        Value::Missing => "NaN".into(),
    }
}

fn shown_rows(rows: usize) -> Vec<usize> {
    if rows <= MAX_ROWS {
        return (0..rows).collect();
    }
    (0..SHOWN_ROWS / 2).chain(rows - SHOWN_ROWS / 2..rows).collect()
}

fn labels(index: &Index, rows: &[usize]) -> Vec<String> {
    rows.iter().map(|&row| escaped(&index.label(row))).collect()
}

fn strip(column: &Column, rows: &[usize], longest: usize) -> Strip {
    let mut lines = cells(column.values(), rows, longest);
    // Numbers keep a place for their sign, and so does the name above them.
    let sign = if matches!(column.values(), Values::Text(_)) { "" } else { " " };
    let name = format!("{sign}{}", escaped(column.name()));
    // Under a very long name, cells stay where they would be under one as long as the longest cell.
    let cell_width = lines.iter().map(|line| width(line)).chain([width(&name).min(longest)]).max().unwrap_or(0);
    lines.iter_mut().for_each(|line| *line = right(line, cell_width));
    lines.insert(0, right(&name, cell_width));
    Strip { cells: cell_width, ..Strip::of(&lines, left) }
}

/// The cells of these rows, each with a place for a sign; texts are cut to the `longest`.
fn cells(values: &Values, rows: &[usize], longest: usize) -> Vec<String> {
    match values {
        Values::Float(values) => floats(&rows.iter().map(|&row| values[row]).collect::<Vec<_>>()),
        Values::Int(values) => rows.iter().map(|&row| signed(values[row] < 0, values[row].to_string())).collect(),
        Values::Float32(values) => floats(&rows.iter().map(|&row| values[row].into()).collect::<Vec<_>>()),
        Values::Bool(values) => rows.iter().map(|&row| if values[row] { " True" } else { " False" }.into()).collect(),
        Values::Truth(_) => rows.iter().map(|&row| format!(" {}", label(values.get(row)))).collect(),
        Values::Date(moments) => {
            let time = rows.iter().any(|&row| !dates::is_midnight(moments[row]) && moments[row] != NAT);
            let text = |moment| if moment == NAT { "NaT".into() } else { dates::text(moment, time) };
            rows.iter().map(|&row| format!(" {}", text(moments[row]))).collect()
        }
        Values::Object(values) => rows.iter().map(|&row| clipped(&object(&values[row]), longest)).collect(),
        Values::Category(category) => cells(&category.plain(), rows, longest),
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

/// Puts dots where rows were left out. The first line is the name.
fn dot_row(strip: &mut Strip, is_index: bool) {
    let dots = if strip.cells > 3 { "..." } else { ".." };
    let line = if is_index { left(dots, strip.width) } else { left(&right(dots, strip.cells), strip.width) };
    strip.lines.insert(1 + SHOWN_ROWS / 2, line);
    strip.width = strip.width.max(dots.len());
}

/// Leaves out columns from the middle until the rest is narrow enough, with dots in their place; says whether it did.
///
/// The dots and the sides take what pandas reserves for them, so that the same columns go.
fn fit(strips: &mut Vec<Strip>) -> bool {
    let mut widths: Vec<usize> = strips.iter().map(|strip| strip.width).collect();
    let mut total = widths.iter().sum::<usize>() + widths.len() - 1;
    if total < WIDTH {
        return false;
    }
    total += DOTS.len() + 1;
    while total >= WIDTH && widths.len() > 1 {
        total -= widths.remove(half(widths.len())) + 1;
    }
    let fitting = (widths.len() - 1).max(2);
    if fitting >= strips.len() - 1 {
        return false;
    }
    let side = fitting / 2;
    let dots = dot_column(strips[0].lines.len());
    strips.splice(1 + side..strips.len() - side, [dots]);
    true
}

fn dot_column(height: usize) -> Strip {
    Strip { lines: vec![DOTS.to_owned(); height], width: DOTS.len(), cells: DOTS.len() }
}

/// Half of `n`, to the even neighbour if `n` is odd (as Python rounds).
fn half(n: usize) -> usize {
    n / 2 + usize::from(n % 4 == 3)
}

fn joined(strips: &[Strip]) -> String {
    let height = strips.first().map_or(0, |strip| strip.lines.len());
    let line = |row: usize| strips.iter().map(|strip| strip.lines[row].as_str()).collect::<Vec<_>>().join(" ");
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn escaped(text: &str) -> String {
    text.replace('\t', "\\t").replace('\r', "\\r").replace('\n', "\\n")
}

fn clipped(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.into();
    }
    text.chars().take(limit - 3).chain("...".chars()).collect()
}

/// In the middle; a space too many goes to the left if the width is odd (as Python centres).
fn centered(text: &str, width: usize) -> String {
    let space = width.saturating_sub(text.len());
    let before = space / 2 + (space & width & 1);
    left(&format!("{}{text}", " ".repeat(before)), width)
}
