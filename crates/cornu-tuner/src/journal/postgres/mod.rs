//! A search in a database of PostgreSQL, which many machines may work on.

mod connection;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use cornu::graph::Context;
use cornu::{Error, Result};
use serde_json::Value as Json;

use self::connection::{Connection, Step, cell};
use super::rows::{bytes, json, numbers, trial};
use super::workers::Worker;
use super::{Journal, News, Record, Written, hidden};
use crate::search::locked;
use crate::trial::{Status, Trial};

/// How often to look for workers that have ended.
const LOOK: Duration = Duration::from_secs(1);

/// How often to look whether the connection is there.
const BEAT: Duration = Duration::from_secs(2);

/// How long a worker on another machine may be without a connection: a server or a way to it that was away cuts all of them, and
/// each connects anew.
const GRACE: Duration = Duration::from_secs(10);

/// Other versions are refused.
const VERSION: i32 = 1;

/// A search in a database of PostgreSQL, one of many there, each of a name of its own. Any number of programs may work on it, on
/// any number of machines.
///
/// ```no_run
/// use cornu_tuner::journal::PostgresJournal;
/// use cornu_tuner::prelude::*;
///
/// # fn main() -> cornu::Result<()> {
/// let journal = PostgresJournal::connect("postgres://ana@db.example.org/searches", "pima")?;
/// let mut tuner = RandomSearch::default().max_trials(1000).journal(journal);
/// // The same, in a word:
/// let mut tuner = RandomSearch::default().max_trials(1000).directory("postgres://ana@db.example.org/searches#pima");
/// # Ok(())
/// # }
/// ```
///
/// A password that the URL does not name is taken from `PGPASSWORD`. The connection is not encrypted, and is held as long as the
/// journal is: a pooler must give it a session. Like all that waits, it is for threads, and panics within an asynchronous task.
pub struct PostgresJournal {
    name: String,
    /// Says to others on this machine that it lives.
    worker: Worker,
    connection: Arc<Mutex<Connection>>,
    /// Its end ends the thread that looks after the connection.
    beat: Option<Sender<()>>,
    /// The number of the search, once it is known.
    search: Option<i64>,
    /// The last change that is known here.
    seen: i64,
    looked: Option<Instant>,
    /// Workers elsewhere that have no connection, and since when.
    missing: HashMap<String, Instant>,
    folder: Option<PathBuf>,
}

impl std::fmt::Debug for PostgresJournal {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("PostgresJournal")
            .field("name", &self.name)
            .field("search", &self.search)
            .finish_non_exhaustive()
    }
}

impl PostgresJournal {
    /// The search of that name in the database of that URL, `postgres://user:password@host:5432/database`. Tables are made where
    /// there are none, the search by [`Journal::begin`].
    ///
    /// # Errors
    /// A URL that is none; a database that cannot be reached, or in which tables cannot be made.
    pub fn connect(url: &str, name: &str) -> Result<PostgresJournal> {
        let worker = Worker::new(std::env::temp_dir());
        let worker = worker.map_err(|error| Error::file(format!("`{}`: {error}", std::env::temp_dir().display())))?;
        let mut connection = Connection::new(url, name, worker.name())?;
        connection.with(|_| Ok(()))?;
        let (connection, (beat, ended)) = (Arc::new(Mutex::new(connection)), channel());
        let kept = Arc::clone(&connection);
        let started = thread::Builder::new().name("journal".into()).spawn(move || keep(&kept, &ended));
        started.map_err(|error| Error::file(format!("{}: {error}", hidden(url))))?;
        let (name, beat) = (name.to_owned(), Some(beat));
        let (looked, missing, folder) = (None, HashMap::new(), None);
        Ok(PostgresJournal { name, worker, connection, beat, search: None, seen: 0, looked, missing, folder })
    }

    /// A folder that all machines share, for the trainings that others go on with ([`Hyperband`](crate::Hyperband)). Without it a
    /// training that goes on in another program is repeated from its seeds, with the same bits.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> PostgresJournal {
        self.folder = Some(folder.as_ref().to_path_buf());
        self
    }

    /// Removes the search of that name.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub fn remove(url: &str, name: &str) -> Result<()> {
        let statement = "DELETE FROM cornu_searches WHERE name = $1";
        Connection::new(url, name, "")?.with(|step| step.query(statement, &[&name]).map(drop))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Step) -> Result<T>) -> Result<T> {
        locked(&self.connection).with(work)
    }
}

impl Drop for PostgresJournal {
    fn drop(&mut self) {
        self.beat = None;
        locked(&self.connection).close();
    }
}

/// Looks after a connection until its journal ends. Where somebody has it, that one does.
fn keep(connection: &Mutex<Connection>, ended: &Receiver<()>) {
    while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
        if let Ok(mut connection) = connection.try_lock() {
            connection.keep();
        }
    }
}

/// The search of that name, which nobody else changes until the end of the step: its number, its last change, its parameters.
fn taken(step: &mut Step, name: &str, known: Option<i64>) -> Result<(i64, i64, Option<String>)> {
    let row = step.row("SELECT search, last, space FROM cornu_searches WHERE name = $1 FOR UPDATE", &[&name])?;
    let row = row.map(|row| Ok((cell(&row, 0)?, cell(&row, 1)?, cell(&row, 2)?))).transpose()?;
    let missing = || match known {
        Some(_) => Error::file("it was removed").help("search again, which begins anew"),
        None => Error::file("there is no such search").help("begin it by `search`, or name another"),
    };
    row.filter(|(search, ..)| known.is_none_or(|known| known == *search)).ok_or_else(missing)
}

/// Trials that have changed since. What this worker began in a step of whose end it was not told is for it to run.
fn changed(step: &mut Step, search: i64, seen: i64, news: &mut News) -> Result<()> {
    let statement =
        "SELECT number, record, curve, worker FROM cornu_trials WHERE search = $1 AND change > $2 ORDER BY number";
    for row in step.query(statement, &[&search, &seen])? {
        let Some(trial) = trial(cell(&row, 0)?, cell(&row, 1)?) else { continue };
        if trial.status == Status::Running && cell::<&str>(&row, 3)? == step.worker {
            news.orphans.push(trial.number);
        }
        news.trials.push(trial);
        news.curves.push(numbers(cell(&row, 2)?));
    }
    Ok(())
}

/// A trial of another worker, and whether that one has a connection.
struct Running {
    number: u64,
    worker: String,
    connected: bool,
}

fn running(step: &mut Step, search: i64) -> Result<Vec<Running>> {
    let statement = "SELECT number, worker, hashtextextended(worker, 0) IN (
            SELECT classid::bigint << 32 | objid::bigint FROM pg_locks
            WHERE locktype = 'advisory' AND objsubid = 1 AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
        FROM cornu_trials WHERE search = $1 AND status = 'RUNNING' AND worker <> $2 ORDER BY number";
    let worker = step.worker;
    let rows = step.query(statement, &[&search, &worker])?;
    let running = |row| {
        Ok(Running { number: cell::<i64>(row, 0)?.cast_unsigned(), worker: cell(row, 1)?, connected: cell(row, 2)? })
    };
    rows.iter().map(running).collect()
}

/// Of these trials those whose workers have ended: on this machine that is known at once, elsewhere after a while without a
/// connection.
fn orphans(mut running: Vec<Running>, worker: &Worker, missing: &mut HashMap<String, Instant>) -> Vec<Running> {
    let (here, away) = running.iter().partition::<Vec<_>, _>(|trial| worker.is_here(&trial.worker));
    let mut dead = worker.dead(here.into_iter().map(|trial| trial.worker.clone()).collect());
    let away = away.into_iter().filter(|trial| !trial.connected).map(|trial| trial.worker.clone());
    let away = HashSet::<String>::from_iter(away);
    missing.retain(|worker, _| away.contains(worker));
    for worker in away {
        if worker.is_empty() || missing.entry(worker.clone()).or_insert_with(Instant::now).elapsed() > GRACE {
            missing.remove(&worker);
            dead.push(worker);
        }
    }
    running.retain(|trial| dead.contains(&trial.worker));
    running
}

/// Writes what is known of trials; gives the numbers of those that had not ended before, which others may have run as well.
fn write<'t>(
    step: &mut Step,
    (search, change): (i64, i64),
    trials: impl Iterator<Item = (&'t Trial, &'t [f64])>,
) -> Result<Vec<i64>> {
    let statement = "INSERT INTO cornu_trials AS known (search, number, status, worker, change, record, curve)
        SELECT $1, number, status, $2, $3, record, curve
        FROM unnest($4::bigint[], $5::text[], $6::text[], $7::bytea[]) AS new (number, status, record, curve)
        ON CONFLICT (search, number) DO UPDATE SET status = excluded.status, worker = excluded.worker,
            change = excluded.change, record = excluded.record, curve = excluded.curve
        WHERE known.status = 'RUNNING' RETURNING number";
    let (mut numbers, mut states, mut records, mut curves) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (trial, curve) in trials {
        numbers.push(trial.number.cast_signed());
        states.push(trial.status.name());
        records.push(trial.to_json().to_string());
        curves.push(bytes(curve));
    }
    if numbers.is_empty() {
        return Ok(numbers);
    }
    let worker = step.worker;
    let rows = step.query(statement, &[&search, &worker, &change, &numbers, &states, &records, &curves])?;
    rows.iter().map(|row| cell(row, 0)).collect()
}

/// Writes the weights of the best of those trials that were written.
fn write_weights(step: &mut Step, search: i64, ended: &[Record], new: &[i64], keep: usize) -> Result<()> {
    let (mut numbers, mut costs, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for record in ended.iter().filter(|_| keep > 0) {
        let number = record.trial.number.cast_signed();
        if let Some(cost) = record.cost.filter(|_| new.contains(&number)) {
            numbers.push(number);
            costs.push(cost);
            weights.push(&*record.weights);
        }
    }
    if numbers.is_empty() {
        return Ok(());
    }
    let rows = "INSERT INTO cornu_weights (search, number, cost, bytes)
        SELECT $1, * FROM unnest($2::bigint[], $3::double precision[], $4::bytea[])";
    step.query(rows, &[&search, &numbers, &costs, &weights])?;
    let others = "DELETE FROM cornu_weights WHERE search = $1 AND number NOT IN
        (SELECT number FROM cornu_weights WHERE search = $1 ORDER BY cost, number LIMIT $2)";
    step.query(others, &[&search, &(keep as i64)]).map(drop)
}

impl Journal for PostgresJournal {
    fn begin(&mut self, about: &Json) -> Result<Json> {
        let (name, about) = (&self.name, about.to_string());
        let (search, version, stored) = self.with(|step| {
            let new = "INSERT INTO cornu_searches (name, version, last, about) VALUES ($1, $2, 0, $3)
                ON CONFLICT (name) DO NOTHING";
            step.query(new, &[name, &VERSION, &about])?;
            let row = step.row("SELECT search, version, about FROM cornu_searches WHERE name = $1", &[name])?;
            let row = row.ok_or_else(|| Error::file("it was removed meanwhile").help("search again"))?;
            Ok((cell(&row, 0)?, cell::<i32>(&row, 1)?, cell(&row, 2)?))
        })?;
        if version != VERSION {
            let message = format!("searches of version {VERSION} are read, got {version}");
            return Err(Error::unsupported(message).context(format!("search `{name}`")));
        }
        if self.search.replace(search) != Some(search) {
            (self.seen, self.looked) = (0, None);
        }
        json(stored).ok_or_else(|| Error::file("what it says of the search is damaged")).context(&self.name)
    }

    fn about(&mut self) -> Result<Option<Json>> {
        let row = self.with(|step| {
            let row = step.row("SELECT about FROM cornu_searches WHERE name = $1", &[&self.name])?;
            row.map(|row| cell(&row, 0)).transpose()
        });
        Ok(json(row?))
    }

    fn exchange(&mut self, written: Written, choose: &mut dyn FnMut(News) -> Vec<Trial>) -> Result<()> {
        let look = self.looked.is_none_or(|looked| looked.elapsed() > LOOK);
        let (mut connection, missing, mut left) = (locked(&self.connection), &mut self.missing, Vec::new());
        let (search, last) = connection.with(|step| {
            let (search, last, space) = taken(step, &self.name, self.search)?;
            let (mut news, change) = (News::default(), last + 1);
            if last > self.seen {
                changed(step, search, self.seen, &mut news)?;
                news.space = json(space);
            }
            if look {
                left = orphans(running(step, search)?, &self.worker, missing);
                news.orphans.extend(left.iter().map(|trial| trial.number));
            }
            news.missing = !missing.is_empty();
            let ended = written.ended.iter().map(|record| (&record.trial, &*record.curve));
            let new = write(step, (search, change), ended)?;
            write_weights(step, search, written.ended, &new, written.keep)?;
            let chosen = choose(news);
            left.retain(|orphan| chosen.iter().any(|trial| trial.number == orphan.number));
            write(step, (search, change), chosen.iter().map(|trial| (trial, &[][..])))?;
            if new.is_empty() && chosen.is_empty() && written.space.is_none() {
                return Ok((search, last));
            }
            let space = written.space.map(Json::to_string);
            let statement = "UPDATE cornu_searches SET last = $2, space = coalesce($3, space) WHERE search = $1";
            step.query(statement, &[&search, &change, &space])?;
            Ok((search, change))
        })?;
        (self.search, self.seen) = (Some(search), last);
        // Others know by the file that its worker has ended, until its trials have another.
        left.iter().for_each(|trial| self.worker.forget(&trial.worker));
        if look {
            self.looked = Some(Instant::now());
        }
        Ok(())
    }

    fn trials(&mut self) -> Result<Vec<Trial>> {
        self.with(|step| {
            let statement = "SELECT number, record FROM cornu_trials JOIN cornu_searches USING (search)
                WHERE name = $1 ORDER BY number";
            let rows = step.query(statement, &[&self.name])?;
            rows.iter().filter_map(|row| cell(row, 0).and_then(|n| Ok(trial(n, cell(row, 1)?))).transpose()).collect()
        })
    }

    fn weights(&mut self, number: u64) -> Result<Option<Vec<u8>>> {
        self.with(|step| {
            let statement =
                "SELECT bytes FROM cornu_weights JOIN cornu_searches USING (search) WHERE name = $1 AND number = $2";
            let row = step.row(statement, &[&self.name, &number.cast_signed()])?;
            row.map(|row| cell(&row, 0)).transpose()
        })
    }

    fn keeps(&self) -> bool {
        true
    }

    fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}
