//! The whole state that decisions read, as the changes that would build it.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use portcullis_core::change::{
    ApiKeyState, BusinessState, Change, LimitsState, MemberState, OperatorKeyState, RoleState, UserState,
};
use portcullis_core::keyring::TOMBSTONE_DAYS;
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::BusinessScope;
use portcullis_core::time::Timestamp;
use portcullis_core::token::Environment;

use super::{Store, StoreError, digest, from_json, instant, limits, on, typed};

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: String,
    family_id: String,
    user_id: String,
    name: String,
    environment: String,
    digest: Vec<u8>,
    unrestricted: bool,
    permissions: Option<String>,
    user_management: bool,
    allowed_ips: String,
    metadata: Option<String>,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    imported: bool,
}

const KEYS: &str =
    "SELECT id, family_id, user_id, name, environment, digest, unrestricted, permissions, user_management, allowed_ips,
    metadata, expires_at, revoked_at, imported FROM api_keys
    WHERE (revoked_at IS NULL OR revoked_at > $1) AND (expires_at IS NULL OR expires_at > $1)";

impl KeyRow {
    fn into_change(self, businesses: &mut HashMap<String, Vec<String>>) -> Result<Change, StoreError> {
        let listed = businesses.remove(&self.id).unwrap_or_default();
        let listed = listed.iter().map(|id| typed(id)).collect::<Result<Vec<_>, _>>()?;
        Ok(Change::ApiKeySet(Box::new(ApiKeyState {
            scope: if self.unrestricted { BusinessScope::Unrestricted } else { BusinessScope::Only(listed) },
            id: typed(&self.id)?,
            family: typed(&self.family_id)?,
            digest: digest(&self.digest)?,
            user: typed(&self.user_id)?,
            name: self.name,
            environment: Environment::from_name(&self.environment)
                .ok_or_else(|| StoreError::Unreadable("an environment".to_owned()))?,
            permissions: self.permissions.as_deref().map(from_json).transpose()?,
            user_management: self.user_management,
            allowed_ips: from_json(&self.allowed_ips)?,
            metadata: self.metadata,
            expires_at: instant(self.expires_at),
            revoked_at: instant(self.revoked_at),
            imported: self.imported,
        })))
    }
}

impl Store {
    /// Gives every row that a decision could read to `take`, from one state of the database, and returns that state's number.
    pub(crate) async fn snapshot(
        &self,
        now: Timestamp,
        take: &mut (dyn FnMut(Change) -> Result<(), StoreError> + Send),
    ) -> Result<i64, StoreError> {
        const HEAD: &str = "SELECT seq FROM change_head WHERE only_row = 1";
        const USERS: &str = "SELECT id, disabled_at IS NOT NULL FROM users ORDER BY id";
        const BUSINESSES: &str = "SELECT id, disabled_at IS NOT NULL FROM businesses ORDER BY id";
        const ROLES: &str = "SELECT id, permissions FROM roles ORDER BY id";
        const MEMBERS: &str = "SELECT user_id, business_id, role_id FROM memberships ORDER BY user_id, business_id";
        const SCOPES: &str = "SELECT key_id, business_id FROM api_key_businesses ORDER BY key_id, business_id";
        const LIMITS: &str = "SELECT subject, per_minute, per_second, named, quota_per_day, quota_per_month FROM limits ORDER BY subject";
        const OPERATORS: &str = "SELECT id, digest, grants, revoked_at IS NOT NULL FROM operator_keys ORDER BY id";

        let oldest = now.plus_days(-TOMBSTONE_DAYS).as_millis();
        // The first read fixes what all the others see.
        on!(&self.reader, |db| {
            let mut view = db.begin().await?;
            let seq: i64 = sqlx::query_scalar(HEAD).fetch_one(&mut *view).await?;
            for (id, disabled) in sqlx::query_as::<_, (String, bool)>(USERS).fetch_all(&mut *view).await? {
                take(Change::UserSet(UserState { id: typed(&id)?, disabled }))?;
            }
            for (id, disabled) in sqlx::query_as::<_, (String, bool)>(BUSINESSES).fetch_all(&mut *view).await? {
                take(Change::BusinessSet(BusinessState { id: typed(&id)?, disabled }))?;
            }
            for (id, permissions) in sqlx::query_as::<_, (String, String)>(ROLES).fetch_all(&mut *view).await? {
                let id = typed(&id)?;
                let permissions = from_json(&permissions)?;
                take(Change::RoleSet(RoleState { id, built_in: BuiltIn::from_id(id), permissions }))?;
            }
            let mut members = sqlx::query_as::<_, (String, String, String)>(MEMBERS).fetch(&mut *view);
            while let Some((user, business, role)) = members.try_next().await? {
                let state = MemberState { user: typed(&user)?, business: typed(&business)?, role: typed(&role)? };
                take(Change::MemberSet(state))?;
            }
            drop(members);
            let mut scopes: HashMap<String, Vec<String>> = HashMap::new();
            let mut rows = sqlx::query_as::<_, (String, String)>(SCOPES).fetch(&mut *view);
            while let Some((key, business)) = rows.try_next().await? {
                scopes.entry(key).or_default().push(business);
            }
            drop(rows);
            let mut keys = sqlx::query_as::<_, KeyRow>(KEYS).bind(oldest).fetch(&mut *view);
            while let Some(row) = keys.try_next().await? {
                take(row.into_change(&mut scopes)?)?;
            }
            drop(keys);
            for row in sqlx::query_as::<_, (String, Vec<u8>, String, bool)>(OPERATORS).fetch_all(&mut *view).await? {
                let (id, bytes, grants, revoked) = row;
                let state =
                    OperatorKeyState { id: typed(&id)?, digest: digest(&bytes)?, grants: from_json(&grants)?, revoked };
                take(Change::OperatorKeySet(state))?;
            }
            let mut limits = sqlx::query_as::<_, limits::Row>(LIMITS).fetch(&mut *view);
            while let Some(row) = limits.try_next().await? {
                take(Change::LimitsSet(LimitsState { subject: typed(&row.subject)?, limits: row.limits()? }))?;
            }
            drop(limits);
            Ok(seq)
        })
    }
}
