//! What any answer costs: servers with nothing behind them.

use std::convert::Infallible;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Done;
use crate::children::say;

/// As its own documentation sets it up.
pub(crate) async fn on_axum() -> Done<()> {
    let router = Router::new()
        .route("/204", get(async || StatusCode::NO_CONTENT))
        .route("/health", get(async || StatusCode::NO_CONTENT))
        .route("/api/contacts", get(async || StatusCode::NO_CONTENT))
        .route("/echo", post(async |Json(body): Json<serde_json::Value>| Json(body)));
    Ok(axum::serve(listener().await?, router).await?)
}

/// With the settings of our own server's connections, and no timer.
pub(crate) async fn on_hyper() -> Done<()> {
    let listener = listener().await?;
    let mut http = http1::Builder::new();
    http.half_close(false).keep_alive(true).header_read_timeout(None);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http.serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}

/// The JSON that came, read and written; or nothing.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if request.method() != Method::POST {
        return Ok(response);
    }
    let body = request.into_body().collect().await.map(Collected::to_bytes).unwrap_or_default();
    let echoed = serde_json::from_slice(&body)
        .and_then(|value: serde_json::Value| serde_json::to_vec(&value))
        .unwrap_or_default();
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Full::new(echoed.into());
    Ok(response)
}

async fn listener() -> Done<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(&listener.local_addr()?.to_string())?;
    Ok(listener)
}
