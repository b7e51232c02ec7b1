//! A table from its source: once through all of it, and once more for the first rows of columns that became text.

use std::sync::Arc;
use std::sync::mpsc::{channel, sync_channel};

use cornu_array::{Code, Context, Error, Result, Warning};

use super::cells::{Numbers, POINT, Truths};
use super::grow::{Growing, Kind, Words};
use super::lines::{Bad, Block, Lines, Shape};
use super::options::{Csv, Header};
use super::plan::{Plan, Planned};
use super::source::Source;
use super::tokens::{Dialect, Sep};
use super::types::Dtype;
use super::{formats, sniff};
use crate::{Column, Index, Table, Values, dates};

/// The table, and what was found out about the file that nobody said.
pub(super) fn table(source: &Source<'_>, csv: &Csv) -> Result<(Table, Vec<Warning>)> {
    let mut warnings = Vec::new();
    let mut dialect = dialect(csv)?;
    let mut text = source.text()?;
    let mut lines = Lines::new(&mut *text, dialect.clone(), csv.skiprows.clone())?;
    formats::refuse_pages(lines.rest())?;
    let mut numbers = Numbers { decimal: ascii(csv.decimal, "decimal")?.unwrap_or(b'.'), ..POINT };
    numbers.thousands = ascii(csv.thousands, "thousands")?;
    if csv.sep.is_none()
        && let Some(found) = sniff::find(&mut lines)?
    {
        dialect.sep = Sep::Mark(found.sep);
        lines.dialect = dialect.clone();
        if csv.decimal.is_none() && csv.thousands.is_none() {
            numbers = found.numbers;
        }
        warnings.push(Warning::new(Code::SeparatorFound, found.message()));
    }
    let rows = match csv.skipfooter {
        0 => csv.nrows.unwrap_or(usize::MAX),
        footer => without_footer(source, csv, &dialect, footer)?,
    };
    let words = Words { numbers, truths: truths(csv) };
    let plan = Plan::new(csv, &mut lines, rows)?;
    let mut columns: Vec<Growing> = plan.columns.iter().map(growing).collect();
    let (rows, bad) = first(source, &plan, &mut lines, &mut columns, &words)?;
    let lost = columns.iter().map(|column| column.lost).max().unwrap_or(0);
    if lost > 0 {
        let mut text = source.text()?;
        let mut lines = Lines::new(&mut *text, dialect, csv.skiprows.clone())?;
        again(&plan, &mut lines, &mut columns, lost, &words)?;
    }
    warnings.extend(left_out(&bad));
    let guessed_header = plan.guessed_header;
    let table = finish(csv, plan, columns, rows, &mut warnings)?;
    warnings.extend(table.warnings().into_iter().filter(|_| guessed_header));
    Ok((table, warnings))
}

fn ascii(mark: Option<char>, option: &str) -> Result<Option<u8>> {
    match mark {
        Some(mark) if !mark.is_ascii() || matches!(mark, '\n' | '\r') => {
            Err(Error::usage(format!("`{option}` needs an ASCII character, got `{}`", mark.escape_default())))
        }
        mark => Ok(mark.map(|mark| mark as u8)),
    }
}

fn dialect(csv: &Csv) -> Result<Dialect> {
    let sep = match csv.sep.as_deref() {
        None => Sep::Mark(b','),
        Some(r"\s+") => Sep::Blanks,
        Some(sep) => {
            let mut marks = sep.chars();
            match (marks.next(), marks.next()) {
                (Some(mark), None) => Sep::Mark(ascii(Some(mark), "sep")?.unwrap_or_default()),
                _ => {
                    return Err(Error::usage(format!(
                        "`sep` needs one character, or `\\s+` for any spaces, got `{sep}`"
                    ))
                    .help("replace the separator in the file by one character"));
                }
            }
        }
    };
    let dialect = Dialect {
        sep,
        quote: ascii(Some(csv.quotechar), "quotechar")?.unwrap_or_default(),
        doubled: csv.doublequote,
        escape: ascii(csv.escapechar, "escapechar")?,
        comment: ascii(csv.comment, "comment")?,
        trim_start: csv.skipinitialspace,
        skip_blank: csv.skip_blank_lines,
    };
    let sep = if let Sep::Mark(mark) = sep { Some(mark) } else { Some(b' ') };
    let marks = [sep, Some(dialect.quote), dialect.escape, dialect.comment];
    for (at, mark) in marks.iter().enumerate() {
        if mark.is_some() && marks[..at].contains(mark) {
            let mark = char::from(mark.unwrap_or_default());
            return Err(Error::usage(format!(
                "`sep`, `quotechar`, `escapechar` and `comment` share the mark `{mark}`"
            )));
        }
    }
    Ok(dialect)
}

fn truths(csv: &Csv) -> Truths {
    let of = |words: &[String], truth: bool| -> Vec<(Vec<u8>, bool)> {
        words.iter().map(|word| (word.as_bytes().to_vec(), truth)).collect()
    };
    Truths([of(&csv.true_values, true), of(&csv.false_values, false)].concat())
}

fn growing(column: &Planned) -> Growing {
    let dtype = if column.dates { Some(Dtype::Text) } else { column.dtype };
    let (kind, only) = Dtype::start(dtype);
    Growing::new(Arc::clone(&column.missing), kind, only)
}

/// How many rows there are before the last lines.
fn without_footer(source: &Source<'_>, csv: &Csv, dialect: &Dialect, footer: usize) -> Result<usize> {
    let mut text = source.text()?;
    let mut lines = Lines::new(&mut *text, dialect.clone(), csv.skiprows.clone())?;
    let head = match csv.header {
        Header::Auto => usize::from(csv.names.is_none()),
        Header::Row(row) => row.saturating_add(1),
        Header::None => 0,
    };
    let rows = lines.count_rows(footer)?.saturating_sub(head);
    Ok(rows.min(csv.nrows.unwrap_or(usize::MAX)))
}

/// All blocks of the file: the rows that were read, and the lines that were left out.
fn first(
    source: &Source<'_>,
    plan: &Plan,
    lines: &mut Lines<'_>,
    columns: &mut [Growing],
    words: &Words,
) -> Result<(usize, Vec<(u64, usize)>)> {
    if let Some(start) = plan.start {
        lines.go_to(start)?;
    }
    let (mut rows, mut bad) = (0, Vec::new());
    let ended = lines.ended();
    blocks(lines, &plan.shape, &mut |block| {
        if rows == 0 {
            let share = source.size().unwrap_or(0) as f64 / block.used().max(1) as f64;
            let guess = if ended { block.rows } else { (block.rows as f64 * share) as usize + 1 };
            columns.iter_mut().for_each(|column| column.room = guess.min(plan.shape.rows));
        }
        for (column, planned) in columns.iter_mut().zip(&plan.columns) {
            let read = column.extend(block, block.rows, planned.field, words);
            read.context(format!("column `{}`", planned.name))?;
        }
        rows += block.rows;
        if plan.shape.bad == Bad::Told {
            bad.extend_from_slice(&block.bad);
        }
        Ok(())
    })?;
    Ok((rows, bad))
}

/// The first rows again, for the columns that lack them.
fn again(plan: &Plan, lines: &mut Lines<'_>, columns: &mut [Growing], rows: usize, words: &Words) -> Result<()> {
    if let Some(start) = plan.start {
        lines.go_to(start)?;
    }
    let mut found: Vec<(usize, Growing)> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.lost > 0)
        .map(|(at, column)| (at, column.again()))
        .collect();
    let shape = Shape { rows, ..plan.shape.clone() };
    blocks(lines, &shape, &mut |block| {
        for (at, first) in &mut found {
            let rows = columns[*at].lost.saturating_sub(block.first_row).min(block.rows);
            first.extend(block, rows, plan.columns[*at].field, words)?;
        }
        Ok(())
    })?;
    found.into_iter().try_for_each(|(at, first)| columns[at].found(first))
}

/// Gives each block to `work`. Where there are several, another thread reads the next ones meanwhile.
fn blocks(lines: &mut Lines<'_>, shape: &Shape, work: &mut dyn FnMut(&Block) -> Result<()>) -> Result<()> {
    let mut block = Block::default();
    if !lines.ended() && lines.block(shape, &mut block)? {
        work(&block)?;
        if let Some(done) = read_ahead(lines, shape, work) {
            return done;
        }
    }
    while lines.block(shape, &mut block)? {
        work(&block)?;
    }
    Ok(())
}

/// As [`blocks`]; `None` where no thread can be started.
fn read_ahead(lines: &mut Lines<'_>, shape: &Shape, work: &mut dyn FnMut(&Block) -> Result<()>) -> Option<Result<()>> {
    std::thread::scope(|scope| {
        let (give, blocks) = sync_channel::<Result<Block>>(2);
        let (give_back, used) = channel::<Block>();
        let reading = move || {
            loop {
                let mut block = used.try_recv().unwrap_or_default();
                let read = lines.block(shape, &mut block);
                let more = matches!(read, Ok(true));
                if read.as_ref().is_ok_and(|&more| !more) || give.send(read.map(|_| block)).is_err() || !more {
                    return;
                }
            }
        };
        std::thread::Builder::new().spawn_scoped(scope, reading).ok()?;
        for block in blocks {
            let worked = block.and_then(|block| work(&block).map(|()| block));
            match worked {
                Ok(block) => drop(give_back.send(block)),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(()))
    })
}

fn left_out(bad: &[(u64, usize)]) -> Option<Warning> {
    let shown: Vec<String> = bad.iter().take(5).map(|(line, fields)| format!("{line} ({fields} fields)")).collect();
    let more = if bad.len() > 5 { format!(" and {} more", bad.len() - 5) } else { String::new() };
    let message = format!(
        "lines with too many fields are left out: {}{more}; `on_bad_lines(\"skip\")` says nothing of it",
        shown.join(", ")
    );
    (!bad.is_empty()).then(|| Warning::new(Code::LinesLeftOut, message))
}

/// The columns as they were asked for, and the labels of the rows.
fn finish(csv: &Csv, plan: Plan, columns: Vec<Growing>, rows: usize, warnings: &mut Vec<Warning>) -> Result<Table> {
    let none = Arc::new(Index::range(rows));
    let mut labels = None;
    let mut made = Vec::with_capacity(columns.len());
    for (at, (column, planned)) in columns.into_iter().zip(plan.columns).enumerate() {
        if matches!(column.kind, Kind::Wide(_)) && planned.dtype.is_none() {
            warnings.push(Warning::new(Code::NumbersAsText, wide(&planned.name)));
        }
        let first_text = column.first_text.clone();
        let whole = matches!(column.kind, Kind::Gaps(_));
        let mut values = column.values(rows)?;
        if planned.dates && rows > 0 {
            values = as_dates(csv, values)?;
        } else if let Some(dtype) = planned.dtype {
            values = dtype.cast(values, whole, &planned.name)?;
        }
        match plan.index {
            Some((place, true)) if place == at => labels = Some(Index::new(values).named(planned.name)),
            Some((place, false)) if place == at => labels = Some(Index::new(values)),
            _ => {
                let first_text = first_text.filter(|_| matches!(values, Values::Text(_)));
                let index = Arc::clone(&none);
                made.push(Column { name: planned.name, values: Arc::new(values), index, first_text });
            }
        }
    }
    let empty = made.is_empty();
    let table = Table::from_columns(made)?;
    Ok(match labels {
        Some(labels) => table.with_index(labels),
        // Rows without columns are rows all the same.
        None if empty => table.with_index(Index::range(rows)),
        None => table,
    })
}

fn as_dates(csv: &Csv, values: Values) -> Result<Values> {
    let Values::Text(texts) = &values else { return Ok(values) };
    let moments = dates::read(texts, csv.date_format.as_deref(), csv.dayfirst)?;
    Ok(moments.map_or(values, Values::Date))
}

fn wide(name: &str) -> String {
    format!(
        "column `{name}` has whole numbers of more than 64 bits and is read as text, so that no digit is lost; \
         `Csv::new().dtype_of(\"{name}\", \"float64\")` reads numbers, `\"str\"` says nothing"
    )
}
