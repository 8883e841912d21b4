//! Audit events: written with the edit they tell of, chained to the one before, and never touched again.

use portcullis_core::audit::{Actor, AuditEvent, CHAIN_START, ChainedEvent, Origin};
use portcullis_core::id::AuditEventId;
use portcullis_core::scope::Platform;
use portcullis_core::time::Timestamp;

use super::{Edit, Store, StoreError, digest, on};

/// Which events a list shows; what is `None` does not narrow it.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditFilter {
    pub business: Option<String>,
    pub actor: Option<String>,
    pub action: Option<String>,
    pub target: Option<String>,
    pub from: Option<i64>,
    pub to: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Row {
    number: i64,
    hash: Vec<u8>,
    id: String,
    at: i64,
    action: String,
    actor_kind: String,
    actor_id: Option<String>,
    target_id: String,
    user_id: Option<String>,
    business_id: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
    before_json: Option<String>,
    after_json: Option<String>,
}

impl Row {
    fn read(self) -> Result<(ChainedEvent, [u8; 32]), StoreError> {
        let hash = *digest(&self.hash)?.as_bytes();
        let event = ChainedEvent {
            number: self.number,
            id: self.id,
            at: self.at,
            action: self.action,
            actor_kind: self.actor_kind,
            actor_id: self.actor_id,
            target_id: self.target_id,
            user_id: self.user_id,
            business_id: self.business_id,
            address: self.address,
            request_id: self.request_id,
            before: self.before_json,
            after: self.after_json,
        };
        Ok((event, hash))
    }
}

impl Store {
    /// A page of the log, newest first: what comes before the event with the number `before`.
    pub(crate) async fn audit_events(
        &self,
        _proof: &Platform,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<ChainedEvent>, StoreError> {
        const SQL: &str = "SELECT * FROM audit_events WHERE ($1 IS NULL OR number < $1)
            AND ($2 IS NULL OR business_id = $2) AND ($3 IS NULL OR actor_id = $3) AND ($4 IS NULL OR action = $4)
            AND ($5 IS NULL OR target_id = $5) AND ($6 IS NULL OR at >= $6) AND ($7 IS NULL OR at < $7)
            ORDER BY number DESC LIMIT $8";
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(SQL)
            .bind(before)
            .bind(&filter.business)
            .bind(&filter.actor)
            .bind(&filter.action)
            .bind(&filter.target)
            .bind(filter.from)
            .bind(filter.to)
            .bind(limit)
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(|row| Ok(row.read()?.0)).collect()
    }

    /// The next events of the chain, oldest first, each with the hash that is written beside it.
    pub(crate) async fn audit_chain(
        &self,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(ChainedEvent, [u8; 32])>, StoreError> {
        const SQL: &str = "SELECT * FROM audit_events WHERE number > $1 ORDER BY number LIMIT $2";
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(SQL).bind(after).bind(limit).fetch_all(db).await)?;
        rows.into_iter().map(Row::read).collect()
    }
}

impl Edit {
    pub(crate) async fn insert_audit_event(
        &mut self,
        id: AuditEventId,
        at: Timestamp,
        actor: &Actor,
        origin: &Origin,
        event: &AuditEvent,
    ) -> Result<(), StoreError> {
        const LAST: &str = "SELECT number, hash FROM audit_events ORDER BY number DESC LIMIT 1";
        let last: Option<(i64, Vec<u8>)> =
            on!(&mut self.engine, |db| sqlx::query_as(LAST).fetch_optional(&mut **db).await)?;
        let (number, before) = match last {
            Some((number, hash)) => (number, *digest(&hash)?.as_bytes()),
            None => (0, CHAIN_START),
        };
        let event = ChainedEvent {
            number: number + 1,
            id: id.to_string(),
            at: at.as_millis(),
            action: event.action.name().to_owned(),
            actor_kind: actor.kind().to_owned(),
            actor_id: actor.id(),
            target_id: event.target.clone(),
            user_id: event.user.map(|id| id.to_string()),
            business_id: event.business.map(|id| id.to_string()),
            address: origin.address.map(|address| address.to_string()),
            request_id: origin.request.map(|id| id.to_string()),
            before: event.before.as_ref().map(ToString::to_string),
            after: event.after.as_ref().map(ToString::to_string),
        };
        let hash = event.hash(&before).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        self.insert_chained(&event, &hash).await
    }

    async fn insert_chained(&mut self, event: &ChainedEvent, hash: &[u8; 32]) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO audit_events (number, hash, id, at, action, actor_kind, actor_id, target_id, user_id,
            business_id, address, request_id, before_json, after_json)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(event.number)
            .bind(hash.as_slice())
            .bind(&event.id)
            .bind(event.at)
            .bind(&event.action)
            .bind(&event.actor_kind)
            .bind(&event.actor_id)
            .bind(&event.target_id)
            .bind(&event.user_id)
            .bind(&event.business_id)
            .bind(&event.address)
            .bind(&event.request_id)
            .bind(&event.before)
            .bind(&event.after)
            .execute(&mut **db)
            .await)?;
        Ok(())
    }
}
