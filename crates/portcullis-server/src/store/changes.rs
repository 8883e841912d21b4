//! The change log: every committed edit, numbered without gaps, for every node to follow.

use portcullis_core::change::{Change, LoggedChange};
use portcullis_core::time::Timestamp;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::{Edit, Engine, Store, StoreError, on, postgres};
use crate::config::Database;

/// One row of the log, not yet read.
#[derive(Debug, Clone)]
pub(crate) struct NumberedChange {
    pub seq: i64,
    pub row: LoggedChange,
}

/// The number of the last committed edit.
pub(super) const HEAD: &str = "SELECT seq FROM change_head WHERE only_row = 1";
/// Where PostgreSQL tells that there is a new change.
const CHANNEL: &str = "portcullis_changes";

impl Store {
    /// The number of the last committed edit.
    pub(crate) async fn head(&self) -> Result<i64, StoreError> {
        Ok(on!(&self.reader, |db| sqlx::query_scalar(HEAD).fetch_one(db).await)?)
    }

    /// What happened after `seq`, in order: whole edits only, about `most` rows at a time.
    pub(crate) async fn changes_after(&self, seq: i64, most: i64) -> Result<Vec<NumberedChange>, StoreError> {
        // An edit that is cut in two would be read half: so the page ends with the edit in which the limit falls.
        const SQL: &str = "SELECT seq, kind, subject, payload FROM changes
            WHERE seq > $1 AND seq <= COALESCE((SELECT seq FROM changes WHERE seq > $1 ORDER BY seq, n LIMIT 1 OFFSET $2), $3)
            ORDER BY seq, n";
        let rows: Vec<(i64, String, String, String)> =
            on!(&self.reader, |db| sqlx::query_as(SQL).bind(seq).bind(most).bind(i64::MAX).fetch_all(db).await)?;
        Ok(rows
            .into_iter()
            .map(|(seq, kind, subject, payload)| NumberedChange { seq, row: LoggedChange { kind, subject, payload } })
            .collect())
    }
}

/// Calls `heard` whenever there may be a new change, for as long as the connection lasts.
pub(crate) async fn listen(database: &Database, heard: impl Fn()) -> Result<(), StoreError> {
    let (options, _) = postgres::options(database).map_err(|error| StoreError::Unreadable(error.to_string()))?;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    heard();
    while listener.try_recv().await?.is_some() {
        heard();
    }
    Ok(())
}

impl Edit {
    /// Numbers and logs the changes of this edit. It must be the last statement: the row it locks orders all commits.
    pub(crate) async fn log_changes(&mut self, changes: &[Change], at: Timestamp) -> Result<i64, StoreError> {
        const HEAD: &str = "UPDATE change_head SET seq = seq + 1 WHERE only_row = 1 RETURNING seq";
        const ROW: &str = "INSERT INTO changes (seq, n, at, kind, subject, payload) VALUES ($1, $2, $3, $4, $5, $6)";
        let seq: i64 = on!(&mut self.engine, |db| sqlx::query_scalar(HEAD).fetch_one(&mut **db).await)?;
        for (n, change) in (0_i64..).zip(changes) {
            let row = change.to_row().map_err(|error| StoreError::Unreadable(error.to_string()))?;
            on!(&mut self.engine, |db| sqlx::query(ROW)
                .bind(seq)
                .bind(n)
                .bind(at.as_millis())
                .bind(row.kind)
                .bind(row.subject)
                .bind(row.payload)
                .execute(&mut **db)
                .await
                .map(drop))?;
        }
        if let Engine::Postgres(db) = &mut self.engine {
            // It is heard by all nodes with the commit. Losing it costs them a moment; they look by themselves too.
            sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&mut **db).await?;
        }
        Ok(seq)
    }

    /// Forgets changes older than `before`; a node that had not read them loads a snapshot.
    pub(crate) async fn prune_changes(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        const SQL: &str = "DELETE FROM changes WHERE at < $1";
        Ok(on!(&mut self.engine, |db| {
            sqlx::query(SQL).bind(before.as_millis()).execute(&mut **db).await.map(|done| done.rows_affected())
        })?)
    }
}
