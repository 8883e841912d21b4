//! Every edit that a node's memory must learn of.
//!
//! A change carries the *new state* of what it is about, so applying one twice is the same as applying it once, and a
//! snapshot is nothing but the changes that would build it.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::id::{ApiKeyId, BusinessId, FamilyId, OperatorKeyId, RoleId, UserId};
use crate::limits::{Limits, Subject};
use crate::operator::OperatorGrant;
use crate::role::BuiltIn;
use crate::scope::BusinessScope;
use crate::time::Timestamp;
use crate::token::{Digest, Environment};

/// One entry of the change log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", content = "state", rename_all = "snake_case")]
pub enum Change {
    UserSet(UserState),
    BusinessSet(BusinessState),
    RoleSet(RoleState),
    MemberSet(MemberState),
    MemberRemoved(MemberPlace),
    ApiKeySet(Box<ApiKeyState>),
    ApiKeyRevoked(ApiKeyEnd),
    /// The key expires at this instant, if not sooner: it was rotated.
    ApiKeyEnds(ApiKeyEnd),
    OperatorKeySet(OperatorKeyState),
    LimitsSet(LimitsState),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserState {
    pub id: UserId,
    pub disabled: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BusinessState {
    pub id: BusinessId,
    pub disabled: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleState {
    pub id: RoleId,
    /// A built-in role allows what the catalogue says; the list is for the others.
    pub built_in: Option<BuiltIn>,
    pub permissions: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MemberState {
    pub user: UserId,
    pub business: BusinessId,
    pub role: RoleId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MemberPlace {
    pub user: UserId,
    pub business: BusinessId,
}

/// All of a key that a decision reads, or that its answer tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiKeyState {
    pub id: ApiKeyId,
    pub family: FamilyId,
    #[serde(with = "hex")]
    pub digest: Digest,
    pub user: UserId,
    pub name: String,
    pub environment: Environment,
    pub scope: BusinessScope,
    /// Names of the catalogue; `None` inherits whatever the owner may do.
    pub permissions: Option<Vec<String>>,
    pub user_management: bool,
    /// Empty: from anywhere.
    pub allowed_ips: Vec<IpNet>,
    /// A JSON object, as it is told to whoever asks about the key.
    pub metadata: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// Issued elsewhere: its token need not have our form.
    #[serde(default)]
    pub imported: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiKeyEnd {
    pub id: ApiKeyId,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OperatorKeyState {
    pub id: OperatorKeyId,
    #[serde(with = "hex")]
    pub digest: Digest,
    pub grants: Vec<OperatorGrant>,
    pub revoked: bool,
}

/// What is set for a family of keys, a user or a business; nothing at all, where it was taken back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LimitsState {
    #[serde(with = "text")]
    pub subject: Subject,
    pub limits: Limits,
}

/// A change as a row of the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChange {
    pub kind: String,
    /// The id of what changed.
    pub subject: String,
    /// JSON.
    pub payload: String,
}

/// The row is of a kind, or in a form, that this version does not know: whoever follows the log must load a snapshot instead.
#[derive(Debug, thiserror::Error)]
#[error("a change of kind `{kind}` cannot be read: {cause}")]
pub struct UnknownChange {
    kind: String,
    cause: serde_json::Error,
}

#[derive(Serialize, Deserialize)]
struct Row<'a, P> {
    kind: &'a str,
    state: P,
}

impl Change {
    pub fn to_row(&self) -> Result<LoggedChange, serde_json::Error> {
        let whole = serde_json::to_string(self)?;
        let Row { kind, state } = serde_json::from_str::<Row<'_, Box<serde_json::value::RawValue>>>(&whole)?;
        Ok(LoggedChange { kind: kind.to_owned(), subject: self.subject(), payload: state.get().to_owned() })
    }

    pub fn from_row(kind: &str, payload: &str) -> Result<Self, UnknownChange> {
        let unknown = |cause| UnknownChange { kind: kind.to_owned(), cause };
        let state: &serde_json::value::RawValue = serde_json::from_str(payload).map_err(unknown)?;
        let whole = serde_json::to_string(&Row { kind, state }).map_err(unknown)?;
        serde_json::from_str(&whole).map_err(unknown)
    }

    fn subject(&self) -> String {
        match self {
            Self::UserSet(state) => state.id.to_string(),
            Self::BusinessSet(state) => state.id.to_string(),
            Self::RoleSet(state) => state.id.to_string(),
            Self::MemberSet(MemberState { user, .. }) | Self::MemberRemoved(MemberPlace { user, .. }) => {
                user.to_string()
            }
            Self::ApiKeySet(state) => state.id.to_string(),
            Self::ApiKeyRevoked(end) | Self::ApiKeyEnds(end) => end.id.to_string(),
            Self::OperatorKeySet(state) => state.id.to_string(),
            Self::LimitsSet(state) => state.subject.to_string(),
        }
    }
}

/// Subjects as their ids.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::limits::Subject;

    pub(super) fn serialize<S: Serializer>(subject: &Subject, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(subject)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Subject, D::Error> {
        std::borrow::Cow::<str>::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Digests as hexadecimal text.
mod hex {
    use data_encoding::HEXLOWER;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::token::Digest;

    pub(super) fn serialize<S: Serializer>(digest: &Digest, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&HEXLOWER.encode(digest.as_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?;
        bytes.try_into().map(Digest::from_bytes).map_err(|_| D::Error::custom("a digest is 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_comes_back_from_its_row() {
        let change = Change::ApiKeySet(Box::new(ApiKeyState {
            id: ApiKeyId::from_bytes([1; 16]),
            family: FamilyId::from_bytes([4; 16]),
            digest: Digest::from_bytes([0xab; 32]),
            user: UserId::from_bytes([2; 16]),
            name: "Zapier \"Dental\" é\n".to_owned(),
            environment: Environment::Live,
            scope: BusinessScope::Only(vec![BusinessId::from_bytes([3; 16])]),
            permissions: Some(vec!["calls:read".to_owned()]),
            user_management: true,
            allowed_ips: vec!["10.0.0.0/8".parse().unwrap()],
            metadata: Some("{\"plan\":\"pro\"}".to_owned()),
            expires_at: Some(Timestamp::from_millis(5)),
            revoked_at: None,
            imported: true,
        }));
        let row = change.to_row().unwrap();
        assert_eq!(row.kind, "api_key_set");
        assert_eq!(row.subject, ApiKeyId::from_bytes([1; 16]).to_string());
        let again = Change::from_row(&row.kind, &row.payload).unwrap();
        assert_eq!(again.to_row().unwrap(), row);
    }

    #[test]
    fn an_unknown_kind_or_form_is_an_error_and_not_a_guess() {
        assert!(Change::from_row("key_painted", "{}").is_err());
        assert!(Change::from_row("api_key_revoked", "{\"id\":\"key_x\",\"at\":1}").is_err());
        assert!(Change::from_row("user_set", "not json").is_err());
    }
}
