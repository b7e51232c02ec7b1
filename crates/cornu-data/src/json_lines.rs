//! JSON lines: a row on each line, an object of names and values.

use std::collections::HashMap;
use std::path::Path;

use cornu_array::{Context, Error, Result};
use cornu_files::atomic;
use serde_json::{Deserializer, Map, Value as Json};

use super::csv::number;
use super::{Column, Scalar, Table, Texts, Value, Values};

impl Table {
    /// Reads a file of JSON lines, as `pandas.read_json(path, lines=True)` does: see [`Table::from_json_lines`].
    ///
    /// # Errors
    /// Files that cannot be opened or are not UTF-8; else as [`Table::from_json_lines`].
    pub fn read_json_lines(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let read = || {
            let bytes = atomic::read(path).map_err(|error| Error::file(error.to_string()).caused_by(error))?;
            let text = std::str::from_utf8(&bytes).map_err(|error| {
                let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
                Error::data(format!("JSON needs UTF-8, line {line} is not"))
            })?;
            Table::from_json_lines(text)
        };
        read().context(format!("`{}`", path.display()))
    }

    /// The table of a text of JSON lines: an object on each line, whose names are columns in the order of their first
    /// appearance. Types are those of pandas: what is missing or null is NaN, numbers that are all whole are `int64`,
    /// texts that are all numbers become numbers. Dates stay text.
    ///
    /// ```
    /// use cornu_data::Table;
    ///
    /// let table = Table::from_json_lines("{\"name\": \"ann\", \"age\": 31}\n{\"name\": \"bob\"}\n")?;
    /// assert_eq!(table.to_string(), "  name   age\n0  ann  31.0\n1  bob   NaN");
    /// # Ok::<(), cornu_array::Error>(())
    /// ```
    ///
    /// # Errors
    /// Lines that are no object of JSON, with their number; lists and objects as values.
    pub fn from_json_lines(text: &str) -> Result<Table> {
        let (mut names, mut columns) = (Vec::<String>::new(), Vec::<Vec<Scalar>>::new());
        let mut places = HashMap::new();
        let mut rows = 0;
        for (line, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let line = line + 1;
            for (name, value) in object(text).context(format_args!("line {line}"))? {
                let place = *places.entry(name).or_insert_with_key(|name| {
                    names.push(name.clone());
                    columns.push(Vec::new());
                    names.len() - 1
                });
                let value = scalar(value).context(format_args!("line {line}: column `{}`", names[place]))?;
                columns[place].resize(rows, Scalar::Missing);
                columns[place].push(value);
            }
            rows += 1;
        }
        columns.iter_mut().for_each(|column| column.resize(rows, Scalar::Missing));
        let columns =
            names.into_iter().zip(columns).map(|(name, column)| Column::new(name, narrowed(column))).collect();
        let table = Table::from_columns(columns)?;
        Ok(if table.columns().is_empty() { table.with_index(super::Index::range(rows)) } else { table })
    }

    /// Writes a file of JSON lines, as `to_json(path, orient="records", lines=True)` of pandas: see
    /// [`Table::to_json_lines_string`].
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn to_json_lines(&self, path: impl AsRef<Path>) -> Result<()> {
        atomic::write(path, self.to_json_lines_string().as_bytes())
    }

    /// The table as JSON lines, an object for each row, without the labels of rows. Numbers have all their digits;
    /// missing values and infinities are null, dates texts of ISO 8601.
    pub fn to_json_lines_string(&self) -> String {
        let mut text = String::new();
        let names: Vec<Json> = self.names().into_iter().map(Json::from).collect();
        for row in 0..self.rows() {
            for (place, (name, column)) in names.iter().zip(self.columns()).enumerate() {
                text.push_str(if place == 0 { "{" } else { "," });
                text.push_str(&format!("{name}:{}", json(column.values().get(row))));
            }
            text.push_str(if names.is_empty() { "{}\n" } else { "}\n" });
        }
        text
    }
}

/// One row.
fn object(text: &str) -> Result<Map<String, Json>> {
    let mut values = Deserializer::from_str(text).into_iter::<Json>();
    let error = |error: serde_json::Error| {
        Error::data(format!("this is no JSON: {error}").replace(" line 1 column ", " character ")).caused_by(error)
    };
    match values.next().transpose().map_err(error)? {
        Some(Json::Object(row)) if values.next().is_none() => {
            let is_large = |value: &Json| value.as_f64().is_some_and(|value| value.abs() >= 2f64.powi(63));
            let long = row.values().any(is_large).then(|| long_number(text)).flatten();
            long.map_or(Ok(row), |number| Err(too_long(number)))
        }
        _ => Err(Error::data("one object of JSON is needed on each line")
            .help("in pandas, `table.to_json(path, orient=\"records\", lines=True)` writes such a file")),
    }
}

fn too_long(number: &str) -> Error {
    Error::data(format!("the whole number {number} does not fit into 64 bits with a sign"))
}

/// A whole number of more than 19 digits, which a double does not hold.
fn long_number(text: &str) -> Option<&str> {
    // Every other part is outside of quotes; behind a backslash a quote is one of the text.
    let unescaped = text.replace("\\\\", "  ").replace("\\\"", "  ");
    let mut from = 0;
    for (place, part) in unescaped.split('"').enumerate() {
        let outside = text.get(from..from + part.len()).filter(|_| place % 2 == 0).unwrap_or_default();
        let mut numbers = outside.split([',', ':', '{', '}', '[', ']', ' ', '\t']);
        let is_long =
            |number: &&str| number.len() > 19 && number.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9'));
        if let Some(number) = numbers.find(|number| is_long(number) && number.parse::<i64>().is_err()) {
            return Some(number);
        }
        from += part.len() + 1;
    }
    None
}

fn scalar(value: Json) -> Result<Scalar> {
    match value {
        Json::Null => Ok(Scalar::Missing),
        Json::Bool(value) => Ok(Scalar::Bool(value)),
        Json::String(text) => Ok(Scalar::Text(text)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Scalar::Int(whole)),
            (None, Some(value)) if !number.is_u64() => Ok(Scalar::Float(value)),
            _ => Err(too_long(&number.to_string())),
        },
        Json::Array(_) | Json::Object(_) => {
            let error = Error::unsupported(format!("a number, a text, true, false or null is needed, got {value}"));
            Err(error.help("drop it, or make columns of its parts, where the table was made"))
        }
    }
}

/// The column in the kind that `read_json` finds for it.
fn narrowed(values: Vec<Scalar>) -> Values {
    let of_text = |text: &str| if text.trim().eq_ignore_ascii_case("nan") { Some(f64::NAN) } else { number(text) };
    let as_number = |value: &Scalar| match value {
        Scalar::Missing => Some(f64::NAN),
        Scalar::Text(text) => of_text(text),
        other => other.to_f64(),
    };
    let kinds = |pick: fn(&Scalar) -> bool| values.iter().filter(|value| !value.is_missing()).all(pick);
    if kinds(|value| matches!(value, Scalar::Int(_))) || kinds(|value| matches!(value, Scalar::Bool(_))) {
        let missing = values.iter().any(Scalar::is_missing);
        if !missing {
            return values.into();
        }
    }
    match values.iter().map(as_number).collect::<Option<Vec<f64>>>() {
        Some(numbers) => whole(&values, numbers),
        None if kinds(|value| matches!(value, Scalar::Text(_))) => {
            let text = |value: &'_ Scalar| if let Scalar::Text(text) = value { Some(text.clone()) } else { None };
            let texts: Vec<Option<String>> = values.iter().map(text).collect();
            Values::Text(texts.iter().map(Option::as_deref).collect::<Texts>())
        }
        None => Values::Object(values),
    }
}

/// Numbers, as whole ones where all are.
fn whole(values: &[Scalar], numbers: Vec<f64>) -> Values {
    // 2^63 is the first double beyond.
    let fits = |number: f64| number.fract() == 0.0 && (-2f64.powi(63)..2f64.powi(63)).contains(&number);
    if numbers.is_empty() || !numbers.iter().all(|&number| fits(number)) {
        return Values::Float(numbers);
    }
    let exact = |(value, number): (&Scalar, f64)| if let Scalar::Int(value) = value { *value } else { number as i64 };
    Values::Int(values.iter().zip(numbers).map(exact).collect())
}

/// A value as JSON writes it.
fn json(value: Value<'_>) -> Json {
    match value {
        Value::Missing => Json::Null,
        Value::Float(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Bool(value) => value.into(),
        Value::Date(micros) => super::dates::text(micros, true).replace(' ', "T").into(),
        Value::Text(text) => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let table = Table::new([
            ("name \"x\"", Values::from(vec![Some("é\n"), None])),
            ("n", vec![i64::MAX, i64::MIN].into()),
            ("f", vec![0.1 + 0.2, f64::NAN].into()),
            ("yes", vec![true, false].into()),
        ])
        .unwrap();
        let text = table.to_json_lines_string();
        assert_eq!(
            text.lines().next(),
            Some(r#"{"name \"x\"":"é\n","n":9223372036854775807,"f":0.30000000000000004,"yes":true}"#)
        );
        assert_eq!(Table::from_json_lines(&text).unwrap(), table);
        let dates = Table::new([("d", Values::Date(vec![0, 1, super::super::NAT]))]).unwrap();
        let lines = "{\"d\":\"1970-01-01T00:00:00\"}\n{\"d\":\"1970-01-01T00:00:00.000001\"}\n{\"d\":null}\n";
        assert_eq!(dates.to_json_lines_string(), lines);
        assert_eq!(Table::from_json_lines("{}\n\n{}").unwrap().shape(), (2, 0));
    }

    #[test]
    fn mistakes_are_told_with_line_and_column() {
        let message = |text: &str| Table::from_json_lines(text).unwrap_err().message().to_owned();
        assert_eq!(message("{\"a\":1}\n\n[1]\n"), "line 3: one object of JSON is needed on each line");
        assert_eq!(message("{\"a\":1}\n{\"a\":}\n"), "line 2: this is no JSON: expected value at character 6");
        assert_eq!(
            message("{\"a\":{\"b\":1}}"),
            "line 1: column `a`: a number, a text, true, false or null is needed, got {\"b\":1}"
        );
        let long = "the whole number 18446744073709551616 does not fit into 64 bits with a sign";
        assert_eq!(message("{\"t\":\"\\\"1\",\"a\":18446744073709551616}"), format!("line 1: {long}"));
        assert!(Table::from_json_lines("{\"a\":1e20,\"b\":\"18446744073709551616\"}").is_ok());
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert!(message(&deep).starts_with("line 1: this is no JSON: recursion limit"));
    }
}
