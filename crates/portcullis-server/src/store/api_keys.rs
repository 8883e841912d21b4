//! API keys. Every query names the owner, through the proof that the caller may touch their account.

use ipnet::IpNet;
use portcullis_core::id::{ApiKeyId, BusinessId, FamilyId, UserId};
use portcullis_core::scope::{Account, BusinessScope};
use portcullis_core::time::Timestamp;
use portcullis_core::token::{Digest, Environment};

use super::{Edit, Store, StoreError, digest, from_json, instant, millis, on, to_json, typed};

/// A key's record, without anything a token could be found by.
#[derive(Debug, Clone)]
pub(crate) struct ApiKey {
    pub id: ApiKeyId,
    pub family: FamilyId,
    pub user: UserId,
    pub name: String,
    pub environment: Environment,
    pub prefix: String,
    pub hint: String,
    pub scope: BusinessScope,
    /// `None` inherits.
    pub permissions: Option<Vec<String>>,
    pub user_management: bool,
    pub allowed_ips: Vec<IpNet>,
    /// A JSON object.
    pub metadata: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub revoked_reason: Option<String>,
    pub rotated_to: Option<ApiKeyId>,
    pub rotated_from: Option<ApiKeyId>,
    /// Issued elsewhere: its token need not have our form.
    pub imported: bool,
}

/// Which of a user's keys a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    Expired,
    Revoked,
}

impl Status {
    pub(crate) const ALL: [Self; 3] = [Self::Active, Self::Expired, Self::Revoked];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl ApiKey {
    pub(crate) fn status(&self, now: Timestamp) -> Status {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => Status::Revoked,
            (None, Some(end)) if end <= now => Status::Expired,
            _ => Status::Active,
        }
    }
}

const ONE: &str = "SELECT * FROM api_keys WHERE user_id = $1 AND id = $2";
const BUSINESSES: &str = "SELECT business_id FROM api_key_businesses WHERE key_id = $1 ORDER BY business_id";

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: String,
    family_id: String,
    user_id: String,
    name: String,
    environment: String,
    prefix: String,
    hint: String,
    unrestricted: bool,
    permissions: Option<String>,
    user_management: bool,
    allowed_ips: String,
    metadata: Option<String>,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    revoked_reason: Option<String>,
    rotated_to: Option<String>,
    rotated_from: Option<String>,
    imported: bool,
}

impl Row {
    fn with(self, businesses: &[String]) -> Result<ApiKey, StoreError> {
        let listed = || businesses.iter().map(|id| typed(id)).collect::<Result<Vec<BusinessId>, _>>();
        Ok(ApiKey {
            id: typed(&self.id)?,
            family: typed(&self.family_id)?,
            user: typed(&self.user_id)?,
            name: self.name,
            environment: Environment::from_name(&self.environment)
                .ok_or_else(|| StoreError::Unreadable("an environment".to_owned()))?,
            prefix: self.prefix,
            hint: self.hint,
            scope: if self.unrestricted { BusinessScope::Unrestricted } else { BusinessScope::Only(listed()?) },
            permissions: self.permissions.as_deref().map(from_json).transpose()?,
            user_management: self.user_management,
            allowed_ips: from_json(&self.allowed_ips)?,
            metadata: self.metadata,
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: instant(self.expires_at),
            revoked_at: instant(self.revoked_at),
            revoked_reason: self.revoked_reason,
            rotated_to: self.rotated_to.as_deref().map(typed).transpose()?,
            rotated_from: self.rotated_from.as_deref().map(typed).transpose()?,
            imported: self.imported,
        })
    }
}

impl Store {
    pub(crate) async fn api_key(&self, account: &Account, id: ApiKeyId) -> Result<ApiKey, StoreError> {
        let row: Row = on!(&self.reader, |db| sqlx::query_as(ONE)
            .bind(account.user().to_string())
            .bind(id.to_string())
            .fetch_one(db)
            .await)?;
        let businesses: Vec<String> =
            on!(&self.reader, |db| sqlx::query_scalar(BUSINESSES).bind(&row.id).fetch_all(db).await)?;
        row.with(&businesses)
    }

    /// The businesses of each of these rows, read for it.
    pub(super) async fn with_businesses(&self, rows: Vec<Row>) -> Result<Vec<ApiKey>, StoreError> {
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            let mut businesses: Vec<String> = Vec::new();
            if !row.unrestricted {
                businesses = on!(&self.reader, |db| sqlx::query_scalar(BUSINESSES).bind(&row.id).fetch_all(db).await)?;
            }
            keys.push(row.with(&businesses)?);
        }
        Ok(keys)
    }
}

impl Edit {
    pub(crate) async fn insert_api_key(
        &mut self,
        account: &Account,
        key: &ApiKey,
        digest: &Digest,
        pepper_version: i64,
    ) -> Result<(), StoreError> {
        const KEY: &str = "INSERT INTO api_keys (id, family_id, user_id, name, environment, prefix, hint, digest,
            pepper_version, unrestricted, permissions, user_management, allowed_ips, metadata, created_at, expires_at,
            rotated_from, name_folded, imported)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
        let id = key.id.to_string();
        let permissions = key.permissions.as_ref().map(to_json).transpose()?;
        let allowed_ips = to_json(&key.allowed_ips)?;
        on!(&mut self.engine, |db| sqlx::query(KEY)
            .bind(&id)
            .bind(key.family.to_string())
            .bind(account.user().to_string())
            .bind(&key.name)
            .bind(key.environment.name())
            .bind(&key.prefix)
            .bind(&key.hint)
            .bind(digest.as_bytes().as_slice())
            .bind(pepper_version)
            .bind(key.scope == BusinessScope::Unrestricted)
            .bind(permissions)
            .bind(key.user_management)
            .bind(allowed_ips)
            .bind(&key.metadata)
            .bind(key.created_at.as_millis())
            .bind(millis(key.expires_at))
            .bind(key.rotated_from.map(|id| id.to_string()))
            .bind(key.name.to_lowercase())
            .bind(key.imported)
            .execute(&mut **db)
            .await
            .map(drop))?;
        self.insert_businesses(&id, &key.scope).await
    }

    pub(crate) async fn api_key(&mut self, account: &Account, id: ApiKeyId) -> Result<ApiKey, StoreError> {
        let row: Row = on!(&mut self.engine, |db| sqlx::query_as(ONE)
            .bind(account.user().to_string())
            .bind(id.to_string())
            .fetch_one(&mut **db)
            .await)?;
        let businesses: Vec<String> =
            on!(&mut self.engine, |db| sqlx::query_scalar(BUSINESSES).bind(&row.id).fetch_all(&mut **db).await)?;
        row.with(&businesses)
    }

    /// The digest that an updated key keeps.
    pub(crate) async fn api_key_digest(&mut self, account: &Account, id: ApiKeyId) -> Result<Digest, StoreError> {
        const SQL: &str = "SELECT digest FROM api_keys WHERE user_id = $1 AND id = $2";
        let bytes: Vec<u8> = on!(&mut self.engine, |db| sqlx::query_scalar(SQL)
            .bind(account.user().to_string())
            .bind(id.to_string())
            .fetch_one(&mut **db)
            .await)?;
        digest(&bytes)
    }

    /// Writes what of a key may change.
    pub(crate) async fn update_api_key(&mut self, account: &Account, key: &ApiKey) -> Result<(), StoreError> {
        const KEY: &str = "UPDATE api_keys SET name = $3, unrestricted = $4, permissions = $5, allowed_ips = $6,
            metadata = $7, expires_at = $8, rotated_to = $9, name_folded = $10 WHERE user_id = $1 AND id = $2";
        const BUSINESSES_GO: &str = "DELETE FROM api_key_businesses WHERE key_id = $1";
        let id = key.id.to_string();
        let permissions = key.permissions.as_ref().map(to_json).transpose()?;
        let allowed_ips = to_json(&key.allowed_ips)?;
        on!(&mut self.engine, |db| sqlx::query(KEY)
            .bind(account.user().to_string())
            .bind(&id)
            .bind(&key.name)
            .bind(key.scope == BusinessScope::Unrestricted)
            .bind(permissions)
            .bind(allowed_ips)
            .bind(&key.metadata)
            .bind(millis(key.expires_at))
            .bind(key.rotated_to.map(|id| id.to_string()))
            .bind(key.name.to_lowercase())
            .execute(&mut **db)
            .await
            .map(drop))?;
        on!(&mut self.engine, |db| sqlx::query(BUSINESSES_GO).bind(&id).execute(&mut **db).await.map(drop))?;
        self.insert_businesses(&id, &key.scope).await
    }

    async fn insert_businesses(&mut self, id: &str, scope: &BusinessScope) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO api_key_businesses (key_id, business_id) VALUES ($1, $2)";
        let BusinessScope::Only(businesses) = scope else { return Ok(()) };
        for business in businesses {
            on!(&mut self.engine, |db| sqlx::query(SQL)
                .bind(id)
                .bind(business.to_string())
                .execute(&mut **db)
                .await
                .map(drop))?;
        }
        Ok(())
    }

    pub(crate) async fn set_api_key_revoked(
        &mut self,
        account: &Account,
        id: ApiKeyId,
        at: Timestamp,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE api_keys SET revoked_at = $3, revoked_reason = $4
            WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(account.user().to_string())
            .bind(id.to_string())
            .bind(at.as_millis())
            .bind(reason)
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Whether some key has this digest already.
    pub(crate) async fn digest_is_known(&mut self, digest: &Digest) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM api_keys WHERE digest = $1)";
        let digest = digest.as_bytes().as_slice();
        Ok(on!(&mut self.engine, |db| sqlx::query_scalar(SQL).bind(digest).fetch_one(&mut **db).await)?)
    }
}
