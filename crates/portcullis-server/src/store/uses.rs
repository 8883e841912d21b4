//! What keys were used for, by hour and by day, and when they were used last.

use std::collections::BTreeMap;

use portcullis_core::decision::Code;
use portcullis_core::id::ApiKeyId;
use portcullis_core::limits::Subject;
use portcullis_core::scope::{Account, Tenant};
use portcullis_core::time::Timestamp;

use super::rows::many;
use super::{Edit, Store, StoreError, on, typed};

const HOURS_OF_A_DAY: i64 = 24;
/// How many rows one statement writes. The driver looks for each value by its name among all the others, so that many more cost
/// more than they save.
const AT_A_TIME: usize = 8;
/// How many subjects one statement reads.
const SUBJECTS: usize = 100;

/// How often each code was decided, in the order of [`Code::ALL`], which is that of the columns.
pub(crate) type Counts = [i64; Code::ALL.len()];

/// What one source has counted about a subject in an hour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HourOfUse {
    pub subject: Subject,
    pub hour: i64,
    pub source: i64,
    pub counts: Counts,
    /// How much of it is written already; `None` where only the row can tell.
    pub written: Option<Counts>,
}

/// A key was used then, from there.
#[derive(Debug, Clone)]
pub(crate) struct LastUse {
    pub key: ApiKeyId,
    pub at: Timestamp,
    pub address: Option<String>,
}

/// Counts of a subject, in an hour or on a day.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    pub subject: String,
    /// Hours or days since 1970.
    pub at: i64,
    pub counts: Counts,
}

const INTO_HOURS: &str = "INSERT INTO uses_by_hour (subject, hour, source,
    valid, invalid_api_key, user_disabled, permission_denied, rate_limited, business_disabled) VALUES ";
/// A count that is written again only grows.
const HOURS_GROW: &str = " ON CONFLICT (subject, hour, source) DO UPDATE SET
    valid = CASE WHEN excluded.valid > uses_by_hour.valid THEN excluded.valid ELSE uses_by_hour.valid END,
    invalid_api_key = CASE WHEN excluded.invalid_api_key > uses_by_hour.invalid_api_key
        THEN excluded.invalid_api_key ELSE uses_by_hour.invalid_api_key END,
    user_disabled = CASE WHEN excluded.user_disabled > uses_by_hour.user_disabled
        THEN excluded.user_disabled ELSE uses_by_hour.user_disabled END,
    permission_denied = CASE WHEN excluded.permission_denied > uses_by_hour.permission_denied
        THEN excluded.permission_denied ELSE uses_by_hour.permission_denied END,
    rate_limited = CASE WHEN excluded.rate_limited > uses_by_hour.rate_limited
        THEN excluded.rate_limited ELSE uses_by_hour.rate_limited END,
    business_disabled = CASE WHEN excluded.business_disabled > uses_by_hour.business_disabled
        THEN excluded.business_disabled ELSE uses_by_hour.business_disabled END";
const INTO_DAYS: &str = "INSERT INTO uses_by_day (subject, day,
    valid, invalid_api_key, user_disabled, permission_denied, rate_limited, business_disabled) VALUES ";
const DAYS_GROW: &str = " ON CONFLICT (subject, day) DO UPDATE SET
    valid = uses_by_day.valid + excluded.valid,
    invalid_api_key = uses_by_day.invalid_api_key + excluded.invalid_api_key,
    user_disabled = uses_by_day.user_disabled + excluded.user_disabled,
    permission_denied = uses_by_day.permission_denied + excluded.permission_denied,
    rate_limited = uses_by_day.rate_limited + excluded.rate_limited,
    business_disabled = uses_by_day.business_disabled + excluded.business_disabled";
const INTO_LAST_USES: &str = "INSERT INTO last_uses (key_id, at, address) VALUES ";
const LAST_USES_GROW: &str = " ON CONFLICT (key_id) DO UPDATE SET at = excluded.at, address = excluded.address
    WHERE excluded.at >= last_uses.at";

impl Edit {
    /// Writes what was counted. What is written twice counts once.
    pub(crate) async fn add_uses(&mut self, hours: &[HourOfUse]) -> Result<(), StoreError> {
        const ONE: &str = many!(INTO_HOURS, 1, 1, 9, HOURS_GROW);
        const MANY: &str = many!(INTO_HOURS, 1, AT_A_TIME, 9, HOURS_GROW);
        // In one order, whoever writes: two nodes that wrote the same days in other orders would wait for each other.
        let mut days: BTreeMap<(Subject, i64), Counts> = BTreeMap::new();
        for hour in hours {
            let written = match hour.written {
                Some(written) => written,
                None => self.written(hour).await?,
            };
            let day = days.entry((hour.subject, hour.hour / HOURS_OF_A_DAY)).or_default();
            for ((sum, now), before) in day.iter_mut().zip(hour.counts).zip(written) {
                *sum += now.saturating_sub(before).max(0);
            }
        }
        let (chunks, rest) = hours.as_chunks::<AT_A_TIME>();
        for (statement, rows) in chunks.iter().map(|rows| (MANY, &rows[..])).chain(rest.chunks(1).map(|row| (ONE, row)))
        {
            on!(&mut self.engine, |db| {
                let mut query = sqlx::query(statement);
                for row in rows {
                    query = query.bind(row.subject.to_string()).bind(row.hour).bind(row.source);
                    for count in row.counts {
                        query = query.bind(count);
                    }
                }
                query.execute(&mut **db).await.map(drop)
            })?;
        }
        self.add_days(&days.into_iter().collect::<Vec<_>>()).await
    }

    async fn add_days(&mut self, days: &[((Subject, i64), Counts)]) -> Result<(), StoreError> {
        const ONE: &str = many!(INTO_DAYS, 1, 1, 8, DAYS_GROW);
        const MANY: &str = many!(INTO_DAYS, 1, AT_A_TIME, 8, DAYS_GROW);
        let (chunks, rest) = days.as_chunks::<AT_A_TIME>();
        for (statement, rows) in chunks.iter().map(|rows| (MANY, &rows[..])).chain(rest.chunks(1).map(|row| (ONE, row)))
        {
            on!(&mut self.engine, |db| {
                let mut query = sqlx::query(statement);
                for ((subject, day), counts) in rows {
                    query = query.bind(subject.to_string()).bind(*day);
                    query = counts.iter().fold(query, |query, count| query.bind(*count));
                }
                query.execute(&mut **db).await.map(drop)
            })?;
        }
        Ok(())
    }

    /// What the database has of an hour, where this process is not sure.
    async fn written(&mut self, hour: &HourOfUse) -> Result<Counts, StoreError> {
        const SQL: &str =
            "SELECT valid, invalid_api_key, user_disabled, permission_denied, rate_limited, business_disabled
            FROM uses_by_hour WHERE subject = $1 AND hour = $2 AND source = $3";
        let row: Option<(i64, i64, i64, i64, i64, i64)> = on!(&mut self.engine, |db| sqlx::query_as(SQL)
            .bind(hour.subject.to_string())
            .bind(hour.hour)
            .bind(hour.source)
            .fetch_optional(&mut **db)
            .await)?;
        Ok(row.map(Into::into).unwrap_or_default())
    }

    /// Writes when keys were used last. Uses are no edits: nothing a decision reads depends on them.
    pub(crate) async fn set_last_uses(&mut self, uses: impl IntoIterator<Item = LastUse>) -> Result<(), StoreError> {
        const ONE: &str = many!(INTO_LAST_USES, 1, 1, 3, LAST_USES_GROW);
        const MANY: &str = many!(INTO_LAST_USES, 1, AT_A_TIME, 3, LAST_USES_GROW);
        // A statement that would write a row twice is refused, and rows are written in one order, as above.
        let mut last: BTreeMap<ApiKeyId, LastUse> = BTreeMap::new();
        for one in uses {
            if last.get(&one.key).is_none_or(|known| known.at <= one.at) {
                last.insert(one.key, one);
            }
        }
        let uses: Vec<LastUse> = last.into_values().collect();
        let (chunks, rest) = uses.as_chunks::<AT_A_TIME>();
        for (statement, rows) in chunks.iter().map(|rows| (MANY, &rows[..])).chain(rest.chunks(1).map(|row| (ONE, row)))
        {
            on!(&mut self.engine, |db| {
                let mut query = sqlx::query(statement);
                for row in rows {
                    query = query.bind(row.key.to_string()).bind(row.at.as_millis()).bind(&row.address);
                }
                query.execute(&mut **db).await.map(drop)
            })?;
        }
        Ok(())
    }

    /// Forgets the hours, and the days, before these.
    pub(crate) async fn prune_uses(&mut self, hour: i64, day: i64) -> Result<(), StoreError> {
        const HOURS: &str = "DELETE FROM uses_by_hour WHERE hour < $1";
        const DAYS: &str = "DELETE FROM uses_by_day WHERE day < $1";
        on!(&mut self.engine, |db| sqlx::query(HOURS).bind(hour).execute(&mut **db).await.map(drop))?;
        on!(&mut self.engine, |db| sqlx::query(DAYS).bind(day).execute(&mut **db).await.map(drop))?;
        Ok(())
    }
}

type TopRow = (String, i64, i64, i64, i64, i64, i64, i64);

/// The keys of a user by how often they were used since a time, of one of the two tables.
macro_rules! top_keys {
    ($table:literal, $time:literal) => {
        concat!(
            "SELECT subject, CAST(SUM(valid) AS BIGINT), CAST(SUM(invalid_api_key) AS BIGINT),
            CAST(SUM(user_disabled) AS BIGINT), CAST(SUM(permission_denied) AS BIGINT), CAST(SUM(rate_limited) AS BIGINT),
            CAST(SUM(business_disabled) AS BIGINT), CAST(SUM(valid + invalid_api_key + user_disabled + permission_denied
            + rate_limited + business_disabled) AS BIGINT) AS calls
            FROM api_keys k JOIN ",
            $table,
            " u ON u.subject = k.id WHERE k.user_id = $1 AND u.",
            $time,
            " >= $2 GROUP BY subject ORDER BY calls DESC, subject LIMIT $3"
        )
    };
}

type UsedRow = (String, i64, i64, i64, i64, i64, i64, i64);

impl Store {
    /// The keys of a key's family: itself, and those it was rotated from and to.
    pub(crate) async fn family(&self, account: &Account, key: ApiKeyId) -> Result<Vec<ApiKeyId>, StoreError> {
        const SQL: &str = "SELECT id FROM api_keys WHERE user_id = $1 AND family_id =
            (SELECT family_id FROM api_keys WHERE user_id = $1 AND id = $2) ORDER BY id";
        let ids: Vec<String> = on!(&self.reader, |db| sqlx::query_scalar(SQL)
            .bind(account.user().to_string())
            .bind(key.to_string())
            .fetch_all(db)
            .await)?;
        ids.iter().map(|id| typed(id)).collect()
    }

    /// The hours in which these were used, from one to another, both among them. Whoever asks has shown that they may.
    pub(crate) async fn hours_of(&self, of: &Whose<'_>, from: i64, until: i64) -> Result<Vec<Used>, StoreError> {
        const SQL: &str = many!(
            "SELECT subject, hour, CAST(SUM(valid) AS BIGINT), CAST(SUM(invalid_api_key) AS BIGINT),
            CAST(SUM(user_disabled) AS BIGINT), CAST(SUM(permission_denied) AS BIGINT), CAST(SUM(rate_limited) AS BIGINT),
            CAST(SUM(business_disabled) AS BIGINT) FROM uses_by_hour WHERE hour >= $1 AND hour <= $2 AND subject IN ",
            3,
            1,
            SUBJECTS,
            " GROUP BY subject, hour ORDER BY hour"
        );
        self.used(SQL, of, [from, until]).await
    }

    /// The same by day.
    pub(crate) async fn days_of(&self, of: &Whose<'_>, from: i64, until: i64) -> Result<Vec<Used>, StoreError> {
        const SQL: &str = many!(
            "SELECT subject, day, valid, invalid_api_key, user_disabled, permission_denied, rate_limited, business_disabled
            FROM uses_by_day WHERE day >= $1 AND day <= $2 AND subject IN ",
            3,
            1,
            SUBJECTS,
            " ORDER BY day"
        );
        self.used(SQL, of, [from, until]).await
    }

    /// The keys of a user that were used most since an hour.
    pub(crate) async fn top_keys_by_hour(
        &self,
        account: &Account,
        from: i64,
        most: i64,
    ) -> Result<Vec<(ApiKeyId, Counts)>, StoreError> {
        self.top_keys(top_keys!("uses_by_hour", "hour"), account, from, most).await
    }

    /// The same since a day.
    pub(crate) async fn top_keys_by_day(
        &self,
        account: &Account,
        from: i64,
        most: i64,
    ) -> Result<Vec<(ApiKeyId, Counts)>, StoreError> {
        self.top_keys(top_keys!("uses_by_day", "day"), account, from, most).await
    }

    async fn top_keys(
        &self,
        sql: &'static str,
        account: &Account,
        from: i64,
        most: i64,
    ) -> Result<Vec<(ApiKeyId, Counts)>, StoreError> {
        let rows: Vec<TopRow> = on!(&self.reader, |db| sqlx::query_as(sql)
            .bind(account.user().to_string())
            .bind(from)
            .bind(most)
            .fetch_all(db)
            .await)?;
        rows.into_iter()
            .map(|(key, valid, invalid, user, permission, rate, business, _)| {
                Ok((typed(&key)?, [valid, invalid, user, permission, rate, business]))
            })
            .collect()
    }

    async fn used(&self, sql: &'static str, of: &Whose<'_>, range: [i64; 2]) -> Result<Vec<Used>, StoreError> {
        let mut all = Vec::new();
        for subjects in of.subjects().chunks(SUBJECTS) {
            let rows: Vec<UsedRow> = on!(&self.reader, |db| {
                let query = range.into_iter().fold(sqlx::query_as(sql), sqlx::query::QueryAs::bind);
                padded(subjects).fold(query, sqlx::query::QueryAs::bind).fetch_all(db).await
            })?;
            all.extend(rows.into_iter().map(|(subject, at, valid, invalid, user, permission, rate, business)| Used {
                subject,
                at,
                counts: [valid, invalid, user, permission, rate, business],
            }));
        }
        Ok(all)
    }

    /// When these keys were used last.
    pub(crate) async fn last_uses(&self, of: &Whose<'_>) -> Result<Vec<LastUse>, StoreError> {
        const SQL: &str = many!("SELECT key_id, at, address FROM last_uses WHERE key_id IN ", 1, 1, SUBJECTS, "");
        let mut all = Vec::new();
        for subjects in of.subjects().chunks(SUBJECTS) {
            let rows: Vec<(String, i64, Option<String>)> = on!(&self.reader, |db| {
                padded(subjects).fold(sqlx::query_as(SQL), sqlx::query::QueryAs::bind).fetch_all(db).await
            })?;
            for (key, at, address) in rows {
                all.push(LastUse { key: typed(&key)?, at: Timestamp::from_millis(at), address });
            }
        }
        Ok(all)
    }
}

/// As many texts as a statement has places: nothing has an empty id.
fn padded(subjects: &[String]) -> impl Iterator<Item = String> {
    subjects.iter().cloned().chain(std::iter::repeat(String::new())).take(SUBJECTS)
}

/// Whose uses are read: proven, or of rows that were read with a proof.
#[derive(Debug, Clone)]
pub(crate) enum Whose<'a> {
    User(&'a Account),
    Business(&'a Tenant),
    Keys(&'a [ApiKeyId]),
}

impl Whose<'_> {
    fn subjects(&self) -> Vec<String> {
        match self {
            Self::User(account) => vec![account.user().to_string()],
            Self::Business(tenant) => vec![tenant.business().to_string()],
            Self::Keys(keys) => keys.iter().map(ToString::to_string).collect(),
        }
    }
}
