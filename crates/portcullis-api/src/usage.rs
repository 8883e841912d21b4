//! Usage: how often keys were used, and what was answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::schema;
use crate::time::Time;

/// Of which time usage is told.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// `24h` (the default), `7d`, `30d`, `90d` or `365d`.
    #[param(value_type = Option<schema::UsageWindow>)]
    pub window: Option<String>,
}

/// Of which time the usage of a key is told.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KeyUsageQuery {
    /// `24h` (the default), `7d`, `30d`, `90d` or `365d`.
    #[param(value_type = Option<schema::UsageWindow>)]
    pub window: Option<String>,
    /// `true`: of the key and of all that it was rotated from and to.
    #[param(value_type = Option<bool>)]
    pub family: Option<String>,
}

/// How often each code was decided: `VALID`, and those of denials. What was never decided is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(example = json!({"VALID": 300, "RATE_LIMITED": 12}))]
pub struct CountsByCode(pub BTreeMap<String, u64>);

/// What was decided in a time, counted by the hour (`24h`) or by the day.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "window": "24h",
    "from": "2026-11-19T19:00:00Z",
    "to": "2026-11-20T19:30:00Z",
    "totals": {"VALID": 300, "RATE_LIMITED": 12},
    "series": [{"at": "2026-11-20T19:00:00Z", "counts": {"VALID": 300, "RATE_LIMITED": 12}}]
}))]
pub struct Usage {
    #[schema(value_type = schema::UsageWindow)]
    pub window: String,
    /// The hour in which the window begins, from its first minute; of windows longer than 30 days the day.
    #[schema(value_type = schema::Instant)]
    pub from: Time,
    #[schema(value_type = schema::Instant)]
    pub to: Time,
    pub totals: CountsByCode,
    /// Every hour, or every day (UTC), of the window, the earliest first.
    pub series: Vec<UsagePoint>,
}

/// One hour or day.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UsagePoint {
    /// When it begins.
    #[schema(value_type = schema::Instant)]
    pub at: Time,
    pub counts: CountsByCode,
}
