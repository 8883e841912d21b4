//! The JSON API: handlers of a few lines each (who calls, what is asked, one call, the answer), a file per noun.

pub(crate) mod api_keys;
pub(crate) mod audit_events;
pub(crate) mod body;
pub(crate) mod businesses;
pub(crate) mod catalogue;
mod cookie;
pub(crate) mod health;
pub(crate) mod idempotency;
pub(crate) mod limits;
pub(crate) mod links;
pub(crate) mod members;
pub(crate) mod nodes;
pub(crate) mod openapi;
pub(crate) mod operator_keys;
pub(crate) mod policies;
pub(crate) mod problems;
pub(crate) mod roles;
pub(crate) mod sessions;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod verify;
pub(crate) mod whoami;

use std::marker::PhantomData;

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use portcullis_api::envelope::{Done, Edit, EditNodes, Page, Success};
use serde::Serialize;

use crate::caller::path_id_of;
use crate::error::Error;
use crate::manage::receipts;

type Answer<T> = Result<Json<Success<T>>, Error>;
type ListAnswer<T> = Result<Json<Page<T>>, Error>;
type Created<T> = Result<As<201, T>, Error>;
/// Something will be done, or not; the answer does not say.
type Accepted = Result<As<202, Done>, Error>;

/// A success with another status than 200.
pub(crate) struct As<const STATUS: u16, T>(T);

impl<const STATUS: u16, T: Serialize> IntoResponse for As<STATUS, T> {
    fn into_response(self) -> Response {
        (StatusCode::from_u16(STATUS).unwrap_or_default(), success(self.0)).into_response()
    }
}

/// A success whose JSON text was written while the state that it tells of was at hand.
pub(crate) struct Written<T> {
    body: Bytes,
    of: PhantomData<T>,
}

impl<T> Written<T> {
    fn new(body: Vec<u8>) -> Self {
        Self { body: body.into(), of: PhantomData }
    }
}

impl<T> IntoResponse for Written<T> {
    fn into_response(self) -> Response {
        const JSON: HeaderValue = HeaderValue::from_static(crate::body::JSON);
        ([(header::CONTENT_TYPE, JSON)], self.body).into_response()
    }
}

fn success<T>(data: T) -> Json<Success<T>> {
    let edit = receipts::last().map(|receipt| Edit {
        seq: receipt.seq,
        nodes: EditNodes { acknowledged: receipt.acknowledged, lease_expired: receipt.lease_expired },
        waited_ms: u64::try_from(receipt.waited.as_millis()).unwrap_or(u64::MAX),
    });
    Json(Success { edit, ..Success::of(data) })
}

const fn created<T>(data: T) -> As<201, T> {
    As(data)
}

const fn accepted() -> As<202, Done> {
    As(Done)
}

fn page<R, T>((rows, next_cursor): (Vec<R>, Option<String>), wire: impl Fn(R) -> T) -> Json<Page<T>> {
    Json(Page { success: true, data: rows.into_iter().map(wire).collect(), next_cursor })
}

const fn status(disabled: bool) -> &'static str {
    if disabled { "disabled" } else { "active" }
}
