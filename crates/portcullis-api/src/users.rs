//! Users.

use portcullis_core::id::UserId;
use serde::{Deserialize, Serialize};

use crate::time::Time;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    pub email: String,
    /// Up to 100 characters; the e-mail address stands in where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// `active` or `disabled`.
    pub status: String,
    pub platform_admin: bool,
    pub created_at: Time,
    pub disabled_at: Option<Time>,
}
