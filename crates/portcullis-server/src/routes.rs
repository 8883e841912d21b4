//! Every URL.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, StatusCode, header};
use portcullis_core::id::RequestId;

use crate::api::{api_keys, audit_events, businesses, catalogue, health, operator_keys, users, verify, whoami};
use crate::app::App;
use crate::error::{Error, Pending};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Everything this server answers.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .nest("/api/v1", api())
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .layer(from_fn_with_state(Arc::clone(&app), dress))
        .with_state(app)
}

fn api() -> Router<Arc<App>> {
    Router::new()
        .route("/verify", post(verify::one))
        .route("/verify/batch", post(verify::batch))
        .route("/whoami", get(whoami::show))
        .route("/catalogue", get(catalogue::show))
        .route("/user", get(users::show))
        .nest("/user/api-keys", keys())
        .route("/users", get(users::list).post(users::create))
        .route("/users/{user_id}", get(users::show))
        .route("/users/{user_id}/disable", post(users::disable))
        .route("/users/{user_id}/enable", post(users::enable))
        .nest("/users/{user_id}/api-keys", keys())
        .route("/operator-keys", get(operator_keys::list).post(operator_keys::create))
        .route("/operator-keys/{operator_key_id}/revoke", post(operator_keys::revoke))
        .route("/businesses", get(businesses::list).post(businesses::create))
        .route("/businesses/{business_id}", get(businesses::show))
        .route("/businesses/{business_id}/disable", post(businesses::disable))
        .route("/businesses/{business_id}/enable", post(businesses::enable))
        .route("/businesses/{business_id}/roles", get(businesses::roles))
        .route("/audit-events", get(audit_events::list))
        .route("/businesses/{business_id}/audit-events", get(audit_events::list_of_business))
        .route("/businesses/{business_id}/members", get(businesses::members))
        .route(
            "/businesses/{business_id}/members/{user_id}",
            put(businesses::set_member).delete(businesses::remove_member),
        )
}

/// A user's keys, under `/user` and under `/users/{user_id}` alike.
fn keys() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(api_keys::list).post(api_keys::create))
        .route("/{key_id}", get(api_keys::show).patch(api_keys::update))
        .route("/{key_id}/revoke", post(api_keys::revoke))
        .route("/{key_id}/rotate", post(api_keys::rotate))
}

/// What every request and every answer has: a number, a body that says what was wrong, and no place in any cache.
async fn dress(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = app.request_ids.next(app.clock.now());
    request.extensions_mut().insert(id);
    // A bug in one request must not take the connection, or another request, with it.
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let answered = answered.unwrap_or_else(|_| Error::Internal("a handler panicked".to_owned()).into_response());
    let mut response = finished(answered, id);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Writes the body of an error, ours or the framework's.
fn finished(mut response: Response, id: RequestId) -> Response {
    if let Some(Pending(error)) = response.extensions_mut().remove::<Pending>() {
        let mut rendered = error.render(id);
        if let Some(allow) = response.headers().get(header::ALLOW) {
            rendered.headers_mut().insert(header::ALLOW, allow.clone());
        }
        return rendered;
    }
    match response.status() {
        status if status.is_success() => response,
        StatusCode::NOT_FOUND => Error::NotFound.render(id),
        StatusCode::METHOD_NOT_ALLOWED => Error::MethodNotAllowed.render(id),
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge.render(id),
        status if status.is_client_error() => Error::Invalid("The request cannot be read.".to_owned()).render(id),
        status => Error::Internal(format!("an answer with status {status}")).render(id),
    }
}
