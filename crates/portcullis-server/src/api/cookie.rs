//! Answers that set or clear the cookie of a session.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use portcullis_api::envelope::Done;
use serde::Serialize;

use super::As;
use crate::error::Error;

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
