//! Operator keys.

use portcullis_core::id::OperatorKeyId;
use portcullis_core::operator::{OperatorGrant, OperatorGrants};
use portcullis_core::scope::Peers;
use portcullis_core::time::Timestamp;
use portcullis_core::token::Digest;

use super::{Edit, Store, StoreError, digest, from_json, instant, on, to_json, typed};

/// A credential of the platform's own back end.
#[derive(Debug, Clone)]
pub(crate) struct OperatorKey {
    pub id: OperatorKeyId,
    pub name: String,
    pub hint: String,
    pub digest: Digest,
    pub pepper_version: i64,
    pub grants: Vec<OperatorGrant>,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

const BY_ID: &str = "SELECT id, name, hint, digest, pepper_version, grants, created_at, revoked_at FROM operator_keys
    WHERE id = $1";

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    hint: String,
    digest: Vec<u8>,
    pepper_version: i64,
    grants: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

impl TryFrom<Row> for OperatorKey {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: typed(&row.id)?,
            name: row.name,
            hint: row.hint,
            digest: digest(&row.digest)?,
            pepper_version: row.pepper_version,
            grants: from_json(&row.grants)?,
            created_at: Timestamp::from_millis(row.created_at),
            revoked_at: instant(row.revoked_at),
        })
    }
}

impl Store {
    /// All operator keys, newest first: there are few of them.
    pub(crate) async fn operator_keys(&self, _proof: &Peers) -> Result<Vec<OperatorKey>, StoreError> {
        const SQL: &str = "SELECT id, name, hint, digest, pepper_version, grants, created_at, revoked_at
            FROM operator_keys ORDER BY id DESC";
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(SQL).fetch_all(db).await)?;
        rows.into_iter().map(OperatorKey::try_from).collect()
    }
}

impl Edit {
    pub(crate) async fn insert_operator_key(&mut self, key: &OperatorKey) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO operator_keys (id, name, hint, digest, pepper_version, grants, created_at, revoked_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)";
        let grants = to_json(&key.grants)?;
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(key.id.to_string())
            .bind(&key.name)
            .bind(&key.hint)
            .bind(key.digest.as_bytes().as_slice())
            .bind(key.pepper_version)
            .bind(grants)
            .bind(key.created_at.as_millis())
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn operator_key(&mut self, _proof: &Peers, id: OperatorKeyId) -> Result<OperatorKey, StoreError> {
        let row: Row =
            on!(&mut self.engine, |db| sqlx::query_as(BY_ID).bind(id.to_string()).fetch_one(&mut **db).await)?;
        row.try_into()
    }

    pub(crate) async fn set_operator_key_revoked(
        &mut self,
        _proof: &Peers,
        id: OperatorKeyId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE operator_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(id.to_string())
            .bind(at.as_millis())
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// What an operator key may do at this moment: nothing, if it is revoked or was never there.
    pub(crate) async fn operator_grants(&mut self, id: OperatorKeyId) -> Result<Option<OperatorGrants>, StoreError> {
        const SQL: &str = "SELECT grants FROM operator_keys WHERE id = $1 AND revoked_at IS NULL";
        let grants: Option<String> =
            on!(&mut self.engine, |db| sqlx::query_scalar(SQL).bind(id.to_string()).fetch_optional(&mut **db).await)?;
        grants.map(|grants| Ok(from_json::<Vec<OperatorGrant>>(&grants)?.into_iter().collect())).transpose()
    }
}
