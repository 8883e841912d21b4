//! What only PostgreSQL needs: how it is reached, what every connection is set to, its triggers and its collation.

use std::sync::Mutex;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::leases::BEGIN_ERA;
use super::{Engine, OpenError, Store, migrations};
use crate::config::{Config, Database, password_in};

/// The makers of older versions have given them up.
const OLDEST: i32 = 140_000;
/// Whoever brings the schema up to date holds this lock; the number is that of nobody else.
const MIGRATING: i64 = 0x706f_7274_6375_6c6c;

/// So many statements that take as long as one may are taken for a connection that has gone silent.
const STATEMENTS: u32 = 3;

pub(super) async fn open(config: &Config) -> Result<Store, OpenError> {
    let (options, at) = options(&config.database)?;
    let timeout = Duration::from_millis(config.database.connect_timeout_ms);
    prepare(&options, &at, config.database.migrate_at_start, timeout).await?;
    let pool = |connections| {
        // Lazily, since whether anybody answers has just been seen.
        let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(timeout);
        // The name may lead to another server by now, and a replica tells yesterday's truth.
        let pool = pool.after_connect(|connection, _| Box::pin(is_primary(connection)));
        pool.after_release(move |connection, _| Box::pin(answers(connection, timeout)))
            .connect_lazy_with(options.clone())
    };
    Ok(Store {
        reader: Engine::Postgres(pool(config.database.read_connections)),
        writer: Engine::Postgres(pool(config.database.write_connections)),
        patience: Some(Duration::from_millis(config.database.statement_timeout_ms) * STATEMENTS),
        lock: Mutex::default(),
    })
}

pub(super) async fn open_to_read(config: &Config) -> Result<Store, OpenError> {
    let (options, at) = options(&config.database)?;
    let options = options.options([("default_transaction_read_only", "on"), ("statement_timeout", "0")]);
    let timeout = Duration::from_millis(config.database.connect_timeout_ms);
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(timeout).connect_with(options).await;
    let pool = pool.map_err(|cause| unreachable(&at, cause))?;
    Ok(Store {
        reader: Engine::Postgres(pool.clone()),
        writer: Engine::Postgres(pool),
        patience: None,
        lock: Mutex::default(),
    })
}

/// Brings the schema up to date, and does nothing else: for those who separate that from running the server.
pub(super) async fn migrate(database: &Database) -> Result<(), OpenError> {
    let (options, at) = options(database)?;
    prepare(&options, &at, true, Duration::from_millis(database.connect_timeout_ms)).await
}

/// Refuses a server that only follows another: what it knows may be long over.
pub(super) async fn is_primary(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let is_replica: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(connection).await?;
    if is_replica { Err(sqlx::Error::Configuration("it is a read-only replica".into())) } else { Ok(()) }
}

/// Whether a connection that was given back still answers. The pool asks that too, but for ever: one that had gone silent in the
/// middle of something would keep its place, until there is no place left for any other.
async fn answers(connection: &mut PgConnection, patience: Duration) -> Result<bool, sqlx::Error> {
    tokio::time::timeout(patience, connection.ping())
        .await
        .map_or(Err(sqlx::Error::PoolTimedOut), |done| done.map(|()| true))
}

/// How to connect, and the words by which the place may be named: never with the password.
pub(crate) fn options(database: &Database) -> Result<(PgConnectOptions, String), OpenError> {
    let url = database.url.as_ref().map_or("", |url| url.expose());
    let mut options: PgConnectOptions = url.parse().map_err(|_| OpenError::Url(NOT_A_URL.to_owned()))?;
    if let Some(path) = &database.password_file {
        let password = password_in(path).map_err(|cause| {
            OpenError::Url(format!("cannot read the file of the password, {}: {cause}", path.display()))
        })?;
        options = options.password(&password);
    }
    let at = format!(
        "{}:{}/{}",
        options.get_host(),
        options.get_port(),
        options.get_database().unwrap_or_else(|| options.get_username())
    );
    let timeout = database.statement_timeout_ms.to_string();
    let options = options.application_name("portcullis").disable_statement_logging().options([
        // A commit that was answered is there after a crash: with less, a revoke could be taken back, or a lease be forgotten.
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
        ("statement_timeout", &timeout),
        ("lock_timeout", &timeout),
        // A node that was cut off in the middle of an edit must not keep all others waiting; between two statements there is no more
        // than a wire.
        ("idle_in_transaction_session_timeout", "2000"),
        ("tcp_user_timeout", &timeout),
    ]);
    Ok((options, at))
}

const NOT_A_URL: &str =
    "it is no `sqlite:DIRECTORY` and no `postgres://USER@HOST:PORT/DATABASE` (perhaps with `?sslmode=verify-full`)";

/// Looks whether this is a database that can be worked with, and brings its schema up to date.
async fn prepare(options: &PgConnectOptions, at: &str, migrate: bool, patience: Duration) -> Result<(), OpenError> {
    let connecting = tokio::time::timeout(patience, PgConnection::connect_with(options)).await;
    let connected = connecting.unwrap_or_else(|_| {
        let why = "nobody answers in time (`database_connect_timeout_ms`)";
        Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why)))
    });
    let mut connection = connected.map_err(|cause| unreachable(at, cause))?;
    let failed = |cause| OpenError::Open { path: at.to_owned(), cause };
    let number: String =
        sqlx::query_scalar("SHOW server_version_num").fetch_one(&mut connection).await.map_err(failed)?;
    if number.parse().is_ok_and(|number: i32| number < OLDEST) {
        let found = sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await.map_err(failed)?;
        let wanted = OLDEST.unsigned_abs() / 10_000;
        return Err(OpenError::TooOld { at: at.to_owned(), found, wanted });
    }
    let replica: bool =
        sqlx::query_scalar("SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean")
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
    if replica {
        return Err(OpenError::Replica { at: at.to_owned() });
    }
    if migrate {
        // Several nodes may start at once. Whoever comes second waits here, and finds nothing left to do.
        let patient = "SET lock_timeout = 0; SET statement_timeout = 0; SET tcp_user_timeout = 0";
        sqlx::raw_sql(patient).execute(&mut connection).await.map_err(failed)?;
        sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATING).execute(&mut connection).await.map_err(failed)?;
        migrations::run(Engine::Postgres(&mut connection), at).await?;
        let triggers = include_str!("../../migrations/triggers.postgres.sql");
        sqlx::raw_sql(triggers).execute(&mut connection).await.map_err(failed)?;
    }
    migrations::check(Engine::Postgres(&mut connection), at).await?;
    sqlx::query(BEGIN_ERA).execute(&mut connection).await.map_err(failed)?;
    // Closing gives the lock back, too.
    connection.close().await.map_err(failed)
}

/// Whether nobody answers, or somebody says no: whoever reads this must mend different things.
fn unreachable(at: &str, cause: sqlx::Error) -> OpenError {
    let at = at.to_owned();
    // Class 28 is about who may come in, and 3D about a database that is not there.
    let refused = cause
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code.starts_with("28") || code.starts_with("3D"));
    if refused { OpenError::Refused { at, cause } } else { OpenError::Unreachable { at, cause } }
}
