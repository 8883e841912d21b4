//! Reading a request's body, within its bounds.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use portcullis_api::object::Object;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::error::Error;

/// Whether the request says that its body is of this type, and of no other.
pub(crate) fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(Ok(text)) = types.next().map(|value| value.to_str()) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim();
    types.next().is_none() && essence.eq_ignore_ascii_case(wanted)
}

pub(crate) const JSON: &str = "application/json";

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

/// A JSON body of at most so many bytes.
pub(crate) async fn json<T: DeserializeOwned>(request: Request, app: &App, most: usize) -> Result<T, Error> {
    let (parts, body) = request.into_parts();
    if !is_of_type(&parts.headers, JSON) {
        return Err(Error::UnsupportedMediaType);
    }
    parse(&read(app, body, most).await?)
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.is_empty() {
        return Err(Error::Invalid("The body is empty; send a JSON object.".to_owned()));
    }
    let Object(read) = serde_json::from_slice(bytes).map_err(|error| Error::Invalid(without_values(&error)))?;
    Ok(read)
}

/// What was wrong and where, as the parser has it, but not what was sent: it might be a token.
fn without_values(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    let shown = if what.starts_with("invalid type: string") || what.starts_with("invalid value: string") {
        let expected = what.rsplit_once(", expected ").map_or("something else", |(_, expected)| expected);
        format!("a string where the contract has {expected}")
    } else {
        what.to_owned()
    };
    format!("The body is not what is expected here: {shown} ({place}).")
}
