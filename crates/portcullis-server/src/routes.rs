//! Every URL: of the API in `routes/api.rs`, of the pages in `routes/pages.rs`, those of gateways in `routes/direct.rs`, and the rest
//! here; and what every answer has.

mod api;
mod direct;
mod pages;

pub(crate) use direct::Routes;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::FutureExt;
use http::{HeaderValue, StatusCode, header};
use portcullis_core::id::RequestId;

use crate::api::{health, problems};
use crate::app::App;
use crate::caller::{Announced, Client, Knock};
use crate::clock::Stopwatch;
use crate::dashboard;
use crate::error::{Error, Finished, Pending, X_REQUEST_ID};
use crate::gateway::{authzen, introspection};
use crate::manage::receipts;
use crate::metrics::Part;
use crate::reference;

/// Everything this server answers, but for what is answered without a router.
fn router(app: Arc<App>) -> Router {
    let (api, document) = api::api().into_parts();
    api.merge(reference::routes(document))
        .merge(pages::pages(&app))
        .route("/problems/{code}", get(problems::show))
        .route("/oauth2/introspect", post(introspection::introspect))
        .route("/oauth2/revoke", post(introspection::revoke))
        .route("/.well-known/oauth-authorization-server", get(introspection::metadata))
        .route("/access/v1/evaluation", post(authzen::evaluation))
        .route("/access/v1/evaluations", post(authzen::evaluations))
        .route("/.well-known/authzen-configuration", get(authzen::metadata))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(dashboard::errors::nowhere)
        .method_not_allowed_fallback(dashboard::errors::not_so)
        .layer(from_fn_with_state(Arc::clone(&app), dress))
        .with_state(app)
}

/// The OpenAPI document of all these routes.
pub fn openapi() -> String {
    api::api().into_parts().1
}

/// What every request and every answer has: a number, a body that says what was wrong, and no place in any cache
/// unless it has its own word on that.
async fn dress(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = app.request_ids.next(app.clock.now());
    request.extensions_mut().insert(id);
    Client::on(&app.config, &mut request);
    let (stopwatch, part) = (Stopwatch::begin(), Part::of(request.uri().path()));
    let announced = Announced::on(request.extensions_mut());
    let theirs = request.headers().get(X_REQUEST_ID).filter(|_| request.uri().path().starts_with("/access/")).cloned();
    let knock = leaves_a_trace(request.uri().path()).then(|| Knock::on(&mut request));
    // A bug in one request must not take the connection, or another request, with it.
    let answering = AssertUnwindSafe(receipts::noting(next.run(request))).catch_unwind();
    let answered = match app.longest_answer.filter(|_| matches!(part, Part::Manage | Part::Other)) {
        None => answering.await,
        // Whoever asked may have gone without a word; the connection to the database is wanted by others.
        Some(longest) => tokio::time::timeout(longest, answering).await.unwrap_or_else(|_| Ok(too_long())),
    };
    let answered = answered.unwrap_or_else(|_| Error::Internal("a handler panicked".to_owned()).into_response());
    if let (Some(knock), Some(Pending(error))) = (knock, answered.extensions().get::<Pending>()) {
        // What seldom happens waits on the heap: every request would carry along the room for it.
        Box::pin(knock.note(&app, error)).await;
    }
    let mut response = finished(answered, id);
    let headers = response.headers_mut();
    // AuthZEN has whoever asks give requests their numbers, and hear them again.
    if let Some(value) = theirs.or_else(|| HeaderValue::from_str(&id.to_string()).ok()) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    announced.put_into(headers);
    app.metrics.answered(part, stopwatch.elapsed());
    response
}

fn too_long() -> Response {
    Error::Unavailable("the database did not answer; what was asked for may have been done".to_owned()).into_response()
}

/// Whether a refusal at a path is written to the audit log: at the management API, and at pages. What a key may ask about itself is
/// no management, what an open page asks by itself is nobody's doing, and what a gateway asks is about another API.
fn leaves_a_trace(path: &str) -> bool {
    let about_itself = ["/verify", "/whoami", "/catalogue"];
    match path.strip_prefix("/api/v1") {
        Some(path) => !about_itself.iter().any(|own| path.starts_with(own)),
        None => {
            path != "/changes" && !["/auth/", "/oauth2/introspect", "/access/"].iter().any(|own| path.starts_with(own))
        }
    }
}

/// Writes the body of an error, ours or the framework's, where it is no page.
fn finished(mut response: Response, id: RequestId) -> Response {
    if response.extensions().get::<Finished>().is_some() {
        return response;
    }
    if let Some(Pending(error)) = response.extensions_mut().remove::<Pending>() {
        let mut rendered = error.render(id);
        if let Some(allow) = response.headers().get(header::ALLOW) {
            rendered.headers_mut().insert(header::ALLOW, allow.clone());
        }
        return rendered;
    }
    match response.status() {
        status if status.is_success() || status.is_redirection() => response,
        StatusCode::NOT_FOUND => Error::NotFound.render(id),
        StatusCode::METHOD_NOT_ALLOWED => Error::MethodNotAllowed.render(id),
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge.render(id),
        status if status.is_client_error() => Error::Invalid("The request cannot be read.".to_owned()).render(id),
        status => Error::Internal(format!("an answer with status {status}")).render(id),
    }
}
