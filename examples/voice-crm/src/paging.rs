//! Lists, page by page.

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::problem::Error;

/// Which part of a list is wanted.
pub(crate) struct Slice {
    pub(crate) limit: usize,
    /// The id that the page before ended with.
    pub(crate) after: Option<String>,
}

/// What the query of a list may have. `business_id` is read where the reach is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    limit: Option<usize>,
    cursor: Option<String>,
    #[serde(rename = "business_id")]
    _business_id: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Slice {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Query(asked) = Query::<Asked>::from_request_parts(parts, state)
            .await
            .map_err(|_| Error::Invalid("A list takes `limit`, `cursor` and `business_id`, each once.".to_owned()))?;
        let limit = asked.limit.unwrap_or(50);
        if !(1..=100).contains(&limit) {
            return Err(Error::Invalid("`limit` is from 1 to 100.".to_owned()));
        }
        let plain = |cursor: &String| cursor.len() <= 64 && cursor.bytes().all(|byte| byte.is_ascii_graphic());
        if asked.cursor.as_ref().is_some_and(|cursor| !plain(cursor)) {
            return Err(Error::Invalid("`cursor` is the `next_cursor` of the page before.".to_owned()));
        }
        Ok(Self { limit, after: asked.cursor })
    }
}

/// A success.
#[derive(Debug, Serialize)]
pub(crate) struct Success<T> {
    success: bool,
    data: T,
}

/// A success whose `next_cursor` leads to the page after it; `null` on the last.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    success: bool,
    data: Vec<Value>,
    next_cursor: Option<Value>,
}

/// The answer of a list that holds one row more than the page, where there are more. Each row has an `id`.
pub(crate) fn page(mut data: Vec<Value>, slice: &Slice) -> Json<Page> {
    let more = data.len() > slice.limit;
    data.truncate(slice.limit);
    let next_cursor = data.last().filter(|_| more).and_then(|row| row.get("id")).cloned();
    Json(Page { success: true, data, next_cursor })
}

pub(crate) fn success(data: Value) -> Json<Success<Value>> {
    Json(Success { success: true, data })
}
