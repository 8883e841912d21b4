//! The dashboard: pages that are made on the server, a template beside each handler.
//!
//! A page calls the same functions of `manage` as its JSON twin, and so they cannot disagree. Every page works without JavaScript;
//! `assets/dashboard.js` and htmx make it quicker. [`guard`] stands around all of them, [`frame`] is what they have in common.

pub(crate) mod api_keys;
pub(crate) mod assets;
pub(crate) mod audit_log;
pub(crate) mod businesses;
mod chart;
pub(crate) mod errors;
mod form;
pub(crate) mod frame;
mod grid;
pub(crate) mod guard;
mod lists;
mod people;
pub(crate) mod platform;
pub(crate) mod profile;
pub(crate) mod reference;
pub(crate) mod sign_in;
pub(crate) mod usage;
mod words;

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderValue, header};

use crate::app::App;
use crate::caller::{SignedIn, path_id_of};

/// `/changes`: the mark of the last edit that this node knows of, for pages that look whether they are still true.
pub(crate) async fn changes(State(app): State<Arc<App>>, _: SignedIn) -> impl IntoResponse {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain");
    ([(header::CONTENT_TYPE, TEXT)], frame::mark(&app))
}
