//! Keras 2's table: columns of spaces between rules of `_` and `=`.

use cornu_array::{Error, Result};

use super::{Count, Row, Summary, SummaryOptions, WIDEST, check};

/// After what a cell goes on in a new line.
const BREAKS: [&str; 4] = ["),", "},", "],", "',"];

/// How many columns `Trainable` adds.
const TRAINABLE: usize = 11;

/// Where columns end, and how wide the rules are.
struct Layout {
    ends: Vec<usize>,
    width: usize,
}

impl Summary {
    /// The table, whatever is built.
    pub(super) fn keras2(&self, options: &SummaryOptions) -> Result<String> {
        let mut heads = vec!["Layer (type)", "Output Shape", "Param #"];
        if !self.sequential {
            heads.push("Connected to");
        }
        let nested = if options.expand_nested { depth(&self.rows) } else { 0 };
        let layout = self.layout(options, &heads, nested)?;
        if options.show_trainable {
            heads.push("Trainable");
        }
        let mut lines = vec![format!("Model: \"{}\"", self.model_name), layout.rule(0, "_")];
        layout.row(&Vec::from_iter(heads.into_iter().map(str::to_owned)), 0, &mut lines);
        lines.push(layout.rule(0, "="));
        for row in &self.rows {
            self.block(row, (0, false), options, &layout, &mut lines);
        }
        lines.push(layout.rule(0, "="));
        let total = Count {
            params: self.trainable.params + self.non_trainable.params,
            bytes: self.trainable.bytes + self.non_trainable.bytes,
        };
        let parts = [("Total", total), ("Trainable", self.trainable), ("Non-trainable", self.non_trainable)];
        lines.extend(parts.map(|(name, Count { params, bytes })| format!("{name} params: {params} ({})", size(bytes))));
        lines.push(layout.rule(0, "_"));
        Ok(lines.iter().flat_map(|line| [line, "\n"]).collect())
    }

    fn layout(&self, options: &SummaryOptions, heads: &[&str], nested: usize) -> Result<Layout> {
        let (width, positions) = match self.sequential {
            true => (65, vec![0.45, 0.85, 1.0]),
            false => (98, vec![0.3, 0.6, 0.7, 1.0]),
        };
        let (width, positions) = (options.line_length.unwrap_or(width), options.positions.clone().unwrap_or(positions));
        check(width, positions.len(), heads.len())?;
        let unit = if positions.last().is_some_and(|last| *last <= 1.0) { width as f64 } else { 1.0 };
        let mut layout = Layout { ends: positions.iter().map(|end| (end * unit) as usize).collect(), width };
        if options.show_trainable {
            layout.width += TRAINABLE;
            layout.ends.push(layout.width);
        }
        if let Some(end) = layout.ends.iter().find(|end| **end > WIDEST + TRAINABLE) {
            return Err(Error::usage(format!("summary: `positions` needs columns that end by {WIDEST}, got {end}")));
        }
        match (0..layout.ends.len()).map(|column| layout.room(column, nested)).find(|room| *room < 1) {
            None => Ok(layout),
            Some(_) => {
                let message = format!("summary: every column needs a character and the space around it, got {width}");
                Err(Error::usage(message).help("set `line_length` to more columns, or change `positions`"))
            }
        }
    }

    /// A layer and, if that is asked for, those within it; `last` of those of a layer stand right above its lower rule.
    fn block(
        &self,
        row: &Row,
        (level, last): (usize, bool),
        options: &SummaryOptions,
        layout: &Layout,
        lines: &mut Vec<String>,
    ) {
        layout.row(&self.fields(row, options), level, lines);
        let expanded = options.expand_nested && !row.layers.is_empty();
        if expanded {
            lines.push(layout.rule(level + 1, "¯"));
            for (place, inner) in row.layers.iter().enumerate() {
                self.block(inner, (level + 1, place + 1 == row.layers.len()), options, layout, lines);
            }
            lines.push(layout.rule(level, "¯"));
        }
        if !last && !expanded {
            lines.push(layout.rule(level, " "));
        }
    }

    fn fields(&self, row: &Row, options: &SummaryOptions) -> Vec<String> {
        let params = row.params.map_or_else(|| "0 (unused)".to_owned(), |params| params.to_string());
        let mut fields = vec![format!("{} ({})", row.name, row.class), shape(row), params];
        if !self.sequential {
            let from: Vec<String> =
                row.connected_to.iter().map(|(name, call, output)| format!("'{name}[{call}][{output}]'")).collect();
            fields.push(format!("[{}]", from.join(", ")));
        }
        if options.show_trainable {
            fields.push(if row.trainable { "Y" } else { "N" }.to_owned());
        }
        fields
    }
}

impl Layout {
    /// A line of one character, between the sides of layers within layers.
    fn rule(&self, level: usize, of: &str) -> String {
        let (side, inner) = ("|".repeat(level), of.repeat(self.width.saturating_sub(2 * level)));
        format!("{side}{inner}{side}")
    }

    /// How many characters of a cell fit into a line: all columns but the last have one of space before and two behind.
    fn room(&self, column: usize, level: usize) -> isize {
        let start = column.checked_sub(1).map_or(0, |before| self.ends[before]);
        let last = column + 1 == self.ends.len();
        let (space, sides) = (if last { 0 } else { 3 }, if column == 0 { level } else { 0 });
        self.ends[column] as isize - (start + space + sides) as isize
    }

    /// The lines of a row.
    fn row(&self, cells: &[String], level: usize, lines: &mut Vec<String>) {
        let mut left: Vec<Vec<char>> = cells.iter().map(|cell| cell.chars().collect()).collect();
        let side = "|".repeat(level);
        while left.iter().any(|cell| !cell.is_empty()) {
            let mut line = format!("{side} ");
            for (column, cell) in left.iter_mut().enumerate() {
                let rest = cell.split_off(cut(cell, self.room(column, level).max(1) as usize));
                line.extend(std::mem::replace(cell, rest));
                let last = column + 1 == self.ends.len();
                line.push_str(if last { "" } else { "  " });
                let end = self.ends[column].saturating_sub(if last { level } else { 0 });
                line.push_str(&" ".repeat(end.saturating_sub(line.chars().count())));
            }
            lines.push(line + &side);
        }
    }
}

/// How much of a cell stands in a line of so many characters: up to the first end of a part, if there is one.
fn cut(cell: &[char], room: usize) -> usize {
    let shown = room.min(cell.len());
    let text: String = cell[..shown].iter().collect();
    let ends = BREAKS.iter().filter_map(|end| Some(text[..text.find(end)? + end.len()].chars().count()));
    ends.min().unwrap_or(shown)
}

/// How deep layers are within layers.
fn depth(rows: &[Row]) -> usize {
    rows.iter().filter(|row| !row.layers.is_empty()).map(|row| 1 + depth(&row.layers)).max().unwrap_or(0)
}

/// `(None, 12)`, `[(None, 12)]` for an input or several, `multiple`, or `?` for nothing.
fn shape(row: &Row) -> String {
    let tuple = |shape: &Vec<Option<usize>>| {
        let dims: Vec<String> = shape.iter().map(|dim| dim.map_or("None".into(), |dim| dim.to_string())).collect();
        if dims.len() == 1 { format!("({},)", dims[0]) } else { format!("({})", dims.join(", ")) }
    };
    let shapes: Vec<String> = row.output_shapes.iter().map(tuple).collect();
    match &shapes[..] {
        [] => "?".into(),
        _ if row.shapes_differ => "multiple".into(),
        [one] if !row.input => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// Bytes as Keras 2 writes them: `884.00 Byte`, `4.95 KB`.
fn size(bytes: u64) -> String {
    let text = cornu_array::numbers::bytes(bytes);
    text.strip_suffix(" B").map_or(text.clone(), |number| format!("{number} Byte"))
}
