//! Journals: where a search is written down, so that no trial that has ended is lost or runs again.

mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod workers;

use std::path::Path;

use cornu::{Error, Result};
use serde_json::Value as Json;

#[cfg(feature = "postgres")]
pub use self::postgres::PostgresJournal;
pub use memory::MemoryJournal;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteJournal;

use crate::trial::Trial;

/// A trial that has ended, as it is written down.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// What came of it.
    pub trial: Trial,
    /// Its score, of which less is better; nothing where its model is not kept.
    pub cost: Option<f64>,
    /// The weights of its model after the best epoch.
    pub weights: Vec<u8>,
    /// The objective after each epoch, for pruners.
    pub curve: Vec<f64>,
}

/// What is written in one step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written<'a> {
    /// Trials that have ended.
    pub ended: &'a [Record],
    /// Of how many trials the models are kept, the best.
    pub keep: usize,
    /// The parameters, if there are new ones.
    pub space: Option<&'a Json>,
}

/// What became known since the last step.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// Trials that others have begun or ended.
    pub trials: Vec<Trial>,
    /// The objective of these after each epoch, where it was written down.
    pub curves: Vec<Vec<f64>>,
    /// The parameters, if others have found new ones.
    pub space: Option<Json>,
    /// The numbers of trials that run nowhere any more: their processes have ended.
    pub orphans: Vec<u64>,
    /// Whether there may soon be more of these, of processes that do not answer: the search waits for that.
    pub missing: bool,
}

/// Where a search is written down. Several processes may use one journal at a time.
pub trait Journal: Send {
    /// Begins a search that is told of so, or goes on with the one that is there; gives what that one is told of.
    ///
    /// # Errors
    /// A place that cannot be written.
    fn begin(&mut self, about: &Json) -> Result<Json>;

    /// What the search that is there is told of, if there is one.
    ///
    /// # Errors
    /// A journal that cannot be read.
    fn about(&mut self) -> Result<Option<Json>>;

    /// One step, of which all is done or nothing, and meanwhile nothing by others: writes, tells what is new, and begins the
    /// trials that are chosen then.
    ///
    /// # Errors
    /// A journal that cannot be written now; a later try may succeed.
    fn exchange(&mut self, written: Written, choose: &mut dyn FnMut(News) -> Vec<Trial>) -> Result<()>;

    /// All trials as they are written down; none, where the search itself is the only one that knows them.
    ///
    /// # Errors
    /// A journal that cannot be read.
    fn trials(&mut self) -> Result<Vec<Trial>>;

    /// The weights of a trial's model, if they are kept.
    ///
    /// # Errors
    /// A journal that cannot be read.
    fn weights(&mut self, number: u64) -> Result<Option<Vec<u8>>>;

    /// Whether [`Journal::trials`] has all trials, so that the search may leave to it what it does not need.
    fn keeps(&self) -> bool {
        self.folder().is_some()
    }

    /// The folder for what else is kept, if there is one.
    fn folder(&self) -> Option<&Path>;
}

/// The URL of a database and the name of a search in it, where that is what a directory says.
fn database(directory: &Path) -> Option<(&str, &str)> {
    let text =
        directory.to_str().filter(|text| ["postgres://", "postgresql://"].iter().any(|s| text.starts_with(s)))?;
    Some(text.split_once('#').unwrap_or((text, "")))
}

/// A URL without what is nobody else's business: password and options.
#[cfg_attr(not(feature = "postgres"), allow(dead_code))]
fn hidden(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "a database".into() };
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    match rest.rsplit_once('@') {
        Some((user, rest)) => format!("{scheme}://{}@{rest}", user.split(':').next().unwrap_or_default()),
        None => format!("{scheme}://{rest}"),
    }
}

/// Where a search is written down, in words.
pub(crate) fn place(directory: &Path) -> String {
    match database(directory) {
        Some((url, name)) => format!("`{}#{name}`", hidden(url)),
        None => format!("`{}`", directory.display()),
    }
}

/// The journal in that directory, or in that database; what is there is removed, if it is to be written over.
#[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), allow(unused_variables))]
pub(crate) fn open(directory: &Path, overwrite: bool) -> Result<Box<dyn Journal>> {
    match database(directory) {
        Some((_, "")) => {
            let error = Error::usage(format!("{} does not name the search", place(directory)));
            Err(error.help("name it after the database: `postgres://user@host/database#name`"))
        }
        #[cfg(feature = "postgres")]
        Some((url, name)) => {
            if overwrite {
                PostgresJournal::remove(url, name)?;
            }
            Ok(Box::new(PostgresJournal::connect(url, name)?))
        }
        #[cfg(not(feature = "postgres"))]
        Some(_) => Err(missing(directory, "postgres")),
        #[cfg(feature = "sqlite")]
        None => {
            if overwrite {
                SqliteJournal::remove(directory)?;
            }
            Ok(Box::new(SqliteJournal::open(directory)?))
        }
        #[cfg(not(feature = "sqlite"))]
        None => Err(missing(directory, "sqlite")),
    }
}

#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
fn missing(directory: &Path, feature: &str) -> Error {
    let message = format!("a search in {} needs the feature `{feature}` of cornu-tuner", place(directory));
    Error::unsupported(message).help("add it, or leave the directory out")
}

/// Whether there is a search in that directory, or in that database.
///
/// # Errors
/// A database that cannot be reached.
pub(crate) fn is_in(directory: &Path) -> Result<bool> {
    if database(directory).is_some() {
        return Ok(open(directory, false)?.about()?.is_some());
    }
    #[cfg(feature = "sqlite")]
    return Ok(SqliteJournal::is_in(directory));
    #[cfg(not(feature = "sqlite"))]
    Ok(false)
}
