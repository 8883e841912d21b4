//! Reading a request's body, within its bounds.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::app::App;
use crate::error::Error;

/// Whether the request says that its body is of this type, and of no other.
pub(crate) fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(Ok(text)) = types.next().map(|value| value.to_str()) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim();
    types.next().is_none() && essence.eq_ignore_ascii_case(wanted)
}

/// The whole body, of at most so many bytes, if it comes in time.
pub(crate) async fn read(app: &App, body: Body, most: usize) -> Result<Bytes, Error> {
    let bounds = &app.config.connections;
    let limited = Limited::new(body, most);
    let patience = Duration::from_secs(bounds.body_read_timeout_seconds);
    match tokio::time::timeout(patience, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Error::TooLarge),
        Ok(Err(_)) => Err(Error::Invalid("The body could not be read.".to_owned())),
        Err(_) => Err(Error::Timeout),
    }
}
