//! API keys.

use portcullis_core::id::{ApiKeyId, BusinessId, FamilyId, UserId};
use portcullis_core::token::Environment;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

use crate::metadata::Metadata;
use crate::schema;
use crate::secret::SecretText;
use crate::time::Time;
use crate::whole;

/// What a key is made from. Ids, dates and permissions are plain text here, so that the server can say of each what is wrong with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Zapier Integration - Dental Clinic",
    "permissions": ["contacts:read", "calls:read"],
    "business_scope": {"only": ["biz_01m7xnw6qyew994zaseps0nyp6"]},
    "expires_at": "2027-01-31T00:00:00Z"
}))]
pub struct CreateApiKey {
    /// How the key is used: 1 to 100 characters, none of them a control character.
    #[schema(min_length = 1, max_length = 100, example = "Zapier Integration - Dental Clinic")]
    pub name: String,
    /// `live` (the default) or `test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Environment>)]
    pub environment: Option<String>,
    /// When the key stops by itself; never, where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Instant>)]
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
    #[schema(max_items = 64, example = json!(["203.0.113.0/24"]))]
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
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "id": "key_01m7xnw6qyew994zaseps0nyp6",
    "family_id": "fam_01m7xnw6qyew994zaseps0nyp6",
    "name": "Zapier Integration - Dental Clinic",
    "environment": "live",
    "prefix": "ak_live_",
    "hint": "x7Qz",
    "status": "active",
    "user_id": "usr_01m7xnw6qyew994zaseps0nyp6",
    "business_scope": {"only": ["biz_01m7xnw6qyew994zaseps0nyp6"]},
    "permissions": ["contacts:read", "calls:read"],
    "user_management": false,
    "allowed_ips": ["203.0.113.0/24"],
    "metadata": {"plan": "pro"},
    "rate_limit": {"per_minute": 100, "per_second": 10},
    "created_at": "2026-11-20T19:30:00Z",
    "expires_at": "2027-01-31T00:00:00Z",
    "last_used_at": "2026-11-20T20:10:15.250Z",
    "last_used_address": "203.0.113.7",
    "revoked_at": null,
    "revoked_reason": null,
    "rotated_to": null,
    "rotated_from": null,
    "rotation_due_at": "2027-02-18T19:30:00Z",
    "usage": {"last_24h": 312, "last_7d": 2_004, "last_30d": 9_120}
}))]
pub struct ApiKey {
    #[schema(value_type = schema::ApiKeyId)]
    pub id: ApiKeyId,
    /// The same for all keys of one chain of rotations.
    #[schema(value_type = schema::FamilyId)]
    pub family_id: FamilyId,
    pub name: String,
    #[schema(value_type = schema::Environment)]
    pub environment: Environment,
    /// What the token begins with, e.g. `ak_live_`.
    pub prefix: String,
    /// The last four characters of the token's random part.
    pub hint: String,
    #[schema(value_type = schema::Status)]
    pub status: String,
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    pub business_scope: BusinessScope,
    pub permissions: Permissions,
    pub user_management: bool,
    pub allowed_ips: Vec<String>,
    pub metadata: Metadata,
    /// What is enforced on the key: its own where an operator has set one, or else the server's. The keys that it is rotated from and
    /// to share it.
    pub rate_limit: RateLimitSetting,
    #[schema(value_type = schema::Instant)]
    pub created_at: Time,
    #[schema(value_type = Option<schema::Instant>)]
    pub expires_at: Option<Time>,
    /// When the key was last used, whether its request might pass or not; `null`: no use was recorded.
    #[schema(value_type = Option<schema::Instant>)]
    pub last_used_at: Option<Time>,
    /// From where, as far as that was told.
    #[serde(default)]
    #[schema(required = true, example = "203.0.113.7")]
    pub last_used_address: Option<String>,
    #[schema(value_type = Option<schema::Instant>)]
    pub revoked_at: Option<Time>,
    pub revoked_reason: Option<String>,
    #[schema(value_type = Option<schema::ApiKeyId>)]
    pub rotated_to: Option<ApiKeyId>,
    #[schema(value_type = Option<schema::ApiKeyId>)]
    pub rotated_from: Option<ApiKeyId>,
    #[schema(value_type = schema::Instant)]
    pub rotation_due_at: Time,
    pub usage: UsageTotals,
}

/// How many requests a key has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct RateLimitSetting {
    pub per_minute: u64,
    pub per_second: u64,
}

/// How often a key was used, whatever was decided: to the hour, the one in which a window begins among them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct UsageTotals {
    pub last_24h: u64,
    pub last_7d: u64,
    pub last_30d: u64,
}

/// The answer to a create: the only place where a token is ever shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedApiKey {
    pub api_key: ApiKey,
    /// `null` where the call is a repeated one, under the same `Idempotency-Key`.
    #[schema(value_type = Option<schema::Secret>)]
    pub token: Option<SecretText>,
}

/// How keys are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListApiKeys {
    /// How many at a time: 1 to 100; 50 where it is left out. A page can have fewer though there are more: see `next_cursor`.
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// `active`, `expired`, `revoked`, or `ended` for expired and revoked ones; all, where it is left out.
    #[param(value_type = Option<schema::ListedStatus>)]
    pub status: Option<String>,
    /// Only keys that reach this business.
    #[param(value_type = Option<schema::BusinessId>)]
    pub business_id: Option<String>,
    /// Only keys with this in their name, in any case.
    #[param(min_length = 1, max_length = 100)]
    pub q: Option<String>,
}

/// How the keys that reach a business are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListApiKeysOfBusiness {
    /// How many at a time: 1 to 100; 50 where it is left out. A page can have fewer though there are more: see `next_cursor`.
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// `active`, `expired`, `revoked`, or `ended` for expired and revoked ones; all, where it is left out.
    #[param(value_type = Option<schema::ListedStatus>)]
    pub status: Option<String>,
    /// Only keys of this owner.
    #[param(value_type = Option<schema::UserId>)]
    pub user_id: Option<String>,
    /// Only keys with this in their name, in any case.
    #[param(min_length = 1, max_length = 100)]
    pub q: Option<String>,
}

/// What of a key is changed. A member that is left out stays; `null` clears it; a value sets it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Zapier", "permissions": ["contacts:read"], "metadata": null}))]
pub struct UpdateApiKey {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Metadata>)]
    pub metadata: Option<Option<Metadata>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub allowed_ips: Option<Option<Vec<String>>>,
    /// Only to less.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Permissions>)]
    pub permissions: Option<Option<Permissions>>,
    /// Only to less.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BusinessScopeText>)]
    pub business_scope: Option<Option<BusinessScopeText>>,
    /// Only to sooner.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Instant>)]
    pub expires_at: Option<Option<String>>,
}

/// A member that is there, though it may be `null`.
#[expect(clippy::option_option, reason = "left out, null and a value are three states")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// How a key is rotated.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateApiKey {
    /// How long the old token goes on working; a day, where it is left out; 0 to 30 days.
    #[serde(default, deserialize_with = "whole::optional", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 2_592_000, example = 86_400)]
    pub overlap_seconds: Option<i64>,
}

/// The answer to a rotation: the new key with its token, and the old one with its end.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RotatedApiKey {
    pub api_key: ApiKey,
    /// `null` where the call is a repeated one, under the same `Idempotency-Key`.
    #[schema(value_type = Option<schema::Secret>)]
    pub token: Option<SecretText>,
    pub previous: ApiKey,
}

/// Why a key is revoked.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeApiKey {
    /// Up to 200 characters, for whoever reads the list or the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200, example = "The laptop was lost")]
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
