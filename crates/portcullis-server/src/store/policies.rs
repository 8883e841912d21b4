//! Policies: what keys must keep to, on the whole platform or where they reach a business.

use portcullis_core::id::{ApiKeyId, BusinessId, UserId};
use portcullis_core::scope::{Platform, Tenant};
use portcullis_core::time::Timestamp;

use super::{Edit, Store, StoreError, on, typed};

/// What is `None` or `false` is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Policy {
    pub longest_life_days: Option<i64>,
    pub expiry_required: bool,
    pub revoke_unused_days: Option<i64>,
}

/// The subject of the policy for all keys.
const PLATFORM: &str = "platform";
const ONE: &str = "SELECT longest_life_days, expiry_required, revoke_unused_days FROM policies WHERE subject = $1";

type Row = (Option<i64>, bool, Option<i64>);

fn policy(row: Option<Row>) -> Policy {
    row.map_or_else(Policy::default, |(longest_life_days, expiry_required, revoke_unused_days)| Policy {
        longest_life_days,
        expiry_required,
        revoke_unused_days,
    })
}

impl Store {
    pub(crate) async fn policy(&self, _proof: &Platform) -> Result<Policy, StoreError> {
        Ok(policy(on!(&self.reader, |db| sqlx::query_as(ONE).bind(PLATFORM).fetch_optional(db).await)?))
    }

    pub(crate) async fn policy_of(&self, tenant: &Tenant) -> Result<Policy, StoreError> {
        let business = tenant.business().to_string();
        Ok(policy(on!(&self.reader, |db| sqlx::query_as(ONE).bind(business).fetch_optional(db).await)?))
    }

    /// The policies by which unused keys are revoked: of the platform (`None`), and of businesses.
    pub(crate) async fn unused_policies(&self) -> Result<Vec<(Option<BusinessId>, i64)>, StoreError> {
        const SQL: &str = "SELECT subject, revoke_unused_days FROM policies WHERE revoke_unused_days IS NOT NULL";
        let rows: Vec<(String, i64)> = on!(&self.reader, |db| sqlx::query_as(SQL).fetch_all(db).await)?;
        let subject = |(subject, days): (String, i64)| match subject.as_str() {
            PLATFORM => Ok((None, days)),
            business => Ok((Some(typed(business)?), days)),
        };
        rows.into_iter().map(subject).collect()
    }

    /// Live keys that nobody has used since `before`, restricted to the business where one is named. Uses were not recorded
    /// before `recorded_since`.
    pub(crate) async fn unused_keys(
        &self,
        business: Option<BusinessId>,
        (before, recorded_since, now): (Timestamp, Timestamp, Timestamp),
        most: i64,
    ) -> Result<Vec<(UserId, ApiKeyId)>, StoreError> {
        const SQL: &str = "SELECT user_id, id FROM api_keys k WHERE revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > $1) AND created_at < $2
            AND COALESCE((SELECT at FROM last_uses WHERE key_id = k.id), $3) < $2
            AND ($4 = '' OR EXISTS (SELECT 1 FROM api_key_businesses b WHERE b.key_id = k.id AND b.business_id = $4))
            LIMIT $5";
        let rows: Vec<(String, String)> = on!(&self.reader, |db| sqlx::query_as(SQL)
            .bind(now.as_millis())
            .bind(before.as_millis())
            .bind(recorded_since.as_millis())
            .bind(business.map(|id| id.to_string()).unwrap_or_default())
            .bind(most)
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(|(user, key)| Ok((typed(&user)?, typed(&key)?))).collect()
    }
}

impl Edit {
    /// The platform's policy, for whoever makes a key that must keep to it.
    pub(crate) async fn policy(&mut self) -> Result<Policy, StoreError> {
        Ok(policy(on!(&mut self.engine, |db| sqlx::query_as(ONE).bind(PLATFORM).fetch_optional(&mut **db).await)?))
    }

    /// The policy of a business, for whoever makes a key that reaches it.
    pub(crate) async fn policy_of(&mut self, business: BusinessId) -> Result<Policy, StoreError> {
        let subject = business.to_string();
        Ok(policy(on!(&mut self.engine, |db| sqlx::query_as(ONE).bind(subject).fetch_optional(&mut **db).await)?))
    }

    pub(crate) async fn put_policy(&mut self, _proof: &Platform, policy: &Policy) -> Result<(), StoreError> {
        self.put(PLATFORM, policy).await
    }

    pub(crate) async fn put_policy_of(&mut self, tenant: &Tenant, policy: &Policy) -> Result<(), StoreError> {
        self.put(&tenant.business().to_string(), policy).await
    }

    async fn put(&mut self, subject: &str, policy: &Policy) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO policies (subject, longest_life_days, expiry_required, revoke_unused_days)
            VALUES ($1, $2, $3, $4) ON CONFLICT (subject) DO UPDATE SET longest_life_days = excluded.longest_life_days,
            expiry_required = excluded.expiry_required, revoke_unused_days = excluded.revoke_unused_days";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(subject)
            .bind(policy.longest_life_days)
            .bind(policy.expiry_required)
            .bind(policy.revoke_unused_days)
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }
}
