//! Forward auth: a gateway sends the head of each request here, and lets the request through if the answer is 200.
//!
//! How the original request is told, and how a refusal must look, differs: see [`Dialect`]. What is told is believed only from addresses
//! in `trusted_proxies`, and never taken from the query, which some gateways copy from the client.

use std::net::IpAddr;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use portcullis_core::id::RequestId;
use portcullis_core::time::Timestamp;

use super::{Arrival, Refused, decide, put_identity};
use crate::app::App;
use crate::caller::{Client, put_limits};
use crate::error::Error;
use crate::metrics::Surface;
use crate::values::{Answer, Answered, Values};

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
pub(crate) enum Dialect {
    /// Caddy, Traefik, HAProxy: headers tell the request, and an answer other than 200 goes to the client as it is.
    Forwarded,
    /// nginx's `auth_request`: of all refusals it knows 401 and 403, and of their headers it passes on what it is told to.
    Nginx,
    /// Envoy's `ext_authz` by HTTP: the request's own method, and its path behind ours.
    Envoy,
}

impl Dialect {
    /// Which one is asked in at this path, and the name of the gate.
    pub(crate) fn of(path: &str) -> Option<(Self, &str)> {
        let rest = path.strip_prefix(BASE)?;
        let (gate, rest) = rest.split_once('/').map_or((rest, None), |(gate, rest)| (gate, Some(rest)));
        let dialect = match rest {
            None => Self::Forwarded,
            Some("nginx") => Self::Nginx,
            Some("envoy") => Self::Envoy,
            Some(rest) if rest.starts_with("envoy/") => Self::Envoy,
            Some(_) => return None,
        };
        (!gate.is_empty()).then_some((dialect, gate))
    }
}

/// Answers a gateway, or refuses.
pub(crate) async fn answer(app: &App, request: &Parts, peer: IpAddr, (id, at): (RequestId, Timestamp)) -> Answered {
    let Some((dialect, gate)) = Dialect::of(request.uri.path()) else {
        return Err(Box::new(Error::NotFound.whole(id)));
    };
    match decided(app, request, peer, (dialect, gate), (id, at)).await {
        Ok(values) => Ok(Answer { values, json: Bytes::new() }),
        Err(Refused { error, limits }) => {
            let mut response = if dialect == Dialect::Nginx { for_nginx(&error, id) } else { error.whole(id) };
            response.headers_mut().extend(*limits);
            Err(Box::new(response))
        }
    }
}

/// What the answer tells of one that may pass.
async fn decided(
    app: &App,
    request: &Parts,
    peer: IpAddr,
    (dialect, name): (Dialect, &str),
    (id, at): (RequestId, Timestamp),
) -> Result<Values, Refused> {
    if !app.config.trusts(peer) {
        return Err(untrusted(peer).into());
    }
    // Whoever runs the gateway or this server has misspelt it: no client's fault, and no answer to it.
    let unknown =
        || Error::Unavailable(format!("asked at a gate that is not in the configuration: {}", name.escape_debug()));
    let gate = app.config.gate(name).ok_or_else(unknown)?;
    let (method, target) = match dialect {
        Dialect::Envoy => {
            let target = request.uri.path_and_query().map_or("", |target| target.as_str());
            // What stands behind the gate's name is the client's, and taken as it is: decoded it might be another path.
            let rest = target.get(BASE.len() + name.len() + "/envoy".len()..).unwrap_or_default();
            (request.method.as_str(), rest.as_bytes())
        }
        Dialect::Forwarded => told(&request.headers, &FORWARDED, &ORIGINAL)?,
        Dialect::Nginx => told(&request.headers, &ORIGINAL, &FORWARDED)?,
    };
    let address = Some(Client::behind(&app.config, peer, &request.headers));
    let surface = Surface::ForwardAuth;
    decide(app, &Arrival { gate, method, target, headers: &request.headers, address, surface, at }, |decided| {
        let mut values = Values::new();
        put_identity(&app.catalogue, decided, &mut values);
        if let Some(decided) = decided {
            put_limits(app, decided, &mut values);
        }
        values.put_request_id(id);
        values
    })
    .await
}

/// The method and the target that headers tell. Those of another dialect can only be the client's own.
fn told<'a>(
    headers: &'a HeaderMap,
    own: &[HeaderName; 2],
    others: &[HeaderName; 2],
) -> Result<(&'a str, &'a [u8]), Error> {
    // All in one walk: to look for each of them would cost more than to pass by the others.
    let mut found = [None; 2];
    for (name, value) in headers {
        if others.contains(name) {
            return Err(Error::Invalid(format!("The gateway lets `{name}` of the client through; it must remove it.")));
        }
        for (own, found) in own.iter().zip(&mut found).filter(|(own, _)| *own == name) {
            if found.replace(value).is_some() {
                return Err(must_be_there(own));
            }
        }
    }
    let [method, target] = own;
    let [told_method, told_target] = found;
    let method = told_method.ok_or_else(|| must_be_there(method))?.to_str();
    let method = method.map_err(|_| Error::Invalid("The method is no text.".to_owned()))?;
    Ok((method, told_target.ok_or_else(|| must_be_there(target))?.as_bytes()))
}

fn must_be_there(name: &HeaderName) -> Error {
    Error::Invalid(format!("The gateway must send `{name}`, once."))
}

fn untrusted(peer: IpAddr) -> Error {
    tracing::warn!(%peer, "asked to decide by an address that is not among `trusted_proxies`");
    Error::Forbidden {
        reason: "untrusted_proxy",
        detail: "Only gateways may ask here: the configuration names their addresses in `trusted_proxies`.".to_owned(),
        scope: None,
    }
}

/// A refusal that nginx can pass on: 401 and 403 as they are, what it would turn into its own 500 in the disguise of a 403, and a fault
/// of ours as that.
fn for_nginx(error: &Error, id: RequestId) -> Response<Bytes> {
    let (status, mut headers, problem) = error.parts(id);
    headers.insert(X_AUTH_STATUS, status.as_u16().into());
    headers.extend(HeaderValue::from_str(&problem).map(|problem| (X_AUTH_PROBLEM, problem)));
    headers.remove(header::CONTENT_TYPE);
    let disguised = status.is_client_error() && status != StatusCode::UNAUTHORIZED;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = if disguised { StatusCode::FORBIDDEN } else { status };
    *response.headers_mut() = headers;
    response
}
