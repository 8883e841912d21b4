//! What only SQLite needs: its file, its lock, its settings, its triggers.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Engine, OpenError, Store, migrations};

const DATABASE: &str = "portcullis.db";
const LOCK: &str = "portcullis.lock";
const READERS: u32 = 4;

pub(super) async fn open(directory: &Path) -> Result<Store, OpenError> {
    let in_directory = |cause| OpenError::Directory { path: directory.display().to_string(), cause };
    let lock = take_directory(directory)?;
    let path = directory.join(DATABASE);
    let shown = path.display().to_string();
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // With NORMAL, a power loss could take back a commit that was answered, and bring a revoked key back to life.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5));
    let opening = |cause| OpenError::Open { path: shown.clone(), cause };
    // In KiB. With the default of 2 MB, each row of a large table that counts are written to is read from the file again.
    let writing = options.clone().pragma("cache_size", "-32000");
    let writer = SqlitePoolOptions::new().max_connections(1).connect_with(writing).await.map_err(opening)?;
    private(directory).map_err(in_directory)?;
    migrations::run(Engine::Sqlite(&writer), &shown).await?;
    migrations::check(Engine::Sqlite(&writer), &shown).await?;
    sqlx::raw_sql(include_str!("../../migrations/triggers.sqlite.sql")).execute(&writer).await.map_err(opening)?;
    let readers = SqlitePoolOptions::new().max_connections(READERS);
    let reader = readers.connect_with(options.read_only(true).create_if_missing(false)).await.map_err(opening)?;
    Ok(Store {
        reader: Engine::Sqlite(reader),
        writer: Engine::Sqlite(writer),
        patience: None,
        lock: Mutex::new(Some(lock)),
    })
}

pub(super) async fn open_to_read(directory: &Path) -> Result<Store, OpenError> {
    let path = directory.join(DATABASE);
    let options = SqliteConnectOptions::new().filename(&path).read_only(true).busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
    let pool = pool.map_err(|cause| OpenError::Open { path: path.display().to_string(), cause })?;
    Ok(Store {
        reader: Engine::Sqlite(pool.clone()),
        writer: Engine::Sqlite(pool),
        patience: None,
        lock: Mutex::default(),
    })
}

/// A transaction that reads first and writes later would fail as busy where another wrote in between: so it is told at once that it
/// will write.
pub(super) async fn begin(pool: &sqlx::SqlitePool) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, sqlx::Error> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    match pool.begin_with(BEGIN).await {
        // SQLite itself takes back what the full disk had no room for, and the connection goes on counting a transaction that is
        // not there. It is of no use any more; the next one is.
        Err(sqlx::Error::BeginFailed | sqlx::Error::InvalidSavePointStatement) => {
            pool.acquire().await?.close().await?;
            pool.begin_with(BEGIN).await
        }
        begun => begun,
    }
}

/// Makes the directory where it is missing, and keeps others out of it.
pub(super) fn take_directory(directory: &Path) -> Result<File, OpenError> {
    let failed = |cause| OpenError::Directory { path: directory.display().to_string(), cause };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    lock(directory)
}

/// The operating system gives the lock back when the process ends, however it ends.
fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK);
    let failed = |cause| OpenError::Directory { path: path.display().to_string(), cause };
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::Locked { path: directory.display().to_string() }),
        Err(std::fs::TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

/// SQLite makes its files readable for all where the process's mask allows it; ours are nobody else's business.
fn private(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for name in [DATABASE, "portcullis.db-wal", "portcullis.db-shm"] {
        match std::fs::set_permissions(directory.join(name), std::fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
