//! What calls under an `Idempotency-Key` did.

use portcullis_core::time::Timestamp;

use super::{Edit, StoreError, on};

/// A call that was made before under the same key.
#[derive(Debug, Clone)]
pub(crate) struct IdempotentCall {
    pub fingerprint: Vec<u8>,
    /// The id of what it made.
    pub made: String,
}

impl Edit {
    /// What a credential did under this key since `since`.
    pub(crate) async fn idempotent_call(
        &mut self,
        credential: &str,
        key: &str,
        since: Timestamp,
    ) -> Result<Option<IdempotentCall>, StoreError> {
        const SQL: &str = "SELECT fingerprint, made_id FROM idempotent_calls
            WHERE credential = $1 AND idempotency_key = $2 AND created_at > $3";
        let row: Option<(Vec<u8>, String)> = on!(&mut self.engine, |db| sqlx::query_as(SQL)
            .bind(credential)
            .bind(key)
            .bind(since.as_millis())
            .fetch_optional(&mut **db)
            .await)?;
        Ok(row.map(|(fingerprint, made)| IdempotentCall { fingerprint, made }))
    }

    pub(crate) async fn put_idempotent_call(
        &mut self,
        credential: &str,
        key: &str,
        call: &IdempotentCall,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO idempotent_calls (credential, idempotency_key, fingerprint, made_id, created_at)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (credential, idempotency_key) DO UPDATE
            SET fingerprint = excluded.fingerprint, made_id = excluded.made_id, created_at = excluded.created_at";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(credential)
            .bind(key)
            .bind(&call.fingerprint)
            .bind(&call.made)
            .bind(at.as_millis())
            .execute(&mut **db)
            .await
            .map(drop))?;
        Ok(())
    }

    pub(crate) async fn prune_idempotent_calls(&mut self, before: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM idempotent_calls WHERE created_at <= $1";
        on!(&mut self.engine, |db| sqlx::query(SQL).bind(before.as_millis()).execute(&mut **db).await.map(drop))?;
        Ok(())
    }
}
