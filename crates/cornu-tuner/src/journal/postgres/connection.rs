//! A connection to a database, which is opened anew when it is lost, and by which others see that a worker lives.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error as _;
use std::time::Duration;

use cornu::graph::Context;
use cornu::{Error, Result};
use postgres::error::SqlState;
use postgres::types::{FromSql, ToSql};
use postgres::{Client, Config, NoTls, Row, Statement, Transaction};

use super::super::hidden;

/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A session that stands still with the search in its hands, or whose machine is gone, is ended by the server.
const SESSION: &str = "
    SET default_transaction_isolation = 'read committed';
    SET lock_timeout = '60s';
    SET idle_in_transaction_session_timeout = '60s';
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3";

/// Numbers in `change` rise with each step, so that everybody finds what is new. Trials of nobody have no name of a worker.
const TABLES: &str = "
    CREATE TABLE cornu_searches (
        search bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, version integer NOT NULL,
        last bigint NOT NULL, about text NOT NULL, space text);
    CREATE TABLE cornu_trials (
        search bigint REFERENCES cornu_searches ON DELETE CASCADE, number bigint, status text NOT NULL,
        worker text NOT NULL, change bigint NOT NULL, record text NOT NULL, curve bytea,
        PRIMARY KEY (search, number));
    CREATE TABLE cornu_weights (
        search bigint REFERENCES cornu_searches ON DELETE CASCADE, number bigint, cost double precision NOT NULL,
        bytes bytea NOT NULL, PRIMARY KEY (search, number));
    CREATE INDEX ON cornu_trials (search, change);
    CREATE INDEX ON cornu_trials (search) WHERE status = 'RUNNING';
    CREATE INDEX ON cornu_weights (search, cost, number)";

/// A connection to a database.
pub(super) struct Connection {
    config: Config,
    /// Where it leads, in words.
    place: String,
    /// This worker's name, of which it holds the lock.
    worker: String,
    open: Option<Open>,
}

struct Open {
    client: Client,
    prepared: HashMap<&'static str, Statement>,
}

/// What is done at once or not at all.
pub(super) struct Step<'c> {
    transaction: Transaction<'c>,
    prepared: &'c mut HashMap<&'static str, Statement>,
    /// This worker's name.
    pub(super) worker: &'c str,
}

/// A value of a row.
pub(super) fn cell<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Result<T> {
    row.try_get(column).map_err(|error| explain(&error))
}

fn explain(error: &postgres::Error) -> Error {
    let code = error.code().cloned();
    let help = match code {
        Some(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "look at the user and the password in the URL, or in `PGPASSWORD`"
        }
        Some(SqlState::INVALID_CATALOG_NAME) => "make the database: `createdb NAME`",
        Some(SqlState::INSUFFICIENT_PRIVILEGE) => "let its user make tables there: `GRANT CREATE, USAGE ON SCHEMA …`",
        Some(SqlState::DISK_FULL) => "free some space on the server's disk",
        Some(SqlState::LOCK_NOT_AVAILABLE) => "another program has had the search for a minute",
        Some(SqlState::READ_ONLY_SQL_TRANSACTION) => "name the server that is written to, not a copy of it",
        Some(SqlState::UNDEFINED_COLUMN | SqlState::UNDEFINED_TABLE | SqlState::DATATYPE_MISMATCH) => {
            "the tables `cornu_…` there are of another program; name another database"
        }
        Some(_) => "what was written before is unchanged",
        None if error.to_string().contains("connection string") => {
            "write it so: `postgres://user:password@host:5432/database`"
        }
        None => "look whether the server runs and can be reached from here",
    };
    let cause = error.as_db_error().map(|error| error.message().to_owned());
    let cause = cause.or_else(|| error.source().map(|source| format!("{error}: {source}")));
    Error::file(cause.unwrap_or_else(|| error.to_string())).help(help)
}

impl Connection {
    /// A connection that is to be opened to that database.
    pub(super) fn new(url: &str, name: &str, worker: &str) -> Result<Connection> {
        let place = format!("search `{name}` in {}", hidden(url));
        let mut config: Config = url.parse().map_err(|error| explain(&error)).context(&place)?;
        if let (None, Ok(password)) = (config.get_password(), std::env::var("PGPASSWORD")) {
            config.password(password);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(ANSWER);
        }
        if config.get_application_name().is_none() {
            config.application_name("cornu-tuner");
        }
        config.keepalives_idle(ANSWER).tcp_user_timeout(3 * ANSWER);
        Ok(Connection { config, place, worker: worker.to_owned(), open: None })
    }

    /// Does `work` at once or not at all, on a connection that is opened where there is none.
    pub(super) fn with<T>(&mut self, work: impl FnOnce(&mut Step) -> Result<T>) -> Result<T> {
        let done = self.step(work).context(&self.place);
        if self.open.as_ref().is_some_and(|open| open.client.is_closed()) {
            self.open = None;
        }
        done
    }

    fn step<T>(&mut self, work: impl FnOnce(&mut Step) -> Result<T>) -> Result<T> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let open = Open::new(&self.config, &self.worker).map_err(|error| explain(&error))?;
                self.open.insert(open)
            }
        };
        let transaction = open.client.transaction().map_err(|error| explain(&error))?;
        let mut step = Step { transaction, prepared: &mut open.prepared, worker: &self.worker };
        let done = work(&mut step)?;
        step.transaction.commit().map_err(|error| explain(&error))?;
        Ok(done)
    }

    /// Opens it anew if it is lost: others see by it that this worker lives.
    pub(super) fn keep(&mut self) {
        if self.open.as_mut().is_some_and(|open| open.client.is_valid(ANSWER).is_err()) {
            self.open = None;
        }
        if self.open.is_none() {
            // Whoever needs the connection is told what is wrong with it.
            _ = self.with(|_| Ok(()));
        }
    }

    /// Closes it, where it is open: the trials of this worker are nobody's.
    pub(super) fn close(&mut self) {
        if self.open.is_some() {
            let left = "UPDATE cornu_trials SET worker = '' WHERE worker = $1 AND status = 'RUNNING'";
            let worker = self.worker.clone();
            _ = self.with(|step| step.query(left, &[&worker]));
        }
        self.open = None;
    }
}

impl Open {
    /// Connects, and takes the lock of that worker.
    fn new(config: &Config, worker: &str) -> Result<Open, postgres::Error> {
        let mut client = config.connect(NoTls)?;
        client.batch_execute(SESSION)?;
        tables(&mut client)?;
        // Shared, so that a connection that the server does not know to be lost is not in the way of the next.
        client.execute("SELECT pg_advisory_lock_shared(hashtextextended($1, 0))", &[&worker])?;
        Ok(Open { client, prepared: HashMap::new() })
    }
}

/// Makes the tables, where they are not there.
fn tables(client: &mut Client) -> Result<(), postgres::Error> {
    let mut step = client.transaction()?;
    step.batch_execute("SELECT pg_advisory_xact_lock(hashtextextended('cornu_searches', 0))")?;
    // To make what is there already needs a right that one who only uses it may lack.
    if step.query_one("SELECT to_regclass('cornu_searches') IS NULL", &[])?.try_get(0)? {
        step.batch_execute(TABLES)?;
    }
    step.commit()
}

impl Step<'_> {
    /// The rows of a statement, which is prepared once.
    pub(super) fn query(&mut self, statement: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let mut query = || {
            let statement = match self.prepared.entry(statement) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(self.transaction.prepare(statement)?),
            };
            self.transaction.query(statement, values)
        };
        query().map_err(|error: postgres::Error| explain(&error))
    }

    /// The first row, if there is one.
    pub(super) fn row(&mut self, statement: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        Ok(self.query(statement, values)?.into_iter().next())
    }
}
