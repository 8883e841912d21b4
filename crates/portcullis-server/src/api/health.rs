//! Whether the process lives, and whether it should be asked.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;

use crate::app::App;
use crate::error::Error;

pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<StatusCode, Error> {
    if app.is_ready() { Ok(StatusCode::OK) } else { Err(Error::Unavailable("not ready".to_owned())) }
}
