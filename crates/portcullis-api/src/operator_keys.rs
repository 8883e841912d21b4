//! Operator keys: the credentials of the platform's own back end.

use portcullis_core::id::OperatorKeyId;
use portcullis_core::operator::OperatorGrant;
use serde::{Deserialize, Serialize};

use crate::time::Time;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OperatorKey {
    pub id: OperatorKeyId,
    pub name: String,
    /// The last four characters of the token's random part.
    pub hint: String,
    pub grants: Vec<OperatorGrant>,
    pub created_at: Time,
}
