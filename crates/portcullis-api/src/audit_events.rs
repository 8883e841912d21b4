//! The audit log: who did what, on what, from where.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::Time;

/// How events are listed; newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListAuditEvents {
    pub limit: Option<String>,
    pub cursor: Option<String>,
    pub actor_id: Option<String>,
    /// E.g. `api_key.revoked`.
    pub action: Option<String>,
    pub target_id: Option<String>,
    /// RFC 3339; this instant and later.
    pub from: Option<String>,
    /// RFC 3339; before this instant.
    pub to: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditEvent {
    /// The place in the chain: 1 for the first event of all.
    pub number: i64,
    pub id: String,
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
