//! The table `model.summary()` prints: what there is to say, and Keras 3's way to say it. Keras 2's is in `keras2`.

mod keras2;

use std::fmt;

use cornu_array::{Error, Result};

use super::numbers::{bytes, thousands};
use super::table::{Align, Code, Column, Text, table};
use super::{Style, Terminal};

const BOLD: Code = "1";
const NUMBER: Code = "38;5;34";
const UNKNOWN: Code = "38;5;45";
const CLASS: Code = "38;5;33";

/// The widest table.
const WIDEST: usize = 100_000;

/// What there is to say about a model.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Whose table it is.
    pub style: Style,
    /// The model's name.
    pub model_name: String,
    /// Its layers.
    pub rows: Vec<Row>,
    /// Whether every layer has one input, that of the layer before; if not, a column says what it is connected to.
    pub sequential: bool,
    /// The weights training changes.
    pub trainable: Count,
    /// The weights it does not.
    pub non_trainable: Count,
    /// The optimizer's variables, once it has been built: Keras 2's table leaves them out.
    pub optimizer: Option<Count>,
}

/// Numbers, and the memory they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub params: u64,
    /// In bytes.
    pub bytes: u64,
}

/// A layer.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The layer's name.
    pub name: String,
    /// Its class.
    pub class: String,
    /// Whether it is an input of the model.
    pub input: bool,
    /// The shape of every output of its last call, `None` where a dimension is not fixed; empty if the layer has not been
    /// called.
    pub output_shapes: Vec<Vec<Option<usize>>>,
    /// Whether other calls have outputs of other shapes.
    pub shapes_differ: bool,
    /// How many parameters it has, if it has been built.
    pub params: Option<u64>,
    /// The inputs of its calls within this model: layer, call of that layer, output of that call.
    pub connected_to: Vec<(String, usize, usize)>,
    /// Whether its weights are trained, if it has any.
    pub trainable: bool,
    /// The layers within it.
    pub layers: Vec<Row>,
}

/// The arguments of `model.summary`.
#[derive(Clone, Debug, Default)]
pub struct SummaryOptions {
    /// The width of the table. Else as much of 88 columns as the terminal has (108 with connections, 12 more with
    /// `show_trainable`), less 4; in Keras 2 it is 65 (98 with connections), and 11 more with `show_trainable` in any case.
    pub line_length: Option<usize>,
    /// Where the columns end, as parts of the width; in Keras 2 also in characters. Else 0.45, 0.8 and 1, or 0.3, 0.56, 0.74
    /// and 1 with connections; in Keras 2 0.45, 0.85 and 1, or 0.3, 0.6, 0.7 and 1.
    pub positions: Option<Vec<f64>>,
    /// Whether to show the layers within layers.
    pub expand_nested: bool,
    /// Whether to show which layers are trained.
    pub show_trainable: bool,
}

/// The table with default options, for 80 columns and without colour.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Eighty columns are enough for every column.
        f.write_str(&self.table(&SummaryOptions::default(), Terminal::PLAIN).map_err(|_| fmt::Error)?)
    }
}

impl Summary {
    /// The whole text. Lines of Keras 3's end where the terminal ends.
    ///
    /// # Errors
    /// A column would be narrower than four characters (in Keras 2, than one), `line_length` is more than 100,000, or
    /// `positions` are too few; in Keras 2, a model that is not built.
    pub fn text(&self, options: &SummaryOptions, terminal: Terminal) -> Result<String> {
        let unbuilt = self.rows.is_empty() || self.rows.iter().any(|row| row.params.is_none());
        if self.style == Style::Keras2 && unbuilt {
            let error = Error::usage(format!("summary: model `{}` has not yet been built", self.model_name));
            return Err(error.help("call `build([features])`, or fit the model to data"));
        }
        self.table(options, terminal)
    }

    fn table(&self, options: &SummaryOptions, terminal: Terminal) -> Result<String> {
        if self.style == Style::Keras2 {
            return self.keras2(options);
        }
        let Terminal { columns, color, .. } = terminal;
        let (head, width) = self.columns(options, columns)?;
        let mut rows = Vec::new();
        for row in &self.rows {
            self.cells(row, 0, options, &mut rows);
        }
        let title = Text::new(BOLD, &format!("Model: \"{}\"", self.model_name));
        let mut lines = title.wrap(columns, true);
        lines.extend(table(&head, &rows, width));
        lines.extend(self.totals().iter().flat_map(|total| total.wrap(columns, true)));
        Ok(lines.iter().map(|line| line.line(columns, color) + "\n").collect())
    }

    /// The columns and the width of the table.
    fn columns(&self, options: &SummaryOptions, screen: usize) -> Result<(Vec<Column>, usize)> {
        let layer = ("Layer (type)", Align::Left);
        let mut heads = vec![layer, ("Output Shape", Align::Left), ("Param #", Align::Right)];
        let (mut most, mut positions) = (88, vec![0.45, 0.8, 1.0]);
        if !self.sequential {
            heads.push(("Connected to", Align::Left));
            (most, positions) = (108, vec![0.3, 0.56, 0.74, 1.0]);
        }
        positions = options.positions.clone().unwrap_or(positions);
        if options.show_trainable {
            heads.push(("Trainable", Align::Center));
            most += 12;
            positions = positions.iter().map(|position| position * 0.9).chain([1.0]).collect();
        }
        let width = options.line_length.unwrap_or(most.min(screen.saturating_sub(4)));
        check(width, positions.len(), heads.len())?;
        let mut end = 0;
        let mut widths = Vec::new();
        for position in positions {
            let column = ((position * width as f64) as usize).saturating_sub(end);
            if column < 4 {
                let message = format!("summary: every column needs 4 characters, got {column} in {width}");
                return Err(Error::usage(message).help("set `line_length` to more columns, or change `positions`"));
            }
            widths.push(column);
            end += column;
        }
        let column = |((title, align), width)| Column { title, align, width };
        Ok((heads.into_iter().zip(widths).map(column).collect(), width))
    }

    /// The cells of a layer's row, and those of the layers within it.
    fn cells(&self, row: &Row, depth: usize, options: &SummaryOptions, rows: &mut Vec<Vec<Text>>) {
        let prefix = if depth > 0 { "   ".repeat(depth) + "└ " } else { String::new() };
        let name = Text::new("", &format!("{prefix}{} (", row.name)).and(CLASS, &row.class).and("", ")");
        let params = match row.params {
            Some(params) => Text::new(NUMBER, &thousands(params)),
            None => Text::new(NUMBER, "0").and("", " (unbuilt)"),
        };
        let mut cells = vec![name, shapes(&row.output_shapes), params];
        if !self.sequential {
            cells.push(connections(&row.connected_to));
        }
        if options.show_trainable {
            cells.push(match row.trainable {
                _ if row.params.unwrap_or(0) == 0 => Text::new(BOLD, "-"),
                true => Text::new("1;38;5;34", "Y"),
                false => Text::new("1;91", "N"),
            });
        }
        rows.push(cells);
        for inner in row.layers.iter().filter(|_| options.expand_nested) {
            self.cells(inner, depth + 1, options, rows);
        }
    }

    /// The lines below the table.
    fn totals(&self) -> Vec<Text> {
        let parts = [Some(self.trainable), Some(self.non_trainable), self.optimizer];
        let total = parts.iter().flatten().fold(Count::default(), |sum, part| Count {
            params: sum.params + part.params,
            bytes: sum.bytes + part.bytes,
        });
        let names = ["Total", "Trainable", "Non-trainable", "Optimizer"];
        let counts = [Some(total)].into_iter().chain(parts);
        let line = |(name, count): (&str, Option<Count>)| {
            let Count { params, bytes: size } = count?;
            let text = Text::new(BOLD, &format!(" {name} params: ")).and(NUMBER, &thousands(params));
            Some(text.and("", &format!(" ({})", bytes(size))))
        };
        names.into_iter().zip(counts).filter_map(line).collect()
    }
}

/// Whether a table can have that width and so many positions.
fn check(width: usize, positions: usize, columns: usize) -> Result<()> {
    if width > WIDEST {
        return Err(Error::usage(format!("summary: `line_length` needs at most {WIDEST} columns, got {width}")));
    }
    if positions < columns {
        let message = format!("summary: `positions` needs {columns} numbers, one per column, got {positions}");
        return Err(Error::usage(message));
    }
    Ok(())
}

/// `(None, 12)`, `[(None, 12), (None, 3)]`, or `?` for nothing.
fn shapes(shapes: &[Vec<Option<usize>>]) -> Text {
    if shapes.is_empty() {
        return Text::new("", "?");
    }
    let several = shapes.len() > 1;
    let mut text = Text::new("", if several { "[" } else { "" });
    for (i, shape) in shapes.iter().enumerate() {
        text = text.and("", if i > 0 { ", (" } else { "(" });
        for (j, dim) in shape.iter().enumerate() {
            text = text.and("", if j > 0 { ", " } else { "" });
            text = match dim {
                Some(dim) => text.and(NUMBER, &dim.to_string()),
                None => text.and(UNKNOWN, "None"),
            };
        }
        text = text.and("", ")");
    }
    text.and("", if several { "]" } else { "" })
}

/// `left[0][0], right[0][0]`, or `-` for nothing.
fn connections(inputs: &[(String, usize, usize)]) -> Text {
    if inputs.is_empty() {
        return Text::new("", "-");
    }
    let mut text = Text::default();
    for (i, (name, call, output)) in inputs.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        text = text.and("", &format!("{comma}{name}[")).and(NUMBER, &call.to_string());
        text = text.and("", "][").and(NUMBER, &output.to_string()).and("", "]");
    }
    text
}

#[cfg(test)]
mod tests;
