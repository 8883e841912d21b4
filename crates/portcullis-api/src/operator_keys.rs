//! Operator keys: the credentials of the platform's own back end.

use portcullis_core::id::OperatorKeyId;
use portcullis_core::operator::OperatorGrant;
use serde::{Deserialize, Serialize};

use crate::secret::SecretText;
use crate::time::Time;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateOperatorKey {
    /// 1 to 100 characters.
    pub name: String,
    /// At least one, and none that the caller lacks, e.g. `keys:verify`.
    pub grants: Vec<String>,
}

/// The answer to a create: the only place where the token is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IssuedOperatorKey {
    pub operator_key: OperatorKey,
    pub token: SecretText,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OperatorKey {
    pub id: OperatorKeyId,
    pub name: String,
    /// The last four characters of the token's random part.
    pub hint: String,
    pub grants: Vec<OperatorGrant>,
    /// `active` or `revoked`.
    pub status: String,
    pub created_at: Time,
    pub revoked_at: Option<Time>,
}
