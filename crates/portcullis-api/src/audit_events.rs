//! The audit log: who did what, on what, from where.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::schema;
use crate::time::Time;

/// How events are listed; newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListAuditEvents {
    /// How many at a time: 1 to 100; 50 where it is left out.
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Who did it.
    pub actor_id: Option<String>,
    /// What was done, e.g. `api_key.revoked`.
    pub action: Option<String>,
    /// What it was done to.
    pub target_id: Option<String>,
    /// This instant and later.
    #[param(value_type = Option<schema::Instant>)]
    pub from: Option<String>,
    /// Before this instant.
    #[param(value_type = Option<schema::Instant>)]
    pub to: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEvent {
    /// The place in the chain: 1 for the first event of all.
    pub number: i64,
    pub id: String,
    #[schema(value_type = schema::Instant)]
    pub at: Time,
    pub action: String,
    /// `operator_key`, `api_key` or `setup`.
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub target_id: String,
    pub user_id: Option<String>,
    pub business_id: Option<String>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// The last event of the log at an instant, signed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditHead {
    /// The number of the last event.
    pub number: i64,
    #[schema(value_type = schema::Instant)]
    pub at: Time,
    /// What `portcullis audit verify --head` takes: number, hash, milliseconds, public key and signature (Ed25519).
    pub head: String,
}
