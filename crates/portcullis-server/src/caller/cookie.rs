//! The cookie of a session.

use http::{HeaderMap, HeaderValue, header};
use portcullis_core::time::Timestamp;

use crate::manage::sessions::Begun;
use crate::verify::credentials::SESSION_COOKIE;

/// The cookie of a session that was begun. No script reads it, and no other site's form sends it.
pub(crate) fn of(begun: &Begun, now: Timestamp) -> Option<HeaderValue> {
    let seconds = (begun.session.expires_at.as_millis() - now.as_millis()) / 1_000;
    cookie(begun.token.reveal(), seconds)
}

/// What makes a browser forget the cookie.
pub(crate) fn gone() -> Option<HeaderValue> {
    cookie("", 0)
}

fn cookie(token: &str, max_age_seconds: i64) -> Option<HeaderValue> {
    let text = format!("{SESSION_COOKIE}={token}; Path=/; Max-Age={max_age_seconds}; Secure; HttpOnly; SameSite=Lax");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(crate) fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok())
}
