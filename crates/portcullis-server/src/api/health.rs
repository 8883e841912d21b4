//! Whether the process lives, whether it should be asked, and what it has measured.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::IntoResponse;
use http::request::Parts;
use http::{StatusCode, header};

use crate::app::App;
use crate::caller::{Operator, UsageRead};
use crate::error::Error;

pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// Whoever may read what is measured: anybody, where the configuration says so.
pub(crate) struct MayMeasure;

impl FromRequestParts<Arc<App>> for MayMeasure {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        if !app.config.metrics_public {
            Operator::<UsageRead>::from_request_parts(parts, app).await?;
        }
        Ok(Self)
    }
}

pub(crate) async fn metrics(State(app): State<Arc<App>>, _: MayMeasure) -> Result<impl IntoResponse, Error> {
    let text = app.metrics.text(&app).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}

pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<StatusCode, Error> {
    if app.is_ready() { Ok(StatusCode::OK) } else { Err(Error::Unavailable("not ready".to_owned())) }
}
