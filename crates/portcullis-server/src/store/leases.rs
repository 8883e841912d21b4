//! Leases: which nodes may answer from memory, and the one connection by which a node keeps its own.
//!
//! These statements are for PostgreSQL alone: SQLite has a single node, and nobody to wait for.

use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::changes::NumberedChange;
use super::{Store, StoreError, on, postgres};
use crate::config::Database;
use portcullis_core::change::LoggedChange;
use portcullis_core::time::Timestamp;

/// A node, as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    pub node: String,
    /// Grows with each grant.
    pub renewals: i64,
    /// The number of the last change that is in its memory.
    pub applied: i64,
    /// How long after a grant it may answer, by its own clock.
    pub lasts_ms: i64,
    pub version: String,
    pub address: String,
    pub joined_at: Timestamp,
}

impl LeaseRow {
    pub(crate) fn lasts_us(&self) -> u64 {
        u64::try_from(self.lasts_ms).unwrap_or(0) * 1_000
    }
}

/// The head of the log, and what came before it.
#[derive(Debug)]
pub(crate) struct Polled {
    pub head: i64,
    pub incarnation: String,
    /// Whether all leases are known to be in the table: not when the database has just been started, or taken over by another.
    pub settled: bool,
    pub changes: Vec<NumberedChange>,
}

/// A connection to the primary for the change log and the leases, so that they never wait behind anything else.
#[derive(Debug)]
pub(crate) struct Line {
    connection: PgConnection,
    /// Which start of the database server, and which time line, this connection is to. It cannot outlive either.
    era: String,
}

/// The start of the server and its time line, as a plain role can see them.
macro_rules! era {
    () => {
        "CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) AS TEXT)
            || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
    };
}

/// A database that has never had a node has no lease that could be missing.
pub(super) const BEGIN_ERA: &str = concat!("UPDATE change_head SET era = ", era!(), " WHERE only_row = 1 AND era = ''");

type PollRow = (i64, String, String, Option<i64>, Option<String>, Option<String>, Option<String>);
type Row = (String, i64, i64, i64, String, String, i64);

fn lease((node, renewals, applied, lasts_ms, version, address, joined_at): Row) -> LeaseRow {
    let joined_at = Timestamp::from_millis(joined_at);
    LeaseRow { node, renewals, applied, lasts_ms, version, address, joined_at }
}

impl Line {
    /// Connects to the primary; a replica would tell yesterday's truth.
    pub(crate) async fn connect(database: &Database, patience: Duration) -> Result<Self, StoreError> {
        const ERA: &str = concat!("SELECT ", era!());
        let (options, _) = postgres::options(database).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let timeout = patience.as_millis().to_string();
        // The log grows by thousands of rows before anybody has counted them; whatever the planner thinks, the index is the way to its end.
        let planner = ("enable_seqscan", "off");
        let options = options.options([("statement_timeout", timeout.as_str()), ("lock_timeout", &timeout), planner]);
        let mut connection = PgConnection::connect_with(&options).await?;
        postgres::is_primary(&mut connection).await?;
        let era = sqlx::query_scalar(ERA).fetch_one(&mut connection).await?;
        Ok(Self { connection, era })
    }

    /// Makes this node's lease last longer, in a transaction of its own; `false` where somebody has reaped it.
    pub(crate) async fn renew(&mut self, node: &str, address: &str) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE leases SET renewals = renewals + 1, address = $2 WHERE node = $1";
        let done = sqlx::query(SQL).bind(node).bind(address).execute(&mut self.connection).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Enters a node; once more, where only the answer to the first time was lost.
    pub(crate) async fn join(&mut self, row: &LeaseRow) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO leases (node, renewals, applied, lasts_ms, version, address, joined_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (node) DO UPDATE SET renewals = leases.renewals + 1";
        sqlx::query(SQL)
            .bind(&row.node)
            .bind(row.renewals)
            .bind(row.applied)
            .bind(row.lasts_ms)
            .bind(&row.version)
            .bind(&row.address)
            .bind(row.joined_at.as_millis())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// The head, and the changes after `applied`: whole edits, about `most` rows. One statement, and so one state of the database.
    pub(crate) async fn poll(&mut self, applied: i64, most: i64) -> Result<Polled, StoreError> {
        const SQL: &str = "SELECT h.seq, h.incarnation, h.era, c.seq, c.kind, c.subject, c.payload
            FROM change_head h LEFT JOIN changes c ON c.seq > $1 AND c.seq <= COALESCE(
                (SELECT seq FROM changes WHERE seq > $1 ORDER BY seq, n LIMIT 1 OFFSET $2), $3)
            WHERE h.only_row = 1 ORDER BY c.seq, c.n";
        let rows: Vec<PollRow> =
            sqlx::query_as(SQL).bind(applied).bind(most).bind(i64::MAX).fetch_all(&mut self.connection).await?;
        let (head, incarnation, era) =
            rows.first().map(|row| (row.0, row.1.clone(), row.2.clone())).ok_or(StoreError::Missing)?;
        let changes = rows.into_iter().filter_map(|(_, _, _, seq, kind, subject, payload)| {
            Some(NumberedChange { seq: seq?, row: LoggedChange { kind: kind?, subject: subject?, payload: payload? } })
        });
        Ok(Polled { head, incarnation, settled: era == self.era, changes: changes.collect() })
    }

    /// Tells the others how far this node's memory is. To forget it costs an edit a wait and no truth, so nothing waits for the disk.
    pub(crate) async fn acknowledge(&mut self, node: &str, applied: i64) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE leases SET applied = $2
            WHERE node = $1 AND set_config('synchronous_commit', 'off', TRUE) = 'off'";
        sqlx::query(SQL).bind(node).bind(applied).execute(&mut self.connection).await?;
        Ok(())
    }

    /// All nodes, and whether they are known to be all.
    pub(crate) async fn leases(&mut self) -> Result<(Vec<LeaseRow>, bool), StoreError> {
        const SQL: &str = "SELECT l.node, l.renewals, l.applied, l.lasts_ms, l.version, l.address, l.joined_at, h.era
            FROM change_head h LEFT JOIN leases l ON TRUE WHERE h.only_row = 1 ORDER BY l.node";
        type WithEra = (
            Option<String>,
            Option<i64>,
            Option<i64>,
            Option<i64>,
            Option<String>,
            Option<String>,
            Option<i64>,
            String,
        );
        let rows: Vec<WithEra> = sqlx::query_as(SQL).fetch_all(&mut self.connection).await?;
        let settled = rows.first().is_some_and(|row| row.7 == self.era);
        let leases = rows.into_iter().filter_map(|(node, renewals, applied, lasts, version, address, joined, _)| {
            Some(lease((node?, renewals?, applied?, lasts?, version?, address?, joined?)))
        });
        Ok((leases.collect(), settled))
    }

    /// Takes out a node whose number has stood still, unless it has moved meanwhile.
    pub(crate) async fn reap(&mut self, node: &str, renewals: i64) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM leases WHERE node = $1 AND renewals = $2";
        let done = sqlx::query(SQL).bind(node).bind(renewals).execute(&mut self.connection).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes out a node that has stopped answering.
    pub(crate) async fn leave(&mut self, node: &str) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM leases WHERE node = $1";
        sqlx::query(SQL).bind(node).execute(&mut self.connection).await?;
        Ok(())
    }

    /// From now on all leases are known to be in the table: every one from before this start of the server has run out.
    pub(crate) async fn settle(&mut self) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE change_head SET era = $1 WHERE only_row = 1";
        sqlx::query(SQL).bind(&self.era).execute(&mut self.connection).await?;
        Ok(())
    }

    /// The time line of the database server: another one, where a replica has taken over.
    pub(crate) fn time_line(&self) -> &str {
        self.era.rsplit('/').next().unwrap_or_default()
    }

    /// Which start of the database server it is to.
    pub(crate) fn era(&self) -> &str {
        &self.era
    }
}

impl Store {
    /// All nodes that have a lease, and the head of the log.
    pub(crate) async fn nodes(&self) -> Result<(Vec<LeaseRow>, i64), StoreError> {
        const SQL: &str = "SELECT node, renewals, applied, lasts_ms, version, address, joined_at FROM leases ORDER BY joined_at, node";
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(SQL).fetch_all(db).await)?;
        Ok((rows.into_iter().map(lease).collect(), self.head().await?))
    }
}
