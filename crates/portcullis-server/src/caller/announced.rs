//! How a key's limits stand, told in the headers of every answer to it: noted when its request is decided on, for the layer that sees
//! the answer.

use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;
use http::{Extensions, HeaderMap};

use crate::app::App;
use crate::config::RateLimitHeaders;
use crate::values::{Told, Values};
use crate::verify::{Decided, Policy};

/// The headers of the answer to come. It travels with the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Announced(Arc<Mutex<HeaderMap>>);

impl Announced {
    /// Hangs itself to a request.
    pub(crate) fn on(extensions: &mut Extensions) -> Self {
        let announced = Self::default();
        extensions.insert(announced.clone());
        announced
    }

    /// Notes how the limits stand, where the request came to any.
    pub(crate) fn put(parts: &Parts, put: impl FnOnce(&mut Values)) {
        if let Some(Self(slot)) = parts.extensions.get() {
            let mut values = Values::new();
            put(&mut values);
            values.put_into(&mut slot.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Puts what was noted into the answer.
    pub(crate) fn put_into(self, answer: &mut HeaderMap) {
        answer.extend(std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)));
    }
}

impl RateLimitHeaders {
    const fn has_standard(self) -> bool {
        matches!(self, Self::Standard | Self::Both)
    }

    const fn has_legacy(self) -> bool {
        matches!(self, Self::Legacy | Self::Both)
    }
}

/// How the limits stand after a decision, where the request came to any. A refusal always says when to come back, unless no waiting
/// helps.
pub(crate) fn put_limits(app: &App, decided: &Decided<'_>, values: &mut Values) {
    let Some(standing) = decided.standing() else { return };
    let family = app.config.rate_limit_headers;
    if family.has_standard() {
        values.put(Told::RateLimitPolicy, |text| {
            let mut between = "\"";
            decided.each_policy(|Policy { name, limit, window_seconds }| {
                text.words(&[std::mem::replace(&mut between, ", \"")]).words(&name.parts());
                text.words(&["\";q="]).number(limit.into()).words(&[";w="]).number(window_seconds.into());
            });
        });
        values.put(Told::RateLimit, |text| {
            text.words(&["\""]).words(&standing.name.parts()).words(&["\";r="]).number(standing.remaining.into());
            text.words(&[";t="]).number(standing.reset_seconds);
        });
    }
    if family.has_legacy() {
        values.put(Told::Limit, |text| _ = text.number(standing.limit.into()));
        values.put(Told::Remaining, |text| _ = text.number(standing.remaining.into()));
        let millis = u64::try_from(standing.reset_at.as_millis()).unwrap_or(0);
        values.put(Told::Reset, |text| _ = text.number(millis.div_ceil(1_000)));
    }
    if let Some(seconds @ 1..) = standing.retry_after_seconds {
        values.put(Told::RetryAfter, |text| _ = text.number(seconds));
    }
}
