//! What the page at `/reference` loads: the OpenAPI document, and what makes a page of it on which requests can be tried.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, header};

use crate::app::App;

/// What the page may load and ask: this server, and nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

pub(crate) fn routes(document: String) -> Router<Arc<App>> {
    let document = Bytes::from(document);
    Router::new()
        .route("/openapi.json", get(async move || file("application/json", document.clone())))
        .route("/problems.css", page(STYLE, include_bytes!("reference/problems.css")))
        .route("/reference/reference.js", page(SCRIPT, include_bytes!("reference/reference.js")))
        .route("/reference/reference.css", page(STYLE, include_bytes!("reference/reference.css")))
        .route(
            "/reference/vendor/swagger-ui-bundle.js",
            kept(SCRIPT, include_bytes!("reference/vendor/swagger-ui-bundle.js")),
        )
        .route("/reference/vendor/swagger-ui.css", kept(STYLE, include_bytes!("reference/vendor/swagger-ui.css")))
}

/// A file that is large and changes with a release at most: a browser may keep it for an hour.
fn kept(kind: &'static str, content: &'static [u8]) -> axum::routing::MethodRouter<Arc<App>> {
    const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
    get(async move || ([(header::CACHE_CONTROL, AN_HOUR)], file(kind, Bytes::from_static(content))))
}

fn page(kind: &'static str, content: &'static [u8]) -> axum::routing::MethodRouter<Arc<App>> {
    get(async move || file(kind, Bytes::from_static(content)))
}

fn file(kind: &'static str, content: Bytes) -> Response {
    let mut response = content.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
