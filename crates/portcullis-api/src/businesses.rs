//! Businesses, their members and roles.

use portcullis_core::id::{BusinessId, RoleId, UserId};
use portcullis_core::role::Manages;
use serde::{Deserialize, Serialize};

use crate::time::Time;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateBusiness {
    /// 1 to 100 characters.
    pub name: String,
    /// Who becomes its first owner; without one, the business has no member yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Business {
    pub id: BusinessId,
    pub name: String,
    /// `active` or `disabled`.
    pub status: String,
    pub created_at: Time,
    pub disabled_at: Option<Time>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetMember {
    /// `rol_…`, or the name of a built-in role: `owner`, `admin`, `member`, `viewer`.
    pub role_id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    pub role_id: RoleId,
    pub role_name: String,
    pub created_at: Time,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    pub id: RoleId,
    pub name: String,
    pub built_in: bool,
    pub permissions: Vec<String>,
    pub manages: Vec<Manages>,
}
