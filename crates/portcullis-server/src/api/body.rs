//! Reading a request: the JSON body within its bounds, and the query.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::body::{JSON, is_of_type, json, parse, read};
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
        if !is_of_type(&parts.headers, JSON) {
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

fn sentence(text: &str) -> String {
    format!("The query is not what is expected here: {text}.")
}
