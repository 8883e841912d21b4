//! Every URL, what stands before it, and what every answer has.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Router};
use portcullis_tower::Guard;

use crate::problem::{Error, Pending};
use crate::reach::named_business;
use crate::resources::{ANALYTICS, RESOURCES, Resource};
use crate::{Crm, Front, account, analytics, records};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 64 * 1024;
/// A resource is reached by name alone, or below the business that it belongs to.
const PLACES: [&str; 2] = ["/api", "/api/v1/business/{business_id}"];

/// Everything this program answers.
pub(crate) fn router(crm: Arc<Crm>) -> Router {
    let mut router = Router::new();
    for place in PLACES {
        for resource in &RESOURCES {
            let all = get(records::list).post(records::create);
            let one = get(records::show).patch(records::update).delete(records::delete);
            let path = format!("{place}/{}", resource.name);
            router = router.route(&path, guarded(&crm, resource, all));
            router = router.route(&format!("{path}/{{id}}"), guarded(&crm, resource, one));
        }
        let path = format!("{place}/{}", ANALYTICS.name);
        router = router.route(&path, guarded(&crm, &ANALYTICS, get(analytics::list)));
        router = router.route(&format!("{path}/{{id}}"), guarded(&crm, &ANALYTICS, get(analytics::show)));
    }
    let own_account = get(account::show).patch(account::update);
    let own_account = match crm.front {
        Front::Itself => own_account.route_layer(with_address(crm.portcullis.user_management())),
        Front::Gateway(_) => own_account,
    };
    router
        .route("/api/v1/user", own_account)
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(from_fn_with_state(Arc::clone(&crm), dress))
        .with_state(crm)
}

/// Puts the guard before the methods of a resource: GET and HEAD need its `read`, all else its `write`. What the resource does not
/// take at all is 405 before anybody asks for a permission that there is not.
fn guarded(crm: &Crm, resource: &'static Resource, methods: MethodRouter<Arc<Crm>>) -> MethodRouter<Arc<Crm>> {
    let methods = methods.route_layer(Extension(resource));
    match crm.front {
        Front::Gateway(_) => methods,
        Front::Itself => {
            let guard = crm.portcullis.resource(resource.name).business(named_business);
            methods.route_layer(with_address(guard))
        }
    }
}

/// Keys may be bound to addresses, so the guard is told where a request comes from.
fn with_address(guard: Guard) -> Guard {
    guard.address(|parts: &Parts| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.ip()))
}

/// Numbers the request, where no gateway has, and writes the body of what went wrong. The guard finds the number, and puts it into its
/// refusals.
async fn dress(State(crm): State<Arc<Crm>>, mut request: Request, next: Next) -> Response {
    let id = match crm.front {
        Front::Itself => crm.request_ids.next().to_string(),
        Front::Gateway(_) => crm.request_ids.of(request.headers()),
    };
    let value = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static(""));
    request.headers_mut().insert(X_REQUEST_ID, value.clone());
    let mut answer = next.run(request).await;
    let pending = answer.extensions_mut().remove::<Pending>().map(|Pending(error)| error);
    if let Some(error) = pending.or_else(|| unreadable(&answer)) {
        let allow = answer.headers().get(header::ALLOW).cloned();
        answer = error.render(id);
        answer.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
    }
    answer.headers_mut().insert(X_REQUEST_ID, value);
    answer.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// The framework's own refusals have no body of ours; those of the guard have.
fn unreadable(answer: &Response) -> Option<Arc<Error>> {
    let is_problem = answer.headers().get(header::CONTENT_TYPE).is_some_and(|text| text == "application/problem+json");
    let refused = answer.status().is_client_error() && !is_problem;
    refused.then(|| Arc::new(Error::Invalid("The request cannot be read.".to_owned())))
}
