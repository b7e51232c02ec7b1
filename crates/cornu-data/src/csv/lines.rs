//! Lines of a source, read block by block.

use std::collections::VecDeque;
use std::io::Read;

use cornu_array::{Error, Result};

use super::SkipRows;
use super::tokens::{Cell, Dialect, Step};

/// How many bytes are read at once.
pub(super) const BLOCK: usize = 1 << 18;

/// Rows of a table: their text, and where in it the fields are, row by row, `width` for each.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) text: String,
    pub(super) cells: Vec<Cell>,
    pub(super) rows: usize,
    pub(super) width: usize,
    /// The number of the row that is the first one here.
    pub(super) first_row: usize,
    /// Where in the text the first line begins, and its number.
    first_line: (usize, u64),
    /// Lines left out for having too many fields: where they were, and how many they had.
    pub(super) bad: Vec<(u64, usize)>,
}

impl Block {
    #[inline(always)]
    pub(super) fn bytes(&self, row: usize, field: usize) -> &[u8] {
        let (start, end) = self.cells[row * self.width + field];
        &self.text.as_bytes()[start as usize..end as usize]
    }

    #[inline(always)]
    pub(super) fn text(&self, row: usize, field: usize) -> &str {
        let (start, end) = self.cells[row * self.width + field];
        &self.text[start as usize..end as usize]
    }

    /// How many bytes of text its rows take.
    pub(super) fn used(&self) -> usize {
        self.text.len() - self.first_line.0
    }

    /// The line of the file that a field begins on.
    pub(super) fn line(&self, row: usize, field: usize) -> u64 {
        // A field that a short line lacks begins nowhere: the one before it is looked for.
        let cells = &self.cells[row * self.width..=row * self.width + field];
        let start = cells.iter().rev().find(|cell| cell.1 > 0).map_or(0, |cell| cell.0);
        let (from, line) = self.first_line;
        line + line_ends(self.text.as_bytes().get(from..start as usize).unwrap_or_default())
    }
}

/// How many lines end in these bytes, which end where a line or a field does: by a line feed, or by a carriage return
/// without one.
pub(super) fn line_ends(bytes: &[u8]) -> u64 {
    let feeds = bytes.iter().map(|&byte| u64::from(byte == b'\n')).sum::<u64>();
    if !bytes.contains(&b'\r') {
        return feeds;
    }
    let returns = bytes.windows(2).filter(|pair| pair[0] == b'\r' && pair[1] != b'\n').count();
    feeds + returns as u64 + u64::from(bytes.last() == Some(&b'\r'))
}

/// What ends a table, and what its rows must be like.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Fields of a row.
    pub(super) width: usize,
    pub(super) rows: usize,
    /// Longer lines lose what is beyond the width.
    pub(super) cut: bool,
    /// What is beyond the names, which must be empty.
    pub(super) beyond: usize,
    pub(super) bad: Bad,
}

/// What becomes of lines with too many fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    Refused,
    Told,
    Skipped,
}

/// Where a line begins, and its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    at: usize,
    number: u64,
}

/// The lines of a text that is read block by block.
pub(super) struct Lines<'a> {
    source: &'a mut (dyn Read + Send),
    pub(super) dialect: Dialect,
    skip: SkipRows,
    /// What was read, of which `at` bytes were used.
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    /// The line of the file at `at`.
    line: u64,
    /// The number of the line at `at`, where a line goes on behind a quoted line break.
    number: u64,
    rows: usize,
    untidy: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(source: &'a mut (dyn Read + Send), dialect: Dialect, skip: SkipRows) -> Result<Lines<'a>> {
        let (buffer, untidy) = (Vec::new(), Vec::new());
        let mut lines =
            Lines { source, dialect, skip, buffer, at: 0, ended: false, line: 1, number: 0, rows: 0, untidy };
        lines.more()?;
        if lines.buffer.starts_with(b"\xef\xbb\xbf") {
            lines.at = 3;
        }
        Ok(lines)
    }

    /// What is read and not used.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Whether all of the text is read.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads as much again as there is.
    pub(super) fn more(&mut self) -> Result<()> {
        const LINE: &str = "a line of the table";
        let more = BLOCK.max(self.buffer.len());
        if self.buffer.len() + more > u32::MAX as usize {
            return Err(Error::data(format!("line {} is longer than 2 GB", self.line)).help(QUOTES));
        }
        self.buffer.try_reserve(more).map_err(|_| Error::memory(LINE, more))?;
        let read = self.source.take(more as u64).read_to_end(&mut self.buffer);
        self.ended = read.map_err(unreadable)? < more;
        Ok(())
    }

    /// The line at `from`, of the number `number`.
    fn step(&mut self, from: usize, number: u64, cells: &mut Vec<Cell>) -> Step {
        let known = cells.len();
        self.untidy.clear();
        let step = self.dialect.line(&self.buffer, from, self.ended, cells, &mut self.untidy);
        let skipped = match &self.skip {
            SkipRows::First(count) => number < *count as u64,
            SkipRows::These(lines) => lines.binary_search(&number).is_ok(),
        };
        match step {
            Step::Row(next) if skipped => {
                cells.truncate(known);
                Step::Nothing(next)
            }
            Step::Unfinished | Step::Open(_) => {
                cells.truncate(known);
                step
            }
            step => step,
        }
    }

    /// Looks at the first `count` rows, or at all if there are fewer: how many fields each has, and where the line behind
    /// it begins. Nothing is used up.
    pub(super) fn head(
        &mut self,
        count: usize,
        mut look: impl FnMut(&Lines<'_>, usize, &[Cell]) -> Result<()>,
    ) -> Result<Vec<(usize, Place)>> {
        let (mut rows, mut cells) = (Vec::new(), Vec::new());
        let mut place = Place { at: self.at, number: self.number };
        while rows.len() < count {
            let number = place.number + 1;
            match self.step(place.at, place.number, &mut cells) {
                Step::Row(at) => {
                    look(self, rows.len(), &cells)?;
                    place = Place { at, number };
                    rows.push((cells.len(), place));
                    cells.clear();
                }
                Step::Nothing(at) => place = Place { at, number },
                Step::Unfinished => self.more()?,
                Step::Open(quote) => return Err(self.open(quote)),
                Step::End => break,
            }
        }
        Ok(rows)
    }

    /// A field of the line at hand, which stays as it is.
    pub(super) fn field(&self, cells: &[Cell], field: usize) -> Result<String> {
        let (start, end) = cells[field];
        let mut bytes = self.buffer[start as usize..end as usize].to_vec();
        if self.untidy.contains(&field) {
            let len = self.dialect.tidy(&mut bytes);
            bytes.truncate(len);
        }
        String::from_utf8(bytes).map_err(|error| {
            let line = self.line + line_ends(&self.buffer[self.at..start as usize]);
            other_text(line, field).caused_by(error)
        })
    }

    /// How many rows there are before the last `footer` lines, blank ones and remarks counted. Uses all up.
    pub(super) fn count_rows(&mut self, footer: usize) -> Result<usize> {
        let (mut rows, mut last, mut cells) = (0, VecDeque::new(), Vec::new());
        loop {
            let (next, row) = match self.step(self.at, self.number, &mut cells) {
                Step::Row(next) => (next, true),
                Step::Nothing(next) => (next, false),
                Step::Unfinished => {
                    self.line += line_ends(&self.buffer[..self.at]);
                    self.buffer.drain(..self.at);
                    self.at = 0;
                    self.more()?;
                    continue;
                }
                Step::Open(quote) => return Err(self.open(quote)),
                Step::End => return Ok(rows),
            };
            cells.clear();
            last.push_back(row);
            if last.len() > footer {
                rows += usize::from(last.pop_front() == Some(true));
            }
            (self.at, self.number) = (next, self.number + 1);
        }
    }

    /// Goes on behind a line that [`Lines::head`] gave.
    ///
    /// # Errors
    /// There must be as much of the file as before.
    pub(super) fn go_to(&mut self, place: Place) -> Result<()> {
        while self.buffer.len() < place.at && !self.ended {
            self.more()?;
        }
        if self.buffer.len() < place.at {
            return Err(Error::file("the file has changed while it was read"));
        }
        self.line += line_ends(&self.buffer[self.at..place.at]);
        (self.at, self.number) = (place.at, place.number);
        Ok(())
    }

    /// The next rows, at most a block of them; none if there are no more.
    pub(super) fn block(&mut self, shape: &Shape, block: &mut Block) -> Result<bool> {
        block.cells.clear();
        block.bad.clear();
        (block.width, block.rows) = (shape.width, 0);
        (block.first_row, block.first_line) = (self.rows, (self.at, self.line));
        let (start, mut end) = (self.at, self.at);
        while self.rows < shape.rows {
            match self.step(end, self.number, &mut block.cells) {
                Step::Row(next) => {
                    self.row(shape, block, end)?;
                    (end, self.number) = (next, self.number + 1);
                }
                Step::Nothing(next) => (end, self.number) = (next, self.number + 1),
                Step::Unfinished if block.rows > 0 => break,
                Step::Unfinished => self.more()?,
                Step::Open(quote) => return Err(self.open(quote)),
                Step::End => break,
            }
        }
        self.line += line_ends(&self.buffer[start..end]);
        self.hand_over(end, block)?;
        if !self.ended && self.rows < shape.rows {
            self.more()?;
        }
        Ok(block.rows > 0 || !block.bad.is_empty())
    }

    /// Makes the fields that were just found a row of the shape.
    #[inline(always)]
    fn row(&mut self, shape: &Shape, block: &mut Block, from: usize) -> Result<()> {
        let start = block.rows * shape.width;
        for &cell in &self.untidy {
            let (from, to) = block.cells[cell];
            let len = self.dialect.tidy(&mut self.buffer[from as usize..to as usize]);
            block.cells[cell].1 = from + len as u32;
        }
        let fields = block.cells.len() - start;
        if fields != shape.width {
            let full = |cell: &Cell| cell.0 != cell.1;
            let beyond = fields > shape.width
                && !shape.cut
                && (fields > shape.width + shape.beyond || block.cells[start + shape.width..].iter().any(full));
            if beyond {
                block.cells.truncate(start);
                let line = self.line + line_ends(&self.buffer[self.at..from]);
                if shape.bad == Bad::Refused {
                    return Err(too_long(line, fields, shape));
                }
                block.bad.push((line, fields));
                return Ok(());
            }
            block.cells.resize(start + shape.width, (0, 0));
        }
        (block.rows, self.rows) = (block.rows + 1, self.rows + 1);
        Ok(())
    }

    /// Gives the block all bytes before `end`, as text, and keeps the rest.
    fn hand_over(&mut self, end: usize, block: &mut Block) -> Result<()> {
        let mut bytes = std::mem::take(&mut block.text).into_bytes();
        bytes.clear();
        bytes.try_reserve(self.buffer.len() - end).map_err(|_| Error::memory("a block of the file", BLOCK))?;
        bytes.extend_from_slice(&self.buffer[end..]);
        self.buffer.truncate(end);
        let text = std::mem::replace(&mut self.buffer, bytes);
        self.at = 0;
        block.text = String::from_utf8(text).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let found = block.cells.iter().position(|cell| (cell.0 as usize..cell.1 as usize).contains(&at));
            let (from, line) = block.first_line;
            let line = line + line_ends(error.as_bytes().get(from..at).unwrap_or_default());
            other_text(line, found.map_or(0, |cell| cell % block.width.max(1))).caused_by(error)
        })?;
        Ok(())
    }

    fn open(&self, quote: usize) -> Error {
        let line = self.line + line_ends(&self.buffer[self.at..quote]);
        Error::data(format!("line {line} opens a quotation mark that nothing closes")).help(QUOTES)
    }
}

const QUOTES: &str = "close it at the end of the field; a quotation mark inside one is written twice";

pub(super) fn unreadable(error: std::io::Error) -> Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    // Only what is packed can end too early, or be no such data.
    let packed = matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof);
    let told = if packed { format!("the gzip file is cut short or damaged: {error}") } else { error.to_string() };
    let told = Error::file(told).caused_by(error);
    if packed { told.help("copy or download it again") } else { told }
}

fn other_text(line: u64, field: usize) -> Error {
    Error::data(format!("line {line}, field {} needs UTF-8 text, got other bytes", field + 1))
        .help("say how the file is encoded, as by `Csv::new().encoding(\"cp1252\")`, or save it as UTF-8 text")
}

fn too_long(line: u64, fields: usize, shape: &Shape) -> Error {
    let (width, words) = (shape.width, if shape.width == 1 { "field" } else { "fields" });
    Error::data(format!("line {line} needs {width} {words} as the first line, got {fields}")).help(
        "put a field with a separator in it in quotation marks, or leave such lines out by \
         `Csv::new().on_bad_lines(\"skip\")`",
    )
}
