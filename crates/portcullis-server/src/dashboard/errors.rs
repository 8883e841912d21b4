//! The page in place of one that could not be made.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use http::{HeaderMap, HeaderValue, Uri, header};

use super::frame::{Page, page_with};
use crate::app::App;
use crate::error::Error;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    title: &'static str,
    detail: String,
    remedy: &'static str,
    code: &'static str,
    status: u16,
}

pub(super) fn page(app: &App, error: &Error) -> Page {
    let (title, remedy) = match error {
        Error::NotFound => ("Nothing is here", "The address may be mistyped, or what was here is not yours to see."),
        Error::Forbidden { reason: "origin", .. } => (
            "This did not come from here",
            "Another site may have sent you. Open this page from the menu and try again.",
        ),
        Error::Forbidden { .. } | Error::Denied { .. } => {
            ("You may not do this", "Ask somebody who looks after the business, or whoever runs this server.")
        }
        Error::TooMany { .. } => ("Too many tries", "Wait, and then try again."),
        Error::Full | Error::Unavailable(_) => ("Not now", "Nothing was changed. Try again in a moment."),
        Error::Internal(_) => {
            ("Something went wrong here", "Nothing that you did is the reason. Try again in a moment.")
        }
        _ => ("That did not work", "Go back, and try again."),
    };
    if let Error::Internal(cause) | Error::Unavailable(cause) = error {
        tracing::error!(cause, applied = app.node.applied(), "a page cannot be shown");
    }
    let shown = ErrorPage {
        title,
        detail: error.to_string().replace('`', ""),
        remedy,
        code: error.code(),
        status: error.status().as_u16(),
    };
    let mut response = page_with(error.status(), &shown)?;
    if let Error::TooMany { retry_after_seconds } = error {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from((*retry_after_seconds).max(1)));
    }
    if matches!(error, Error::TooLarge | Error::Timeout) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// What is at no address.
pub(crate) async fn nowhere(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Page {
    either(&app, &uri, &headers, Error::NotFound)
}

/// What takes another method: somebody has gone to the address of a form.
pub(crate) async fn not_so(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Page {
    either(&app, &uri, &headers, Error::MethodNotAllowed)
}

/// A page for browsers, and a problem for programs.
fn either(app: &App, uri: &Uri, headers: &HeaderMap, error: Error) -> Page {
    let wanted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if uri.path().starts_with("/api/") || !wanted.contains("text/html") {
        return Err(error);
    }
    let mut response = page(app, &error)?;
    super::guard::protect(response.headers_mut());
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    Ok(response)
}
