//! Sessions of people: signing in, and what goes on.

use portcullis_core::id::SessionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;
use crate::secret::SecretText;
use crate::time::Time;
use crate::users::User;

/// Who signs in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ann@example.com", "password": "correct horse battery"}))]
pub struct SignIn {
    pub email: String,
    #[schema(value_type = schema::Secret)]
    pub password: SecretText,
}

/// Another password, from one who knows the old one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"current_password": "correct horse battery", "new_password": "staple of the correct horse"}))]
pub struct ChangePassword {
    #[schema(value_type = schema::Secret)]
    pub current_password: SecretText,
    /// At least 12 characters.
    #[schema(value_type = schema::Password)]
    pub new_password: SecretText,
}

/// A session that was begun; its credential is in the cookie that comes with this answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    pub user: User,
    pub session: Session,
}

/// A visit, from signing in to the end.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    #[schema(value_type = schema::SessionId)]
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub current: bool,
    #[schema(value_type = schema::Instant)]
    pub created_at: Time,
    /// Right within a minute.
    #[schema(value_type = schema::Instant)]
    pub last_seen_at: Time,
    /// The end that no use puts off.
    #[schema(value_type = schema::Instant)]
    pub expires_at: Time,
    #[schema(example = "203.0.113.7")]
    pub address: Option<String>,
    #[schema(example = "Mozilla/5.0")]
    pub user_agent: Option<String>,
}
