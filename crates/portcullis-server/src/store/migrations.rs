//! The schema: one folder of migrations for both engines, and whether this program and a database understand each other.

use sqlx::migrate::Migrator;
use sqlx::{PgConnection, SqlitePool};

use super::{Engine, OpenError};

/// A database may be ahead of this program: while nodes are upgraded one after the other, the first of them brings it up to date.
static MIGRATIONS: Migrator = Migrator { ignore_missing: true, ..sqlx::migrate!("./migrations") };

/// Brings the schema up to date.
pub(super) async fn run(on: Engine<&SqlitePool, &mut PgConnection>, path: &str) -> Result<(), OpenError> {
    let done = match on {
        Engine::Sqlite(pool) => MIGRATIONS.run(pool).await,
        Engine::Postgres(connection) => MIGRATIONS.run(connection).await,
    };
    done.map_err(|cause| OpenError::Migrate { path: path.to_owned(), cause })
}

/// Checks that the schema is neither behind this program nor so far ahead that it would misread it.
pub(super) async fn check(mut on: Engine<&SqlitePool, &mut PgConnection>, path: &str) -> Result<(), OpenError> {
    const FACT: &str = "SELECT fact FROM facts WHERE name = 'runs_with_schema'";
    const NEWEST: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
    let own = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    let failed = |cause| OpenError::Open { path: path.to_owned(), cause };
    let newest: Result<i64, _> = match &mut on {
        Engine::Sqlite(pool) => sqlx::query_scalar(NEWEST).fetch_one(*pool).await,
        Engine::Postgres(connection) => sqlx::query_scalar(NEWEST).fetch_one(&mut **connection).await,
    };
    let newest = match newest {
        Ok(newest) => newest,
        // There is no such table: nobody has migrated yet.
        Err(sqlx::Error::Database(_)) => 0,
        Err(cause) => return Err(failed(cause)),
    };
    if newest < own {
        return Err(OpenError::Older { path: path.to_owned(), found: newest, own });
    }
    let oldest: Option<String> = match on {
        Engine::Sqlite(pool) => sqlx::query_scalar(FACT).fetch_optional(pool).await.map_err(failed)?,
        Engine::Postgres(connection) => sqlx::query_scalar(FACT).fetch_optional(connection).await.map_err(failed)?,
    };
    let oldest = oldest.and_then(|oldest| oldest.parse().ok()).unwrap_or(0);
    if own < oldest {
        return Err(OpenError::Newer { path: path.to_owned(), found: newest, own });
    }
    if newest > own {
        tracing::warn!(
            schema = newest,
            own,
            "the database was brought up to date by a newer program; this one goes on with it"
        );
    }
    Ok(())
}
