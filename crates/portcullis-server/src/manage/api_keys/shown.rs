//! Keys as they are shown: with their limits, and with what they were used for.

use portcullis_core::id::ApiKeyId;
use portcullis_core::limits::{Rate, Subject};
use portcullis_core::time::Timestamp;

use super::ApiKey;
use crate::app::App;
use crate::error::Error;
use crate::manage::usage::{self, DAYS_SHOWN, KeyUse};

/// A key, and what stands in no row of its own.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) key: ApiKey,
    pub(crate) rate: Rate,
    /// In the last 24 hours, 7 and 30 days.
    pub(crate) used: [i64; 3],
    /// In each of the last 30 days, today the last.
    pub(crate) by_day: [i64; DAYS_SHOWN],
    pub(crate) last_used: Option<(Timestamp, Option<String>)>,
}

pub(crate) async fn shown(app: &App, keys: Vec<ApiKey>) -> Result<Vec<Shown>, Error> {
    let ids: Vec<ApiKeyId> = keys.iter().map(|key| key.id).collect();
    let uses = usage::of_keys(app, &ids).await?;
    let memory = app.node.last_known();
    let rate = |key: &ApiKey| {
        let limits = memory.as_ref().and_then(|keyring| keyring.limits(Subject::Family(key.family)));
        limits.and_then(|limits| limits.rate).unwrap_or(app.config.rate)
    };
    let with_use = |(key, KeyUse { totals, by_day, last }): (ApiKey, KeyUse)| Shown {
        rate: rate(&key),
        key,
        used: totals,
        by_day,
        last_used: last,
    };
    Ok(keys.into_iter().zip(uses).map(with_use).collect())
}
