//! The whole state that decisions read, as the changes that would build it.

use futures_util::TryStreamExt;
use portcullis_core::change::{
    ApiKeyState, BusinessState, Change, LimitsState, MemberState, OperatorKeyState, RoleState, UserState,
};
use portcullis_core::keyring::TOMBSTONE_DAYS;
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::BusinessScope;
use portcullis_core::time::Timestamp;
use portcullis_core::token::{Digest, Environment};
use sqlx::Row as _;

use super::changes::HEAD;
use super::{Engine, Store, StoreError, Transaction, digest, from_json, instant, limits, on, packed, typed};

/// A key as a row has it, in the order of `keys!`. It is read in place: there are millions.
pub(super) type KeyRow<'r> = (
    (&'r str, &'r str, &'r str, &'r str, &'r str, &'r [u8]),
    (bool, Option<&'r str>, Option<&'r str>, bool, &'r str, Option<&'r str>),
    (Option<i64>, Option<i64>, bool),
);

/// Its businesses are looked for only where it is restricted to some.
macro_rules! keys {
    ($which:literal) => {
        concat!(
            "SELECT id, family_id, user_id, name, environment, digest, unrestricted, CASE WHEN unrestricted THEN NULL ELSE (
            SELECT string_agg(business_id, ',') FROM api_key_businesses WHERE key_id = api_keys.id) END,
            permissions, user_management, allowed_ips, metadata, expires_at, revoked_at, imported FROM api_keys WHERE ",
            $which
        )
    };
}

/// The columns of a row of `keys!`, of either engine.
macro_rules! key_row {
    ($row:expr) => {{
        let row = $row;
        (
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, row.try_get(5)?),
            (row.try_get(6)?, row.try_get(7)?, row.try_get(8)?, row.try_get(9)?, row.try_get(10)?, row.try_get(11)?),
            (row.try_get(12)?, row.try_get(13)?, row.try_get(14)?),
        )
    }};
}

macro_rules! limits {
    ($which:literal) => {
        concat!("SELECT subject, per_minute, per_second, named, quota_per_day, quota_per_month FROM limits ", $which)
    };
}

/// Takes each change in turn.
pub(crate) type Take<'a> = &'a mut (dyn FnMut(Change) -> Result<(), StoreError> + Send);

pub(super) fn user(id: &str, disabled: bool) -> Result<Change, StoreError> {
    Ok(Change::UserSet(UserState { id: typed(id)?, disabled }))
}

pub(super) fn business(id: &str, disabled: bool) -> Result<Change, StoreError> {
    Ok(Change::BusinessSet(BusinessState { id: typed(id)?, disabled }))
}

fn role((id, permissions): (String, String)) -> Result<Change, StoreError> {
    let (id, permissions) = (typed(&id)?, from_json(&permissions)?);
    Ok(Change::RoleSet(RoleState { id, built_in: BuiltIn::from_id(id), permissions }))
}

pub(super) fn member(user: &str, business: &str, role: &str) -> Result<Change, StoreError> {
    let state = MemberState { user: typed(user)?, business: typed(business)?, role: typed(role)? };
    Ok(Change::MemberSet(state))
}

fn operator((id, bytes, grants, revoked): (String, Vec<u8>, String, bool)) -> Result<Change, StoreError> {
    let state = OperatorKeyState { id: typed(&id)?, digest: digest(&bytes)?, grants: from_json(&grants)?, revoked };
    Ok(Change::OperatorKeySet(state))
}

fn limit(row: &limits::Row) -> Result<Change, StoreError> {
    Ok(Change::LimitsSet(LimitsState { subject: typed(&row.subject)?, limits: row.limits()? }))
}

pub(super) fn key(row: KeyRow<'_>) -> Result<Change, StoreError> {
    let ((id, family, user, name, environment, bytes), held, (expires_at, revoked_at, imported)) = row;
    let (unrestricted, businesses, permissions, user_management, allowed_ips, metadata) = held;
    let listed = || businesses.into_iter().flat_map(|listed| listed.split(',')).map(typed).collect::<Result<_, _>>();
    Ok(Change::ApiKeySet(Box::new(ApiKeyState {
        id: typed(id)?,
        family: typed(family)?,
        digest: digest(bytes)?,
        user: typed(user)?,
        name: name.to_owned(),
        environment: Environment::from_name(environment)
            .ok_or_else(|| StoreError::Unreadable("an environment".to_owned()))?,
        scope: if unrestricted { BusinessScope::Unrestricted } else { BusinessScope::Only(listed()?) },
        permissions: permissions.map(from_json).transpose()?,
        user_management,
        allowed_ips: if allowed_ips == "[]" { Vec::new() } else { from_json(allowed_ips)? },
        metadata: metadata.map(str::to_owned),
        expires_at: instant(expires_at),
        revoked_at: instant(revoked_at),
        imported,
    })))
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
        const USERS: &str = "SELECT id, disabled_at IS NOT NULL FROM users";
        const BUSINESSES: &str = "SELECT id, disabled_at IS NOT NULL FROM businesses";
        const ROLES: &str = "SELECT id, permissions FROM roles ORDER BY id";
        const MEMBERS: &str = "SELECT user_id, business_id, role_id FROM memberships";
        const KEYS: &str = keys!("(revoked_at IS NULL OR revoked_at > $1) AND (expires_at IS NULL OR expires_at > $1)");
        const LIMITS: &str = limits!("ORDER BY subject");
        const OPERATORS: &str = "SELECT id, digest, grants, revoked_at IS NOT NULL FROM operator_keys ORDER BY id";

        let oldest = now.plus_days(-TOMBSTONE_DAYS).as_millis();
        let mut view = self.long_view().await?;
        let seq: i64 = on!(&mut view, |view| sqlx::query_scalar(HEAD).fetch_one(&mut **view).await)?;
        match &mut view {
            Engine::Sqlite(view) => packed::users_and_businesses(view, take).await?,
            Engine::Postgres(view) => {
                let mut users = sqlx::query(USERS).fetch(&mut **view);
                while let Some(row) = users.try_next().await? {
                    take(user(row.try_get(0)?, row.try_get(1)?)?)?;
                }
                drop(users);
                let mut businesses = sqlx::query(BUSINESSES).fetch(&mut **view);
                while let Some(row) = businesses.try_next().await? {
                    take(business(row.try_get(0)?, row.try_get(1)?)?)?;
                }
            }
        }
        on!(&mut view, |view| {
            sqlx::query_as(ROLES).fetch_all(&mut **view).await?.into_iter().try_for_each(|row| take(role(row)?))?;
        });
        match &mut view {
            Engine::Sqlite(view) => packed::members_and_keys(view, oldest, take).await?,
            Engine::Postgres(view) => {
                let mut members = sqlx::query(MEMBERS).fetch(&mut **view);
                while let Some(row) = members.try_next().await? {
                    take(member(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)?)?;
                }
                drop(members);
                let mut keys = sqlx::query(KEYS).bind(oldest).fetch(&mut **view);
                while let Some(row) = keys.try_next().await? {
                    take(key(key_row!(&row))?)?;
                }
            }
        }
        on!(&mut view, |view| {
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
            let Some(row) = sqlx::query(KEY).bind(bytes).fetch_optional(&mut **view).await? else {
                let found = sqlx::query_as(OPERATOR).bind(bytes).fetch_optional(&mut **view).await?;
                return found.map_or(Ok(()), |row| take(operator(row)?));
            };
            let found: KeyRow<'_> = key_row!(&row);
            let (id, family, owner, ..) = found.0;
            for row in sqlx::query(USER).bind(owner).fetch_all(&mut **view).await? {
                take(user(row.try_get(0)?, row.try_get(1)?)?)?;
            }
            for row in sqlx::query(BUSINESSES).bind(owner).bind(id).fetch_all(&mut **view).await? {
                take(business(row.try_get(0)?, row.try_get(1)?)?)?;
            }
            let rows = sqlx::query_as(ROLES).bind(owner).fetch_all(&mut **view).await?;
            rows.into_iter().try_for_each(|row| take(role(row)?))?;
            for row in sqlx::query(MEMBERS).bind(owner).fetch_all(&mut **view).await? {
                take(member(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)?)?;
            }
            let rows: Vec<limits::Row> = sqlx::query_as(LIMITS).bind(owner).bind(family).fetch_all(&mut **view).await?;
            rows.iter().try_for_each(|row| take(limit(row)?))?;
            take(key(found)?)
        })
    }
}
