//! Policies: what keys must keep to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::whole;

/// What keys must keep to that are made from now on. It is set as a whole: what is left out is not asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"longest_life_days": 365, "expiry_required": true, "revoke_unused_days": 90}))]
pub struct Policy {
    /// The longest time from the making of a key to its expiry; a key without an expiry is refused then.
    #[serde(default, deserialize_with = "whole::optional")]
    #[schema(minimum = 1, maximum = 3_650, required = false)]
    pub longest_life_days: Option<i64>,
    /// Whether a key must have an expiry, however late.
    #[serde(default)]
    #[schema(required = false)]
    pub expiry_required: bool,
    /// After how many days without a use a key is revoked. For a business: keys that are restricted to it.
    #[serde(default, deserialize_with = "whole::optional")]
    #[schema(minimum = 1, maximum = 3_650, required = false)]
    pub revoke_unused_days: Option<i64>,
}
