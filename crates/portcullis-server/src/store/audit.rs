//! Audit events: written with the edit they tell of, and never touched again.

use portcullis_core::audit::{Actor, AuditEvent, Origin};
use portcullis_core::id::AuditEventId;
use portcullis_core::time::Timestamp;

use super::{Edit, StoreError, on};

impl Edit {
    pub(crate) async fn insert_audit_event(
        &mut self,
        id: AuditEventId,
        at: Timestamp,
        actor: &Actor,
        origin: &Origin,
        event: &AuditEvent,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO audit_events
            (id, at, action, actor_kind, actor_id, target_id, user_id, business_id, address, request_id, before_json, after_json)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        on!(&mut self.engine, |db| sqlx::query(SQL)
            .bind(id.to_string())
            .bind(at.as_millis())
            .bind(event.action.name())
            .bind(actor.kind())
            .bind(actor.id())
            .bind(&event.target)
            .bind(event.user.map(|id| id.to_string()))
            .bind(event.business.map(|id| id.to_string()))
            .bind(origin.address.map(|address| address.to_string()))
            .bind(origin.request.map(|id| id.to_string()))
            .bind(event.before.as_ref().map(ToString::to_string))
            .bind(event.after.as_ref().map(ToString::to_string))
            .execute(&mut **db)
            .await)?;
        Ok(())
    }
}
