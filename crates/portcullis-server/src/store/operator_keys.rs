//! Operator keys.

use portcullis_core::id::OperatorKeyId;
use portcullis_core::operator::{OperatorGrant, OperatorGrants};
use portcullis_core::time::Timestamp;
use portcullis_core::token::Digest;

use super::{Edit, StoreError, from_json, on, to_json};

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
            .await)?;
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
