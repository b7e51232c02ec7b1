//! A search in one file of SQLite, which several processes may work on.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cornu::graph::Context;
use cornu::{Error, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use serde_json::Value as Json;

use super::rows::{bytes, json, numbers, trial};
use super::workers::Worker;
use super::{Journal, News, Record, Written};
use crate::trial::Trial;

/// The file's name in the directory of a search.
const FILE: &str = "search.sqlite";

/// How long others may have the file.
const BUSY: Duration = Duration::from_secs(60);

/// How often to look for processes that have ended.
const LOOK: Duration = Duration::from_secs(1);

/// Numbers in `change` rise with each step, so that everybody finds what is new.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS search (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS trials (
        number INTEGER PRIMARY KEY, status TEXT NOT NULL, worker TEXT NOT NULL, change INTEGER NOT NULL,
        record TEXT NOT NULL, curve BLOB);
    CREATE TABLE IF NOT EXISTS weights (number INTEGER PRIMARY KEY, cost REAL NOT NULL, bytes BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS changes ON trials (change);
    CREATE INDEX IF NOT EXISTS running ON trials (worker) WHERE status = 'RUNNING';
    CREATE INDEX IF NOT EXISTS costs ON weights (cost, number);";

/// Other versions are refused.
const VERSION: i64 = 1;

/// A search in one file of SQLite.
#[derive(Debug)]
pub struct SqliteJournal {
    folder: PathBuf,
    worker: Worker,
    open: Option<Open>,
    /// The last change that is known here.
    seen: i64,
    looked: Option<Instant>,
}

/// The file as it is open.
#[derive(Debug)]
struct Open {
    connection: Connection,
    /// What the file was when it was opened.
    identity: Option<u64>,
    /// SQLite's number, which moves when another process has written.
    version: i64,
}

fn explain(error: &rusqlite::Error, folder: &Path) -> Error {
    let help = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "free some space on that disk",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "make the file and its folder writable",
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => "look whether the disk is there",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program has had the file for a minute",
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => "take another directory, or remove the file",
        _ => "what was written before is unchanged",
    };
    Error::file(format!("`{}`: {error}", folder.join(FILE).display())).help(help)
}

/// What tells a file from another at its place.
fn identity(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).ok().map(|found| found.ino())
    }
    #[cfg(not(unix))]
    fs::metadata(path).ok().map(|_| 0)
}

impl Open {
    fn new(path: &Path, create: bool) -> rusqlite::Result<Open> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let begun = Instant::now();
        loop {
            // Whoever changes the mode needs the file alone, and SQLite does not wait for that.
            match Open::once(path, flags) {
                Err(error) if is_busy(&error) && begun.elapsed() < BUSY => sleep(Duration::from_millis(5)),
                opened => return opened,
            }
        }
    }

    fn once(path: &Path, flags: OpenFlags) -> rusqlite::Result<Open> {
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // In kilobytes: what was written is hardly read again.
        connection.pragma_update(None, "cache_size", -256)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(TABLES)?;
        transaction.execute("INSERT OR IGNORE INTO search VALUES ('version', ?1)", [VERSION.to_string()])?;
        transaction.commit()?;
        Ok(Open { connection, identity: identity(path), version: -1 })
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl SqliteJournal {
    /// The search in that directory, which is made.
    ///
    /// # Errors
    /// A directory that cannot be made or written; a file of another kind or version.
    pub fn open(folder: impl AsRef<Path>) -> Result<SqliteJournal> {
        let folder = folder.as_ref().to_path_buf();
        let failed = |error: std::io::Error| Error::file(format!("`{}`: {error}", folder.display()));
        fs::create_dir_all(&folder).map_err(failed)?;
        let worker = Worker::new(folder.join("workers")).map_err(failed)?;
        let open = Open::new(&folder.join(FILE), true).map_err(|error| explain(&error, &folder))?;
        let mut journal = SqliteJournal { folder, worker, open: Some(open), seen: 0, looked: None };
        let found = journal.with(|open, _| value(&open.connection, "version"))?;
        match found.as_deref().and_then(|version| version.parse().ok()) {
            Some(VERSION) => Ok(journal),
            _ => {
                let message = format!("searches of version {VERSION} are read, got {}", found.unwrap_or_default());
                Err(Error::unsupported(message).context(journal.folder.join(FILE).display()))
            }
        }
    }

    /// Whether there is a search in that directory.
    pub fn is_in(folder: impl AsRef<Path>) -> bool {
        folder.as_ref().join(FILE).exists()
    }

    /// Removes the search in that directory, and nothing else.
    ///
    /// # Errors
    /// Files that cannot be removed.
    pub fn remove(folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        let names = ["", "-wal", "-shm"].map(|end| folder.join(format!("{FILE}{end}")));
        for path in names.iter().filter(|path| path.exists()) {
            fs::remove_file(path).map_err(|error| Error::file(format!("`{}`: {error}", path.display())))?;
        }
        for path in ["snapshots", "workers"].map(|name| folder.join(name)) {
            _ = fs::remove_dir_all(path);
        }
        Ok(())
    }

    /// Calls `work` with the file. Where that fails, or the file is another, it is opened anew the next time.
    fn with<T>(&mut self, work: impl FnOnce(&mut Open, &Worker) -> rusqlite::Result<T>) -> Result<T> {
        let path = self.folder.join(FILE);
        if self.open.as_ref().is_some_and(|open| open.identity != identity(&path)) {
            self.open = None;
        }
        let done = match &mut self.open {
            Some(open) => work(open, &self.worker),
            None => Open::new(&path, false).and_then(|open| work(self.open.insert(open), &self.worker)),
        };
        done.map_err(|error| {
            self.open = None;
            explain(&error, &self.folder)
        })
    }
}

fn value(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT value FROM search WHERE key = ?1", [key], |row| row.get(0)).optional()
}

/// Writes what is known of a trial.
fn write(step: &Transaction, trial: &Trial, worker: &str, change: i64, curve: &[f64]) -> rusqlite::Result<()> {
    let row =
        "INSERT OR REPLACE INTO trials (number, status, worker, change, record, curve) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (status, record) = (trial.status.name(), trial.to_json().to_string());
    let number = trial.number.cast_signed();
    step.prepare_cached(row)?.execute(params![number, status, worker, change, record, bytes(curve)])?;
    Ok(())
}

fn write_weights(step: &Transaction, ended: &[Record], keep: usize) -> rusqlite::Result<()> {
    let kept = || ended.iter().filter_map(|record| Some((record, record.cost?))).filter(|_| keep > 0);
    let row = "INSERT OR REPLACE INTO weights VALUES (?1, ?2, ?3)";
    for (record, cost) in kept() {
        let number = record.trial.number.cast_signed();
        step.prepare_cached(row)?.execute(params![number, cost, record.weights])?;
    }
    if kept().next().is_some() {
        let others =
            "DELETE FROM weights WHERE number NOT IN (SELECT number FROM weights ORDER BY cost, number LIMIT ?1)";
        step.prepare_cached(others)?.execute([keep as i64])?;
    }
    Ok(())
}

/// Trials that have changed since.
fn changed(step: &Transaction, seen: i64, worker: &str, news: &mut News) -> rusqlite::Result<()> {
    let rows =
        "SELECT number, record, curve FROM trials WHERE change > ?1 AND (worker <> ?2 OR ?1 = 0) ORDER BY number";
    let mut rows = step.prepare_cached(rows)?;
    let mut rows = rows.query(params![seen, worker])?;
    while let Some(row) = rows.next()? {
        if let Some(trial) = trial(row.get(0)?, row.get(1)?) {
            news.trials.push(trial);
            news.curves.push(numbers(row.get(2)?));
        }
    }
    Ok(())
}

/// Trials of workers that have ended.
fn orphans(step: &Transaction, worker: &Worker) -> rusqlite::Result<Vec<u64>> {
    let rows = "SELECT number, worker FROM trials WHERE status = 'RUNNING' AND worker <> ?1 ORDER BY number";
    let mut rows = step.prepare_cached(rows)?;
    let running = rows.query_map([worker.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let running = running.collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
    let dead = worker.dead(running.iter().map(|(_, worker)| worker.clone()).collect());
    dead.iter().for_each(|name| worker.forget(name));
    Ok(running.into_iter().filter(|(_, worker)| dead.contains(worker)).map(|(n, _)| n.cast_unsigned()).collect())
}

impl Journal for SqliteJournal {
    fn begin(&mut self, about: &Json) -> Result<Json> {
        let stored = self.with(|open, _| {
            let step = open.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            step.execute("INSERT OR IGNORE INTO search VALUES ('about', ?1)", [about.to_string()])?;
            let stored = value(&step, "about")?;
            step.commit()?;
            Ok(stored)
        })?;
        json(stored).ok_or_else(|| Error::file("what it says of the search is damaged")).context(self.folder.display())
    }

    fn about(&mut self) -> Result<Option<Json>> {
        self.with(|open, _| value(&open.connection, "about")).map(json)
    }

    fn exchange(&mut self, written: Written, choose: &mut dyn FnMut(News) -> Vec<Trial>) -> Result<()> {
        let (seen, look) = (self.seen, self.looked.is_none_or(|looked| looked.elapsed() > LOOK));
        let last = self.with(|open, worker| {
            let Open { connection, version, .. } = open;
            let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let now: i64 = step.query_row("PRAGMA data_version", [], |row| row.get(0))?;
            let (mut news, others) = (News::default(), now != *version);
            if others {
                changed(&step, seen, worker.name(), &mut news)?;
                news.space = json(value(&step, "space")?);
            }
            if look {
                news.orphans = orphans(&step, worker)?;
            }
            let last: i64 = step.query_row("SELECT coalesce(max(change), 0) FROM trials", [], |row| row.get(0))?;
            for record in written.ended {
                write(&step, &record.trial, worker.name(), last + 1, &record.curve)?;
            }
            write_weights(&step, written.ended, written.keep)?;
            if let Some(space) = written.space {
                step.execute("INSERT OR REPLACE INTO search VALUES ('space', ?1)", [space.to_string()])?;
            }
            let chosen = choose(news);
            for trial in &chosen {
                write(&step, trial, worker.name(), last + 1, &[])?;
            }
            step.commit()?;
            *version = now;
            // Who writes no trial does not take the number of the change: the next to write has it.
            Ok(last + i64::from(!(written.ended.is_empty() && chosen.is_empty())))
        })?;
        self.seen = last;
        if look {
            self.looked = Some(Instant::now());
        }
        Ok(())
    }

    fn trials(&mut self) -> Result<Vec<Trial>> {
        self.with(|open, _| {
            let mut rows = open.connection.prepare("SELECT number, record FROM trials ORDER BY number")?;
            let rows = rows.query_map([], |row| Ok(trial(row.get(0)?, row.get(1)?)))?;
            rows.filter_map(Result::transpose).collect()
        })
    }

    fn weights(&mut self, number: u64) -> Result<Option<Vec<u8>>> {
        self.with(|open, _| {
            let row = "SELECT bytes FROM weights WHERE number = ?1";
            open.connection.query_row(row, [number.cast_signed()], |row| row.get(0)).optional()
        })
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.folder)
    }
}
