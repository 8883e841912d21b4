//! Reading a request's body, within its bounds.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::BoxError;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use portcullis_api::object::Object;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

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
pub(crate) async fn read<B>(app: &App, body: B, most: usize) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut coming = pin!(whole(Limited::new(body, most)));
    // Most bodies are there with their heads, and need no timer.
    let read = match poll_fn(|cx| Poll::Ready(coming.as_mut().poll(cx))).await {
        Poll::Ready(read) => read,
        Poll::Pending => {
            let patience = Duration::from_secs(app.config.connections.body_read_timeout_seconds);
            timeout(patience, coming).await.map_err(|_| Error::Timeout)?
        }
    };
    read.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Error::TooLarge
        } else {
            Error::Invalid("The body could not be read.".to_owned())
        }
    })
}

/// All parts of a body as one; the only one as it is.
async fn whole<B: Body<Data = Bytes, Error = BoxError>>(body: B) -> Result<Bytes, BoxError> {
    let mut body = pin!(body);
    let (mut only, mut joined) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame?.into_data() else { continue };
        if only.is_empty() && joined.is_empty() {
            only = part;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut only));
            joined.extend_from_slice(&part);
        }
    }
    Ok(if joined.is_empty() { only } else { joined.freeze() })
}

/// A JSON body of at most so many bytes.
pub(crate) async fn json<T: DeserializeOwned>(request: Request, app: &App, most: usize) -> Result<T, Error> {
    let (parts, body) = request.into_parts();
    json_of(&parts.headers, body, app, most).await
}

/// The same, where the headers are needed again.
pub(crate) async fn json_of<T, B>(headers: &HeaderMap, body: B, app: &App, most: usize) -> Result<T, Error>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    if !is_of_type(headers, JSON) {
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
