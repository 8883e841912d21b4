//! Every table that is worth keeping, row by row: what moves a store from one engine to the other, into a file and back.
//!
//! A test holds this list against the schema, so that a new table or column cannot be forgotten.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::changes::HEAD;
use super::rows::many;
use super::{Edit, Engine, Store, StoreError, Transaction, on};

/// How many rows one statement writes.
pub(crate) const AT_A_TIME: usize = 50;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
    Bytes,
}

/// What is in one place of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Cell {
    Null,
    Text(String),
    Number(i64),
    Flag(bool),
    Bytes(Vec<u8>),
}

/// One table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// Whether it is a part of a backup. A session or a link that has ended since must not come back.
    pub(crate) is_kept: bool,
    all: &'static str,
    count: &'static str,
    one: &'static str,
    many: &'static str,
}

macro_rules! tables {
    ($($name:ident ($first:ident: $first_kind:ident $(, $column:ident: $kind:ident)*) by $key:literal, $kept:literal;)+) => {
        /// In an order in which whatever is referred to comes first.
        pub(crate) const TABLES: &[Table] = &[$(Table {
            name: stringify!($name),
            columns: &[(stringify!($first), Kind::$first_kind) $(, (stringify!($column), Kind::$kind))*],
            is_kept: $kept,
            all: concat!("SELECT ", stringify!($first) $(, ", ", stringify!($column))*, " FROM ", stringify!($name), " ORDER BY ", $key),
            count: concat!("SELECT COUNT(*) FROM ", stringify!($name)),
            one: many!(
                concat!("INSERT INTO ", stringify!($name), " (", stringify!($first) $(, ", ", stringify!($column))*, ") VALUES "),
                1, 1, [stringify!($first) $(, stringify!($column))*].len(), " ON CONFLICT DO NOTHING"
            ),
            many: many!(
                concat!("INSERT INTO ", stringify!($name), " (", stringify!($first) $(, ", ", stringify!($column))*, ") VALUES "),
                1, AT_A_TIME, [stringify!($first) $(, stringify!($column))*].len(), " ON CONFLICT DO NOTHING"
            ),
        }),+];
    };
}

tables! {
    users (id: Text, email: Text, email_folded: Text, name: Text, password_hash: Text, platform_admin: Flag,
        created_at: Number, disabled_at: Number) by "id", true;
    businesses (id: Text, name: Text, created_at: Number, disabled_at: Number) by "id", true;
    roles (id: Text, business_id: Text, name: Text, permissions: Text, manages: Text, name_folded: Text) by "id", true;
    memberships (user_id: Text, business_id: Text, role_id: Text, created_at: Number) by "user_id, business_id", true;
    api_keys (id: Text, family_id: Text, user_id: Text, name: Text, environment: Text, prefix: Text, hint: Text,
        digest: Bytes, pepper_version: Number, unrestricted: Flag, permissions: Text, user_management: Flag,
        allowed_ips: Text, metadata: Text, created_at: Number, expires_at: Number, revoked_at: Number,
        revoked_reason: Text, rotated_to: Text, rotated_from: Text, name_folded: Text, imported: Flag) by "id", true;
    api_key_businesses (key_id: Text, business_id: Text) by "key_id, business_id", true;
    operator_keys (id: Text, name: Text, hint: Text, digest: Bytes, pepper_version: Number, grants: Text,
        created_at: Number, revoked_at: Number) by "id", true;
    policies (subject: Text, longest_life_days: Number, expiry_required: Flag, revoke_unused_days: Number)
        by "subject", true;
    limits (subject: Text, per_minute: Number, per_second: Number, named: Text, quota_per_day: Number,
        quota_per_month: Number) by "subject", true;
    quotas_spent (subject: Text, period: Text, number: Number, spent: Number) by "subject, period", true;
    facts (name: Text, fact: Text) by "name", true;
    audit_events (number: Number, hash: Bytes, id: Text, at: Number, action: Text, actor_kind: Text, actor_id: Text,
        target_id: Text, user_id: Text, business_id: Text, address: Text, request_id: Text, before_json: Text,
        after_json: Text) by "number", true;
    uses_by_hour (subject: Text, hour: Number, source: Number, valid: Number, invalid_api_key: Number,
        user_disabled: Number, permission_denied: Number, rate_limited: Number, business_disabled: Number)
        by "subject, hour, source", true;
    uses_by_day (subject: Text, day: Number, valid: Number, invalid_api_key: Number, user_disabled: Number,
        permission_denied: Number, rate_limited: Number, business_disabled: Number) by "subject, day", true;
    last_uses (key_id: Text, at: Number, address: Text) by "key_id", true;
    sessions (id: Text, user_id: Text, digest: Bytes, created_at: Number, last_seen_at: Number, expires_at: Number,
        ended_at: Number, address: Text, user_agent: Text) by "id", false;
    links (id: Text, kind: Text, digest: Bytes, email: Text, user_id: Text, business_id: Text, role_id: Text,
        created_at: Number, expires_at: Number, used_at: Number) by "id", false;
    idempotent_calls (credential: Text, idempotency_key: Text, fingerprint: Bytes, made_id: Text, created_at: Number)
        by "credential, idempotency_key", false;
}

/// A fact while rows are on their way into a store: what is not whole must not be served.
pub(super) const UNFINISHED: &str = "unfinished_copy";

/// One state of a store, to be read table by table.
#[derive(Debug)]
pub(crate) struct View {
    transaction: Transaction,
    pub(crate) seq: i64,
}

impl Store {
    pub(crate) async fn view_all(&self) -> Result<View, StoreError> {
        let mut transaction = self.long_view().await?;
        let seq = on!(&mut transaction, |db| sqlx::query_scalar(HEAD).fetch_one(&mut **db).await)?;
        Ok(View { transaction, seq })
    }

    /// Whether nobody has used it yet, or only a copy that was not finished.
    pub(crate) async fn is_unused(&self) -> Result<bool, StoreError> {
        const USED: &str = "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM operator_keys)";
        let used: bool = on!(&self.reader, |db| sqlx::query_scalar(USED).fetch_one(db).await)?;
        Ok(!used || self.unfinished().await?.is_some())
    }

    /// What is still on its way into it.
    pub(crate) async fn unfinished(&self) -> Result<Option<String>, StoreError> {
        self.fact(UNFINISHED).await
    }
}

impl View {
    pub(crate) async fn count(&mut self, table: &Table) -> Result<i64, StoreError> {
        Ok(on!(&mut self.transaction, |db| sqlx::query_scalar(table.count).fetch_one(&mut **db).await)?)
    }

    /// All rows of a table, by its key.
    pub(crate) fn rows(&mut self, table: &'static Table) -> BoxStream<'_, Result<Vec<Cell>, StoreError>> {
        match &mut self.transaction {
            Engine::Sqlite(db) => Box::pin(
                sqlx::query(table.all)
                    .fetch(&mut **db)
                    .map_err(StoreError::from)
                    .and_then(async |row| of_sqlite(table, &row)),
            ),
            Engine::Postgres(db) => Box::pin(
                sqlx::query(table.all)
                    .fetch(&mut **db)
                    .map_err(StoreError::from)
                    .and_then(async |row| of_postgres(table, &row)),
            ),
        }
    }
}

macro_rules! reading {
    ($name:ident, $row:ty) => {
        fn $name(table: &Table, row: &$row) -> Result<Vec<Cell>, StoreError> {
            let cell = |(at, (_, kind)): (usize, &(&str, Kind))| {
                Ok(match kind {
                    Kind::Text => row.try_get::<Option<String>, _>(at)?.map_or(Cell::Null, Cell::Text),
                    Kind::Number => row.try_get::<Option<i64>, _>(at)?.map_or(Cell::Null, Cell::Number),
                    Kind::Flag => row.try_get::<Option<bool>, _>(at)?.map_or(Cell::Null, Cell::Flag),
                    Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map_or(Cell::Null, Cell::Bytes),
                })
            };
            table.columns.iter().enumerate().map(cell).collect()
        }
    };
}

reading!(of_sqlite, SqliteRow);
reading!(of_postgres, PgRow);

/// Binds the cells of rows in their order; that of a column that has none is told by its kind.
macro_rules! bound {
    ($sql:expr, $table:expr, $rows:expr) => {{
        let mut query = sqlx::query($sql);
        for row in $rows {
            for ((_, kind), cell) in $table.columns.iter().zip(row) {
                query = match (kind, cell) {
                    (_, Cell::Text(text)) => query.bind(text),
                    (_, Cell::Number(number)) => query.bind(number),
                    (_, Cell::Flag(flag)) => query.bind(flag),
                    (_, Cell::Bytes(bytes)) => query.bind(bytes),
                    (Kind::Text, Cell::Null) => query.bind(None::<String>),
                    (Kind::Number, Cell::Null) => query.bind(None::<i64>),
                    (Kind::Flag, Cell::Null) => query.bind(None::<bool>),
                    (Kind::Bytes, Cell::Null) => query.bind(None::<Vec<u8>>),
                };
            }
        }
        query
    }};
}

impl Edit {
    /// Puts rows in, those that are there already left as they are.
    pub(crate) async fn put_rows(&mut self, table: &Table, rows: &[Vec<Cell>]) -> Result<(), StoreError> {
        let (chunks, rest) = rows.as_chunks::<AT_A_TIME>();
        let all = chunks.iter().map(|rows| (table.many, &rows[..])).chain(rest.chunks(1).map(|row| (table.one, row)));
        for (statement, rows) in all {
            if rows.iter().any(|row| row.len() != table.columns.len()) {
                return Err(StoreError::Unreadable(format!("a row of {}", table.name)));
            }
            on!(&mut self.engine, |db| bound!(statement, table, rows).execute(&mut **db).await.map(drop))?;
        }
        Ok(())
    }

    /// Rows are on their way: until [`Edit::finish_copy`] nobody serves this store. What it was told of itself before, e.g. of another
    /// pepper, is not so any more.
    pub(crate) async fn begin_copy(&mut self, of: &str) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM facts WHERE name <> 'runs_with_schema'";
        on!(&mut self.engine, |db| sqlx::query(SQL).execute(&mut **db).await.map(drop))?;
        self.put_fact(UNFINISHED, of).await
    }

    /// All rows are there. The log goes on from `seq`; whoever remembers another store must read this one anew.
    pub(crate) async fn finish_copy(&mut self, seq: i64, incarnation: &str) -> Result<(), StoreError> {
        const HEAD: &str = "UPDATE change_head SET seq = $1, incarnation = $2, era = 'another' WHERE only_row = 1";
        const FACT: &str = "DELETE FROM facts WHERE name = $1";
        on!(&mut self.engine, |db| sqlx::query(HEAD).bind(seq).bind(incarnation).execute(&mut **db).await.map(drop))?;
        on!(&mut self.engine, |db| sqlx::query(FACT).bind(UNFINISHED).execute(&mut **db).await.map(drop))?;
        Ok(())
    }

    /// Ends what had ended after a backup was made: a key, an operator key, a user's account or a business. `None` where there is no
    /// such thing; `false` where it had ended before.
    pub(crate) async fn end_again(&mut self, id: &str, at: i64, reason: &str) -> Result<Option<bool>, StoreError> {
        const KEY: &str =
            "UPDATE api_keys SET revoked_at = $2, revoked_reason = $3 WHERE id = $1 AND revoked_at IS NULL";
        const OPERATOR: &str =
            "UPDATE operator_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL AND $3 <> ''";
        const BUSINESS: &str =
            "UPDATE businesses SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL AND $3 <> ''";
        const USER: &str = "UPDATE users SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL AND $3 <> ''";
        const IS_KEY: &str = "SELECT EXISTS (SELECT 1 FROM api_keys WHERE id = $1)";
        const IS_OPERATOR: &str = "SELECT EXISTS (SELECT 1 FROM operator_keys WHERE id = $1)";
        const IS_BUSINESS: &str = "SELECT EXISTS (SELECT 1 FROM businesses WHERE id = $1)";
        const IS_USER: &str = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)";
        let (sql, is_there) = match id.split_once('_') {
            Some(("key", _)) => (KEY, IS_KEY),
            Some(("opk", _)) => (OPERATOR, IS_OPERATOR),
            Some(("usr", _)) => (USER, IS_USER),
            Some(("biz", _)) => (BUSINESS, IS_BUSINESS),
            _ => return Ok(None),
        };
        let is_there: bool =
            on!(&mut self.engine, |db| sqlx::query_scalar(is_there).bind(id).fetch_one(&mut **db).await)?;
        if !is_there {
            return Ok(None);
        }
        let done = on!(&mut self.engine, |db| {
            let query = sqlx::query(sql).bind(id).bind(at).bind(reason);
            query.execute(&mut **db).await.map(|done| done.rows_affected())
        })?;
        Ok(Some(done == 1))
    }
}
