//! Golden files: what Keras itself computed.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of a group of golden files: under `CORNU_GOLDEN` if that is set and has the group, else the copy in this
/// repository.
///
/// # Panics
/// If neither place has the group.
pub fn folder(group: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden");
    let places = std::env::var_os("CORNU_GOLDEN").map(PathBuf::from).into_iter().chain([own]);
    let mut folders = places.map(|place| place.join(group));
    folders.find(|folder| folder.is_dir()).unwrap_or_else(|| panic!("no golden files for `{group}`; set CORNU_GOLDEN"))
}

/// A JSON file of a group.
///
/// # Panics
/// If it cannot be read.
pub fn json(group: &str, file: &str) -> Value {
    let path = folder(group).join(file);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Collects failing cases, so that a test prints one line for each and fails once, at its end.
#[derive(Default)]
pub struct Report {
    checked: usize,
    failures: Vec<String>,
}

impl Report {
    /// Counts a case; `outcome` says what is wrong with it, if anything.
    pub fn case(&mut self, id: &str, outcome: Result<(), String>) {
        self.checked += 1;
        if let Err(problem) = outcome {
            self.failures.push(format!("{id}: {problem}"));
        }
    }

    /// Ends the test.
    ///
    /// # Panics
    /// If a case failed, or if there was none.
    pub fn finish(self) {
        assert!(self.checked > 0, "no case was checked");
        let count = self.failures.len();
        assert!(self.failures.is_empty(), "{count} of {} cases failed:\n{}", self.checked, self.failures.join("\n"));
    }
}
