//! Around all pages: their headers, the guard against forged forms, and what becomes of an error.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use portcullis_core::decision::Denial;

use super::form::Fields;
use super::{errors, frame, sign_in};
use crate::app::App;
use crate::caller::check_same_site;
use crate::error::{Error, Finished, Pending};
use crate::{body, caller};

/// What a page may load, ask and be shown in: this server's own, and nothing else. No script and no style stands in a page itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);
const HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");

/// What must be known of a request when its answer is there.
pub(super) struct Came {
    pub(super) is_read: bool,
    /// Where it went, with its query.
    pub(super) to: String,
    /// Whether it was made by a script of ours, and not by going there.
    by_script: bool,
}

pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (parts, content) = request.into_parts();
    let came = Came {
        is_read: parts.method.is_safe(),
        to: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        by_script: parts.headers.contains_key(HX_REQUEST),
    };
    if came.is_read {
        let answer = next.run(Request::from_parts(parts, content)).await;
        return dressed(&app, answer, &came, &Bytes::new());
    }
    let sent = match check_same_site(&app, &parts) {
        Ok(()) => body::read(&app, content, app.config.connections.max_body_bytes).await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(sent) => {
            let answer = next.run(Request::from_parts(parts, Body::from(sent.clone()))).await;
            dressed(&app, answer, &came, &sent)
        }
        Err(error) => dressed(&app, error.into_response(), &came, &Bytes::new()),
    }
}

fn dressed(app: &App, mut answer: Response, came: &Came, sent: &Bytes) -> Response {
    if let Some(Pending(error)) = answer.extensions_mut().remove::<Pending>() {
        answer = instead(app, &error, came, sent).unwrap_or_else(IntoResponse::into_response);
        if matches!(*error, Error::Forbidden { .. } | Error::Denied { .. }) {
            answer.extensions_mut().insert(Pending(error));
        }
    }
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    protect(headers);
    answer
}

/// The headers that no page goes without.
pub(crate) fn protect(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
}

/// The answer in place of an error: the way to sign in, or a page that says what was wrong.
fn instead(app: &App, error: &Error, came: &Came, sent: &Bytes) -> frame::Page {
    let ended = matches!(error, Error::SignedOut | Error::NoCredential);
    if ended && came.by_script {
        // Whoever is in the middle of a form is told so, and not led away from it.
        return Ok(
            (StatusCode::UNAUTHORIZED, [(header::CACHE_CONTROL, "no-store")], Extension(Finished)).into_response()
        );
    }
    if ended && came.is_read {
        return frame::lead_to(&sign_in::address(&came.to));
    }
    if ended {
        return sign_in::keeping(came, Fields::parse(sent));
    }
    let mut page = errors::page(app, error)?;
    // Only where somebody reads it: a page that asks by itself would take the cookie, and with it the one page that says why.
    if !came.by_script && matches!(error, Error::Denied { denial: Denial::UserDisabled, .. }) {
        page.headers_mut().extend(caller::cookie::gone().map(|cookie| (header::SET_COOKIE, cookie)));
    }
    Ok(page)
}
