//! Tables and columns as text, laid out as pandas 3 lays them out on a terminal of 80 columns.

mod cells;
mod series;

use cornu_array::pad::{left, right};

use self::cells::{MAX_CELL, cells, clipped, escaped, labels, listed};
pub(super) use self::cells::{label, quoted};
pub(super) use self::series::series;
use super::{Column, Table};

/// No line is longer, unless two columns and the row labels are.
const WIDTH: usize = 80;
/// More rows than this are cut …
const MAX_ROWS: usize = 60;
/// … to this many.
const SHOWN_ROWS: usize = 10;
/// Stands for columns left out.
const DOTS: &str = " ...";
/// The last line, where something is left out.
const SIZE: &str = "\n\n[ROWS rows x COLUMNS columns]";

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
        let (names, labels) = (listed(&table.names().into()), listed(&table.index().to_shared()));
        let size = if rows.max(columns) > MAX_ROWS { SIZE } else { "" };
        let size = size.replace("ROWS", &rows.to_string()).replace("COLUMNS", &columns.to_string());
        return format!("Empty DataFrame\nColumns: [{names}]\nIndex: [{labels}]{size}");
    }
    let shown = if whole { (0..rows).collect() } else { shown_rows(rows) };
    let cut = shown.len() < rows;
    let longest = if whole { usize::MAX } else { MAX_CELL };
    let named = table.index().name().is_some();
    let head = [Some(String::new()), table.index().name().map(escaped)].into_iter().flatten();
    let index: Vec<String> = head.chain(labels(table.index(), &shown)).map(|line| clipped(&line, longest)).collect();
    let mut strips = vec![Strip::of(&index, left)];
    let strip = |column: &Column| strip(column, &shown, longest, named);
    if whole || columns <= WIDTH {
        strips.extend(table.columns().iter().map(strip));
    } else {
        let (head, tail) = (&table.columns()[..WIDTH / 2], &table.columns()[columns - WIDTH / 2..]);
        strips.extend(head.iter().map(strip));
        strips.push(dot_column(index.len()));
        strips.extend(tail.iter().map(strip));
    }
    if cut {
        strips.iter_mut().enumerate().for_each(|(i, strip)| dot_row(strip, i == 0, usize::from(named)));
    }
    let narrow = !whole && fit(&mut strips);
    let mut text = joined(&strips);
    if cut || narrow || !whole && columns > WIDTH {
        text += &SIZE.replace("ROWS", &rows.to_string()).replace("COLUMNS", &columns.to_string());
    }
    text
}

fn shown_rows(rows: usize) -> Vec<usize> {
    if rows <= MAX_ROWS {
        return (0..rows).collect();
    }
    (0..SHOWN_ROWS / 2).chain(rows - SHOWN_ROWS / 2..rows).collect()
}

fn strip(column: &Column, rows: &[usize], longest: usize, named: bool) -> Strip {
    let mut lines = cells(column.values(), rows, longest);
    // Numbers keep a place for their sign, and so does the name above them.
    let sign = if column.values().is_numeric() { " " } else { "" };
    let name = format!("{sign}{}", escaped(column.name()));
    // Under a very long name, cells stay where they would be under one as long as the longest cell.
    let cell_width = lines.iter().map(|line| width(line)).chain([width(&name).min(longest)]).max().unwrap_or(0);
    lines.iter_mut().for_each(|line| *line = right(line, cell_width));
    if named {
        lines.insert(0, " ".repeat(cell_width));
    }
    lines.insert(0, right(&name, cell_width));
    Strip { cells: cell_width, ..Strip::of(&lines, left) }
}

/// Puts dots where rows were left out. The first line is the name.
fn dot_row(strip: &mut Strip, is_index: bool, heads: usize) {
    let dots = if strip.cells > 3 { "..." } else { ".." };
    let line = if is_index { left(dots, strip.width) } else { left(&right(dots, strip.cells), strip.width) };
    strip.lines.insert(1 + heads + SHOWN_ROWS / 2, line);
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
