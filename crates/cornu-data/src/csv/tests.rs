//! Files of all forms, as pandas reads them (testdata/golden/pandas-read), and mistakes.

use std::path::{Path, PathBuf};

use cornu_testkit::golden::{self, Report};
use serde_json::{Map, Value as Json};

use super::*;
use crate::{Value, Values};

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_else(|| panic!("needs a text: {json}")).to_owned()
}

fn texts(json: &Json) -> Vec<String> {
    match json {
        Json::Array(list) => {
            list.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), Into::into)).collect()
        }
        one => vec![one.as_str().map_or_else(|| one.to_string(), Into::into)],
    }
}

fn mark(json: &Json) -> char {
    text(json).chars().next().expect("a mark")
}

fn count(json: &Json) -> usize {
    json.as_u64().unwrap_or_else(|| panic!("needs a number: {json}")) as usize
}

fn key(json: &Json) -> ColumnKey {
    json.as_str().map_or_else(|| ColumnKey::Position(count(json)), ColumnKey::from)
}

fn keys(json: &Json) -> Vec<ColumnKey> {
    json.as_array().expect("a list of columns").iter().map(key).collect()
}

fn skiprows(json: &Json) -> SkipRows {
    let lines = || json.as_array().map(|lines| lines.iter().map(|line| count(line) as u64).collect::<Vec<_>>());
    lines().map_or_else(|| count(json).into(), SkipRows::from)
}

/// The options of a case, all of which must be known.
fn csv(options: &Map<String, Json>) -> Csv {
    options.iter().filter(|(_, to)| !to.is_null()).fold(Csv::new().verbose(0), |csv, (name, to)| match &**name {
        "sep" | "delimiter" => csv.sep(text(to)),
        "header" if to == "infer" => csv,
        "header" => csv.header(count(to)),
        "names" => csv.names(texts(to)),
        "index_col" => csv.index_col(to.as_bool().map_or_else(|| IndexCol::Column(key(to)), IndexCol::from)),
        "usecols" => csv.usecols(keys(to)),
        "dtype" => match to.as_object() {
            Some(columns) => columns.iter().fold(csv, |csv, (name, to)| csv.dtype_of(&**name, text(to))),
            None => csv.dtype(text(to)),
        },
        "nrows" => csv.nrows(count(to)),
        "skiprows" => csv.skiprows(skiprows(to)),
        "skipfooter" => csv.skipfooter(count(to)),
        "comment" => csv.comment(mark(to)),
        "na_values" => match to {
            Json::Object(columns) => columns.iter().fold(csv, |csv, (name, to)| csv.na_values_of(&**name, texts(to))),
            words => csv.na_values(texts(words)),
        },
        "keep_default_na" => csv.keep_default_na(*to == true),
        "decimal" => csv.decimal(mark(to)),
        "thousands" => csv.thousands(mark(to)),
        "encoding" => csv.encoding(text(to)),
        "quotechar" => csv.quotechar(mark(to)),
        "doublequote" => csv.doublequote(*to == true),
        "escapechar" => csv.escapechar(mark(to)),
        "skipinitialspace" => csv.skipinitialspace(*to == true),
        "true_values" => csv.true_values(texts(to)),
        "false_values" => csv.false_values(texts(to)),
        "parse_dates" => csv.parse_dates(to.as_bool().map_or_else(|| keys(to).into(), ParseDates::from)),
        "date_format" => csv.date_format(text(to)),
        "dayfirst" => csv.dayfirst(*to == true),
        "compression" if to == "infer" || to == "gzip" || to == "zip" => csv,
        "on_bad_lines" => csv.on_bad_lines(text(to)),
        "skip_blank_lines" => csv.skip_blank_lines(*to == true),
        // What changes nothing in what is read.
        "engine" | "low_memory" | "float_precision" | "memory_map" | "cache_dates" => csv,
        other => panic!("unknown option `{other}`"),
    })
}

/// `null` as an option is a setting of its own for the header.
fn options(case: &Json) -> Csv {
    let none = Map::new();
    let options = case["options"].as_object().unwrap_or(&none);
    let csv = csv(options);
    if options.get("header").is_some_and(Json::is_null) { csv.header(None) } else { csv }
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|&digit| digit == byte));
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for digit in digits {
        (bits, held) = (bits << 6 | digit as u32, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

fn read_case(case: &Json, folder: &Path) -> Result<Table> {
    let csv = options(case);
    match (&case["text"], &case["base64"], &case["file"]) {
        (Json::String(text), ..) => csv.from_str(text),
        (_, Json::String(bytes), _) => csv.from_reader(&base64(bytes)[..]),
        (_, _, Json::String(file)) => csv.read(folder.join(file)),
        _ => panic!("a case needs `text`, `base64` or `file`"),
    }
}

/// A float by its bits, as Python's `float.hex` writes them.
fn from_hex(text: &str) -> Option<f64> {
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    if text == "inf" {
        return Some(sign * f64::INFINITY);
    }
    let (mantissa, exponent) = text.strip_prefix("0x")?.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let exponent = exponent.parse::<i32>().ok()? - 4 * fraction.len() as i32;
    // Two steps, since the lowest powers of two are not there in one.
    let half = exponent / 2;
    Some(sign * (digits as f64 * 2f64.powi(half)) * 2f64.powi(exponent - half))
}

fn same(got: Value<'_>, want: &Json) -> bool {
    match got {
        Value::Missing => want.is_null(),
        Value::Float(got) if got.is_nan() => want.is_null(),
        Value::Float(got) => want.as_str().and_then(from_hex).is_some_and(|want| want.to_bits() == got.to_bits()),
        Value::Int(got) | Value::Date(got) => want.as_i64() == Some(got),
        Value::Bool(got) => want.as_bool() == Some(got),
        Value::Text(got) => match want {
            Json::Number(number) => got.trim().parse().ok() == number.as_i64(),
            want => want.as_str() == Some(got),
        },
    }
}

fn same_values(what: &str, dtype: &str, values: &Values, want: &Json) -> Result<(), String> {
    let needed = want["dtype"].as_str().expect("a dtype");
    let list = want["values"].as_array().expect("a list of values");
    // Whole numbers of more than 64 bits are text here, and so are all others beside them.
    let wide = dtype == "str" && matches!(needed, "uint64" | "object");
    let date = dtype == "datetime64[us]" && needed.starts_with("datetime64[");
    if dtype != needed && !wide && !date {
        return Err(format!("{what} needs {needed}, got {dtype}: {:?}", values.iter().take(3).collect::<Vec<_>>()));
    }
    if values.len() != list.len() {
        return Err(format!("{what} needs {} values, got {}", list.len(), values.len()));
    }
    match values.iter().zip(list).enumerate().find(|(_, (got, want))| !same(*got, want)) {
        Some((row, (got, want))) => Err(format!("{what} needs {want} in row {row}, got {got:?}")),
        None => Ok(()),
    }
}

fn check(case: &Json, folder: &Path) -> Result<(), String> {
    let read = read_case(case, folder);
    let refused = case["error"].is_string();
    assert!(refused != case["result"].is_object(), "a case has a result or an error: {case}");
    let table = match (read, refused) {
        (Err(error), true) if error.message().len() < 300 => return Ok(()),
        (Err(error), true) => return Err(format!("a long message: {error}")),
        (Ok(table), true) => return Err(format!("is read, but pandas refuses it ({}):\n{table}", case["error"])),
        (Err(error), false) => return Err(error.to_string()),
        (Ok(table), false) => table,
    };
    let want = &case["result"];
    let columns = want["columns"].as_array().expect("a list of columns");
    let names: Vec<&str> = columns.iter().map(|column| column["name"].as_str().expect("a name")).collect();
    if table.names() != names || table.rows() != count(&want["rows"]) {
        return Err(format!("needs {names:?}, {} rows; got {:?}, {}", want["rows"], table.names(), table.rows()));
    }
    for (column, want) in table.columns().iter().zip(columns) {
        same_values(column.name(), column.dtype(), column.values(), want)?;
        if let (Values::Category(category), Json::Array(list)) = (column.values(), &want["categories"]) {
            let equal = category.categories.len() == list.len()
                && category.categories.iter().zip(list).all(|(got, want)| same(got, want));
            if !equal {
                return Err(format!("{} needs the categories {list:?}", column.name()));
            }
        }
    }
    if want["index"].is_null() {
        let plain = table.rows() == 0 || *table.index() == crate::Index::range(table.rows());
        return if plain { Ok(()) } else { Err(format!("needs no labels, got {:?}", table.index())) };
    }
    let labels = table.index().values();
    if table.index().name() != want["index"]["name"].as_str() {
        return Err(format!("the labels need the name {}, got {:?}", want["index"]["name"], table.index().name()));
    }
    same_values("the labels", labels.dtype(), &labels, &want["index"])
}

#[test]
fn files_are_read_as_by_pandas() {
    let given = std::env::var_os("CORNU_GOLDEN").map(|root| PathBuf::from(root).join("pandas-read"));
    let folder = given.filter(|folder| folder.join("cases.json").exists());
    let folder = folder.unwrap_or_else(|| golden::own("pandas-read"));
    let mut report = Report::default();
    for case in golden::json("pandas-read", "cases.json").as_array().expect("a list of cases") {
        report.case(case["id"].as_str().expect("every case has an id"), check(case, &folder));
    }
    report.finish();
}

fn dtypes(text: &str) -> Vec<&'static str> {
    Table::from_csv_str(text).unwrap().columns().iter().map(crate::Column::dtype).collect()
}

#[test]
fn what_the_file_holds_late_is_known_of_its_start() {
    // More than one block, so that first rows are read again.
    let rows = 40_000;
    let mut text = String::from("i,late,wide,fraction,gap,truth\n");
    for row in 0..rows {
        let last = row + 1 == rows;
        let late = if last { "x".into() } else { format!("{row}.50") };
        let wide = if last { u64::MAX.to_string() } else { row.to_string() };
        let fraction = if last {
            "0.5".into()
        } else if row == 7 {
            "-0".into()
        } else {
            row.to_string()
        };
        let (gap, truth) = if last { ("", "") } else { ("12345678", "True") };
        text += &format!("{row},{late},{wide},{fraction},{gap},{truth}\n");
    }
    assert_eq!(dtypes(&text), ["int64", "str", "str", "float64", "float64", "object"]);
    let table = Table::from_csv_str(&text).unwrap();
    let first = |name: &str| table.column(name).unwrap().values().get(9).to_owned();
    assert_eq!((first("late"), first("wide")), (Value::Text("9.50"), Value::Text("9")));
    let Values::Float(values) = table.column("fraction").unwrap().values() else { panic!("no floats") };
    assert!(values[7].is_sign_negative() && values[6] == 6.0 && values.len() == rows);
    let message = table.column("late").unwrap().to_array().unwrap_err().message().to_owned();
    assert_eq!(message, format!("column `late` needs numbers, got the text `x` on line {}", rows + 1));
}

#[test]
fn whole_numbers_of_many_digits_among_fractions_are_numbers() {
    let text = format!("a\n1\n{}\n{}0.5\n", u64::MAX, "3\n".repeat(100_000));
    let table = Table::from_csv_str(&text).unwrap();
    let Values::Float(values) = table.columns()[0].values() else { panic!("no floats") };
    assert_eq!((values[0], values[1], values[2], values[100_002]), (1.0, u64::MAX as f64, 3.0, 0.5));
}

#[test]
fn blocks_end_anywhere() {
    let quoted = "\"x, \"\"y\"\"\r\nz\",é,1\r\n";
    let lines = 3 * lines::BLOCK / quoted.len();
    let text = format!("a,b,c\r\n{}", quoted.repeat(lines));
    for shift in 0..quoted.len() {
        let text = format!("{}\r\n{text}", "#".repeat(shift));
        let table = Csv::new().skiprows(1).from_str(&text).unwrap();
        let last = |name: &str| table.column(name).unwrap().values().get(lines - 1).to_owned();
        assert_eq!(table.shape(), (lines, 3));
        assert_eq!((last("a"), last("b"), last("c")), (Value::Text("x, \"y\"\r\nz"), Value::Text("é"), Value::Int(1)));
    }
}

#[test]
fn mistakes_are_placed() {
    let cases: [(&[u8], &str); 21] = [
        (b"PK\x03\x04\x14\x00[Content_Types].xml", "this is a spreadsheet, not a table of text"),
        (b"PAR1\x15", "this is a Parquet file, not a table of text"),
        (b"BZh9", "this is a bzip2 file, not a table of text"),
        (b"a,b\n1,2\n\n1,2,3\n", "line 4 needs 2 fields as the first line, got 3"),
        (b"a,b\n1,\"2\n3,4\n", "line 2 opens a quotation mark that nothing closes"),
        (b"a,b\n\"1\n\",2\n\r\n3,\"4\"\"\n5,6\n", "line 5 opens a quotation mark that nothing closes"),
        (b"\xef\xbb\xbf\"a\n1\n", "line 1 opens a quotation mark that nothing closes"),
        (b"a\nx\"y\n\"z\"\"\"\n\"\"x\"\n1,2\n", "line 5 needs 1 field as the first line, got 2"),
        (b"", "the table is empty"),
        (b"\n\n", "the table is empty"),
        (b"  <!DOCTYPE html><html></html>", "needs comma-separated values, got an HTML page"),
        (b"\xef\xbb\xbf<html>", "needs comma-separated values, got an HTML page"),
        (b"<?xml version=\"1.0\"?><Error/>", "needs comma-separated values, got an XML page"),
        (b"\xff\xfea\0,\0", "needs UTF-8 text, got UTF-16"),
        (b"a\n1,2,3\n", "rows have 2 fields more than the line of names, which has 1"),
        (b"a,b\n1,\xe9\n", "line 2, field 2 needs UTF-8 text, got other bytes"),
        (b"a,b\n\n1,2\r\n\"x\ny\",\xe9\n", "line 5, field 2 needs UTF-8 text, got other bytes"),
        (b"a,\xe9\n1,2\n", "line 1, field 2 needs UTF-8 text, got other bytes"),
        (b"\x1f\x8b\x08\x00\x00", "the gzip file is cut short or damaged: unexpected end of file"),
        (b"a\r1\r2,3,4\r", "line 3 needs 1 field as the first line, got 3"),
        (b"\"a\nb\",c\n\n1,2\n1,2,3\n", "line 5 needs 2 fields as the first line, got 3"),
    ];
    let mut report = Report::default();
    for (text, message) in cases {
        let got = Table::from_csv_reader(text).map_or_else(|error| error.message().to_owned(), |_| "a table".into());
        report.case(message, if got == message { Ok(()) } else { Err(format!("got `{got}`")) });
    }
    report.finish();
}

#[test]
fn options_that_cannot_be_are_refused() {
    let text = "a,b\n1,x\n,y\n";
    let cases = [
        (Csv::new().sep("::"), "`sep` needs one character, or `\\s+` for any spaces, got `::`"),
        (Csv::new().sep('é'), "`sep` needs an ASCII character, got `\\u{e9}`"),
        (Csv::new().sep('"'), "`sep`, `quotechar`, `escapechar` and `comment` share the mark `\"`"),
        (Csv::new().encoding("koi8-r"), "`encoding` needs `utf-8`, `latin-1`, `cp1252` or `utf-16`, got `koi8-r`"),
        (Csv::new().compression("xz"), "`compression` needs `infer`, `gzip`, `zip` or `None`, got `xz`"),
        (Csv::new().compression("gzip"), "this is no gzip file"),
        (Csv::new().on_bad_lines("drop"), "`on_bad_lines` needs `error`, `warn` or `skip`, got `drop`"),
        (
            Csv::new().dtype("int32"),
            "`dtype` needs `float64`, `float32`, `int64`, `bool`, `str` or `category`, got `int32`",
        ),
        (Csv::new().dtype_of("c", "str"), "`dtype_of`: no column `c`; the table has `a`, `b`"),
        (Csv::new().usecols(["A"]), "`usecols`: no column `A`; the table has `a`, `b`"),
        (Csv::new().usecols([2]), "`usecols` needs positions below 2, got 2"),
        (Csv::new().index_col(2), "`index_col` needs a position below 2, the number of columns, got 2"),
        (Csv::new().names(["a", "a"]), "`names` needs different names, got `a` twice"),
        (Csv::new().header(3), "`header` needs a row below 3, the number of rows, got 3"),
        (Csv::new().dtype_of("a", "int64"), "column `a`: needs whole numbers, got a missing value on line 3"),
        (Csv::new().dtype_of("b", "float64"), "column `b`: needs numbers, got the text `x` on line 2"),
        (Csv::new().parse_dates(["b"]).date_format("%Q"), "`date_format` knows no `%Q`, in `%Q`"),
    ];
    let mut report = Report::default();
    for (csv, message) in cases {
        let got = csv.from_str(text).map_or_else(|error| error.message().to_owned(), |table| table.to_string());
        report.case(message, if got == message { Ok(()) } else { Err(format!("got `{got}`")) });
    }
    report.finish();
}

#[test]
fn what_was_found_out_is_said() {
    let told = |csv: &Csv, text: &str| {
        let source = Source::bytes(text.as_bytes(), csv).unwrap();
        let warnings = read::table(&source, csv).unwrap().1;
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let plain = Csv::new();
    assert_eq!(
        told(&plain, "a;b\n1,5;2\n"),
        "warning CN023: the values are separated by semicolons, and commas are decimal points; say so by \
         `Csv::new().sep(';').decimal(',')`"
    );
    assert_eq!(told(&plain.clone().sep(';').decimal(','), "a;b\n1,5;2\n"), "");
    assert_eq!(
        told(&plain, "a\tb\n1\t2\n"),
        "warning CN023: the values are separated by tabs; say so by `Csv::new().sep('\\t')`"
    );
    let header = "warning CN021: the first line, `6,148,6.1`, looks like data but was read as column names; if it is, \
                  read the file by `Csv::new().header(None)`, else say so by `.header(0)`";
    assert_eq!(told(&plain, "6,148,6\n1,2,3\n"), header);
    for csv in [plain.clone().header(0), plain.clone().header(None), plain.clone().names(["x", "y", "z"])] {
        assert_eq!(told(&csv, "6,148,6\n1,2,3\n"), "");
    }
    assert_eq!(
        told(&plain.clone().on_bad_lines("warn"), "a\n1\n1,2\n\n1,2,3\n"),
        "warning CN024: lines with too many fields are left out: 3 (2 fields), 5 (3 fields); \
         `on_bad_lines(\"skip\")` says nothing of it"
    );
    assert!(told(&plain, "id\n99999999999999999999\n").starts_with("warning CN025: column `id` has whole numbers"));
    assert_eq!(told(&plain.dtype("str"), "id\n99999999999999999999\n"), "");
}

#[test]
fn a_missing_file_is_named_with_its_nearest_neighbour() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.tml");
    let error = Table::read_csv(&place).unwrap_err().to_string();
    assert!(error.contains("no file `") && error.contains("Cargo.toml`?"), "{error}");
}

#[test]
fn packed_files_are_read_like_plain_ones() {
    let folder = cornu_testkit::folder::Folder::new("csv-packed");
    let text = format!("a,b\n{}x,2\n", "1,2\n".repeat(100_000));
    let plain = Table::from_csv_str(&text).unwrap();
    let place = folder.join("table.csv");
    std::fs::write(&place, &text).unwrap();
    assert_eq!(Table::read_csv(&place).unwrap(), plain);
    // A gzip file of stored blocks, put together by hand, says the same as one that is compressed.
    for case in golden::json("pandas-read", "cases.json").as_array().unwrap() {
        if let Some(bytes) = case["base64"].as_str().map(base64).filter(|bytes| bytes.starts_with(b"\x1f\x8b")) {
            let place = folder.join("table.gz");
            std::fs::write(&place, bytes).unwrap();
            assert!(Table::read_csv(&place).is_ok() && Csv::new().compression("gzip").read(&place).is_ok());
            assert!(Csv::new().compression(None).read(&place).is_err());
        }
    }
}
