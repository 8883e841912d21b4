//! Every event there is: what an edit leaves behind, in the same transaction, for whoever asks later who did what.

use std::net::IpAddr;

use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;

use crate::id::{ApiKeyId, BusinessId, OperatorKeyId, RequestId, UserId};
use crate::scope::Caller;

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)+) => {
        /// What was done. The name is what the log shows and filters by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditAction { $($(#[$doc])* $variant,)+ }

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
    UserUpdated = "user.updated";
    UserDisabled = "user.disabled";
    UserEnabled = "user.enabled";
    BusinessCreated = "business.created";
    BusinessUpdated = "business.updated";
    BusinessDisabled = "business.disabled";
    BusinessEnabled = "business.enabled";
    MemberSet = "member.set";
    MemberRemoved = "member.removed";
    RoleCreated = "role.created";
    RoleUpdated = "role.updated";
    RoleDeleted = "role.deleted";
    ApiKeyCreated = "api_key.created";
    ApiKeyImported = "api_key.imported";
    ApiKeyUpdated = "api_key.updated";
    ApiKeyRotated = "api_key.rotated";
    ApiKeyRevoked = "api_key.revoked";
    OperatorKeyCreated = "operator_key.created";
    OperatorKeyRevoked = "operator_key.revoked";
    PolicyUpdated = "policy.updated";
    LimitsUpdated = "limits.updated";
    SessionCreated = "session.created";
    SessionRefused = "session.refused";
    SessionEnded = "session.ended";
    PasswordLinkCreated = "password_link.created";
    PasswordSet = "password.set";
    InvitationCreated = "invitation.created";
    InvitationRevoked = "invitation.revoked";
    InvitationAccepted = "invitation.accepted";
    /// A backup was put into an empty store, and is the state from now on.
    StoreRestored = "store.restored";
    /// Somebody known asked for what they may not.
    CallRefused = "call.refused";
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    OperatorKey(OperatorKeyId),
    ApiKey {
        id: ApiKeyId,
        user: UserId,
    },
    User(UserId),
    /// Whoever it was had no credential: a sign-in that failed, a link that was followed.
    Anonymous,
    /// The set-up commands on the server's own machine, before there is anybody else.
    Setup,
    /// The server itself, on a rule that somebody had set.
    System,
}

impl Actor {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OperatorKey(_) => "operator_key",
            Self::ApiKey { .. } => "api_key",
            Self::User(_) => "user",
            Self::Anonymous => "anonymous",
            Self::Setup => "setup",
            Self::System => "system",
        }
    }

    pub fn id(&self) -> Option<String> {
        match self {
            Self::OperatorKey(id) => Some(id.to_string()),
            Self::ApiKey { id, .. } => Some(id.to_string()),
            Self::User(id) => Some(id.to_string()),
            Self::Anonymous | Self::Setup | Self::System => None,
        }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        match *caller {
            Caller::Operator { id, .. } => Self::OperatorKey(id),
            Caller::ApiKey { id, user, .. } => Self::ApiKey { id, user },
            Caller::User { id, .. } | Caller::Arrival { user: id, .. } => Self::User(id),
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

/// An event as the log keeps it, with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainedEvent {
    /// 1 for the first event, and one more for each.
    pub number: i64,
    pub id: String,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    pub action: String,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub target_id: String,
    pub user_id: Option<String>,
    pub business_id: Option<String>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    /// JSON text, covered as it is written.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What the first event's hash covers in place of an earlier one.
pub const CHAIN_START: [u8; 32] = [0; 32];

impl ChainedEvent {
    /// SHA-256(hash of the event before, then this event as one line of JSON).
    pub fn hash(&self, before: &[u8; 32]) -> Result<[u8; 32], serde_json::Error> {
        let mut context = Context::new(&SHA256);
        context.update(before);
        context.update(&serde_json::to_vec(self)?);
        Ok(context.finish().as_ref().first_chunk().copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_covers_every_member_and_what_came_before() {
        let event = ChainedEvent {
            number: 1,
            id: "evt_1".to_owned(),
            at: 2,
            action: "user.created".to_owned(),
            actor_kind: "setup".to_owned(),
            actor_id: None,
            target_id: "usr_1".to_owned(),
            user_id: Some("usr_1".to_owned()),
            business_id: None,
            address: None,
            request_id: None,
            before: None,
            after: Some("{}".to_owned()),
        };
        let hash = event.hash(&CHAIN_START).unwrap();
        assert_eq!(event.hash(&CHAIN_START).unwrap(), hash);
        assert_ne!(event.hash(&[1; 32]).unwrap(), hash);
        for changed in [
            ChainedEvent { number: 2, ..event.clone() },
            ChainedEvent { id: "evt_2".to_owned(), ..event.clone() },
            ChainedEvent { at: 3, ..event.clone() },
            ChainedEvent { action: "user.enabled".to_owned(), ..event.clone() },
            ChainedEvent { actor_kind: "api_key".to_owned(), ..event.clone() },
            ChainedEvent { actor_id: Some(String::new()), ..event.clone() },
            ChainedEvent { target_id: "usr_2".to_owned(), ..event.clone() },
            ChainedEvent { user_id: None, business_id: Some("usr_1".to_owned()), ..event.clone() },
            ChainedEvent { address: Some("::1".to_owned()), ..event.clone() },
            ChainedEvent { request_id: Some("req_1".to_owned()), ..event.clone() },
            ChainedEvent { before: Some("{}".to_owned()), after: None, ..event.clone() },
        ] {
            assert_ne!(changed.hash(&CHAIN_START).unwrap(), hash, "{changed:?}");
        }
    }

    #[test]
    fn names_are_a_noun_a_dot_and_what_happened_and_no_two_alike() {
        for (place, action) in AuditAction::ALL.iter().enumerate() {
            let (noun, deed) = action.name().split_once('.').unwrap();
            assert!(noun.bytes().chain(deed.bytes()).all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(AuditAction::ALL.iter().skip(place + 1).all(|other| other.name() != action.name()));
        }
    }
}
