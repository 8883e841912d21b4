//! API keys.

use portcullis_core::id::{ApiKeyId, BusinessId, FamilyId, UserId};
use portcullis_core::token::Environment;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::metadata::Metadata;
use crate::secret::SecretText;
use crate::time::Time;

/// What a key is made from. Ids, dates and permissions are plain text here, so that the server can say of each what is wrong with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// How the key is used: 1 to 100 characters.
    pub name: String,
    /// `live` (the default) or `test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// When the key stops by itself; never, where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Left out: unrestricted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_scope: Option<BusinessScopeText>,
    /// Opens `/api/v1/user` to the key; off, where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_management: Option<bool>,
    /// Left out: `inherit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
    /// Addresses and CIDR blocks the key may be used from; from anywhere, where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_ips: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// `"unrestricted"` or `{"only": ["biz_…", …]}`, as a caller wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusinessScopeText {
    Unrestricted,
    Only(Vec<String>),
}

/// `"unrestricted"` or `{"only": ["biz_…", …]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusinessScope {
    Unrestricted,
    Only(Vec<BusinessId>),
}

/// `"inherit"` or a list of `resource:action`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permissions {
    Inherit,
    List(Vec<String>),
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Inherit => out.serialize_str("inherit"),
            Self::List(names) => names.serialize(out),
        }
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Permissions;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("`\"inherit\"` or a list of permissions")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Permissions, E> {
                if text == "inherit" {
                    Ok(Permissions::Inherit)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Permissions, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = from.next_element()? {
                    names.push(name);
                }
                Ok(Permissions::List(names))
            }
        }

        from.deserialize_any(Either)
    }
}

/// A key's record. The token is not in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: ApiKeyId,
    /// The same for all keys of one chain of rotations.
    pub family_id: FamilyId,
    pub name: String,
    pub environment: Environment,
    /// What the token begins with, e.g. `ak_live_`.
    pub prefix: String,
    /// The last four characters of the token's random part.
    pub hint: String,
    /// `active`, `expired` or `revoked`.
    pub status: String,
    pub user_id: UserId,
    pub business_scope: BusinessScope,
    pub permissions: Permissions,
    pub user_management: bool,
    pub allowed_ips: Vec<String>,
    pub metadata: Metadata,
    /// `null`: no limit is enforced on the key.
    pub rate_limit: Option<RateLimitSetting>,
    pub created_at: Time,
    pub expires_at: Option<Time>,
    /// `null`: no use was recorded.
    pub last_used_at: Option<Time>,
    pub revoked_at: Option<Time>,
    pub revoked_reason: Option<String>,
    pub rotated_to: Option<ApiKeyId>,
    pub rotated_from: Option<ApiKeyId>,
    pub rotation_due_at: Time,
    /// `null`: uses are not counted.
    pub usage: Option<UsageTotals>,
}

/// How many requests a key has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RateLimitSetting {
    pub per_minute: u64,
    pub per_second: u64,
}

/// How often a key was used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct UsageTotals {
    pub last_24h: u64,
    pub last_7d: u64,
    pub last_30d: u64,
}

/// The answer to a create: the only place where a token is ever shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IssuedApiKey {
    pub api_key: ApiKey,
    pub token: SecretText,
}

/// How keys are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListApiKeys {
    pub limit: Option<String>,
    pub cursor: Option<String>,
    /// `active`, `expired` or `revoked`; all, where it is left out.
    pub status: Option<String>,
}

/// What of a key is changed. A member that is left out stays; `null` clears it; a value sets it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateApiKey {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Option<Metadata>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub allowed_ips: Option<Option<Vec<String>>>,
    /// Only to less.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Option<Permissions>>,
    /// Only to less.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub business_scope: Option<Option<BusinessScopeText>>,
    /// Only to sooner.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Option<String>>,
}

/// A member that is there, though it may be `null`.
#[expect(clippy::option_option, reason = "left out, null and a value are three states")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// How a key is rotated.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateApiKey {
    /// How long the old token goes on working; a day, where it is left out; 0 to 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_seconds: Option<i64>,
}

/// The answer to a rotation: the new key with its token, and the old one with its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RotatedApiKey {
    pub api_key: ApiKey,
    pub token: SecretText,
    pub previous: ApiKey,
}

/// Why a key is revoked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeApiKey {
    /// Up to 200 characters, for whoever reads the list or the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_inherit_or_a_list() {
        let read = |text| serde_json::from_str::<Permissions>(text).ok();
        assert_eq!(read("\"inherit\""), Some(Permissions::Inherit));
        assert_eq!(read("[\"calls:read\"]"), Some(Permissions::List(vec!["calls:read".to_owned()])));
        assert_eq!(read("[]"), Some(Permissions::List(vec![])));
        for bad in ["\"all\"", "{}", "[1]", "true", "null"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_change_tells_what_is_left_out_from_what_is_null() {
        let read = |text| serde_json::from_str::<UpdateApiKey>(text).unwrap().expires_at;
        assert_eq!(read("{}"), None);
        assert_eq!(read("{\"expires_at\":null}"), Some(None));
        assert_eq!(read("{\"expires_at\":\"x\"}"), Some(Some("x".to_owned())));
    }

    #[test]
    fn a_scope_is_unrestricted_or_a_list() {
        let read = |text| serde_json::from_str::<BusinessScopeText>(text).ok();
        assert_eq!(read("\"unrestricted\""), Some(BusinessScopeText::Unrestricted));
        assert_eq!(read("{\"only\":[]}"), Some(BusinessScopeText::Only(vec![])));
        for bad in ["\"only\"", "{}", "{\"only\":\"biz\"}", "{\"only\":[],\"except\":[]}", "[]", "\"all\""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
