//! What is taken for comma-separated text and is not quite: files of other formats, and tables without a line of names.

use cornu_array::{Code, Error, Result, Warning};

use super::csv::number;
use super::{Column, Table, Values};

const UNPACK: &str = "unpack it first, by `PROGRAM` in a terminal, and read the file that comes out";
const SAVE: &str = "open it where it was made, and save it as CSV";
const WRITE: &str = "write it as CSV: in pandas, `table.to_csv(\"table.csv\", index=False)`";
const NUMPY: &str =
    "write it as text: in NumPy, `savetxt(\"table.csv\", array, delimiter=\",\")`, with a line of names";

/// What files of other formats begin with, what they are, how they become text, and the program that unpacks them.
const FORMATS: [(&[u8], &str, &str, &str); 10] = [
    (b"\x1f\x8b", "a packed file in a packed file", UNPACK, "gunzip"),
    (b"PK\x03\x04", "a packed file in a packed file", UNPACK, "unzip"),
    (b"BZh", "a bzip2 file", UNPACK, "bunzip2"),
    (b"\xfd7zXZ\0", "an xz file", UNPACK, "unxz"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", UNPACK, "unzstd"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet", SAVE, ""),
    (b"PAR1", "a Parquet file", WRITE, ""),
    (b"\x89HDF", "an HDF5 file", WRITE, ""),
    (b"\x93NUMPY", "an array of NumPy", NUMPY, ""),
    (b"%PDF", "a PDF", SAVE, ""),
];

/// Refuses files that are no text.
///
/// # Errors
/// What the file is, and how it becomes a table of text.
pub(super) fn refuse_others(bytes: &[u8]) -> Result<()> {
    let Some((_, what, help, program)) = FORMATS.iter().find(|(start, ..)| bytes.starts_with(start)) else {
        return Ok(());
    };
    let message = format!("this is {what}, not a table of text");
    Err(Error::unsupported(message).help(help.replace("PROGRAM", program)))
}

/// Refuses a spreadsheet: a zip archive, in whose first bytes are names of what is inside.
///
/// # Errors
/// How it becomes a table of text.
pub(super) fn refuse_sheets(bytes: &[u8]) -> Result<()> {
    let inside = |name: &str| bytes.windows(name.len()).take(4096).any(|window| window == name.as_bytes());
    if inside("[Content_Types].xml") || inside("xl/") || inside("application/vnd.oasis.opendocument") {
        return Err(Error::unsupported("this is a spreadsheet, not a table of text").help(SAVE));
    }
    Ok(())
}

/// Refuses a page about a file, which is often saved in place of the file, and text of another encoding.
///
/// # Errors
/// What it is, and what to do.
pub(super) fn refuse_pages(bytes: &[u8]) -> Result<()> {
    let start = bytes.trim_ascii_start();
    let begins = |tag: &str| start.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes()));
    if begins("<?xml") {
        return Err(Error::data("needs comma-separated values, got an XML page")
            .help("servers answer so when there is no such file; open the address in a browser to see what it says"));
    }
    if begins("<!doctype html") || begins("<html") {
        return Err(Error::data("needs comma-separated values, got an HTML page")
            .help("this is a web page about the file; use the address of its `raw` or `download` link"));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Error::data("needs UTF-8 text, got UTF-16").help("read it by `Csv::new().encoding(\"utf-16\")`"));
    }
    Ok(())
}

impl Table {
    /// What looks like a mistake in a table that was read: [`Table::read_csv`] says it on the standard error, the other
    /// readers leave it to be asked for.
    pub fn warnings(&self) -> Vec<Warning> {
        header_of_numbers(&self.names(), self.columns()).into_iter().collect()
    }
}

/// Whether the first line looks like the lines below it: a number above each column of numbers. Numbers that count
/// (0, 1, 2, …), as tables without names are saved, and years are names.
fn header_of_numbers(names: &[&str], columns: &[Column]) -> Option<Warning> {
    let is_name = |(name, column): (&&str, &Column)| {
        let numbers = matches!(column.values(), Values::Int(_) | Values::Float(_));
        numbers && number(name).is_none() && !name.starts_with("Unnamed: ")
    };
    let numbers: Vec<f64> = names.iter().filter_map(|name| number(name)).collect();
    let counted = numbers.windows(2).all(|pair| pair[1] - pair[0] == 1.0) && (numbers.len() > 1 || numbers == [0.0]);
    let years = numbers.iter().all(|year| (1500.0..2200.0).contains(year) && year.fract() == 0.0) && numbers.len() > 1;
    let has_name = names.iter().zip(columns).any(is_name);
    if numbers.is_empty() || counted || years || has_name || columns.iter().all(Column::is_empty) {
        return None;
    }
    let shown = names.iter().take(5).copied().collect::<Vec<_>>().join(",");
    let message = format!(
        "the first line, `{shown}{}`, looks like data but was read as column names; if it is, read the file by \
         `Csv::new().header(None)`, else say so by `.header(0)`",
        if names.len() > 5 { ",…" } else { "" }
    );
    Some(Warning::new(Code::HeaderOfNumbers, message))
}
