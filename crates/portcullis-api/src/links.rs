//! One-time links: to a new password, and into a business.

use portcullis_core::id::{BusinessId, LinkId, RoleId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;
use crate::secret::SecretText;
use crate::sessions::SignedIn;
use crate::time::Time;

/// A link to a new password. It can be followed once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PasswordLink {
    /// What to hand to the user. Whoever has it can set their password.
    #[schema(value_type = schema::Secret)]
    pub url: SecretText,
    #[schema(value_type = schema::Instant)]
    pub expires_at: Time,
}

/// Somebody who has forgotten their password.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ann@example.com"}))]
pub struct RequestPasswordLink {
    pub email: String,
}

/// A new password, from one who has a link to it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "pl_live_…", "password": "correct horse battery"}))]
pub struct SetPassword {
    /// What stands behind the `#` of the link.
    #[schema(value_type = schema::Secret)]
    pub token: SecretText,
    /// At least 12 characters.
    #[schema(value_type = schema::Password)]
    pub password: SecretText,
}

/// Who is invited to a business, and as what.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "bob@example.com", "role_id": "member"}))]
pub struct CreateInvitation {
    #[schema(value_type = schema::Email)]
    pub email: String,
    /// `rol_…`, or the name of a built-in role.
    #[schema(value_type = schema::RoleName)]
    pub role_id: String,
}

/// An invitation that nobody has followed yet.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    #[schema(value_type = schema::LinkId)]
    pub id: LinkId,
    #[schema(example = "bob@example.com")]
    pub email: String,
    #[schema(value_type = Option<schema::RoleId>)]
    pub role_id: Option<RoleId>,
    #[schema(value_type = schema::Instant)]
    pub created_at: Time,
    #[schema(value_type = schema::Instant)]
    pub expires_at: Time,
}

/// The answer to an invitation: the only place where its link is shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedInvitation {
    pub invitation: Invitation,
    /// What to hand to whoever is invited.
    #[schema(value_type = schema::Secret)]
    pub url: SecretText,
}

/// An invitation that is followed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "pl_live_…", "name": "Bob", "password": "correct horse battery"}))]
pub struct AcceptInvitation {
    /// What stands behind the `#` of the link.
    #[schema(value_type = schema::Secret)]
    pub token: SecretText,
    /// For a new account; the e-mail address stands in where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// For a new account: at least 12 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Password>)]
    pub password: Option<SecretText>,
}

/// What following an invitation led to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AcceptedInvitation {
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    #[schema(value_type = schema::BusinessId)]
    pub business_id: BusinessId,
    /// The session of a new account; `null` for one who was signed in already.
    pub signed_in: Option<SignedIn>,
}
