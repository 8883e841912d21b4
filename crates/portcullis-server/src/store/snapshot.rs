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
use portcullis_core::token::{Digest, Environment};

use super::changes::HEAD;
use super::{Engine, Store, StoreError, Transaction, digest, from_json, instant, limits, on, typed};

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

macro_rules! keys {
    ($which:literal) => {
        concat!(
            "SELECT id, family_id, user_id, name, environment, digest, unrestricted, permissions, user_management,
            allowed_ips, metadata, expires_at, revoked_at, imported FROM api_keys WHERE ",
            $which
        )
    };
}

macro_rules! limits {
    ($which:literal) => {
        concat!("SELECT subject, per_minute, per_second, named, quota_per_day, quota_per_month FROM limits ", $which)
    };
}

/// Takes each change in turn.
pub(crate) type Take<'a> = &'a mut (dyn FnMut(Change) -> Result<(), StoreError> + Send);

fn user((id, disabled): (String, bool)) -> Result<Change, StoreError> {
    Ok(Change::UserSet(UserState { id: typed(&id)?, disabled }))
}

fn business((id, disabled): (String, bool)) -> Result<Change, StoreError> {
    Ok(Change::BusinessSet(BusinessState { id: typed(&id)?, disabled }))
}

fn role((id, permissions): (String, String)) -> Result<Change, StoreError> {
    let (id, permissions) = (typed(&id)?, from_json(&permissions)?);
    Ok(Change::RoleSet(RoleState { id, built_in: BuiltIn::from_id(id), permissions }))
}

fn member((user, business, role): (String, String, String)) -> Result<Change, StoreError> {
    let state = MemberState { user: typed(&user)?, business: typed(&business)?, role: typed(&role)? };
    Ok(Change::MemberSet(state))
}

fn operator((id, bytes, grants, revoked): (String, Vec<u8>, String, bool)) -> Result<Change, StoreError> {
    let state = OperatorKeyState { id: typed(&id)?, digest: digest(&bytes)?, grants: from_json(&grants)?, revoked };
    Ok(Change::OperatorKeySet(state))
}

fn limit(row: &limits::Row) -> Result<Change, StoreError> {
    Ok(Change::LimitsSet(LimitsState { subject: typed(&row.subject)?, limits: row.limits()? }))
}

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
    /// One state of the database, for several reads: whatever is committed meanwhile is not seen.
    async fn view(&self) -> Result<Transaction, StoreError> {
        const BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(match &self.reader {
            // The first read fixes what all the others see.
            Engine::Sqlite(pool) => Engine::Sqlite(pool.begin().await?),
            Engine::Postgres(pool) => Engine::Postgres(pool.begin_with(BEGIN).await?),
        })
    }

    /// Like [`Store::view`], for millions of rows, which take as long as they take.
    pub(super) async fn long_view(&self) -> Result<Transaction, StoreError> {
        const PATIENT: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
        let mut view = self.view().await?;
        if let Engine::Postgres(view) = &mut view {
            sqlx::raw_sql(PATIENT).execute(&mut **view).await?;
        }
        Ok(view)
    }

    /// Gives every row that a decision could read to `take`, from one state of the database, and returns that state's number.
    pub(crate) async fn snapshot(&self, now: Timestamp, take: Take<'_>) -> Result<i64, StoreError> {
        const USERS: &str = "SELECT id, disabled_at IS NOT NULL FROM users ORDER BY id";
        const BUSINESSES: &str = "SELECT id, disabled_at IS NOT NULL FROM businesses ORDER BY id";
        const ROLES: &str = "SELECT id, permissions FROM roles ORDER BY id";
        const MEMBERS: &str = "SELECT user_id, business_id, role_id FROM memberships ORDER BY user_id, business_id";
        const SCOPES: &str = "SELECT key_id, business_id FROM api_key_businesses ORDER BY key_id, business_id";
        const KEYS: &str = keys!("(revoked_at IS NULL OR revoked_at > $1) AND (expires_at IS NULL OR expires_at > $1)");
        const LIMITS: &str = limits!("ORDER BY subject");
        const OPERATORS: &str = "SELECT id, digest, grants, revoked_at IS NOT NULL FROM operator_keys ORDER BY id";

        let oldest = now.plus_days(-TOMBSTONE_DAYS).as_millis();
        let mut view = self.long_view().await?;
        on!(&mut view, |view| {
            let seq: i64 = sqlx::query_scalar(HEAD).fetch_one(&mut **view).await?;
            sqlx::query_as(USERS).fetch_all(&mut **view).await?.into_iter().try_for_each(|row| take(user(row)?))?;
            sqlx::query_as(BUSINESSES)
                .fetch_all(&mut **view)
                .await?
                .into_iter()
                .try_for_each(|row| take(business(row)?))?;
            sqlx::query_as(ROLES).fetch_all(&mut **view).await?.into_iter().try_for_each(|row| take(role(row)?))?;
            let mut members = sqlx::query_as(MEMBERS).fetch(&mut **view);
            while let Some(row) = members.try_next().await? {
                take(member(row)?)?;
            }
            drop(members);
            let mut scopes: HashMap<String, Vec<String>> = HashMap::new();
            let mut rows = sqlx::query_as::<_, (String, String)>(SCOPES).fetch(&mut **view);
            while let Some((key, business)) = rows.try_next().await? {
                scopes.entry(key).or_default().push(business);
            }
            drop(rows);
            let mut keys = sqlx::query_as::<_, KeyRow>(KEYS).bind(oldest).fetch(&mut **view);
            while let Some(row) = keys.try_next().await? {
                take(row.into_change(&mut scopes)?)?;
            }
            drop(keys);
            sqlx::query_as(OPERATORS)
                .fetch_all(&mut **view)
                .await?
                .into_iter()
                .try_for_each(|row| take(operator(row)?))?;
            let mut limits = sqlx::query_as::<_, limits::Row>(LIMITS).fetch(&mut **view);
            while let Some(row) = limits.try_next().await? {
                take(limit(&row)?)?;
            }
            drop(limits);
            Ok(seq)
        })
    }

    /// Gives to `take` what a decision about the credential with this digest reads, and no more: the key and its owner, where the
    /// owner is a member, and what limits them; or the operator key.
    pub(crate) async fn snapshot_of(&self, digest: &Digest, take: Take<'_>) -> Result<(), StoreError> {
        const KEY: &str = keys!("digest = $1");
        const OPERATOR: &str = "SELECT id, digest, grants, revoked_at IS NOT NULL FROM operator_keys WHERE digest = $1";
        const USER: &str = "SELECT id, disabled_at IS NOT NULL FROM users WHERE id = $1";
        const SCOPE: &str = "SELECT key_id, business_id FROM api_key_businesses WHERE key_id = $1 ORDER BY business_id";
        const BUSINESSES: &str = "SELECT id, disabled_at IS NOT NULL FROM businesses WHERE id IN (
            SELECT business_id FROM memberships WHERE user_id = $1
            UNION SELECT business_id FROM api_key_businesses WHERE key_id = $2)";
        const ROLES: &str = "SELECT id, permissions FROM roles WHERE id IN (
            SELECT role_id FROM memberships WHERE user_id = $1)";
        const MEMBERS: &str = "SELECT user_id, business_id, role_id FROM memberships WHERE user_id = $1";
        const LIMITS: &str = limits!(
            "WHERE subject = $1 OR subject = $2 OR subject IN (
            SELECT business_id FROM memberships WHERE user_id = $1)"
        );

        let bytes = digest.as_bytes().as_slice();
        let mut view = self.view().await?;
        on!(&mut view, |view| {
            let Some(key) = sqlx::query_as::<_, KeyRow>(KEY).bind(bytes).fetch_optional(&mut **view).await? else {
                let found = sqlx::query_as(OPERATOR).bind(bytes).fetch_optional(&mut **view).await?;
                return found.map_or(Ok(()), |row| take(operator(row)?));
            };
            let rows = sqlx::query_as(USER).bind(&key.user_id).fetch_all(&mut **view).await?;
            rows.into_iter().try_for_each(|row| take(user(row)?))?;
            let rows = sqlx::query_as(BUSINESSES).bind(&key.user_id).bind(&key.id).fetch_all(&mut **view).await?;
            rows.into_iter().try_for_each(|row| take(business(row)?))?;
            let rows = sqlx::query_as(ROLES).bind(&key.user_id).fetch_all(&mut **view).await?;
            rows.into_iter().try_for_each(|row| take(role(row)?))?;
            let rows = sqlx::query_as(MEMBERS).bind(&key.user_id).fetch_all(&mut **view).await?;
            rows.into_iter().try_for_each(|row| take(member(row)?))?;
            let rows: Vec<limits::Row> =
                sqlx::query_as(LIMITS).bind(&key.user_id).bind(&key.family_id).fetch_all(&mut **view).await?;
            rows.iter().try_for_each(|row| take(limit(row)?))?;
            let mut scopes: HashMap<String, Vec<String>> = HashMap::new();
            for (key, business) in
                sqlx::query_as::<_, (String, String)>(SCOPE).bind(&key.id).fetch_all(&mut **view).await?
            {
                scopes.entry(key).or_default().push(business);
            }
            take(key.into_change(&mut scopes)?)
        })
    }
}
