//! Limits that are set, and what is spent of quotas.

use portcullis_core::id::FamilyId;
use portcullis_core::limits::{Limits, NamedLimit, Period, Quotas, Rate, Subject};
use portcullis_core::scope::{Account, Tenant};

use super::{Edit, Store, StoreError, from_json, on, to_json};

const ONE: &str =
    "SELECT subject, per_minute, per_second, named, quota_per_day, quota_per_month FROM limits WHERE subject = $1";

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) subject: String,
    per_minute: Option<i64>,
    per_second: Option<i64>,
    named: String,
    quota_per_day: Option<i64>,
    quota_per_month: Option<i64>,
}

impl Row {
    pub(super) fn limits(&self) -> Result<Limits, StoreError> {
        let number = |number: Option<i64>| {
            let wrong = |_| StoreError::Unreadable("a limit".to_owned());
            number.map(u32::try_from).transpose().map_err(wrong)
        };
        let rate = match (number(self.per_minute)?, number(self.per_second)?) {
            (Some(per_minute), Some(per_second)) => Some(Rate { per_minute, per_second }),
            _ => None,
        };
        let named: Vec<NamedLimit> = from_json(&self.named)?;
        let quotas = Quotas { per_day: number(self.quota_per_day)?, per_month: number(self.quota_per_month)? };
        Ok(Limits { rate, named, quotas })
    }
}

/// Whose limits they are. Only one who has shown that they may touch it has one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whose(Subject);

impl Whose {
    /// A key's family, as the key's own row has it.
    pub(crate) const fn family(_proof: &Account, family: FamilyId) -> Self {
        Self(Subject::Family(family))
    }

    pub(crate) const fn user(account: &Account) -> Self {
        Self(Subject::User(account.user()))
    }

    pub(crate) const fn business(tenant: &Tenant) -> Self {
        Self(Subject::Business(tenant.business()))
    }

    pub(crate) const fn subject(self) -> Subject {
        self.0
    }
}

/// A part of a quota, as it stands in the database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub number: u32,
    /// What was given now.
    pub part: u32,
    /// By all, with what was given now.
    pub by_all: u32,
}

impl Store {
    pub(crate) async fn limits(&self, of: Whose) -> Result<Limits, StoreError> {
        let id = of.subject().to_string();
        let row: Option<Row> = on!(&self.reader, |db| sqlx::query_as(ONE).bind(id).fetch_optional(db).await)?;
        row.map_or_else(|| Ok(Limits::default()), |row| row.limits())
    }
}

impl Edit {
    pub(crate) async fn limits(&mut self, of: Whose) -> Result<Limits, StoreError> {
        let id = of.subject().to_string();
        let row: Option<Row> =
            on!(&mut self.engine, |db| sqlx::query_as(ONE).bind(id).fetch_optional(&mut **db).await)?;
        row.map_or_else(|| Ok(Limits::default()), |row| row.limits())
    }

    pub(crate) async fn put_limits(&mut self, of: Whose, limits: &Limits) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO limits (subject, per_minute, per_second, named, quota_per_day, quota_per_month)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subject) DO UPDATE SET per_minute = excluded.per_minute,
            per_second = excluded.per_second, named = excluded.named, quota_per_day = excluded.quota_per_day,
            quota_per_month = excluded.quota_per_month";
        let named = to_json(&limits.named)?;
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(of.subject().to_string())
            .bind(limits.rate.map(|rate| i64::from(rate.per_minute)))
            .bind(limits.rate.map(|rate| i64::from(rate.per_second)))
            .bind(named)
            .bind(limits.quotas.per_day.map(i64::from))
            .bind(limits.quotas.per_month.map(i64::from))
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Takes up to `part` of what is left of a quota. A period that is over when another has begun stays over, whatever a clock says.
    pub(crate) async fn spend_quota(
        &mut self,
        (subject, period, number): (Subject, Period, u32),
        limit: u32,
        part: u32,
    ) -> Result<Spent, StoreError> {
        // To read by writing is to keep others from the row until this is done.
        const READ: &str = "INSERT INTO quotas_spent (subject, period, number, spent) VALUES ($1, $2, $3, 0)
            ON CONFLICT (subject, period) DO UPDATE SET spent = quotas_spent.spent RETURNING number, spent";
        const WRITE: &str = "UPDATE quotas_spent SET number = $3, spent = $4 WHERE subject = $1 AND period = $2";
        let id = subject.to_string();
        let (known, spent): (i64, i64) = on!(&mut self.engine, |db| sqlx::query_as(READ)
            .bind(&id)
            .bind(period.name())
            .bind(i64::from(number))
            .fetch_one(&mut **db)
            .await)?;
        let narrow = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        let (number, before) = if narrow(known) >= number { (narrow(known), narrow(spent)) } else { (number, 0) };
        let part = part.min(limit.saturating_sub(before));
        let by_all = before.saturating_add(part);
        on!(&mut self.engine, |db| sqlx::query(WRITE)
            .bind(&id)
            .bind(period.name())
            .bind(i64::from(number))
            .bind(i64::from(by_all))
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(Spent { number, part, by_all })
    }

    /// Gives back what was taken of a quota and not used, while its period lasts.
    pub(crate) async fn return_quota(
        &mut self,
        (subject, period, number): (Subject, Period, u32),
        part: u32,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE quotas_spent SET spent = spent - $4
            WHERE subject = $1 AND period = $2 AND number = $3 AND spent >= $4";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(subject.to_string())
            .bind(period.name())
            .bind(i64::from(number))
            .bind(i64::from(part))
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }
}
