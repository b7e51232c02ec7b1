//! A column as text.

use cornu_array::pad::{left, right};

use super::cells::{MAX_CELL, categories, cells, escaped, labels};
use super::{SHOWN_ROWS, Strip, WIDTH, shown_rows};
use crate::{Column, Values};

/// The column with its row labels, then its name and type. The `whole` column goes without these.
pub(crate) fn series(column: &Column, whole: bool) -> String {
    let rows = column.len();
    let shown = if whole { (0..rows).collect() } else { shown_rows(rows) };
    let cut = shown.len() < rows;
    let foot = foot(column, cut, whole);
    if rows == 0 {
        return format!("Series([], {foot})");
    }
    let mut index = labels(column.index(), &shown);
    let mut values = Strip::of(&cells(column.values(), &shown, MAX_CELL), right);
    if cut {
        let dots = if values.width > 3 { "..." } else { ".." };
        values.lines.insert(SHOWN_ROWS / 2, centered(dots, values.width));
        index.insert(SHOWN_ROWS / 2, String::new());
    }
    // The name of the labels may be longer than they are.
    let head = column.index().name().map_or(String::new(), |name| format!("{}\n", escaped(name)));
    let index = Strip::of(&index, left);
    let lines: Vec<String> =
        index.lines.iter().zip(&values.lines).map(|(label, value)| format!("{label}   {value}")).collect();
    let foot = if foot.is_empty() { foot } else { format!("\n{foot}") };
    format!("{head}{}{foot}", lines.join("\n"))
}

/// Name, length and type.
fn foot(column: &Column, cut: bool, whole: bool) -> String {
    let mut parts = Vec::new();
    if !whole {
        parts
            .extend(Some(column.name()).filter(|name| !name.is_empty()).map(|name| format!("Name: {}", escaped(name))));
        parts.extend(cut.then(|| format!("Length: {}", column.len())));
        parts.push(format!("dtype: {}", column.dtype()));
    }
    let foot = parts.join(", ");
    match column.values() {
        Values::Category(category) if whole => categories(category, WIDTH),
        Values::Category(category) => format!("{foot}\n{}", categories(category, WIDTH)),
        _ => foot,
    }
}

/// In the middle; a space too many goes to the left if the width is odd (as Python centres).
fn centered(text: &str, width: usize) -> String {
    let space = width.saturating_sub(text.len());
    let before = space / 2 + (space & width & 1);
    left(&format!("{}{text}", " ".repeat(before)), width)
}
