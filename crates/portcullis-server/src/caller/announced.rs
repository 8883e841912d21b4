//! How a key's limits stand, told in the headers of every answer to it: noted when its request is decided on, for the layer that sees
//! the answer.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};

use crate::app::App;
use crate::config::RateLimitHeaders;
use crate::verify::{Decided, Policy, Standing};

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

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
    pub(crate) fn put(parts: &Parts, limits: HeaderMap) {
        if let Some(Self(slot)) = parts.extensions.get() {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = limits;
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

/// How the limits stand after a decision, where the request came to any.
pub(crate) fn limits(app: &App, decided: &Decided<'_>) -> HeaderMap {
    let family = app.config.rate_limit_headers;
    let policies = || if family.has_standard() { decided.policies() } else { Vec::new() };
    decided.standing().map(|standing| headers(family, &standing, &policies())).unwrap_or_default()
}

/// The headers that tell of limits. A refusal always says when to come back, unless no waiting helps.
fn headers(family: RateLimitHeaders, standing: &Standing, policies: &[Policy]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if family.has_standard() {
        let mut text = String::new();
        for Policy { name, limit, window_seconds } in policies {
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}\"{name}\";q={limit};w={window_seconds}");
        }
        // Names are made of letters that a structured field's string may have, so this cannot fail.
        headers.extend(HeaderValue::from_str(&text).map(|value| (RATE_LIMIT_POLICY, value)));
        let text = format!("\"{}\";r={};t={}", standing.name, standing.remaining, standing.reset_seconds);
        headers.extend(HeaderValue::from_str(&text).map(|value| (RATE_LIMIT, value)));
    }
    if family.has_legacy() {
        headers.insert(X_LIMIT, standing.limit.into());
        headers.insert(X_REMAINING, standing.remaining.into());
        let millis = u64::try_from(standing.reset_at.as_millis()).unwrap_or(0);
        headers.insert(X_RESET, millis.div_ceil(1_000).into());
    }
    if let Some(seconds @ 1..) = standing.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    headers
}
