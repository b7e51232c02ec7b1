//! Tables as comma-separated text, byte for byte as pandas writes them.

use std::path::Path;

use cornu_array::numbers::{fixed, general, repr, repr32, scientific};
use cornu_array::{Error, Result};

use super::{Category, ColumnNames, NAT, Scalar, Table, Value, Values, dates, print};

/// How a table is written: the options of pandas' `to_csv`, by its names.
///
/// ```
/// use cornu_data::{Table, ToCsv};
///
/// let table = Table::from_csv_str("name,size\nann,1.5\nbob,\n")?;
/// assert_eq!(ToCsv::new().index(false).na_rep("NA").to_string(&table)?, "name,size\nann,1.5\nbob,NA\n");
/// assert_eq!(table.to_csv_string(), ",name,size\n0,ann,1.5\n1,bob,\n");
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ToCsv {
    sep: char,
    index: bool,
    index_label: Option<String>,
    header: bool,
    names: Option<Vec<String>>,
    columns: Option<Vec<String>>,
    na_rep: String,
    decimal: char,
    float_format: Option<String>,
}

impl Default for ToCsv {
    fn default() -> ToCsv {
        ToCsv {
            sep: ',',
            index: true,
            index_label: None,
            header: true,
            names: None,
            columns: None,
            na_rep: String::new(),
            decimal: '.',
            float_format: None,
        }
    }
}

impl ToCsv {
    /// Commas, a line of names, row labels in front.
    pub fn new() -> ToCsv {
        ToCsv::default()
    }

    /// What stands between two fields.
    #[must_use]
    pub fn sep(self, sep: char) -> ToCsv {
        ToCsv { sep, ..self }
    }

    /// Whether row labels are written in front.
    #[must_use]
    pub fn index(self, index: bool) -> ToCsv {
        ToCsv { index, ..self }
    }

    /// The name above the row labels, instead of their own.
    #[must_use]
    pub fn index_label(self, label: impl Into<String>) -> ToCsv {
        ToCsv { index_label: Some(label.into()), ..self }
    }

    /// Whether a line of names is written first.
    #[must_use]
    pub fn header(self, header: bool) -> ToCsv {
        ToCsv { header, ..self }
    }

    /// Other names in the first line, one for each column.
    #[must_use]
    pub fn header_names(self, names: impl ColumnNames) -> ToCsv {
        ToCsv { names: Some(names.into_names()), ..self }
    }

    /// The columns that are written, in this order.
    #[must_use]
    pub fn columns(self, columns: impl ColumnNames) -> ToCsv {
        ToCsv { columns: Some(columns.into_names()), ..self }
    }

    /// What is written for a missing value.
    #[must_use]
    pub fn na_rep(self, na_rep: impl Into<String>) -> ToCsv {
        ToCsv { na_rep: na_rep.into(), ..self }
    }

    /// The decimal point of floats.
    #[must_use]
    pub fn decimal(self, decimal: char) -> ToCsv {
        ToCsv { decimal, ..self }
    }

    /// How floats are written, as in C: `%.2f`, `%.3e`, `%g`.
    #[must_use]
    pub fn float_format(self, format: impl Into<String>) -> ToCsv {
        ToCsv { float_format: Some(format.into()), ..self }
    }

    /// The text of the table.
    ///
    /// # Errors
    /// The table must have the columns; the options must make sense.
    pub fn to_string(&self, table: &Table) -> Result<String> {
        let selected;
        let table = match &self.columns {
            Some(names) => {
                selected = table.select(names)?;
                &selected
            }
            None => table,
        };
        if matches!(self.sep, '"' | '\n' | '\r') {
            return Err(Error::usage(format!("`sep` cannot be {:?}, which marks texts or lines", self.sep)));
        }
        let float = Float::read(self.float_format.as_deref(), self.decimal)?;
        let mut text = String::new();
        self.write_head(table, &mut text)?;
        let labels = self.index.then(|| table.index().to_shared());
        let columns: Vec<&Values> =
            labels.iter().map(|labels| &**labels).chain(table.columns().iter().map(|column| column.values())).collect();
        // pandas writes dates as exactly as those of a piece of so many rows need.
        let piece = (100_000 / table.columns().len().max(1)).max(1);
        let mut cell = String::new();
        for start in (0..table.rows()).step_by(piece) {
            let rows = start..(start + piece).min(table.rows());
            let details: Vec<dates::Detail> = columns.iter().map(|values| detail(values, rows.clone())).collect();
            for row in rows {
                for (place, (values, &detail)) in columns.iter().zip(&details).enumerate() {
                    cell.clear();
                    self.write_cell(values, row, detail, &float, &mut cell);
                    self.push(&mut text, place, &cell, columns.len() == 1);
                }
                text.push('\n');
            }
        }
        Ok(text)
    }

    /// Writes the table to a file, which is there whole or not at all.
    ///
    /// # Errors
    /// As [`ToCsv::to_string`]; the file must be one that can be written.
    pub fn write(&self, table: &Table, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let packed = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if ["gz", "bz2", "zip", "xz", "zst", "tar"].contains(&packed) {
            let message = format!("`{}` names a packed file, and tables are written as plain text", path.display());
            return Err(Error::unsupported(message).help("write it under a name that ends in `.csv`"));
        }
        cornu_files::atomic::write(path, self.to_string(table)?.as_bytes())
    }

    fn write_head(&self, table: &Table, text: &mut String) -> Result<()> {
        if !self.header {
            return Ok(());
        }
        let own = table.names();
        let names: Vec<&str> = match &self.names {
            Some(names) if names.len() != own.len() => {
                let (needed, got) = (own.len(), names.len());
                return Err(Error::usage(format!(
                    "`header_names` needs {needed} names, one for each column, got {got}"
                )));
            }
            Some(names) => names.iter().map(String::as_str).collect(),
            None => own,
        };
        let label = self.index_label.as_deref().or(table.index().name()).unwrap_or("");
        let fields: Vec<&str> = self.index.then_some(label).into_iter().chain(names).collect();
        fields.iter().enumerate().for_each(|(place, field)| self.push(text, place, field, fields.len() == 1));
        text.push('\n');
        Ok(())
    }

    /// A field, in quotation marks where it would be read as something else; so is an empty one that is alone in its line.
    fn push(&self, text: &mut String, place: usize, field: &str, alone: bool) {
        if place > 0 {
            text.push(self.sep);
        }
        let special = |letter| letter == self.sep || matches!(letter, '"' | '\n' | '\r');
        if field.is_empty() && alone {
            text.push_str("\"\"");
        } else if field.contains(special) {
            text.push('"');
            text.push_str(&field.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(field);
        }
    }

    fn write_cell(&self, values: &Values, row: usize, detail: dates::Detail, float: &Float, cell: &mut String) {
        match values {
            Values::Float(values) if !values[row].is_nan() => {
                cell.push_str(&float.text(values[row], repr(values[row])));
            }
            Values::Float32(values) if !values[row].is_nan() => {
                cell.push_str(&float.text(values[row].into(), repr32(values[row])));
            }
            Values::Date(moments) if moments[row] != NAT => cell.push_str(&dates::text_in(moments[row], detail)),
            Values::Object(values) => match &values[row] {
                Scalar::Date(moment) if *moment != NAT => cell.push_str(&dates::text(*moment, true)),
                value if value.is_missing() => cell.push_str(&self.na_rep),
                value => cell.push_str(&value.to_string()),
            },
            Values::Category(Category { codes, categories, .. }) => match codes[row] {
                Some(code) => self.write_cell(categories, code as usize, detail, float, cell),
                None => cell.push_str(&self.na_rep),
            },
            _ => match values.get(row) {
                Value::Text(text) => cell.push_str(text),
                Value::Int(value) => cell.push_str(&value.to_string()),
                value if value.is_missing() => cell.push_str(&self.na_rep),
                value => cell.push_str(&print::label(value)),
            },
        }
    }
}

fn detail(values: &Values, rows: std::ops::Range<usize>) -> dates::Detail {
    match values {
        Values::Date(moments) => dates::detail(&moments[rows]),
        Values::Category(category) => detail(&category.categories, 0..category.categories.len()),
        _ => dates::Detail::Day,
    }
}

/// How floats are written.
struct Float {
    form: Option<(char, usize)>,
    decimal: char,
}

impl Float {
    /// Reads a format of C: `%`, perhaps a point and a number of decimals, and a letter.
    fn read(format: Option<&str>, decimal: char) -> Result<Float> {
        let Some(format) = format else { return Ok(Float { form: None, decimal }) };
        let form = || {
            let inner = format.strip_prefix('%')?;
            let letter = inner.chars().last().filter(|letter| "feg".contains(*letter))?;
            let decimals = match inner.strip_suffix(letter)?.strip_prefix('.') {
                Some(digits) => digits.parse().ok().filter(|&digits| digits <= 340)?,
                None if inner.len() == 1 => 6,
                None => return None,
            };
            Some((letter, decimals))
        };
        match form() {
            Some(form) => Ok(Float { form: Some(form), decimal }),
            None => Err(Error::usage(format!("`float_format` needs a format such as `%.2f`, got `{format}`"))
                .help("`f` counts decimals, `e` writes powers of ten, `g` counts digits")),
        }
    }

    fn text(&self, value: f64, plain: String) -> String {
        let text = match self.form {
            None => plain,
            Some(('f', decimals)) => fixed(value, decimals),
            Some(('e', decimals)) => scientific(value, decimals),
            Some((_, digits)) => general(value, digits),
        };
        if self.decimal == '.' { text } else { text.replacen('.', &self.decimal.to_string(), 1) }
    }
}

impl Table {
    /// Writes the table as comma-separated text, with its row labels in front; for other forms see [`ToCsv`].
    ///
    /// # Errors
    /// The file must be one that can be written.
    pub fn to_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        ToCsv::new().write(self, path)
    }

    /// The table as comma-separated text, with its row labels in front.
    pub fn to_csv_string(&self) -> String {
        ToCsv::new().to_string(self).unwrap_or_default()
    }
}
