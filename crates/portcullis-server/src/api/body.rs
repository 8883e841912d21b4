//! Reading a request: the JSON body within its bounds, and the query.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use http::HeaderMap;
use http::request::Parts;
use portcullis_api::object::Object;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::body::{is_of_type, read};
use crate::error::Error;

/// A JSON body that has to be there.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A JSON body that may be left out, where everything in it may be.
pub(crate) struct OptionalJsonBody<T>(pub(crate) T);

/// A JSON body of many lines, which may be larger than others. It is read as `T`, and documented as `D`.
pub(crate) struct LargeJsonBody<T, D>(pub(crate) T, pub(crate) PhantomData<D>);

/// Room for the lines of an import.
const LARGE_BYTES: usize = 8 << 20;

/// The query, in which every name must be known.
pub(crate) struct KnownQuery<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        json(request, app, app.config.connections.max_body_bytes).await.map(Self)
    }
}

impl<T: DeserializeOwned, D> FromRequest<Arc<App>> for LargeJsonBody<T, D> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let most = app.config.connections.max_body_bytes.max(LARGE_BYTES);
        json(request, app, most).await.map(|lines| Self(lines, PhantomData))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Arc<App>> for OptionalJsonBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let bytes = read(app, body, app.config.connections.max_body_bytes).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        if !is_json(&parts.headers) {
            return Err(Error::UnsupportedMediaType);
        }
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for KnownQuery<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Error> {
        let query = Query::try_from_uri(&parts.uri).map_err(|error| Error::Invalid(sentence(&error.to_string())))?;
        Ok(Self(query.0))
    }
}

/// A JSON body of at most so many bytes.
async fn json<T: DeserializeOwned>(request: Request, app: &App, most: usize) -> Result<T, Error> {
    let (parts, body) = request.into_parts();
    if !is_json(&parts.headers) {
        return Err(Error::UnsupportedMediaType);
    }
    parse(&read(app, body, most).await?)
}

fn is_json(headers: &HeaderMap) -> bool {
    is_of_type(headers, "application/json")
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
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

fn sentence(text: &str) -> String {
    format!("The query is not what is expected here: {text}.")
}
