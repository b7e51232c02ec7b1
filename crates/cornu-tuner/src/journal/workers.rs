//! Which processes work on a search: each holds the lock on a file of its own, which the system takes from it when it ends,
//! however it ends.

use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;

/// What the names of workers begin with.
const PREFIX: &str = "cornu-worker-";

/// One worker, as long as this lives.
#[derive(Debug)]
pub(super) struct Worker {
    folder: PathBuf,
    name: String,
    _lock: File,
}

impl Worker {
    /// A new worker, whose file is in that folder.
    pub(super) fn new(folder: PathBuf) -> io::Result<Worker> {
        fs::create_dir_all(&folder)?;
        // Each `RandomState` has keys of its own.
        let name = format!("{PREFIX}{}-{:016x}", std::process::id(), RandomState::new().hash_one(0));
        let lock = File::create_new(folder.join(&name))?;
        lock.lock()?;
        Ok(Worker { folder, name, _lock: lock })
    }

    /// Its name, which no other has.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether that worker is, or was, on this machine: its file is in the folder.
    #[cfg(feature = "postgres")]
    pub(super) fn is_here(&self, name: &str) -> bool {
        name.starts_with(PREFIX) && self.file(name).is_some_and(|path| path.exists())
    }

    /// The file of that worker; none, where that is no name of one: what a database says is no path to be trusted.
    fn file(&self, name: &str) -> Option<PathBuf> {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain.then(|| self.folder.join(name)).filter(|_| !name.is_empty())
    }

    /// Of these workers those that are there no more.
    pub(super) fn dead(&self, names: Vec<String>) -> Vec<String> {
        let mut seen = HashMap::new();
        names.into_iter().filter(|name| *seen.entry(name.clone()).or_insert_with(|| self.is_dead(name))).collect()
    }

    fn is_dead(&self, name: &str) -> bool {
        let Some(path) = self.file(name).filter(|_| name != self.name) else { return name != self.name };
        let Ok(file) = File::open(&path) else { return !path.exists() };
        // A system without locks: whoever is not known to live is taken for alive.
        file.try_lock().is_ok()
    }

    /// Removes what is left of a worker that is there no more.
    pub(super) fn forget(&self, name: &str) {
        if let Some(path) = self.file(name) {
            _ = fs::remove_file(path);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        _ = fs::remove_file(self.folder.join(&self.name));
    }
}
