//! The ways in which others ask whether a request to the guarded API may pass: one decision, and a dialect for each of them.

pub(crate) mod authzen;
pub(crate) mod envoy;
pub(crate) mod forward_auth;
pub(crate) mod introspection;
pub(crate) mod proxy;

use std::borrow::Cow;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_core::credential::is_token;
use portcullis_core::decision::{Ask, Denial, Presented};
use portcullis_core::permission::Catalogue;

use crate::app::App;
use crate::caller::{limits, unavailable};
use crate::config::Gate;
use crate::error::Error;
use crate::metrics::Surface;
use crate::verify::credentials::{self, Ambiguous, Sent};
use crate::verify::gates::Ruled;
use crate::verify::limiter::Charge;
use crate::verify::{self, Decided, Question};

/// What tells the API who calls. All of them are always there, empty where there is nothing to tell: a gateway that takes over what it is
/// told would otherwise leave what the client sent.
pub(crate) const IDENTITY: [HeaderName; 5] = [
    HeaderName::from_static("x-portcullis-key-id"),
    HeaderName::from_static("x-portcullis-user-id"),
    HeaderName::from_static("x-portcullis-business-id"),
    HeaderName::from_static("x-portcullis-businesses"),
    HeaderName::from_static("x-portcullis-permissions"),
];
/// More businesses than these are not listed: gateways take a few thousand bytes of headers and refuse the whole answer beyond.
const MOST_BUSINESSES: usize = 128;

/// A request to the guarded API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) method: &'a str,
    /// The path and perhaps a query, as the client sent them.
    pub(crate) target: &'a [u8],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) address: Option<IpAddr>,
    pub(crate) surface: Surface,
}

/// A request that may pass.
#[derive(Debug)]
pub(crate) struct Passed {
    /// Who calls, as the headers of [`IDENTITY`].
    pub(crate) identity: HeaderMap,
    /// How the limits stand, for the answer.
    pub(crate) limits: HeaderMap,
    /// What was asked; `None` where nobody needed to be asked.
    pub(crate) ask: Option<Ask>,
}

/// A request that may not pass.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: Error,
    /// As of one that passes; in a box, for every step on the way hands a refusal on.
    pub(crate) limits: Box<HeaderMap>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, limits: Box::default() }
    }
}

/// Decides about a request to the guarded API, charges for it, and counts it.
pub(crate) async fn decide(app: &App, arrival: &Arrival<'_>) -> Result<Passed, Refused> {
    let ruled = Ruled::of(&arrival.gate.rules, arrival.method, arrival.target);
    if ruled.needs_nothing() {
        return Ok(Passed { identity: nobody(), limits: HeaderMap::new(), ask: None });
    }
    let token = token(app, arrival)?;
    let named = ruled.business_header().map(|name| named_business(arrival.headers, name)).transpose()?;
    let ask = ruled.ask(token, arrival.address, named);
    let question = Question { ask, surface: arrival.surface, charge: Charge::Cost(1), from_primary: false };
    let decided = verify::check(app, &question, |decided| {
        let limits = limits(app, decided);
        match decided.decision.denial {
            None => Ok(Passed { identity: identity(&app.catalogue, decided), limits, ask: Some(ask) }),
            Some(denial) => Err(Refused { error: denied(app, denial), limits: Box::new(limits) }),
        }
    });
    decided.await.map_err(unavailable)?
}

/// A denial as an error, with the permission that lacked.
pub(crate) fn denied(app: &App, denial: Denial) -> Error {
    let scope = match denial {
        Denial::Permission(permission) => Some(app.catalogue.name(permission).to_owned()),
        _ => None,
    };
    Error::Denied { denial, scope }
}

/// The one token of a request. A session's cookie is none: it is for the dashboard, which may well have the same host.
fn token(app: &App, arrival: &Arrival<'_>) -> Result<Presented, Error> {
    let sent = credentials::token(arrival.headers).map_err(|Ambiguous| Error::AmbiguousCredentials)?;
    let parameter = arrival.gate.token_parameter.as_deref();
    let mut in_query = parameter.into_iter().flat_map(|name| in_query(arrival.target, name));
    let text = match (sent, in_query.next(), in_query.next()) {
        (Sent::Nothing, Some(text), None) if is_token(&text) => text,
        (Sent::Nothing | Sent::Session(_), None, _) => return Err(Error::NoApiKey),
        (Sent::Token(text), None, _) => Cow::Borrowed(text),
        (Sent::Unusable, None, _) | (Sent::Nothing, Some(_), None) => return Err(Error::denied(Denial::Malformed)),
        (_, Some(_), _) => return Err(Error::AmbiguousCredentials),
    };
    Ok(verify::present(app, &text))
}

/// All values of a parameter of the query.
fn in_query<'a>(target: &'a [u8], name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let query = target.iter().position(|&byte| byte == b'?').and_then(|at| target.get(at + 1..)).unwrap_or_default();
    form_urlencoded::parse(query).filter(move |(key, _)| key == name).map(|(_, value)| value)
}

/// The business that a header names. There is no default: who means a business says so.
fn named_business<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Error> {
    let mut all = headers.get_all(name).iter();
    match (all.next().and_then(|value| value.to_str().ok()).map(str::trim), all.next()) {
        (Some(text), None) if !text.is_empty() => Ok(text),
        _ => Err(Error::Invalid(format!("Say which business the request is about: send the header `{name}`, once."))),
    }
}

fn nobody() -> HeaderMap {
    IDENTITY.into_iter().map(|name| (name, HeaderValue::from_static(""))).collect()
}

fn identity(catalogue: &Catalogue, decided: &Decided<'_>) -> HeaderMap {
    let mut headers = nobody();
    let decision = decided.decision;
    let Some(key) = decision.key else { return headers };
    let reach = decision.reach();
    let businesses = if reach.everywhere {
        "*".to_owned()
    } else if reach.businesses.len() > MOST_BUSINESSES {
        tracing::warn!(key = %key.id(), "too many businesses for a header; a request that names one is told of it");
        String::new()
    } else {
        joined(reach.businesses.iter().map(ToString::to_string))
    };
    let texts = [
        key.id().to_string(),
        key.user().to_string(),
        decision.business().map(|business| business.to_string()).unwrap_or_default(),
        businesses,
        joined(catalogue.names(reach.permissions).map(str::to_owned)),
    ];
    for (name, text) in IDENTITY.into_iter().zip(texts) {
        // Ids and names of permissions are plain ASCII.
        headers.insert(name, HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("")));
    }
    headers
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(",")
}
