//! A training that survives the end of its process.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use cornu_graph::{Error, Result};

use super::is_due;
use crate::train::{Callback, Control};

crate::config! {
    /// Saves everything that the training remembers after each epoch, and goes on from there when the same program is
    /// started again: with what it would have done, to the bit.
    ///
    /// ```
    /// use cornu::train::{BackupAndRestore, Fit};
    /// let fit = Fit::new().epochs(50).callback(BackupAndRestore::new("backup"));
    /// ```
    "keras.callbacks" pub callback BackupAndRestore(Kept) {
        /// The folder for the file, which is made.
        backup_dir: String,
        /// After how many batches to save; after each epoch where nothing is said.
        save_freq: Option<usize> = None,
        /// Whether to keep the file before the last, which is taken where the last is damaged.
        double_checkpoint: bool = false,
        /// Whether to remove the file when the training has ended, and the folder if nothing else is in it.
        delete_checkpoint: bool = true,
    }
}

/// What it has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Batches since the last file.
    batches: usize,
}

/// The files, the last and the one before.
const NAMES: [&str; 2] = ["latest.snapshot", "previous.snapshot"];

fn contains(file: &OsStr, name: &str) -> bool {
    file.to_string_lossy().contains(name)
}

impl BackupAndRestore {
    fn latest(&self) -> PathBuf {
        PathBuf::from(&self.backup_dir).join(NAMES[0])
    }

    fn previous(&self) -> PathBuf {
        PathBuf::from(&self.backup_dir).join(NAMES[1])
    }

    fn save(&self, control: &mut Control) -> Result<()> {
        let failed = |error| Error::file(format!("`{}`: {error}", self.backup_dir));
        fs::create_dir_all(&self.backup_dir).map_err(failed)?;
        if self.double_checkpoint && self.latest().exists() {
            fs::copy(self.latest(), self.previous()).map_err(failed)?;
        }
        control.save_snapshot(self.latest())
    }
}

impl Callback for BackupAndRestore {
    fn on_train_begin(&mut self, control: &mut Control) -> Result<()> {
        if self.backup_dir.is_empty() || self.save_freq == Some(0) {
            return Err(Error::usage("`BackupAndRestore` needs a folder, and a `save_freq` above 0 if there is one"));
        }
        self.kept = Kept::default();
        if !self.latest().exists() {
            return Ok(());
        }
        control.load_snapshot(self.latest()).or_else(|error| match self.previous().exists() {
            true => control.load_snapshot(self.previous()),
            false => Err(error),
        })
    }

    fn on_train_batch_end(&mut self, _: usize, control: &mut Control) -> Result<()> {
        if is_due(self.save_freq, &mut self.kept.batches, control) { self.save(control) } else { Ok(()) }
    }

    fn on_epoch_end(&mut self, _: usize, control: &mut Control) -> Result<()> {
        if self.save_freq.is_none() { self.save(control) } else { Ok(()) }
    }

    fn on_train_end(&mut self, _: &mut Control) -> Result<()> {
        let Ok(files) = fs::read_dir(&self.backup_dir) else { return Ok(()) };
        if !self.delete_checkpoint {
            return Ok(());
        }
        // Among them those that were being written when a process ended.
        let own = |path: &PathBuf| NAMES.iter().any(|name| path.file_name().is_some_and(|file| contains(file, name)));
        for path in files.filter_map(|entry| Some(entry.ok()?.path())).filter(own) {
            let failed = |error| Error::file(format!("`{}` cannot be removed: {error}", path.display()));
            fs::remove_file(&path).map_err(failed)?;
        }
        // What else is in the folder stays, and the folder with it.
        _ = fs::remove_dir(&self.backup_dir);
        Ok(())
    }
}
