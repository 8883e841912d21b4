//! Limits: how much a key, a business or a user may ask for in a time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::object;
use crate::whole;

/// The two windows that every key has. `null`, both of them: the server's own.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"per_minute": 6_000, "per_second": 200}))]
pub struct SetRateLimit {
    /// At most so many requests in any 60 seconds.
    #[serde(deserialize_with = "whole::optional")]
    #[schema(minimum = 1, maximum = 100_000_000, required = true)]
    pub per_minute: Option<i64>,
    /// At most so many requests in any second.
    #[serde(deserialize_with = "whole::optional")]
    #[schema(minimum = 1, maximum = 100_000_000, required = true)]
    pub per_second: Option<i64>,
}

/// Limits beside the two windows that every key has. They are set as a whole: what is left out is not there any more.
///
/// Those of a key are shared with the keys that it is rotated from and to; those of a user by all their keys; those of a business by
/// all requests about it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "limits": [{"name": "hourly", "limit": 5_000, "window_seconds": 3_600}],
    "quotas": {"per_day": null, "per_month": 100_000}
}))]
pub struct Limits {
    /// Up to 8, each with a name of its own.
    #[serde(default, deserialize_with = "object::list")]
    #[schema(max_items = 8, required = false)]
    pub limits: Vec<NamedLimit>,
    #[serde(default, deserialize_with = "object::one")]
    #[schema(required = false)]
    pub quotas: Quotas,
}

/// At most `limit` requests in any `window_seconds`. A request that is refused, by this or by another limit, takes nothing.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedLimit {
    /// What `RateLimit` and the answers of `/verify` call it. `minute`, `second`, `quota-day` and `quota-month` are taken.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,31}$", example = "hourly")]
    pub name: String,
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 1, maximum = 100_000_000, example = 5_000)]
    pub limit: i64,
    /// Up to 30 days.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 1, maximum = 2_592_000, example = 3_600)]
    pub window_seconds: i64,
}

/// So many calls in each day, in each month (UTC). Only calls that may pass take from a quota.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// `null`: no quota.
    #[serde(default, deserialize_with = "whole::optional")]
    #[schema(minimum = 1, maximum = 1_000_000_000, required = false)]
    pub per_day: Option<i64>,
    /// `null`: no quota.
    #[serde(default, deserialize_with = "whole::optional")]
    #[schema(minimum = 1, maximum = 1_000_000_000, required = false)]
    pub per_month: Option<i64>,
}
