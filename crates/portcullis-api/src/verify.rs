//! Verification: may this request pass?

use std::borrow::Cow;

use portcullis_core::id::{ApiKeyId, BusinessId, UserId};
use portcullis_core::token::Environment;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::object;
use crate::schema;
use crate::secret::SecretText;
use crate::time::Time;
use crate::whole;

/// One question about one request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "token": "ak_live_…",
    "permission": "contacts:read",
    "business_id": "biz_01m7xnw6qyew994zaseps0nyp6",
    "ip_address": "203.0.113.7"
}))]
pub struct Verify {
    /// The token as it came with the request.
    #[schema(value_type = schema::Secret)]
    pub token: SecretText,
    /// `resource:action` of the catalogue; or a resource alone, where `method` says the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z][a-z0-9_]{0,31}(:(read|write))?$")]
    pub permission: Option<String>,
    /// The business that the request is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_id: Option<String>,
    /// Where the request came from; a key with an allow-list is refused where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// A gate of the configuration, which says what `method` and `path` need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A path at or below `/api/v1/user` needs user management.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How much of its limits the request takes: 1, where it is left out. With 0 nothing is charged and nothing is counted, and the
    /// answer is what a request that costs 1 would get.
    #[serde(default, deserialize_with = "whole::optional", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000, example = 1)]
    pub cost: Option<i64>,
    /// Tells of each of the nine rules how it went; charges nothing, and counts nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain: bool,
    /// Where the decision is read from: memory, which is never behind an edit that has returned; or the database, for those who want
    /// to see each decision read through.
    #[serde(default, skip_serializing_if = "Consistency::is_memory")]
    pub consistency: Consistency,
}

/// Where a decision is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    #[default]
    Memory,
    Primary,
}

impl Consistency {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
    const fn is_memory(&self) -> bool {
        matches!(self, Self::Memory)
    }
}

/// Up to 100 questions, answered in their order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyBatch {
    #[serde(deserialize_with = "object::list")]
    #[schema(min_items = 1, max_items = 100)]
    pub requests: Vec<Verify>,
}

/// The decision. What is told of the key is `null` where the token was not right.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decision<'a> {
    pub valid: bool,
    /// `VALID`, or why not.
    pub code: Cow<'a, str>,
    pub reason: Option<Cow<'a, str>>,
    /// One sentence for a person; `null` where the request may pass.
    pub message: Option<Cow<'a, str>>,
    pub key_id: Option<ApiKeyId>,
    pub user_id: Option<UserId>,
    pub name: Option<Cow<'a, str>>,
    pub environment: Option<Environment>,
    /// The business that was asked about, where the request may pass.
    pub business_id: Option<BusinessId>,
    pub businesses: Businesses,
    /// What the key may do in every one of `businesses`.
    pub permissions: Vec<Cow<'a, str>>,
    pub user_management: Option<bool>,
    pub expires_at: Option<Time>,
    #[serde(borrow)]
    pub metadata: Option<&'a RawValue>,
    /// How the tightest of all limits stands; `null` where the key is not live.
    pub rate_limit: Option<RateLimit>,
    /// The nine rules in their order, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Vec<Explained>>,
}

/// How one rule went, and what it compared.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Explained {
    pub rule: String,
    /// `passed`, `failed`, or `skipped`: an earlier rule had failed.
    pub outcome: String,
    pub detail: String,
}

/// Where the request may act: `"*"` (all businesses of the key's owner) or a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Businesses {
    These(Vec<BusinessId>),
    All(All),
}

/// `"*"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum All {
    #[serde(rename = "*")]
    Star,
}

impl Businesses {
    pub const ALL: Self = Self::All(All::Star);
}

impl Serialize for Businesses {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All(All::Star) => out.serialize_str("*"),
            Self::These(businesses) => businesses.serialize(out),
        }
    }
}

/// How the tightest of a key's limits stands: the one that refuses for the longest time, or leaves the least.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RateLimit {
    /// `minute` and `second` are every key's; the others are named as they were set, after `user/` or `business/` where they are
    /// shared. `quota-day` and `quota-month` are quotas.
    pub name: String,
    pub limit: u64,
    pub remaining: u64,
    /// When more room comes.
    #[schema(value_type = schema::Instant)]
    pub reset_at: Time,
    /// Seconds to wait; 0 where there is room, and `null` where the request costs more than is ever let in at once.
    pub retry_after: Option<u64>,
}
