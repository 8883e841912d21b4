//! Audit events: written with the edit they tell of, chained to the one before, and never touched again.

use portcullis_core::audit::{Actor, AuditEvent, CHAIN_START, ChainedEvent, Origin};
use portcullis_core::id::AuditEventId;
use portcullis_core::scope::{Account, Platform, Tenant};
use portcullis_core::time::Timestamp;

use super::{Edit, Store, StoreError, digest, on};

/// Which events a list shows; what is `None` does not narrow it.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditFilter {
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

/// The events that fit a filter, by the index of the one column that narrows them most; the others are looked at row by row.
macro_rules! events {
    ($most_narrow:literal) => {
        concat!(
            "SELECT * FROM audit_events WHERE ",
            $most_narrow,
            " number < $1 AND ($9 = '' OR user_id = $9) AND ($2 = '' OR business_id = $2) AND ($3 = '' OR actor_id = $3) AND ($4 = '' OR target_id = $4)
            AND ($5 = '' OR action = $5) AND at >= $6 AND at < $7 ORDER BY number DESC LIMIT $8"
        )
    };
}

impl Store {
    /// A page of the whole log, newest first: what comes before the event with the number `before`.
    pub(crate) async fn audit_events(
        &self,
        _proof: &Platform,
        filter: &AuditFilter,
        before: i64,
        limit: i64,
    ) -> Result<Vec<ChainedEvent>, StoreError> {
        self.events(("", ""), filter, before, limit).await
    }

    /// Like [`Store::audit_events`], of what concerns one user: their account and their keys.
    pub(crate) async fn audit_events_about(
        &self,
        account: &Account,
        filter: &AuditFilter,
        before: i64,
        limit: i64,
    ) -> Result<Vec<ChainedEvent>, StoreError> {
        self.events(("", &account.user().to_string()), filter, before, limit).await
    }

    /// Like [`Store::audit_events`], of one business.
    pub(crate) async fn audit_events_of(
        &self,
        tenant: &Tenant,
        filter: &AuditFilter,
        before: i64,
        limit: i64,
    ) -> Result<Vec<ChainedEvent>, StoreError> {
        self.events((&tenant.business().to_string(), ""), filter, before, limit).await
    }

    async fn events(
        &self,
        (business, user): (&str, &str),
        filter: &AuditFilter,
        before: i64,
        limit: i64,
    ) -> Result<Vec<ChainedEvent>, StoreError> {
        let text = |wanted: &Option<String>| wanted.clone().unwrap_or_default();
        let (actor, target, action) = (text(&filter.actor), text(&filter.target), text(&filter.action));
        let sql = match (target.as_str(), actor.as_str(), business, action.as_str()) {
            ("", "", "", _) if !user.is_empty() => events!("user_id = $9 AND"),
            ("", "", "", "") => events!(""),
            ("", "", "", _) => events!("action = $5 AND"),
            ("", "", ..) => events!("business_id = $2 AND"),
            ("", ..) => events!("actor_id = $3 AND"),
            _ => events!("target_id = $4 AND"),
        };
        let rows: Vec<Row> = on!(&self.reader, |db| sqlx::query_as(sql)
            .bind(before)
            .bind(business)
            .bind(actor)
            .bind(target)
            .bind(action)
            .bind(filter.from.unwrap_or(i64::MIN))
            .bind(filter.to.unwrap_or(i64::MAX))
            .bind(limit)
            .bind(user)
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

const LAST: &str = "SELECT number, hash FROM audit_events ORDER BY number DESC LIMIT 1";

impl Store {
    /// The number and the hash of the last event.
    pub(crate) async fn audit_head(&self) -> Result<Option<(i64, [u8; 32])>, StoreError> {
        let last: Option<(i64, Vec<u8>)> = on!(&self.reader, |db| sqlx::query_as(LAST).fetch_optional(db).await)?;
        last.map(|(number, hash)| Ok((number, *digest(&hash)?.as_bytes()))).transpose()
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
            .await
            .map(drop))?;
        Ok(())
    }
}
