//! Reading tables from comma-separated text: pandas' rules for types and missing values, errors with lines.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use cornu_graph::room::empty;
use cornu_graph::{Context, Error, Result, nearest, tell};
use csv::{ReaderBuilder, StringRecord};

use super::{Column, Index, Table, Texts, Values, formats, get_file};

/// The words that stand for a missing value, as in pandas.
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
];

impl Table {
    /// Reads a file of comma-separated values whose first line names the columns; or the file at an address that
    /// begins with `http://` or `https://`.
    ///
    /// A column is of whole numbers, numbers, `true` and `false`, or text, whichever fits all its values. Missing
    /// values are those of pandas (nothing, `NA`, `NaN`, `null`, …); they turn a column of whole numbers into one of
    /// numbers, and a column of `true` and `false` into one of text.
    ///
    /// A file from an address is kept among the data sets of Keras's cache and read from there the next time; a file of
    /// the same name in the folder that the environment variable `CORNU_DATASETS` names goes before it.
    ///
    /// # Errors
    /// The file must be there, be UTF-8, have different column names and as many fields on each line, and close its
    /// quotation marks.
    pub fn read_csv(place: impl AsRef<Path>) -> Result<Table> {
        let place = place.as_ref();
        let table = match place.to_str() {
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => get_file::read_url(url, read),
            _ => {
                let bytes = cornu_files::atomic::read(place).map_err(|error| missing(place, error))?;
                read(&bytes).context(format!("`{}`", place.display()))
            }
        }?;
        table.warnings().iter().for_each(tell);
        Ok(table)
    }

    /// Reads comma-separated values from text, as [`Table::read_csv`] does.
    ///
    /// # Errors
    /// As [`Table::read_csv`].
    pub fn from_csv_str(text: &str) -> Result<Table> {
        read(text.as_bytes())
    }

    /// Reads comma-separated values, as [`Table::read_csv`] does.
    ///
    /// # Errors
    /// As [`Table::read_csv`].
    pub fn from_csv_reader(mut reader: impl Read) -> Result<Table> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| Error::file(error.to_string()).caused_by(error))?;
        read(&bytes)
    }
}

/// Reads twice: first what the columns hold, then their values. No cell is kept as text unless its column is of texts.
fn read(bytes: &[u8]) -> Result<Table> {
    formats::refuse_others(bytes)?;
    refuse_html(bytes)?;
    refuse_open_quotes(bytes)?;
    refuse_unnamed(bytes)?;
    let (names, mut kinds, rows) = survey(bytes)?;
    let mut columns = kinds.iter().map(|kind| kind.values(rows)).collect::<Result<Vec<Values>>>()?;
    let mut record = StringRecord::new();
    let mut reader = reader(bytes);
    reader.read_record(&mut record).map_err(|error| malformed(bytes, &[], error))?;
    while reader.read_record(&mut record).map_err(|error| malformed(bytes, &names, error))? {
        columns.iter_mut().zip(&record).for_each(|(values, cell)| push(values, cell));
    }
    let index = Arc::new(Index::range(rows));
    let column = |((name, values), kind): ((String, Values), &mut Kind)| {
        let first_text = kind.first_text.take().filter(|_| matches!(values, Values::Text(_)));
        Column { name, values: Arc::new(values), index: Arc::clone(&index), first_text }
    };
    Table::from_columns(names.into_iter().zip(columns).zip(&mut kinds).map(column).collect())
}

fn reader(bytes: &[u8]) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).from_reader(bytes)
}

/// What all cells of a column are so far.
struct Kind {
    whole: bool,
    number: bool,
    truth: bool,
    /// The line and the text of the first cell that is no number.
    first_text: Option<Arc<(u64, String)>>,
}

impl Kind {
    /// Looks at a cell; `line` says where it is.
    fn meet(&mut self, cell: &str, line: impl Fn() -> u64) {
        self.truth = self.truth && truth(cell).is_some();
        self.whole = self.whole && whole(cell).is_some();
        if !self.whole && self.first_text.is_none() && !is_missing(cell) && number(cell).is_none() {
            self.number = false;
            self.first_text = Some(Arc::new((line(), cell.to_owned())));
        }
    }

    /// No values yet, of the narrowest type that holds all cells, with room for `rows`.
    fn values(&self, rows: usize) -> Result<Values> {
        const A_COLUMN: &str = "a column of the table";
        Ok(match self {
            Kind { whole: true, .. } => Values::Int(empty(A_COLUMN, rows)?),
            Kind { number: true, .. } => Values::Float(empty(A_COLUMN, rows)?),
            Kind { truth: true, .. } => Values::Bool(empty(A_COLUMN, rows)?),
            _ => {
                // Room for the texts is asked for as they come.
                empty::<i64>(A_COLUMN, rows)?;
                Values::Text(Texts::with_capacity(rows, 0))
            }
        })
    }
}

/// Adds a cell to values of a type that holds it.
fn push(values: &mut Values, cell: &str) {
    match values {
        Values::Int(values) => values.extend(whole(cell)),
        Values::Float(values) => values.push(number(cell).unwrap_or(f64::NAN)),
        Values::Bool(values) => values.extend(truth(cell)),
        Values::Text(values) => values.push((!is_missing(cell)).then_some(cell)),
        _ => unreachable!("`Kind::values` makes no others"),
    }
}

/// The names of the columns, what they hold, and the number of rows.
fn survey(bytes: &[u8]) -> Result<(Vec<String>, Vec<Kind>, usize)> {
    let mut reader = reader(bytes);
    let mut record = StringRecord::new();
    if !reader.read_record(&mut record).map_err(|error| malformed(bytes, &[], error))? {
        return Err(Error::data("the table is empty").help("the first line is to name the columns"));
    }
    let names = names(&record)?;
    let kind = || Kind { whole: true, number: true, truth: true, first_text: None };
    let mut kinds: Vec<Kind> = names.iter().map(|_| kind()).collect();
    let mut separated = MARKS.map(|(mark, _)| names.len() == 1 && names[0].contains(mark));
    let mut rows = 0;
    while reader.read_record(&mut record).map_err(|error| malformed(bytes, &names, error))? {
        rows += 1;
        let line = || line(bytes, record.position());
        kinds.iter_mut().zip(&record).for_each(|(kind, cell)| kind.meet(cell, line));
        separated.iter_mut().zip(MARKS).for_each(|(all, (mark, _))| *all = *all && record[0].contains(mark));
    }
    // A table whose only column is of texts such as `1;2` was written with another separator.
    match separated.iter().zip(MARKS).find(|(all, _)| rows > 0 && **all) {
        Some((_, (_, word))) => Err(other_separator(word)),
        None => Ok((names, kinds, rows)),
    }
}

/// The names in the first line.
fn names(record: &StringRecord) -> Result<Vec<String>> {
    let mut known = HashSet::new();
    if let Some(name) = record.iter().find(|name| !name.is_empty() && !known.insert(*name)) {
        return Err(Table::named_twice(name));
    }
    let name = |(i, name): (usize, &str)| if name.is_empty() { format!("Unnamed: {i}") } else { name.into() };
    Ok(record.iter().enumerate().map(name).collect())
}

fn is_missing(cell: &str) -> bool {
    MISSING.contains(&cell)
}

fn whole(cell: &str) -> Option<i64> {
    cell.trim_ascii().parse().ok()
}

/// Rust reads the same numbers as pandas, but for words for not-a-number that pandas takes for text.
pub(super) fn number(cell: &str) -> Option<f64> {
    cell.trim_ascii().parse().ok().filter(|value: &f64| !value.is_nan())
}

fn truth(cell: &str) -> Option<bool> {
    if cell.eq_ignore_ascii_case("true") { Some(true) } else { cell.eq_ignore_ascii_case("false").then_some(false) }
}

/// Marks that separate fields in other files, and what they are called.
const MARKS: [(char, &str); 2] = [(';', "semicolons"), ('\t', "tabs")];

fn other_separator(word: &str) -> Error {
    Error::data(format!("needs values separated by commas, got values separated by {word}"))
        .help("save the file with commas between the values, and points in the numbers")
}

/// A page about a file is often saved in place of the file.
fn refuse_html(bytes: &[u8]) -> Result<()> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |tag: &str| start.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes()));
    if begins("<?xml") {
        return Err(Error::data("needs comma-separated values, got an XML page")
            .help("servers answer so when there is no such file; open the address in a browser to see what it says"));
    }
    if begins("<!doctype html") || begins("<html") {
        return Err(Error::data("needs comma-separated values, got an HTML page")
            .help("this is a web page about the file; use the address of its `raw` or `download` link"));
    }
    Ok(())
}

/// A field that begins with a quotation mark goes on to the next one, if need be to the end of the file: one that was
/// forgotten would swallow all lines behind it.
fn refuse_open_quotes(bytes: &[u8]) -> Result<()> {
    enum At {
        FieldStart,
        Plain,
        Quoted,
        Closed,
    }
    if !bytes.contains(&b'"') {
        return Ok(());
    }
    let (mut at, mut line, mut opened) = (At::FieldStart, 1, 0);
    for byte in bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) {
        at = match (at, byte) {
            (At::FieldStart, b'"') => {
                opened = line;
                At::Quoted
            }
            (At::Quoted, b'"') => At::Closed,
            (At::Quoted, _) | (At::Closed, b'"') => At::Quoted,
            (_, b',' | b'\r' | b'\n') => At::FieldStart,
            _ => At::Plain,
        };
        line += u64::from(*byte == b'\n');
    }
    if !matches!(at, At::Quoted) {
        return Ok(());
    }
    let error = Error::data(format!("line {opened} opens a quotation mark that nothing closes"));
    Err(error.help("close it at the end of the field; a quotation mark inside one is written twice"))
}

/// A spreadsheet leaves at most as many columns without a name as it is wide. More are no table, and each would take a
/// hundred times the memory of its comma.
fn refuse_unnamed(bytes: &[u8]) -> Result<()> {
    const WIDEST: usize = 1 << 14;
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty()).unwrap_or_default();
    let unnamed = line.split(|&byte| byte == b',').filter(|name| name.is_empty()).count();
    if unnamed <= WIDEST {
        return Ok(());
    }
    Err(Error::data(format!("the first line leaves {unnamed} columns without a name, more than {WIDEST}"))
        .help("the first line is to name the columns"))
}

fn missing(place: &Path, error: std::io::Error) -> Error {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => format!("no file `{}`", place.display()),
        _ => format!("cannot read `{}`: {error}", place.display()),
    };
    let folder = place.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let neighbours: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let near = nearest(name, neighbours.iter().map(String::as_str)).filter(|near| *near != name);
    let error = Error::file(message).caused_by(error);
    if place.to_string_lossy().contains("://") {
        return error.help("an address begins with `http://` or `https://`");
    }
    match near {
        Some(near) => error.help(format!("did you mean `{}`?", place.with_file_name(near).display())),
        None => error,
    }
}

/// The line a record begins on. Its position is that of the end of the record before, with empty lines between.
fn line(bytes: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let rest = usize::try_from(position.byte()).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    let ends = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + ends.filter(|&&byte| byte == b'\n').count() as u64
}

fn malformed(bytes: &[u8], names: &[String], error: csv::Error) -> Error {
    let (message, help) = match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            // Where commas are decimal points, the first line is one field and the others are several.
            let one_name = if let [name] = names { name } else { "" };
            if let Some((_, word)) = MARKS.into_iter().find(|&(mark, _)| one_name.contains(mark)) {
                return other_separator(word);
            }
            let fields = if *expected_len == 1 { "field" } else { "fields" };
            let line = line(bytes, pos.as_ref());
            let help = if len > expected_len {
                "a field with a comma in it is to be put in double quotes"
            } else {
                "a missing value is left empty, between its commas"
            };
            (format!("line {line} needs {expected_len} {fields} as the first line, got {len}"), help)
        }
        csv::ErrorKind::Utf8 { pos, err } => {
            let line = line(bytes, pos.as_ref());
            let message = format!("line {line}, field {} needs UTF-8 text, got other bytes", err.field() + 1);
            (message, "save the file as UTF-8 text")
        }
        _ => (error.to_string(), "save the file as UTF-8 text"),
    };
    Error::data(message).help(help).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn dtypes(text: &str) -> Vec<&'static str> {
        Table::from_csv_str(text).unwrap().columns().iter().map(Column::dtype).collect()
    }

    #[test]
    fn types_are_those_of_pandas() {
        let cases = [
            ("a\n1\n-2\n", "int64"),
            ("a\n 1\n2 \n", "int64"),
            ("a\n+5\n", "int64"),
            ("a,b\n1,0\n,0\n", "float64"),
            ("a\n1.\n+.5\n", "float64"),
            ("a\n1e3\n-INF\n", "float64"),
            ("a,b\n,0\nNA,0\n", "float64"),
            ("a\nTrue\nfalse\ntRUE\n", "bool"),
            ("a,b\nTrue,0\n,0\n", "str"),
            ("a\n1_000\n", "str"),
            ("a\n0x10\n", "str"),
            ("a\n1e\n", "str"),
            ("a\nNAN\n1\n", "str"),
            ("a\n-\n", "str"),
        ];
        let mut report = cornu_testkit::golden::Report::default();
        for (text, dtype) in cases {
            let got = dtypes(text)[0];
            report.case(text, if got == dtype { Ok(()) } else { Err(format!("needs {dtype}, got {got}")) });
        }
        report.finish();
    }

    #[test]
    fn fields_may_be_quoted_and_missing() {
        let table = Table::from_csv_str("\u{feff}who,n\r\n\"Doe, \"\"J\"\"\",\"1\"\r\n\r\n\"NA\",2\r\n NA,3").unwrap();
        assert_eq!(table.names(), ["who", "n"]);
        let who: Vec<_> = table.column("who").unwrap().iter().collect();
        assert_eq!(who, [Value::Text("Doe, \"J\""), Value::Missing, Value::Text(" NA")]);
        assert_eq!(table.column("n").unwrap().values(), &Values::Int(vec![1, 2, 3]));
        assert_eq!(Table::from_csv_str(",a\n0,1\n").unwrap().names(), ["Unnamed: 0", "a"]);
        assert_eq!(Table::from_csv_str("a,b\n").unwrap().shape(), (0, 2));
    }

    #[test]
    fn mistakes_are_placed() {
        let cases: [(&[u8], &str); 24] = [
            (b"\x1f\x8b\x08\x00", "this is a gzip file, not a table of text"),
            (b"PK\x03\x04\x14\x00", "this is a zip archive, not a table of text"),
            (b"PK\x03\x04\x14\x00[Content_Types].xml", "this is a spreadsheet, not a table of text"),
            (b"PAR1\x15", "this is a Parquet file, not a table of text"),
            (b"6,148,6\n1,2,3\n", "a table needs different column names, got `6` twice"),
            (b"a,b\n1,2\n\n1,2,3\n", "line 4 needs 2 fields as the first line, got 3"),
            (b"a,b\n1,2\n\"x\ny\"\n", "line 3 needs 2 fields as the first line, got 1"),
            (b"a,b\n1,\"2\n3,4\n", "line 2 opens a quotation mark that nothing closes"),
            (b"a,b\n\"1\n\",2\n\r\n3,\"4\"\"\n5,6\n", "line 5 opens a quotation mark that nothing closes"),
            (b"\xef\xbb\xbf\"a\n1\n", "line 1 opens a quotation mark that nothing closes"),
            (b"a\nx\"y\n\"z\"\"\"\n\"\"x\"\n1,2\n", "line 5 needs 1 field as the first line, got 2"),
            (b"a,b,a\n1,2,3\n", "a table needs different column names, got `a` twice"),
            (b"", "the table is empty"),
            (b"\n\n", "the table is empty"),
            (b"  <!DOCTYPE html><html></html>", "needs comma-separated values, got an HTML page"),
            (b"\xef\xbb\xbf<html>", "needs comma-separated values, got an HTML page"),
            (b"<?xml version=\"1.0\"?><Error/>", "needs comma-separated values, got an XML page"),
            (b"a;b\n1;2\n", "needs values separated by commas, got values separated by semicolons"),
            (b"a;b\n1,5;2,3\n", "needs values separated by commas, got values separated by semicolons"),
            (b"a;b\n1;2,3\n1;2\n", "needs values separated by commas, got values separated by semicolons"),
            (b"a\tb\n1\t2,5\n", "needs values separated by commas, got values separated by tabs"),
            (b"a\n1,2\n", "line 2 needs 1 field as the first line, got 2"),
            (b"a\tb\n1\t2\n", "needs values separated by commas, got values separated by tabs"),
            (b"a,b\n1,\xe9\n", "line 2, field 2 needs UTF-8 text, got other bytes"),
        ];
        let mut report = cornu_testkit::golden::Report::default();
        for (text, message) in cases {
            let got =
                Table::from_csv_reader(text).map_or_else(|error| error.message().to_owned(), |_| "a table".into());
            report.case(message, if got == message { Ok(()) } else { Err(format!("got `{got}`")) });
        }
        report.finish();
    }

    #[test]
    fn text_among_numbers_is_placed_in_the_file() {
        let table = Table::from_csv_str("a,age\n1,31\n\n2,old\n3,12\n").unwrap();
        let message = |table: &Table| table.to_array().unwrap_err().message().to_owned();
        assert_eq!(message(&table), "column `age` needs numbers, got the text `old` on line 4");
        let windows = Table::from_csv_str("\r\na,age\r\n\r\n1,31\r\n\r\n2,old\r\n").unwrap();
        assert_eq!(message(&windows), "column `age` needs numbers, got the text `old` on line 6");
        assert!(table.drop(["age"]).unwrap().to_array().is_ok());
        let long = Table::from_csv_str(&format!("a\n\"1\n{}\"\n", "x".repeat(99))).unwrap();
        let shortened = format!("`1\\n{}...`", "x".repeat(44));
        assert_eq!(message(&long), format!("column `a` needs numbers, got the text {shortened} on line 2"));
    }

    #[test]
    fn a_missing_file_is_named_with_its_nearest_neighbour() {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.tml");
        let error = Table::read_csv(&place).unwrap_err().to_string();
        assert!(error.contains("no file `") && error.contains("Cargo.toml`?"), "{error}");
    }
}
