//! The cookie of a session, and answers that set or clear it.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use portcullis_api::envelope::Done;
use portcullis_core::time::Timestamp;
use serde::Serialize;

use super::As;
use crate::error::Error;
use crate::manage::sessions::Begun;
use crate::verify::credentials::SESSION_COOKIE;

/// An answer that begins a session, or may.
pub(crate) type Begin<T> = Result<WithCookie<201, T>, Error>;
/// An answer that ends one.
pub(crate) type End = Result<WithCookie<200, Done>, Error>;

/// A success, and the cookie that comes with it.
pub(crate) struct WithCookie<const STATUS: u16, T> {
    data: T,
    cookie: Option<HeaderValue>,
}

impl<const STATUS: u16, T> WithCookie<STATUS, T> {
    pub(super) const fn new(data: T, cookie: Option<HeaderValue>) -> Self {
        Self { data, cookie }
    }
}

impl<const STATUS: u16, T: Serialize> IntoResponse for WithCookie<STATUS, T> {
    fn into_response(self) -> Response {
        let mut response = As::<STATUS, T>(self.data).into_response();
        if let Some(cookie) = self.cookie {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// The cookie of a session that was begun. No script reads it, and no other site's form sends it.
pub(super) fn of(begun: &Begun, now: Timestamp) -> Option<HeaderValue> {
    let seconds = (begun.session.expires_at.as_millis() - now.as_millis()) / 1_000;
    cookie(begun.token.reveal(), seconds)
}

/// What makes a browser forget the cookie.
pub(super) fn gone() -> Option<HeaderValue> {
    cookie("", 0)
}

fn cookie(token: &str, max_age_seconds: i64) -> Option<HeaderValue> {
    let text = format!("{SESSION_COOKIE}={token}; Path=/; Max-Age={max_age_seconds}; Secure; HttpOnly; SameSite=Lax");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(super) fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok())
}
