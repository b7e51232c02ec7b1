//! Which processes work on a search: each holds the lock on a file of its own, which the system takes from it when it ends,
//! however it ends.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

/// One worker, as long as this lives.
#[derive(Debug)]
pub(super) struct Worker {
    folder: PathBuf,
    name: String,
    _lock: File,
}

impl Worker {
    /// A new worker of the search in that folder.
    pub(super) fn new(folder: &Path) -> io::Result<Worker> {
        let folder = folder.join("workers");
        fs::create_dir_all(&folder)?;
        // Each `RandomState` has keys of its own.
        let name = format!("{}-{:016x}", std::process::id(), RandomState::new().hash_one(0));
        let lock = File::create_new(folder.join(&name))?;
        lock.lock()?;
        Ok(Worker { folder, name, _lock: lock })
    }

    /// Its name, which no other has.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Of these workers those that are there no more.
    pub(super) fn dead(&self, names: Vec<String>) -> Vec<String> {
        let mut seen = HashMap::new();
        names.into_iter().filter(|name| *seen.entry(name.clone()).or_insert_with(|| self.is_dead(name))).collect()
    }

    fn is_dead(&self, name: &str) -> bool {
        let path = self.folder.join(name);
        if name == self.name {
            return false;
        }
        let Ok(file) = File::open(&path) else { return !path.exists() };
        let free = match file.try_lock() {
            Ok(()) => true,
            // A system without locks: whoever is not known to live is taken for alive.
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        };
        if free {
            _ = fs::remove_file(&path);
        }
        free
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        _ = fs::remove_file(self.folder.join(&self.name));
    }
}
