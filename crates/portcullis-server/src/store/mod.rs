//! The only SQL. A file per noun, every statement written once, with `$1`, for every engine.
//!
//! [`on!`] is the one place that branches on the engine. Reads run on a pool; whatever changes something is a method of
//! [`Edit`], which is a write transaction, so that nothing is ever written outside one.

mod migrations;
mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;

pub(crate) mod api_key_lists;
pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod businesses;
pub(crate) mod changes;
pub(crate) mod facts;
pub(crate) mod idempotent_calls;
pub(crate) mod leases;
pub(crate) mod limits;
pub(crate) mod links;
pub(crate) mod members;
pub(crate) mod operator_keys;
mod packed;
pub(crate) mod policies;
pub(crate) mod roles;
mod rows;
pub(crate) mod sessions;
pub(crate) mod snapshot;
pub(crate) mod tables;
pub(crate) mod users;
pub(crate) mod uses;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portcullis_core::time::Timestamp;
use portcullis_core::token::Digest;

use crate::config::Config;

/// Something of either engine: its pool, or its transaction.
#[derive(Debug)]
pub(crate) enum Engine<S, P> {
    Sqlite(S),
    Postgres(P),
}

/// Where statements are sent.
type Pools = Engine<sqlx::SqlitePool, sqlx::PgPool>;
/// What a change is made in.
type Transaction = Engine<sqlx::Transaction<'static, sqlx::Sqlite>, sqlx::Transaction<'static, sqlx::Postgres>>;

/// Runs the same expression on whichever engine it is.
macro_rules! on {
    ($of:expr, |$db:ident| $body:expr) => {
        match $of {
            $crate::store::Engine::Sqlite($db) => $body,
            $crate::store::Engine::Postgres($db) => $body,
        }
    };
}
pub(crate) use on;

/// Does what is no edit, and does it again where the database gave it up for another's sake. An edit never is: whoever edits holds the
/// row that all editors wait for before anything else.
macro_rules! again {
    ($work:block) => {{
        let mut tries = 1;
        loop {
            match (async { $work }).await {
                Err($crate::store::StoreError::Again(why)) if tries < 5 => {
                    tries += 1;
                    tracing::debug!(why, "trying again");
                }
                done => break done,
            }
        }
    }};
}
pub(crate) use again;

/// The database.
#[derive(Debug)]
pub(crate) struct Store {
    reader: Pools,
    /// SQLite has one writer at a time; waiting in line for this connection is kinder than failing as busy. PostgreSQL has a few, so
    /// that whoever reads does not wait for whoever writes.
    writer: Pools,
    /// How long a few statements may take together; for as long as they like, where no wire lies between.
    patience: Option<Duration>,
    /// Held for as long as the store is open, so that no second server writes to the same file.
    lock: Mutex<Option<std::fs::File>>,
}

/// One write transaction. Dropped without [`Edit::commit`], it never was.
#[derive(Debug)]
pub(crate) struct Edit {
    engine: Transaction,
}

/// What the database said no with.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("another row has this value already")]
    Taken,
    #[error("the row is not there")]
    Missing,
    #[error("the database holds what this version cannot read: {0}")]
    Unreadable(String),
    #[error("the disk is full, or the database may not grow")]
    Full,
    /// Nothing of it happened, and it may be tried again at once.
    #[error("the database gave up one of two transactions that were in each other's way: {0}")]
    Again(String),
    #[error("the database does not answer any more")]
    Silent,
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match (&error, code.as_deref()) {
            (sqlx::Error::RowNotFound, _) => Self::Missing,
            (sqlx::Error::Database(cause), _) if cause.is_unique_violation() => Self::Taken,
            (_, Some(code)) if FULL.contains(&code) => Self::Full,
            (_, Some(code)) if IN_EACH_OTHERS_WAY.contains(&code) => Self::Again(error.to_string()),
            _ => Self::Database(error),
        }
    }
}

/// The engines' codes for a disk without room: `SQLITE_FULL`, and `disk_full`.
const FULL: [&str; 2] = ["13", "53100"];
/// PostgreSQL's `serialization_failure` and `deadlock_detected`.
const IN_EACH_OTHERS_WAY: [&str; 2] = ["40001", "40P01"];

/// Brings the schema of a database up to date, and does nothing else: for those who separate that from running the server.
pub async fn migrate(config: &Config) -> Result<(), OpenError> {
    if config.database.url.is_some() {
        return postgres::migrate(&config.database).await;
    }
    sqlite::open(&config.data).await?.close().await;
    Ok(())
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot make the data directory {path}: {cause}")]
    Directory { path: String, cause: std::io::Error },
    #[error("another server is running on {path}; stop it first, or give this one a data directory of its own")]
    Locked { path: String },
    #[error("cannot open the database {path}: {cause}")]
    Open { path: String, cause: sqlx::Error },
    #[error("cannot bring the database {path} up to date: {cause}")]
    Migrate { path: String, cause: sqlx::migrate::MigrateError },
    #[error(
        "the database {path} is of a newer version (its schema is {found}, this program's {own}), which this one would not understand; run a newer program"
    )]
    Newer { path: String, found: i64, own: i64 },
    #[error(
        "the schema of the database {path} is {found}, and this program's {own}: run `portcullis migrate`, or leave `migrate_at_start` on"
    )]
    Older { path: String, found: i64, own: i64 },
    #[error(
        "a copy or a restore into this database was begun and not finished: run it again, or begin with an empty one"
    )]
    Unfinished,
    #[error("cannot read the database: {0}")]
    Read(#[from] StoreError),
    #[error("`database_url`: {0}")]
    Url(String),
    #[error("cannot reach PostgreSQL at {at}: {cause}")]
    Unreachable { at: String, cause: sqlx::Error },
    #[error("PostgreSQL at {at} lets nobody in with these credentials: {cause}")]
    Refused { at: String, cause: sqlx::Error },
    #[error("PostgreSQL at {at} is version {found}; Portcullis needs {wanted} or newer")]
    TooOld { at: String, found: String, wanted: u32 },
    #[error(
        "PostgreSQL at {at} is a read-only replica: name the primary, since only there is known what was revoked a moment ago"
    )]
    Replica { at: String },
}

impl Store {
    /// Opens the database that the settings name, makes it where that is asked of a directory, and brings it up to date.
    pub(crate) async fn open(config: &Config) -> Result<Self, OpenError> {
        // Windows and counts are in a file of this node's own, also where the rows are elsewhere.
        let lock = if config.database.url.is_some() { Some(sqlite::take_directory(&config.data)?) } else { None };
        let mut store = Self::open_for_copy(config).await?.finished().await?;
        if lock.is_some() {
            store.lock = Mutex::new(lock);
        }
        Ok(store)
    }

    /// Opens a store that no server runs on, to read it.
    pub(crate) async fn open_idle(config: &Config) -> Result<Self, OpenError> {
        let mut store = Self::open_to_read(config).await?.finished().await?;
        if config.database.url.is_none() {
            store.lock = Mutex::new(Some(sqlite::take_directory(&config.data)?));
        }
        Ok(store)
    }

    /// Itself, if nothing is still on its way into it.
    pub(crate) async fn finished(self) -> Result<Self, OpenError> {
        if self.unfinished().await?.is_some() { Err(OpenError::Unfinished) } else { Ok(self) }
    }

    /// Like [`Store::open`], also where rows are still on their way.
    pub(crate) async fn open_for_copy(config: &Config) -> Result<Self, OpenError> {
        match &config.database.url {
            Some(_) => postgres::open(config).await,
            None => sqlite::open(&config.data).await,
        }
    }

    /// Opens the database to look at it, also while a server runs on it. The database itself refuses whatever would be written
    /// through this.
    pub(crate) async fn open_to_read(config: &Config) -> Result<Self, OpenError> {
        match &config.database.url {
            Some(_) => postgres::open_to_read(config).await,
            None => sqlite::open_to_read(&config.data).await,
        }
    }

    /// Whether other nodes may work on the same database.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self.reader, Engine::Postgres(_))
    }

    /// Begins an edit: while it lasts, no other changes what it reads. SQLite has a single writer anyway; in PostgreSQL it locks the
    /// row that numbers all edits first, and not last, since each event of the audit log continues the one before.
    pub(crate) async fn edit(&self) -> Result<Edit, StoreError> {
        const TURN: &str = "SELECT seq FROM change_head WHERE only_row = 1 FOR UPDATE";
        let mut edit = self.write().await?;
        if let Engine::Postgres(transaction) = &mut edit.engine {
            sqlx::query(TURN).execute(&mut **transaction).await?;
        }
        Ok(edit)
    }

    /// Begins to write what is no edit: counts, facts, what is pruned. Others may write meanwhile.
    pub(crate) async fn write(&self) -> Result<Edit, StoreError> {
        let engine = match &self.writer {
            Engine::Sqlite(pool) => Engine::Sqlite(sqlite::begin(pool).await?),
            Engine::Postgres(pool) => Engine::Postgres(pool.begin().await?),
        };
        Ok(Edit { engine })
    }

    /// Gives up work of a few statements that takes longer than they may: a connection that has gone silent never says so.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let Some(patience) = self.patience else { return work.await };
        tokio::time::timeout(patience, work).await.unwrap_or(Err(StoreError::Silent))
    }

    /// Writes what is left to write, and closes.
    pub(crate) async fn close(&self) {
        on!(&self.reader, |pool| pool.close().await);
        on!(&self.writer, |pool| pool.close().await);
        // Whatever still holds this value writes nothing more: the next server may begin.
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Edit {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(on!(self.engine, |transaction| transaction.commit().await)?)
    }
}

/// A page of a list, as a query wants it: what comes after `after`, newest first.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    pub after: Option<String>,
    pub limit: i64,
}

impl Slice {
    /// The id below which the page begins: greater than every id, where it is the first.
    fn before(&self) -> &str {
        self.after.as_deref().unwrap_or("~")
    }
}

/// Text of the database as a typed value; what does not parse is a damaged row and not the caller's fault.
fn typed<T: std::str::FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable(format!("`{}`", text.escape_debug())))
}

fn from_json<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(error.to_string()))
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable(error.to_string()))
}

fn instant(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}

fn millis(instant: Option<Timestamp>) -> Option<i64> {
    instant.map(Timestamp::as_millis)
}

fn digest(bytes: &[u8]) -> Result<Digest, StoreError> {
    bytes.try_into().map(Digest::from_bytes).map_err(|_| StoreError::Unreadable("a digest".to_owned()))
}
