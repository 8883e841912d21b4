//! The only SQL. A file per noun, every statement written once, with `$1`, for every engine.
//!
//! [`on!`] is the one place that branches on the engine. Reads run on a pool; whatever changes something is a method of
//! [`Edit`], which is a write transaction, so that nothing is ever written outside one.

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
pub(crate) mod limits;
pub(crate) mod links;
pub(crate) mod members;
pub(crate) mod operator_keys;
pub(crate) mod policies;
pub(crate) mod roles;
mod rows;
pub(crate) mod sessions;
pub(crate) mod snapshot;
pub(crate) mod users;
pub(crate) mod uses;

use std::path::Path;

use portcullis_core::time::Timestamp;
use portcullis_core::token::Digest;

/// Something of each engine: its pool, or its transaction. PostgreSQL becomes the second variant.
#[derive(Debug)]
pub(crate) enum Engine<S> {
    Sqlite(S),
}

/// Runs the same expression on whichever engine it is.
macro_rules! on {
    ($of:expr, |$db:ident| $body:expr) => {
        match $of {
            $crate::store::Engine::Sqlite($db) => $body,
        }
    };
}
pub(crate) use on;

/// The database.
#[derive(Debug)]
pub(crate) struct Store {
    reader: Engine<sqlx::SqlitePool>,
    /// SQLite has one writer at a time; waiting in line for this connection is kinder than failing as busy.
    writer: Engine<sqlx::SqlitePool>,
    /// Held for as long as the store is open, so that no second server writes to the same file.
    _lock: Option<std::fs::File>,
}

/// One write transaction. Dropped without [`Edit::commit`], it never was.
#[derive(Debug)]
pub(crate) struct Edit {
    engine: Engine<sqlx::Transaction<'static, sqlx::Sqlite>>,
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
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(cause) if cause.is_unique_violation() => Self::Taken,
            sqlx::Error::RowNotFound => Self::Missing,
            sqlx::Error::Database(cause) if cause.code().as_deref() == Some(SQLITE_FULL) => Self::Full,
            _ => Self::Database(error),
        }
    }
}

/// SQLite's code for a disk without room (`SQLITE_FULL`).
const SQLITE_FULL: &str = "13";

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
}

impl Store {
    /// Opens, and where needed makes, the SQLite database in `directory`.
    pub(crate) async fn open_sqlite(directory: &Path) -> Result<Self, OpenError> {
        sqlite::open(directory).await
    }

    /// Opens the SQLite database in `directory` to look at it, also while a server runs on it. The database itself refuses
    /// whatever would be written through this.
    pub(crate) async fn open_sqlite_to_read(directory: &Path) -> Result<Self, OpenError> {
        sqlite::open_to_read(directory).await
    }

    pub(crate) async fn edit(&self) -> Result<Edit, StoreError> {
        const BEGIN: &str = "BEGIN IMMEDIATE";
        let Engine::Sqlite(pool) = &self.writer;
        // A transaction that reads first and writes later would fail as busy where another wrote in between.
        let begun = match pool.begin_with(BEGIN).await {
            // SQLite itself takes back what the full disk had no room for, and the connection goes on counting a transaction that is
            // not there. It is of no use any more; the next one is.
            Err(sqlx::Error::BeginFailed | sqlx::Error::InvalidSavePointStatement) => {
                pool.acquire().await?.close().await?;
                pool.begin_with(BEGIN).await?
            }
            begun => begun?,
        };
        Ok(Edit { engine: Engine::Sqlite(begun) })
    }

    /// Writes what is left to write, and closes.
    pub(crate) async fn close(&self) {
        let Engine::Sqlite(pool) = &self.reader;
        pool.close().await;
        let Engine::Sqlite(pool) = &self.writer;
        pool.close().await;
    }
}

impl Edit {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        let Engine::Sqlite(transaction) = self.engine;
        Ok(transaction.commit().await?)
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
