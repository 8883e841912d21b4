//! Every event there is: what an edit leaves behind, in the same transaction, for whoever asks later who did what.

use std::net::IpAddr;

use crate::id::{ApiKeyId, BusinessId, OperatorKeyId, RequestId, UserId};
use crate::scope::Caller;

macro_rules! actions {
    ($($variant:ident = $name:literal;)+) => {
        /// What was done. The name is what the log shows and filters by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditAction { $($variant,)+ }

        impl AuditAction {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

actions! {
    UserCreated = "user.created";
    UserDisabled = "user.disabled";
    UserEnabled = "user.enabled";
    BusinessCreated = "business.created";
    BusinessDisabled = "business.disabled";
    BusinessEnabled = "business.enabled";
    MemberSet = "member.set";
    MemberRemoved = "member.removed";
    ApiKeyCreated = "api_key.created";
    ApiKeyUpdated = "api_key.updated";
    ApiKeyRotated = "api_key.rotated";
    ApiKeyRevoked = "api_key.revoked";
    OperatorKeyCreated = "operator_key.created";
    OperatorKeyRevoked = "operator_key.revoked";
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    OperatorKey(OperatorKeyId),
    ApiKey {
        id: ApiKeyId,
        user: UserId,
    },
    /// The set-up commands on the server's own machine, before there is anybody else.
    Setup,
}

impl Actor {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OperatorKey(_) => "operator_key",
            Self::ApiKey { .. } => "api_key",
            Self::Setup => "setup",
        }
    }

    pub fn id(&self) -> Option<String> {
        match self {
            Self::OperatorKey(id) => Some(id.to_string()),
            Self::ApiKey { id, .. } => Some(id.to_string()),
            Self::Setup => None,
        }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        match *caller {
            Caller::Operator { id, .. } => Self::OperatorKey(id),
            Caller::ApiKey { id, user, .. } => Self::ApiKey { id, user },
        }
    }
}

/// Where an edit came from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin {
    pub address: Option<IpAddr>,
    pub request: Option<RequestId>,
}

/// One event. `before` and `after` are JSON and never hold a token.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    pub action: AuditAction,
    /// The id of what it was done to.
    pub target: String,
    /// Whose account it concerns, and which business, so that they can find it.
    pub user: Option<UserId>,
    pub business: Option<BusinessId>,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_noun_a_dot_and_what_happened_and_no_two_alike() {
        for (place, action) in AuditAction::ALL.iter().enumerate() {
            let (noun, deed) = action.name().split_once('.').unwrap();
            assert!(noun.bytes().chain(deed.bytes()).all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(AuditAction::ALL.iter().skip(place + 1).all(|other| other.name() != action.name()));
        }
    }
}
