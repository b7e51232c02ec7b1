//! A column that grows block by block, and changes its type where a field asks for it. Only text needs what was before:
//! the fields up to there are then read from the file once more.

use std::ops::Range;
use std::sync::Arc;

use cornu_array::{Error, Result};

use super::cells::{Missing, Numbers, Truths, Whole};
use super::lines::Block;
use crate::{Texts, Value, Values, print};

const A_COLUMN: &str = "reading it";

/// How the fields of all columns are written.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) numbers: Numbers,
    pub(super) truths: Truths,
}

/// The values so far.
#[derive(Debug)]
pub(super) enum Kind {
    /// So many missing values, and nothing else.
    Missing(usize),
    Int(Vec<i64>),
    /// Whole numbers, some of them missing: floats.
    Gaps(Vec<f64>),
    Float(Vec<f64>),
    Bool(Vec<bool>),
    Truth(Vec<Option<bool>>),
    /// Whole numbers, some of them of more than 64 bits: text at the end, unless they turn out to be among fractions.
    Wide(Texts),
    Text(Texts),
}

/// What a field is that is not of the kind of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Gap,
    Whole,
    Wide,
    Number,
    Truth,
    Other,
}

/// What all values of a column must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Only {
    Whole,
    Numbers,
    Truths,
}

impl Only {
    /// What is needed, if a value that makes a column of this kind is none.
    fn lacks(self, kind: &Kind, met: Met, number: Option<f64>) -> Option<&'static str> {
        let gap = met == Met::Gap;
        let text = matches!(kind, Kind::Text(_) | Kind::Wide(_));
        match self {
            Only::Whole if gap || text || number.is_some_and(|number| number.fract() != 0.0) => Some("whole numbers"),
            Only::Numbers if text => Some("numbers"),
            Only::Truths if gap || text => Some("true and false"),
            _ => None,
        }
    }
}

/// A column that grows.
#[derive(Debug)]
pub(super) struct Growing {
    pub(super) kind: Kind,
    pub(super) missing: Arc<Missing>,
    /// Values of rows before this one are not there.
    pub(super) lost: usize,
    /// The line and the text of the first field that is no number.
    pub(super) first_text: Option<Arc<(u64, String)>>,
    /// What all values must be.
    pub(super) only: Option<Only>,
    /// Rows of zeros with a minus sign, among whole numbers.
    zeros: Vec<usize>,
    /// How many rows there will be, about.
    pub(super) room: usize,
}

/// The fields of one column in a block.
struct Cells<'a> {
    block: &'a Block,
    field: usize,
    words: &'a Words,
    missing: &'a Missing,
    /// Whether numbers can be missing values.
    odd: bool,
}

impl<'a> Cells<'a> {
    #[inline(always)]
    fn bytes(&self, row: usize) -> &'a [u8] {
        self.block.bytes(row, self.field)
    }

    fn gap(&self, row: usize) -> bool {
        let cell = self.bytes(row);
        if self.odd { self.missing.has_number(cell, &self.words.numbers) } else { self.missing.has(cell) }
    }

    #[inline(always)]
    fn whole(&self, row: usize) -> Option<i64> {
        match self.words.numbers.whole(self.bytes(row)) {
            Whole::Is(value) if !self.odd || !self.gap(row) => Some(value),
            _ => None,
        }
    }

    /// NaN for a missing value. A zero with a minus sign, whose kind is not known yet, is none.
    #[inline(always)]
    fn whole_or_gap(&self, row: usize) -> Option<f64> {
        match self.whole(row) {
            Some(0) if self.bytes(row).contains(&b'-') => None,
            Some(value) => Some(value as f64),
            None => self.gap(row).then_some(f64::NAN),
        }
    }

    /// NaN for a missing value.
    #[inline(always)]
    fn number(&self, row: usize) -> Option<f64> {
        match self.words.numbers.number(self.bytes(row)) {
            Some(value) if !self.odd || !self.gap(row) => Some(value),
            _ => self.gap(row).then_some(f64::NAN),
        }
    }

    /// `Some(None)` for a missing value.
    fn truth(&self, row: usize) -> Option<Option<bool>> {
        let truth = self.words.truths.truth(self.bytes(row));
        if self.gap(row) { Some(None) } else { truth.map(Some) }
    }

    fn text(&self, row: usize) -> Option<&'a str> {
        (!self.gap(row)).then(|| self.block.text(row, self.field))
    }
}

/// Adds values of a run of rows up to the first field that is none of their kind; gives its row.
fn fill<T>(values: &mut Vec<T>, run: Range<usize>, parse: impl Fn(usize) -> Option<T>) -> Result<usize> {
    let (room, rows) = (run.len(), run.end);
    values.try_reserve(room).map_err(|_| Error::memory(A_COLUMN, size_of::<T>() * (values.len() + room)))?;
    for row in run {
        match parse(row) {
            Some(value) => values.push(value),
            None => return Ok(row),
        }
    }
    Ok(rows)
}

fn roomy<T>(rows: usize) -> Result<Vec<T>> {
    cornu_array::room::empty(A_COLUMN, rows)
}

/// A vector of so many missing values.
fn missing<T: Clone>(value: T, count: usize, room: usize) -> Result<Vec<T>> {
    let mut values = roomy(room.max(count))?;
    values.resize(count, value);
    Ok(values)
}

impl Growing {
    /// No values yet, which are of this kind if they can.
    pub(super) fn new(missing: Arc<Missing>, kind: Kind, only: Option<Only>) -> Growing {
        Growing { kind, missing, lost: 0, first_text: None, only, zeros: Vec::new(), room: 0 }
    }

    /// A column for the first rows of one that is text or floats, to be read again.
    pub(super) fn again(&self) -> Growing {
        let floats = matches!(self.kind, Kind::Float(_));
        let kind = if floats { Kind::Float(Vec::new()) } else { Kind::Text(Texts::default()) };
        Growing::new(Arc::clone(&self.missing), kind, None)
    }

    fn is_missing(&self, cell: &[u8], words: &Words) -> bool {
        if self.missing.has_numbers() { self.missing.has_number(cell, &words.numbers) } else { self.missing.has(cell) }
    }

    /// Adds the fields of the first rows of a block.
    ///
    /// # Errors
    /// There must be room; and a field must be of the type that was asked for.
    pub(super) fn extend(&mut self, block: &Block, rows: usize, field: usize, words: &Words) -> Result<()> {
        let mut row = 0;
        loop {
            row = self.run(block, row..rows, field, words)?;
            if row == rows {
                return Ok(());
            }
            row = self.change(block, field, row, words)?;
        }
    }

    /// Adds fields of a run of rows while they are of the kind that there is; gives the row of the first that is not.
    fn run(&mut self, block: &Block, run: Range<usize>, field: usize, words: &Words) -> Result<usize> {
        let cells = Cells { block, field, words, missing: &self.missing, odd: self.missing.has_numbers() };
        match &mut self.kind {
            Kind::Missing(count) => {
                let gaps = run.clone().take_while(|&row| cells.gap(row)).count();
                *count += gaps;
                Ok(run.start + gaps)
            }
            Kind::Int(values) => {
                let (before, start) = (values.len(), run.start);
                let end = fill(values, run, |row| cells.whole(row))?;
                let place = |row: usize| before + row - start;
                let zeros = (start..end).map(place).filter(|&at| values[at] == 0).map(|at| at + start - before);
                self.zeros.extend(zeros.filter(|&row| block.bytes(row, field).contains(&b'-')).map(place));
                Ok(end)
            }
            Kind::Gaps(values) => fill(values, run, |row| cells.whole_or_gap(row)),
            Kind::Float(values) => fill(values, run, |row| cells.number(row)),
            Kind::Bool(values) => fill(values, run, |row| cells.truth(row).flatten()),
            Kind::Truth(values) => fill(values, run, |row| cells.truth(row)),
            Kind::Wide(texts) => {
                let whole = |row| cells.gap(row) || words.numbers.whole(block.bytes(row, field)) != Whole::No;
                let end = run.clone().find(|&row| !whole(row)).unwrap_or(run.end);
                (run.start..end).try_for_each(|row| add(texts, cells.text(row)))?;
                Ok(end)
            }
            Kind::Text(texts) => {
                run.clone().try_for_each(|row| add(texts, cells.text(row)))?;
                Ok(run.end)
            }
        }
    }

    /// Takes another kind, to which the field belongs and the values so far as well; or, of text, those from here on.
    /// Gives the row to go on with.
    fn change(&mut self, block: &Block, field: usize, row: usize, words: &Words) -> Result<usize> {
        let cell = block.bytes(row, field);
        let met = self.meet(cell, words);
        if matches!(met, Met::Truth | Met::Other) && self.first_text.is_none() {
            let text = block.text(row, field).to_owned();
            self.first_text = Some(Arc::new((block.line(row, field), text)));
        }
        if let (Kind::Gaps(values), Met::Whole) = (&mut self.kind, met) {
            // A zero with a minus sign.
            self.zeros.push(values.len());
            values.push(0.0);
            return Ok(row + 1);
        }
        let old = std::mem::replace(&mut self.kind, Kind::Missing(0));
        self.kind = self.wider(old, met, block.first_row + row)?;
        match self.only.and_then(|only| only.lacks(&self.kind, met, words.numbers.number(cell))) {
            Some(needed) => Err(self.misfit(block, field, row, words, needed)),
            None => Ok(row),
        }
    }

    /// What a field is. Where floats are asked for, a whole number is one.
    fn meet(&self, cell: &[u8], words: &Words) -> Met {
        let floats = self.only == Some(Only::Numbers);
        match words.numbers.whole(cell) {
            _ if self.is_missing(cell, words) => Met::Gap,
            Whole::Is(_) if !floats => Met::Whole,
            Whole::Wide if !floats => Met::Wide,
            _ if words.numbers.number(cell).is_some() => Met::Number,
            _ if words.truths.truth(cell).is_some() => Met::Truth,
            _ => Met::Other,
        }
    }

    /// A kind for the values of `old`, those of the rows before `row`, and for what was met.
    fn wider(&mut self, old: Kind, met: Met, row: usize) -> Result<Kind> {
        Ok(match (old, met) {
            (Kind::Missing(0), Met::Whole) => Kind::Int(roomy(self.room)?),
            (Kind::Missing(count), Met::Whole) => Kind::Gaps(missing(f64::NAN, count, self.room)?),
            (Kind::Missing(count), Met::Wide) => Kind::Wide(all_missing(count)?),
            (Kind::Missing(count), Met::Number) => Kind::Float(missing(f64::NAN, count, self.room)?),
            (Kind::Missing(0), Met::Truth) => Kind::Bool(roomy(self.room)?),
            (Kind::Missing(count), Met::Truth) => Kind::Truth(missing(None, count, self.room)?),
            (Kind::Missing(count), Met::Gap | Met::Other) => Kind::Text(all_missing(count)?),
            (Kind::Int(values), Met::Gap) => Kind::Gaps(self.floats(&values)?),
            (Kind::Int(values), Met::Number) => {
                let floats = self.floats(&values)?;
                self.signed(floats)
            }
            (Kind::Gaps(values), Met::Number) => self.signed(values),
            (Kind::Bool(values), Met::Gap) => {
                let mut gaps = roomy(self.room.max(values.len()))?;
                gaps.extend(values.into_iter().map(Some));
                Kind::Truth(gaps)
            }
            (Kind::Wide(_), Met::Number) => {
                self.lost = row;
                Kind::Float(missing(f64::NAN, row, self.room)?)
            }
            (Kind::Wide(texts), _) => Kind::Text(texts),
            (_, met) => {
                self.lost = row;
                let texts = all_missing(0)?;
                if met == Met::Wide { Kind::Wide(texts) } else { Kind::Text(texts) }
            }
        })
    }

    /// Whole numbers as floats.
    fn floats(&self, values: &[i64]) -> Result<Vec<f64>> {
        let mut floats = roomy(self.room.max(values.len()))?;
        floats.extend(values.iter().map(|&value| value as f64));
        Ok(floats)
    }

    /// Floats among which fractions are: a zero has its sign.
    fn signed(&mut self, mut values: Vec<f64>) -> Kind {
        self.zeros.drain(..).for_each(|row| values[row] = -0.0);
        Kind::Float(values)
    }

    fn misfit(&self, block: &Block, field: usize, row: usize, words: &Words, needed: &str) -> Error {
        let (line, text) = (block.line(row, field), block.text(row, field));
        let got = match words.numbers.number(text.as_bytes()) {
            _ if self.is_missing(text.as_bytes(), words) => "a missing value".into(),
            Some(_) => print::quoted(Value::Text(text)),
            None => format!("the text {}", print::quoted(Value::Text(text))),
        };
        Error::data(format!("needs {needed}, got {got} on line {line}"))
    }

    /// The values of the first rows of a text that were lost, from a second reading.
    pub(super) fn found(&mut self, first: Growing) -> Result<()> {
        match (&mut self.kind, first.kind) {
            (Kind::Text(texts) | Kind::Wide(texts), Kind::Text(mut found)) => {
                texts.iter().try_for_each(|text| add(&mut found, text))?;
                *texts = found;
            }
            (Kind::Float(values), Kind::Float(found)) => values[..found.len()].copy_from_slice(&found),
            _ => return Err(Error::file("the file has changed while it was read")),
        }
        self.lost = 0;
        Ok(())
    }

    /// The values, all of which are there.
    pub(super) fn values(self, rows: usize) -> Result<Values> {
        Ok(match self.kind {
            Kind::Missing(0) if rows == 0 => Values::Truth(Vec::new()),
            Kind::Missing(count) => Values::Float(missing(f64::NAN, count, count)?),
            Kind::Int(values) => Values::Int(fitted(values)),
            Kind::Gaps(values) | Kind::Float(values) => Values::Float(fitted(values)),
            Kind::Bool(values) => Values::Bool(fitted(values)),
            Kind::Truth(values) => Values::Truth(fitted(values)),
            Kind::Wide(texts) | Kind::Text(texts) => Values::Text(texts),
        })
    }
}

/// Without much room that is not needed.
fn fitted<T>(mut values: Vec<T>) -> Vec<T> {
    if values.capacity() / 8 > values.len() / 7 {
        values.shrink_to_fit();
    }
    values
}

fn add(texts: &mut Texts, text: Option<&str>) -> Result<()> {
    let more = text.map_or(0, str::len);
    if !texts.reserve(more) {
        return Err(Error::memory(A_COLUMN, texts.bytes().len() + more));
    }
    texts.push(text);
    Ok(())
}

fn all_missing(count: usize) -> Result<Texts> {
    let mut texts = Texts::default();
    (0..count).try_for_each(|_| add(&mut texts, None))?;
    Ok(texts)
}
