//! The header `Idempotency-Key`.

use axum::extract::FromRequestParts;
use http::HeaderName;
use http::request::Parts;

use crate::error::Error;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in characters.
pub(crate) const LONGEST: usize = 255;

/// The key under which the same call is made once, where the caller sent one.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let mut sent = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(first) = sent.next() else { return Ok(Self(None)) };
        let text = first.to_str().ok().filter(|_| sent.next().is_none());
        // The draft has a quoted string; most clients send it without quotes. Both mean the same.
        let unquoted = |text| str::strip_prefix(text, '"')?.strip_suffix('"').filter(|inner| !inner.is_empty());
        let key = text.map(|text| unquoted(text).unwrap_or(text));
        let fits = |key: &&str| (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        key.filter(fits).map(|key| Self(Some(key.to_owned()))).ok_or_else(|| {
            Error::Invalid(format!("`Idempotency-Key` is sent once, with 1 to {LONGEST} visible ASCII characters."))
        })
    }
}
