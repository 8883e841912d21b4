//! Businesses, their members and roles.

use portcullis_core::id::{BusinessId, RoleId, UserId};
use portcullis_core::role::Manages;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;
use crate::time::Time;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Dental Clinic"}))]
pub struct CreateBusiness {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Who becomes its first owner; without one, the business has no member yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::UserId>)]
    pub owner_id: Option<String>,
}

/// What of a business is changed. A member that is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Dental Clinic North"}))]
pub struct UpdateBusiness {
    /// 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Business {
    #[schema(value_type = schema::BusinessId)]
    pub id: BusinessId,
    #[schema(example = "Dental Clinic")]
    pub name: String,
    #[schema(value_type = schema::Standing)]
    pub status: String,
    #[schema(value_type = schema::Instant)]
    pub created_at: Time,
    #[schema(value_type = Option<schema::Instant>)]
    pub disabled_at: Option<Time>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role_id": "admin"}))]
pub struct SetMember {
    /// `rol_…`, or the name of a built-in role: `owner`, `admin`, `member`, `viewer`.
    #[schema(value_type = schema::RoleName)]
    pub role_id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Member {
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    #[schema(example = "ann@example.com")]
    pub email: String,
    #[schema(example = "Ann")]
    pub name: String,
    #[schema(value_type = schema::RoleId)]
    pub role_id: RoleId,
    #[schema(example = "admin")]
    pub role_name: String,
    #[schema(value_type = schema::Instant)]
    pub created_at: Time,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Role {
    #[schema(value_type = schema::RoleId)]
    pub id: RoleId,
    #[schema(example = "Front desk")]
    pub name: String,
    #[schema(example = false)]
    pub built_in: bool,
    #[schema(value_type = Vec<schema::Permission>)]
    pub permissions: Vec<String>,
    #[schema(value_type = Vec<schema::Manages>)]
    pub manages: Vec<Manages>,
}

/// A role of a business's own.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Front desk", "permissions": ["contacts:read", "calls:read"], "manages": ["members"]}))]
pub struct CreateRole {
    /// 1 to 100 characters; no two roles of a business are called the same.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// `resource:action` of the catalogue; none, where it is left out.
    #[serde(default)]
    #[schema(value_type = Vec<schema::Permission>, required = false)]
    pub permissions: Vec<String>,
    /// `members`, `roles`, `api_keys`, `audit`; none, where it is left out.
    #[serde(default)]
    #[schema(value_type = Vec<schema::Manages>, required = false)]
    pub manages: Vec<String>,
}

/// What of a role is changed. A member that is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"permissions": ["contacts:read"]}))]
pub struct UpdateRole {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<schema::Permission>>)]
    pub permissions: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<schema::Manages>>)]
    pub manages: Option<Vec<String>>,
}
