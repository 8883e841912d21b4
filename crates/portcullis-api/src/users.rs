//! Users.

use portcullis_core::id::UserId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;
use crate::time::Time;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ann@example.com", "name": "Ann"}))]
pub struct CreateUser {
    #[schema(value_type = schema::Email)]
    pub email: String,
    /// Up to 100 characters; the e-mail address stands in where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct User {
    #[schema(value_type = schema::UserId)]
    pub id: UserId,
    #[schema(example = "ann@example.com")]
    pub email: String,
    #[schema(example = "Ann")]
    pub name: String,
    #[schema(value_type = schema::Standing)]
    pub status: String,
    #[schema(example = false)]
    pub platform_admin: bool,
    #[schema(value_type = schema::Instant)]
    pub created_at: Time,
    #[schema(value_type = Option<schema::Instant>)]
    pub disabled_at: Option<Time>,
}

/// What of a user is changed. A member that is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Ann of Dental Clinic"}))]
pub struct UpdateUser {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// For an operator to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Email>)]
    pub email: Option<String>,
    /// For an operator with every grant to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_admin: Option<bool>,
}
