//! The change log: every committed edit, numbered without gaps, for every node to follow.

use portcullis_core::change::{Change, LoggedChange};
use portcullis_core::time::Timestamp;

use super::{Edit, Store, StoreError, on};

/// One row of the log, not yet read.
#[derive(Debug, Clone)]
pub(crate) struct NumberedChange {
    pub seq: i64,
    pub row: LoggedChange,
}

const HEAD: &str = "SELECT seq FROM change_head WHERE only_row = 1";

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
