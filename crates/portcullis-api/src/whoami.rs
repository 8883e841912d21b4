//! What the credential that asks is, and what it may do.

use portcullis_core::id::{ApiKeyId, BusinessId, OperatorKeyId, SessionId, UserId};
use portcullis_core::operator::OperatorGrant;
use portcullis_core::token::Environment;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_keys::{BusinessScope, Permissions};
use crate::metadata::Metadata;
use crate::schema;
use crate::time::Time;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum WhoAmI {
    ApiKey(Box<ApiKeySelf>),
    OperatorKey(OperatorKeySelf),
    User(UserSelf),
}

/// An API key, as it may see itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiKeySelf {
    pub kind: ApiKeyKind,
    #[schema(value_type = schema::ApiKeyId)]
    pub key_id: ApiKeyId,
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    pub name: String,
    #[schema(value_type = schema::Environment)]
    pub environment: Environment,
    pub business_scope: BusinessScope,
    /// What the key was given.
    pub permissions: Permissions,
    pub user_management: bool,
    #[schema(value_type = Option<schema::Instant>)]
    pub expires_at: Option<Time>,
    pub metadata: Metadata,
    /// Where the key reaches now, and what that comes to there.
    pub businesses: Vec<BusinessReach>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BusinessReach {
    #[schema(value_type = schema::BusinessId)]
    pub business_id: BusinessId,
    pub disabled: bool,
    /// What the key may do here: what it was given, as far as its owner's role allows it today.
    pub permissions: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OperatorKeySelf {
    pub kind: OperatorKeyKind,
    #[schema(value_type = schema::OperatorKeyId)]
    pub key_id: OperatorKeyId,
    #[schema(value_type = Vec<schema::Grant>)]
    pub grants: Vec<OperatorGrant>,
}

/// A person who signed in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UserSelf {
    pub kind: UserKind,
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    #[schema(value_type = schema::SessionId)]
    pub session_id: SessionId,
    pub platform_admin: bool,
}

macro_rules! kinds {
    ($($name:ident::$variant:ident;)+) => {$(
        /// Tells which kind of credential it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $variant,
        }
    )+};
}

kinds! {
    ApiKeyKind::ApiKey;
    OperatorKeyKind::OperatorKey;
    UserKind::User;
}
