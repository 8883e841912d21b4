//! What the credential that asks is, and what it may do.

use portcullis_core::id::{ApiKeyId, BusinessId, OperatorKeyId, UserId};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::token::Environment;
use serde::{Deserialize, Serialize};

use crate::api_keys::{BusinessScope, Permissions};
use crate::metadata::Metadata;
use crate::time::Time;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WhoAmI {
    ApiKey(Box<ApiKeySelf>),
    OperatorKey(OperatorKeySelf),
}

/// An API key, as it may see itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiKeySelf {
    pub key_id: ApiKeyId,
    pub user_id: UserId,
    pub name: String,
    pub environment: Environment,
    pub business_scope: BusinessScope,
    /// What the key was given.
    pub permissions: Permissions,
    pub user_management: bool,
    pub expires_at: Option<Time>,
    pub metadata: Metadata,
    /// Where the key reaches now, and what that comes to there.
    pub businesses: Vec<BusinessReach>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BusinessReach {
    pub business_id: BusinessId,
    pub disabled: bool,
    /// What the key may do here: what it was given, as far as its owner's role allows it today.
    pub permissions: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OperatorKeySelf {
    pub key_id: OperatorKeyId,
    pub grants: Vec<OperatorGrant>,
}
