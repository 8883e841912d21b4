//! `/audit-events`, and those of one business.

use std::sync::Arc;

use axum::extract::{Path, State};
use portcullis_api::audit_events::{AuditEvent, ListAuditEvents};
use portcullis_core::audit::ChainedEvent;
use portcullis_core::time::Timestamp;

use super::body::KnownQuery;
use super::{ListAnswer, page, path_id};
use crate::app::App;
use crate::caller::{AuditRead, Operator};
use crate::manage::audit;

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    by: Operator<AuditRead>,
    KnownQuery(query): KnownQuery<ListAuditEvents>,
) -> ListAnswer<AuditEvent> {
    Ok(page(audit::list(&app, &by.proof, None, &query).await?, wire))
}

pub(crate) async fn list_of_business(
    State(app): State<Arc<App>>,
    by: Operator<AuditRead>,
    Path(business): Path<String>,
    KnownQuery(query): KnownQuery<ListAuditEvents>,
) -> ListAnswer<AuditEvent> {
    Ok(page(audit::list(&app, &by.proof, Some(path_id(&business)?), &query).await?, wire))
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
