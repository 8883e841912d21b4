//! Forward auth: a gateway sends the head of each request here, and lets the request through if the answer is 200.
//!
//! How the original request is told, and how a refusal must look, differs: see [`Dialect`]. What is told is believed only from addresses
//! in `trusted_proxies`, and never taken from the query, which some gateways copy from the client.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use portcullis_core::id::RequestId;

use super::{Arrival, Passed, Refused, decide};
use crate::app::App;
use crate::caller::{Announced, origin};
use crate::error::{Error, Finished};
use crate::metrics::Surface;

const BASE: &str = "/auth/";
const FORWARDED: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-forwarded-uri")];
const ORIGINAL: [HeaderName; 2] =
    [HeaderName::from_static("x-original-method"), HeaderName::from_static("x-original-uri")];
/// What a refusal really is, where the gateway knows only 401 and 403.
const X_AUTH_STATUS: HeaderName = HeaderName::from_static("x-auth-status");
/// The body of a refusal, where the gateway drops bodies.
const X_AUTH_PROBLEM: HeaderName = HeaderName::from_static("x-auth-problem");

/// How a gateway asks and what it understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Caddy, Traefik, HAProxy: headers tell the request, and an answer other than 200 goes to the client as it is.
    Forwarded,
    /// nginx's `auth_request`: of all refusals it knows 401 and 403, and of their headers it passes on what it is told to.
    Nginx,
    /// Envoy's `ext_authz` by HTTP: the request's own method, and its path behind ours.
    Envoy,
}

pub(crate) async fn forwarded(State(app): State<Arc<App>>, request: Request) -> Response {
    ask(&app, request, Dialect::Forwarded).await
}

pub(crate) async fn nginx(State(app): State<Arc<App>>, request: Request) -> Response {
    ask(&app, request, Dialect::Nginx).await
}

pub(crate) async fn envoy(State(app): State<Arc<App>>, request: Request) -> Response {
    ask(&app, request, Dialect::Envoy).await
}

async fn ask(app: &App, request: Request, dialect: Dialect) -> Response {
    let (parts, _) = request.into_parts();
    match decided(app, &parts, dialect).await {
        Ok(Passed { identity, limits, .. }) => {
            Announced::put(&parts, limits);
            (StatusCode::OK, identity).into_response()
        }
        Err(Refused { error, limits }) => {
            Announced::put(&parts, *limits);
            match (dialect, parts.extensions.get::<RequestId>()) {
                (Dialect::Nginx, Some(id)) => for_nginx(&error, *id),
                _ => error.into_response(),
            }
        }
    }
}

async fn decided(app: &App, parts: &Parts, dialect: Dialect) -> Result<Passed, Refused> {
    // Not by an extractor, which would decode what stands behind the gate's name and refuse what cannot be decoded.
    let name = parts.uri.path().strip_prefix(BASE).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    if !peer.is_some_and(|peer| app.config.trusts(peer)) {
        return Err(untrusted(peer).into());
    }
    // Whoever runs the gateway or this server has misspelt it: no client's fault, and no answer to it.
    let unknown =
        || Error::Unavailable(format!("asked at a gate that is not in the configuration: {}", name.escape_debug()));
    let gate = app.config.gate(name).ok_or_else(unknown)?;
    let (method, target) = match dialect {
        Dialect::Envoy => {
            let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
            let rest = target.strip_prefix(&format!("{BASE}{name}/envoy")).unwrap_or_default();
            (parts.method.as_str(), rest.as_bytes())
        }
        Dialect::Forwarded => told(&parts.headers, &FORWARDED, &ORIGINAL)?,
        Dialect::Nginx => told(&parts.headers, &ORIGINAL, &FORWARDED)?,
    };
    let address = origin(&parts.extensions).address;
    let surface = Surface::ForwardAuth;
    decide(app, &Arrival { gate, method, target, headers: &parts.headers, address, surface }).await
}

/// The method and the target that headers tell. Those of another dialect can only be the client's own.
fn told<'a>(
    headers: &'a HeaderMap,
    [method, target]: &[HeaderName; 2],
    others: &[HeaderName; 2],
) -> Result<(&'a str, &'a [u8]), Error> {
    if let Some(other) = others.iter().find(|other| headers.contains_key(*other)) {
        return Err(Error::Invalid(format!("The gateway lets `{other}` of the client through; it must remove it.")));
    }
    let one = |name: &HeaderName| {
        let mut all = headers.get_all(name).iter();
        let first = all.next().filter(|_| all.next().is_none());
        first.ok_or_else(|| Error::Invalid(format!("The gateway must send `{name}`, once.")))
    };
    let method = one(method)?.to_str().map_err(|_| Error::Invalid("The method is no text.".to_owned()))?;
    Ok((method, one(target)?.as_bytes()))
}

fn untrusted(peer: Option<std::net::IpAddr>) -> Error {
    let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
    tracing::warn!(peer, "asked to decide by an address that is not among `trusted_proxies`");
    Error::Forbidden {
        reason: "untrusted_proxy",
        detail: "Only gateways may ask here: the configuration names their addresses in `trusted_proxies`.".to_owned(),
        scope: None,
    }
}

/// A refusal that nginx can pass on: 401 and 403 as they are, what it would turn into its own 500 in the disguise of a 403, and a fault
/// of ours as that.
fn for_nginx(error: &Error, id: RequestId) -> Response {
    let (status, mut headers, problem) = error.parts(id);
    headers.insert(X_AUTH_STATUS, status.as_u16().into());
    headers.extend(HeaderValue::from_str(&problem).map(|problem| (X_AUTH_PROBLEM, problem)));
    headers.remove(header::CONTENT_TYPE);
    let disguised = status.is_client_error() && status != StatusCode::UNAUTHORIZED;
    let mut response = (if disguised { StatusCode::FORBIDDEN } else { status }, headers).into_response();
    response.extensions_mut().insert(Finished);
    response
}
