//! The JSON API: handlers of a few lines each (who calls, what is asked, one call, the answer), a file per noun.

pub(crate) mod api_keys;
pub(crate) mod audit_events;
pub(crate) mod body;
pub(crate) mod businesses;
pub(crate) mod catalogue;
pub(crate) mod health;
pub(crate) mod operator_keys;
pub(crate) mod users;
pub(crate) mod verify;
pub(crate) mod whoami;

use axum::Json;
use http::StatusCode;
use portcullis_api::envelope::{Page, Success};

use crate::error::Error;

type Answer<T> = Result<Json<Success<T>>, Error>;
type ListAnswer<T> = Result<Json<Page<T>>, Error>;
type Created<T> = Result<(StatusCode, Json<Success<T>>), Error>;

const fn success<T>(data: T) -> Json<Success<T>> {
    Json(Success::of(data))
}

const fn created<T>(data: T) -> (StatusCode, Json<Success<T>>) {
    (StatusCode::CREATED, success(data))
}

fn page<R, T>((rows, next_cursor): (Vec<R>, Option<String>), wire: impl Fn(R) -> T) -> Json<Page<T>> {
    Json(Page { success: true, data: rows.into_iter().map(wire).collect(), next_cursor })
}

/// An id of the path. What is no id is nothing that could be found.
fn path_id<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::NotFound)
}

const fn status(disabled: bool) -> &'static str {
    if disabled { "disabled" } else { "active" }
}
