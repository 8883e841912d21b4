//! `/audit-events`, and those of one business.

use std::sync::Arc;

use axum::extract::State;
use portcullis_api::audit_events::{AuditEvent, AuditHead, ListAuditEvents};
use portcullis_core::audit::ChainedEvent;
use portcullis_core::audit_head::SignedHead;
use portcullis_core::time::Timestamp;

use super::body::KnownQuery;
use super::{Answer, ListAnswer, page, success};
use crate::app::App;
use crate::caller::{AuditRead, LooksAfterAudit, OfBusiness, Operator};
use crate::manage::audit::{self, Log};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    by: Operator<AuditRead>,
    KnownQuery(query): KnownQuery<ListAuditEvents>,
) -> ListAnswer<AuditEvent> {
    Ok(page(audit::list(&app, &Log::Whole(by.proof), &query).await?, wire))
}

/// The last event, signed; to be kept somewhere else, so that a log that was cut shows.
pub(crate) async fn head(State(app): State<Arc<App>>, _: Operator<AuditRead>) -> Answer<Option<AuditHead>> {
    let head = audit::signed_head(&app).await?;
    let wire = |head: SignedHead| AuditHead { number: head.number, at: head.at.into(), head: head.to_string() };
    Ok(success(head.map(wire)))
}

pub(crate) async fn list_of_business(
    State(app): State<Arc<App>>,
    of: OfBusiness<AuditRead, LooksAfterAudit>,
    KnownQuery(query): KnownQuery<ListAuditEvents>,
) -> ListAnswer<AuditEvent> {
    Ok(page(audit::list(&app, &Log::OfBusiness(of.tenant), &query).await?, wire))
}

fn wire(event: ChainedEvent) -> AuditEvent {
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    AuditEvent {
        number: event.number,
        id: event.id,
        at: Timestamp::from_millis(event.at).into(),
        action: event.action,
        actor_kind: event.actor_kind,
        actor_id: event.actor_id,
        target_id: event.target_id,
        user_id: event.user_id,
        business_id: event.business_id,
        address: event.address,
        request_id: event.request_id,
        before: json(event.before),
        after: json(event.after),
    }
}
