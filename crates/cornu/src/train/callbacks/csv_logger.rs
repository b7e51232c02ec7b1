//! The figures of each epoch in a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cornu_graph::numbers::{repr, repr32};
use cornu_graph::{Error, Result};

use crate::train::{Callback, Control};

/// Writes the figures of each epoch into a file, a line each.
///
/// ```no_run
/// use cornu::train::{CSVLogger, Fit};
/// let fit = Fit::new().epochs(50).callback(CSVLogger::new("training.csv").append(true));
/// ```
pub struct CSVLogger {
    filename: PathBuf,
    separator: char,
    append: bool,
    file: Option<File>,
    has_header: bool,
    keys: Option<Vec<String>>,
}

impl CSVLogger {
    /// Into that file, which is begun anew.
    pub fn new(filename: impl AsRef<Path>) -> CSVLogger {
        let filename = filename.as_ref().to_path_buf();
        CSVLogger { filename, separator: ',', append: false, file: None, has_header: false, keys: None }
    }

    /// What stands between two figures.
    #[must_use]
    pub fn separator(mut self, separator: char) -> CSVLogger {
        self.separator = separator;
        self
    }

    /// Whether to go on at the end of the file.
    #[must_use]
    pub fn append(mut self, append: bool) -> CSVLogger {
        self.append = append;
        self
    }

    fn open(&mut self) -> io::Result<()> {
        if self.append
            && let Ok(mut old) = File::open(&self.filename)
        {
            self.has_header = old.read(&mut [0])? > 0;
        }
        let (append, mut options) = (self.append, OpenOptions::new());
        self.file = Some(options.create(true).append(append).write(true).truncate(!append).open(&self.filename)?);
        Ok(())
    }

    fn explain(&self, error: &io::Error) -> Error {
        Error::file(format!("`{}` cannot be written to: {error}", self.filename.display()))
    }

    /// A line as Python's `csv` writes it: texts with a separator, a quote or the end of a line in quotes.
    fn line(&self, cells: &[String]) -> String {
        let quoted = |cell: &String| match cell.contains([self.separator, '"', '\r', '\n']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.clone(),
        };
        let cells: Vec<String> = cells.iter().map(quoted).collect();
        format!("{}\r\n", cells.join(&self.separator.to_string()))
    }
}

impl Callback for CSVLogger {
    fn on_train_begin(&mut self, _: &mut Control) -> Result<()> {
        (self.keys, self.has_header) = (None, false);
        self.open().map_err(|error| self.explain(&error))
    }

    fn on_epoch_end(&mut self, epoch: usize, control: &mut Control) -> Result<()> {
        let flavor = control.model.flavor();
        let logs = control.logs()?;
        let mut text = String::new();
        let keys = match self.keys.take() {
            Some(keys) => keys,
            None => {
                let mut keys: Vec<String> = logs.iter().map(|(name, _)| name.to_owned()).collect();
                keys.sort();
                // The first epoch may have no validation.
                if !keys.iter().any(|key| key.starts_with("val_")) {
                    keys.extend(keys.clone().iter().map(|key| format!("val_{key}")));
                }
                if !self.has_header {
                    text += &self.line(&[&["epoch".to_owned()], &keys[..]].concat());
                }
                keys
            }
        };
        let number = |key: &str, value: f64| match flavor.rate_is_single() && key == flavor.learning_rate_key() {
            true => repr32(value as f32),
            false => repr(value),
        };
        let cell = |key: &String| logs.get(key).map_or("NA".to_owned(), |value| number(key, value));
        let cells: Vec<String> = std::iter::once(epoch.to_string()).chain(keys.iter().map(cell)).collect();
        text += &self.line(&cells);
        self.keys = Some(keys);
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(text.as_bytes()));
        written.map_err(|error| self.explain(&error))
    }

    fn on_train_end(&mut self, _: &mut Control) -> Result<()> {
        self.file = None;
        Ok(())
    }
}
