//! The only SQL. What touches rows takes a `Reach`, and names its businesses in the statement.

use std::path::Path;

use portcullis_tower::{BusinessId, UserId};
use serde_json::{Map, Value, json};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use crate::paging::Slice;
use crate::reach::Reach;

pub type StoreError = sqlx::Error;

/// Ids begin with the time, so that sorting by them sorts by age.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS records (
        id TEXT NOT NULL PRIMARY KEY
            DEFAULT (printf('%012x', unixepoch('subsec') * 1000) || lower(hex(randomblob(8)))),
        business_id TEXT NOT NULL,
        resource TEXT NOT NULL,
        fields TEXT NOT NULL,
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT;
    CREATE INDEX IF NOT EXISTS records_of_business ON records (business_id, resource, id);
    CREATE TABLE IF NOT EXISTS accounts (user_id TEXT NOT NULL PRIMARY KEY, parts TEXT NOT NULL) STRICT;";

#[derive(Debug, Clone)]
pub struct Store {
    db: SqlitePool,
}

/// One row of a resource.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) business_id: String,
    pub(crate) fields: Map<String, Value>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// A record as SQLite has it.
type Columns = (String, String, String, String, String);

impl Store {
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Wal);
        let db = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&db).await?;
        Ok(Self { db })
    }

    /// Newest first, and one more than the page holds, where there are more.
    pub(crate) async fn list(&self, reach: &Reach, of: &str, slice: &Slice) -> Result<Vec<Record>, StoreError> {
        const SQL: &str = "SELECT id, business_id, fields, created_at, updated_at FROM records
            WHERE business_id IN (SELECT value FROM json_each($1)) AND resource = $2 AND ($3 IS NULL OR id < $3)
            ORDER BY id DESC LIMIT $4";
        let query = sqlx::query_as(SQL).bind(reach.to_json()).bind(of).bind(&slice.after);
        let rows: Vec<Columns> = query.bind(i64::try_from(slice.limit + 1).unwrap_or(1)).fetch_all(&self.db).await?;
        rows.into_iter().map(record).collect()
    }

    pub(crate) async fn create(
        &self,
        business: BusinessId,
        of: &str,
        fields: &Map<String, Value>,
    ) -> Result<Record, StoreError> {
        const SQL: &str = "INSERT INTO records (business_id, resource, fields) VALUES ($1, $2, $3)
            RETURNING id, business_id, fields, created_at, updated_at";
        let query = sqlx::query_as(SQL).bind(business.to_string()).bind(of).bind(json!(fields).to_string());
        record(query.fetch_one(&self.db).await?)
    }

    pub(crate) async fn show(&self, reach: &Reach, of: &str, id: &str) -> Result<Option<Record>, StoreError> {
        const SQL: &str = "SELECT id, business_id, fields, created_at, updated_at FROM records
            WHERE business_id IN (SELECT value FROM json_each($1)) AND resource = $2 AND id = $3";
        let query = sqlx::query_as(SQL).bind(reach.to_json()).bind(of).bind(id);
        query.fetch_optional(&self.db).await?.map(record).transpose()
    }

    /// What is named is set, `null` clears, and all else stays (RFC 7396).
    pub(crate) async fn update(
        &self,
        reach: &Reach,
        of: &str,
        id: &str,
        fields: &Map<String, Value>,
    ) -> Result<Option<Record>, StoreError> {
        const SQL: &str = "UPDATE records
            SET fields = json_patch(fields, $4), updated_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
            WHERE business_id IN (SELECT value FROM json_each($1)) AND resource = $2 AND id = $3
            RETURNING id, business_id, fields, created_at, updated_at";
        let query = sqlx::query_as(SQL).bind(reach.to_json()).bind(of).bind(id).bind(json!(fields).to_string());
        query.fetch_optional(&self.db).await?.map(record).transpose()
    }

    /// Whether there was such a row.
    pub(crate) async fn delete(&self, reach: &Reach, of: &str, id: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM records
            WHERE business_id IN (SELECT value FROM json_each($1)) AND resource = $2 AND id = $3";
        let done = sqlx::query(SQL).bind(reach.to_json()).bind(of).bind(id).execute(&self.db).await?;
        Ok(done.rows_affected() == 1)
    }

    /// What the rows of each of these businesses come to, one entry for each, in order.
    pub(crate) async fn analytics(&self, businesses: &[String]) -> Result<Vec<Value>, StoreError> {
        const SQL: &str = "SELECT b.value,
                COUNT(r.id) FILTER (WHERE r.resource = 'calls'),
                COUNT(r.id) FILTER (WHERE r.resource = 'calls' AND r.fields ->> 'status' = 'answered'),
                COALESCE(SUM(r.fields ->> 'duration_seconds') FILTER (WHERE r.resource = 'calls'), 0),
                COUNT(r.id) FILTER (WHERE r.resource = 'leads'),
                COUNT(r.id) FILTER (WHERE r.resource = 'leads' AND r.fields ->> 'status' = 'won'),
                COUNT(r.id) FILTER (WHERE r.resource = 'contacts')
            FROM json_each($1) b LEFT JOIN records r ON r.business_id = b.value
            GROUP BY b.value ORDER BY b.value";
        let query = sqlx::query_as(SQL).bind(json!(businesses).to_string());
        let rows: Vec<(String, i64, i64, i64, i64, i64, i64)> = query.fetch_all(&self.db).await?;
        let entry = |(id, calls, answered, seconds, leads, won, contacts): (_, _, _, _, _, _, _)| {
            let calls = json!({"total": calls, "answered": answered, "duration_seconds": seconds});
            json!({"id": id, "calls": calls, "leads": {"total": leads, "won": won}, "contacts": {"total": contacts}})
        };
        Ok(rows.into_iter().map(entry).collect())
    }

    pub(crate) async fn account(&self, user: UserId) -> Result<Map<String, Value>, StoreError> {
        const SQL: &str = "SELECT parts FROM accounts WHERE user_id = $1";
        let parts: Option<String> = sqlx::query_scalar(SQL).bind(user.to_string()).fetch_optional(&self.db).await?;
        parts.map_or_else(|| Ok(Map::new()), |parts| object(&parts))
    }

    pub(crate) async fn update_account(
        &self,
        user: UserId,
        parts: &Map<String, Value>,
    ) -> Result<Map<String, Value>, StoreError> {
        const SQL: &str = "INSERT INTO accounts (user_id, parts) VALUES ($1, json_patch('{}', $2))
            ON CONFLICT (user_id) DO UPDATE SET parts = json_patch(parts, $2) RETURNING parts";
        let query = sqlx::query_scalar(SQL).bind(user.to_string()).bind(json!(parts).to_string());
        let kept: String = query.fetch_one(&self.db).await?;
        object(&kept)
    }
}

fn record((id, business_id, fields, created_at, updated_at): Columns) -> Result<Record, StoreError> {
    Ok(Record { id, business_id, fields: object(&fields)?, created_at, updated_at })
}

fn object(text: &str) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Decode(error.into()))
}
