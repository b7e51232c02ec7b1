//! Reading tables from separated values: pandas' options, types and names, errors with lines.
//!
//! ```text
//! source    a file, an address or memory, unpacked and as UTF-8
//! lines     blocks of it, as rows of fields
//! tokens    where a line and its fields end
//! sniff     what separates the fields, if nobody says it
//! plan      which field is which column
//! grow      columns, which take blocks and change their type
//! cells     what one field says
//! ```

mod cells;
mod encoding;
mod grow;
mod lines;
mod options;
mod plan;
mod read;
mod sniff;
mod source;
#[cfg(test)]
mod tests;
mod tokens;
mod types;

use std::io::Read;
use std::path::Path;

use cornu_array::{Context, Result, Warning, tell};

pub(crate) use cells::number;
pub use options::{ColumnKey, Csv, IndexCol, ParseDates, SkipRows};
use source::Source;

use super::{Table, formats, get_file};

impl Csv {
    /// Reads a file; or the file at an address that begins with `http://` or `https://`.
    ///
    /// A file from an address is kept among the data sets of Keras's cache and read from there the next time; a file of
    /// the same name in the folder that the environment variable `CORNU_DATASETS` names goes before it.
    ///
    /// # Errors
    /// The file must be there, and be a table that the options fit; the message tells line, column and value.
    pub fn read(&self, place: impl AsRef<Path>) -> Result<Table> {
        let place = place.as_ref();
        let read = match place.to_str() {
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                get_file::read_url(url, |bytes| read::table(&Source::bytes(bytes, self)?, self))
            }
            _ => Source::file(place, self)
                .and_then(|source| read::table(&source, self).context(format!("`{}`", place.display()))),
        };
        Ok(self.told(read?))
    }

    /// Reads text.
    ///
    /// # Errors
    /// As [`Csv::read`].
    #[allow(clippy::should_implement_trait)]
    pub fn from_str(&self, text: &str) -> Result<Table> {
        self.bytes(text.as_bytes())
    }

    /// Reads what a reader gives.
    ///
    /// # Errors
    /// As [`Csv::read`].
    pub fn from_reader(&self, mut reader: impl Read) -> Result<Table> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(lines::unreadable)?;
        self.bytes(&bytes)
    }

    fn bytes(&self, bytes: &[u8]) -> Result<Table> {
        Ok(self.told(read::table(&Source::bytes(bytes, self)?, self)?))
    }

    fn told(&self, (table, warnings): (Table, Vec<Warning>)) -> Table {
        if !self.silent {
            warnings.iter().for_each(tell);
        }
        table
    }
}

impl Table {
    /// Reads a file of separated values whose first line names the columns; or the file at an address that begins with
    /// `http://` or `https://`. [`Csv`] has options for files of other forms.
    ///
    /// A column is of whole numbers, numbers, `true` and `false`, or text, whichever fits all its values. Missing
    /// values are those of pandas (nothing, `NA`, `NaN`, `null`, …); they turn a column of whole numbers into one of
    /// numbers.
    ///
    /// # Errors
    /// As [`Csv::read`].
    pub fn read_csv(place: impl AsRef<Path>) -> Result<Table> {
        Csv::new().read(place)
    }

    /// Reads comma-separated values from text, as [`Table::read_csv`] does.
    ///
    /// # Errors
    /// As [`Csv::read`].
    pub fn from_csv_str(text: &str) -> Result<Table> {
        Csv::new().from_str(text)
    }

    /// Reads comma-separated values, as [`Table::read_csv`] does.
    ///
    /// # Errors
    /// As [`Csv::read`].
    pub fn from_csv_reader(reader: impl Read) -> Result<Table> {
        Csv::new().from_reader(reader)
    }
}
