//! What the page at `/reference` loads: the OpenAPI document, and what makes a page of it on which requests can be tried.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use crate::app::App;
use crate::file::File;

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
        .route(
            "/openapi.json",
            get(async move || closed(([(header::CONTENT_TYPE, "application/json")], document.clone()).into_response())),
        )
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
fn kept(kind: &'static str, content: &'static [u8]) -> MethodRouter<Arc<App>> {
    served(kind, content, "public, max-age=3600")
}

/// A file that goes with the page, and is asked for with it.
fn page(kind: &'static str, content: &'static [u8]) -> MethodRouter<Arc<App>> {
    served(kind, content, "no-store")
}

fn served(kind: &'static str, content: &'static [u8], keep: &'static str) -> MethodRouter<Arc<App>> {
    let file = Arc::new(File::new(kind, content));
    get(async move |asked: HeaderMap| closed(file.answer(&asked, keep)))
}

fn closed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
