//! Operator keys: the credentials of the platform's own back end.

use portcullis_core::id::OperatorKeyId;
use portcullis_core::operator::OperatorGrant;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;
use crate::secret::SecretText;
use crate::time::Time;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Gateway", "grants": ["keys:verify"]}))]
pub struct CreateOperatorKey {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// At least one, and none that the caller lacks, e.g. `keys:verify`.
    #[schema(value_type = Vec<schema::Grant>, min_items = 1)]
    pub grants: Vec<String>,
}

/// The answer to a create: the only place where the token is shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedOperatorKey {
    pub operator_key: OperatorKey,
    #[schema(value_type = schema::Secret)]
    pub token: SecretText,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OperatorKey {
    #[schema(value_type = schema::OperatorKeyId)]
    pub id: OperatorKeyId,
    #[schema(example = "Gateway")]
    pub name: String,
    /// The last four characters of the token's random part.
    #[schema(example = "x7Qz")]
    pub hint: String,
    #[schema(value_type = Vec<schema::Grant>)]
    pub grants: Vec<OperatorGrant>,
    /// `active` or `revoked`.
    #[schema(example = "active")]
    pub status: String,
    #[schema(value_type = schema::Instant)]
    pub created_at: Time,
    #[schema(value_type = Option<schema::Instant>)]
    pub revoked_at: Option<Time>,
}
