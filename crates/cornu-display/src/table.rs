//! Tables in box-drawing characters, laid out as the library `rich` lays them out for Keras.

use std::ops::Range;

/// A code of a terminal's style (`1` bold, `38;5;34` green); empty for plain text.
pub(super) type Code = &'static str;

/// Text of which every character has a style.
#[derive(Clone, Default)]
pub(super) struct Text(Vec<(char, Code)>);

impl Text {
    pub(super) fn new(code: Code, text: &str) -> Text {
        Text::default().and(code, text)
    }

    /// Adds a text in a style.
    pub(super) fn and(mut self, code: Code, text: &str) -> Text {
        self.0.extend(text.chars().map(|c| (c, code)));
        self
    }

    /// The text of a line, cut off after `columns`.
    pub(super) fn line(&self, columns: usize, color: bool) -> String {
        let shown = &self.0[..self.0.len().min(columns)];
        let mut line = String::new();
        for run in shown.chunk_by(|a, b| a.1 == b.1) {
            let text: String = run.iter().map(|&(c, _)| c).collect();
            match run[0].1 {
                code if color && !code.is_empty() => line.push_str(&format!("\x1b[{code}m{text}\x1b[0m")),
                _ => line.push_str(&text),
            }
        }
        line
    }

    /// Lines of at most `width` columns, broken between words. A longer word ends in `…`, or is folded.
    pub(super) fn wrap(&self, width: usize, fold: bool) -> Vec<Text> {
        let mut lines = Vec::new();
        let mut line = 0..0;
        for word in self.words() {
            let end = word.start + self.trimmed(word.clone());
            let fits = end.saturating_sub(line.start) <= width;
            if !fits && !line.is_empty() {
                lines.push(line.clone());
                line = word.start..word.start;
            }
            line.end = word.end;
            while fold && width > 0 && end.saturating_sub(line.start) > width {
                lines.push(line.start..line.start + width);
                line.start += width;
            }
        }
        lines.push(line);
        // Lines of their own keep the space they were broken at, as far as there is room; those of cells are filled up.
        let text = |line: Range<usize>| match fold {
            true => Text(self.0[line.start..line.end.min(line.start + width)].to_vec()),
            false => Text(self.0[line].to_vec()).cut(width),
        };
        lines.into_iter().map(text).collect()
    }

    /// Words, each with the spaces around it.
    fn words(&self) -> Vec<Range<usize>> {
        let space = |i: usize| self.0[i].0.is_whitespace();
        let first = (0..self.0.len()).find(|&i| !space(i)).unwrap_or(0);
        let starts = (first + 1..self.0.len()).filter(|&i| space(i - 1) && !space(i));
        let edges: Vec<usize> = [0].into_iter().chain(starts).chain([self.0.len()]).collect();
        edges.windows(2).map(|edge| edge[0]..edge[1]).collect()
    }

    /// The length of a part without the spaces at its end.
    fn trimmed(&self, part: Range<usize>) -> usize {
        self.0[part].iter().rposition(|(c, _)| !c.is_whitespace()).map_or(0, |last| last + 1)
    }

    /// Without the spaces that end it, and with `…` for what is still more than `width` columns.
    fn cut(mut self, width: usize) -> Text {
        self.0.truncate(self.trimmed(0..self.0.len()));
        if self.0.len() > width {
            self.0.truncate(width);
            if let Some(last) = self.0.last_mut() {
                last.0 = '…';
            }
        }
        self
    }

    /// Spaces around it up to `width` columns.
    fn aligned(self, align: Align, width: usize) -> Text {
        let space = width.saturating_sub(self.0.len());
        let before = match align {
            Align::Left => 0,
            Align::Center => space / 2,
            Align::Right => space,
        };
        let mut text = Text::new("", &" ".repeat(before));
        text.0.extend(self.0);
        text.and("", &" ".repeat(space - before))
    }
}

/// Where the text of a column stands.
#[derive(Clone, Copy)]
pub(super) enum Align {
    Left,
    Center,
    Right,
}

/// A column: its heading, where its text stands, and the width asked for.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) align: Align,
    pub(super) width: usize,
}

/// The lines of a table of `width` columns: headings, then rows, with rules between them.
pub(super) fn table(columns: &[Column], rows: &[Vec<Text>], width: usize) -> Vec<Text> {
    let widths = widths(columns, width);
    let rule = |[left, line, cross, right]: [&str; 4]| {
        let parts: Vec<String> = widths.iter().map(|&width| line.repeat(width)).collect();
        Text::new("", &format!("{left}{}{right}", parts.join(cross)))
    };
    let titles: Vec<Text> = columns.iter().map(|column| Text::new("1", column.title)).collect();
    let mut lines = vec![rule(["┏", "━", "┳", "┓"])];
    lines.extend(row(columns, &widths, &titles, "┃", true));
    lines.push(rule(["┡", "━", "╇", "┩"]));
    for (i, cells) in rows.iter().enumerate() {
        if i > 0 {
            lines.push(rule(["├", "─", "┼", "┤"]));
        }
        lines.extend(row(columns, &widths, cells, "│", false));
    }
    lines.push(rule(["└", "─", "┴", "┘"]));
    lines
}

/// The lines of a row; cells of fewer lines stand at the top, or at the bottom.
fn row(columns: &[Column], widths: &[usize], cells: &[Text], border: &str, bottom: bool) -> Vec<Text> {
    let inner = |i: usize| widths[i].saturating_sub(2);
    let cells: Vec<Vec<Text>> = cells.iter().enumerate().map(|(i, cell)| cell.wrap(inner(i), false)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let line = |y: usize| {
        let mut line = Text::new("", border);
        for (i, cell) in cells.iter().enumerate() {
            let first = if bottom { height - cell.len() } else { 0 };
            let text = y.checked_sub(first).and_then(|y| cell.get(y)).cloned().unwrap_or_default();
            let text = text.aligned(columns[i].align, inner(i));
            let space = |width: usize| " ".repeat(width.min(1));
            line = line.and("", &space(widths[i]));
            line.0.extend(text.0);
            line = line.and("", &space(widths[i].saturating_sub(1))).and("", border);
        }
        line
    };
    (0..height).map(line).collect()
}

/// The width of every column with a space on both sides: what was asked for, made to fill the table exactly.
///
/// Too much is taken evenly from all columns, and too little is given in proportion to their widths, rounding as
/// `rich` does (halves to even; upwards).
fn widths(columns: &[Column], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.width + 2).collect();
    let room = width.saturating_sub(columns.len() + 1);
    let asked: usize = widths.iter().sum();
    let (mut excess, mut missing, mut weight) = (asked.saturating_sub(room), room.saturating_sub(asked), asked);
    for i in 0..widths.len() {
        let columns_left = (widths.len() - i) as f64;
        let cut = (excess as f64 / columns_left).round_ties_even() as usize;
        let cut = cut.min(widths[i]);
        let grow = (missing * widths[i]).div_ceil(weight.max(1));
        weight -= widths[i];
        widths[i] = widths[i] - cut + grow;
        excess -= cut;
        missing -= grow;
    }
    widths
}
