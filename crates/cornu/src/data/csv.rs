//! Reading tables from comma-separated text: pandas' rules for types and missing values, errors with lines.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use cornu_graph::{Context, Error, Result, nearest};
use csv::{ReaderBuilder, StringRecord};

use super::{Column, Table, Values, get_file};

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
        match place.to_str() {
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                get_file::read_url(url, |bytes| Table::from_csv_reader(bytes))
            }
            _ => {
                let bytes = std::fs::read(place).map_err(|error| missing(place, error))?;
                Table::from_csv_reader(&bytes[..]).context(format!("`{}`", place.display()))
            }
        }
    }

    /// Reads comma-separated values from text, as [`Table::read_csv`] does.
    ///
    /// # Errors
    /// As [`Table::read_csv`].
    pub fn from_csv_str(text: &str) -> Result<Table> {
        Table::from_csv_reader(text.as_bytes())
    }

    /// Reads comma-separated values, as [`Table::read_csv`] does.
    ///
    /// # Errors
    /// As [`Table::read_csv`].
    pub fn from_csv_reader(mut reader: impl Read) -> Result<Table> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| Error::file(error.to_string()).caused_by(error))?;
        refuse_archive(&bytes)?;
        refuse_html(&bytes)?;
        refuse_open_quotes(&bytes)?;
        let mut reader = ReaderBuilder::new().from_reader(&bytes[..]);
        let header = reader.headers().map_err(|error| malformed(&bytes, &StringRecord::new(), error))?.clone();
        if header.is_empty() {
            return Err(Error::data("the table is empty").help("the first line is to name the columns"));
        }
        let mut cells: Vec<StringRecord> = header.iter().map(|_| StringRecord::new()).collect();
        let mut lines = Vec::new();
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(|error| malformed(&bytes, &header, error))? {
            lines.push(line(&bytes, record.position()));
            cells.iter_mut().zip(&record).for_each(|(column, cell)| column.push_field(cell));
        }
        refuse_other_separators(&header, &cells)?;
        let columns = header.iter().zip(&cells).enumerate();
        Table::from_columns(columns.map(|(i, (name, cells))| column(i, name, cells, &lines)).collect())
    }
}

/// The column of these cells, of the narrowest kind that holds them all.
fn column(position: usize, name: &str, cells: &StringRecord, lines: &[u64]) -> Column {
    let name = if name.is_empty() { format!("Unnamed: {position}") } else { name.into() };
    let (values, first_text) = infer(cells);
    let first_text = first_text.map(|row| Arc::new((lines[row], cells[row].to_owned())));
    Column { first_text, ..Column::new(name, values) }
}

/// The cells as values, and for text the row of the first cell that is not a number.
fn infer(cells: &StringRecord) -> (Values, Option<usize>) {
    if let Some(values) = cells.iter().map(whole).collect() {
        return (Values::Int(values), None);
    }
    let number_or_missing = |cell| number(cell).or_else(|| is_missing(cell).then_some(f64::NAN));
    if let Some(values) = cells.iter().map(number_or_missing).collect() {
        return (Values::Float(values), None);
    }
    if let Some(values) = cells.iter().map(truth).collect() {
        return (Values::Bool(values), None);
    }
    let text = cells.iter().map(|cell| (!is_missing(cell)).then(|| cell.to_owned())).collect();
    (Values::Text(text), cells.iter().position(|cell| !is_missing(cell) && number(cell).is_none()))
}

fn is_missing(cell: &str) -> bool {
    MISSING.contains(&cell)
}

fn whole(cell: &str) -> Option<i64> {
    cell.trim_ascii().parse().ok()
}

/// Rust reads the same numbers as pandas, but for words for not-a-number that pandas takes for text.
fn number(cell: &str) -> Option<f64> {
    cell.trim_ascii().parse().ok().filter(|value: &f64| !value.is_nan())
}

fn truth(cell: &str) -> Option<bool> {
    if cell.eq_ignore_ascii_case("true") { Some(true) } else { cell.eq_ignore_ascii_case("false").then_some(false) }
}

/// A table whose only column is of texts such as `1;2` was written with another separator.
fn refuse_other_separators(header: &StringRecord, cells: &[StringRecord]) -> Result<()> {
    let (Some(name), [cells]) = (header.get(0), cells) else { return Ok(()) };
    let separates =
        |mark: char| cells.iter().chain([name]).all(|cell| cell.contains(mark)) && cells.iter().next().is_some();
    other_separator(separates).map_or(Ok(()), Err)
}

fn other_separator(separates: impl Fn(char) -> bool) -> Option<Error> {
    let marks = [(';', "semicolons"), ('\t', "tabs")];
    let (_, word) = marks.into_iter().find(|&(mark, _)| separates(mark))?;
    let error = Error::data(format!("needs values separated by commas, got values separated by {word}"));
    Some(error.help("save the file with commas between the values, and points in the numbers"))
}

/// Refuses what is compressed: pandas unpacks it by the ending of its name.
fn refuse_archive(bytes: &[u8]) -> Result<()> {
    let kinds: [(&[u8], &str, &str); 4] = [
        (b"\x1f\x8b", "a gzip file", "gunzip"),
        (b"PK\x03\x04", "a zip archive", "unzip"),
        (b"BZh", "a bzip2 file", "bunzip2"),
        (b"\xfd7zXZ\0", "an xz file", "unxz"),
    ];
    match kinds.iter().find(|(start, ..)| bytes.starts_with(start)) {
        Some((_, what, program)) => Err(Error::unsupported(format!("this is {what}, not a table of text"))
            .help(format!("unpack it first, by `{program}` in a terminal, and read the file that comes out"))),
        None => Ok(()),
    }
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

fn malformed(bytes: &[u8], header: &StringRecord, error: csv::Error) -> Error {
    let (message, help) = match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            // Where commas are decimal points, the first line is one field and the others are several.
            let one_name = header.get(0).filter(|_| header.len() == 1).unwrap_or_default();
            if let Some(error) = other_separator(|mark| one_name.contains(mark)) {
                return error;
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
    use crate::data::Value;

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
        let cases: [(&[u8], &str); 21] = [
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
            (b"\x1f\x8b\x08\0", "this is a gzip file, not a table of text"),
            (b"PK\x03\x04\x14\0", "this is a zip archive, not a table of text"),
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
