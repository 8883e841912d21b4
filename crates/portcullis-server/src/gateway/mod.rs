//! The ways in which others ask whether a request to the guarded API may pass: one decision, and a dialect for each of them.

pub(crate) mod authzen;
pub(crate) mod envoy;
pub(crate) mod forward_auth;
pub(crate) mod introspection;
pub(crate) mod proxy;

use std::borrow::Cow;
use std::net::IpAddr;

use http::HeaderMap;
use portcullis_core::credential::is_token;
use portcullis_core::decision::{Ask, Denial, Presented};
use portcullis_core::permission::Catalogue;
use portcullis_core::time::Timestamp;

use crate::app::App;
use crate::caller::{put_limits, unavailable};
use crate::config::Gate;
use crate::error::Error;
use crate::metrics::Surface;
use crate::values::{Told, Values};
use crate::verify::credentials::{self, Ambiguous, Sent};
use crate::verify::gates::Ruled;
use crate::verify::limiter::Charge;
use crate::verify::{self, Decided, Question};

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
    pub(crate) at: Timestamp,
}

/// A request that may pass.
#[derive(Debug)]
pub(crate) struct Passed {
    /// Who calls, as headers.
    pub(crate) identity: HeaderMap,
    /// How the limits stand, for the answer.
    pub(crate) limits: HeaderMap,
    /// What was asked; `None` where nobody needed to be asked.
    pub(crate) ask: Option<Ask>,
}

impl Passed {
    /// Of a decision; of none, where nobody needed to be asked.
    pub(crate) fn of(app: &App, decided: Option<&Decided<'_>>) -> Self {
        let (mut identity, mut limits) = (HeaderMap::new(), HeaderMap::new());
        in_headers(&mut identity, |values| put_identity(&app.catalogue, decided, values));
        if let Some(decided) = decided {
            in_headers(&mut limits, |values| put_limits(app, decided, values));
        }
        Self { identity, limits, ask: decided.map(|decided| *decided.ask) }
    }
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

/// Decides about a request to the guarded API, charges for it, and counts it. Of one that may pass, `passed` takes what it needs; there
/// is no decision where nobody needs to be asked.
pub(crate) async fn decide<T: Send>(
    app: &App,
    arrival: &Arrival<'_>,
    passed: impl FnOnce(Option<&Decided<'_>>) -> T + Send,
) -> Result<T, Refused> {
    let ruled = Ruled::of(&arrival.gate.rules, arrival.method, arrival.target);
    if ruled.needs_nothing() {
        return Ok(passed(None));
    }
    let token = token(app, arrival)?;
    let named = ruled.business_header().map(|name| named_business(arrival.headers, name)).transpose()?;
    let ask = ruled.ask(token, arrival.address, named);
    let question =
        Question { ask, surface: arrival.surface, charge: Charge::Cost(1), at: arrival.at, from_primary: false };
    let decided = verify::check(app, &question, |decided| match decided.decision.denial {
        None => Ok(passed(Some(decided))),
        Some(denial) => {
            let mut limits = Box::<HeaderMap>::default();
            in_headers(&mut limits, |values| put_limits(app, decided, values));
            Err(Refused { error: denied(app, denial), limits })
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

fn in_headers(headers: &mut HeaderMap, put: impl FnOnce(&mut Values)) {
    let mut values = Values::new();
    put(&mut values);
    values.put_into(headers);
}

/// Tells the API who calls. All of these headers are always there, empty where there is nothing to tell: a gateway that takes over what
/// it is told would otherwise leave what the client sent.
pub(crate) fn put_identity(catalogue: &Catalogue, decided: Option<&Decided<'_>>, values: &mut Values) {
    let known = decided.and_then(|decided| Some((decided.decision, decided.decision.key?)));
    let reach = known.map(|(decision, _)| decision.reach());
    values.put(Told::KeyId, |text| {
        known.inspect(|(_, key)| _ = text.bytes(&key.id().text()));
    });
    values.put(Told::UserId, |text| {
        known.inspect(|(_, key)| _ = text.bytes(&key.user().text()));
    });
    values.put(Told::BusinessId, |text| {
        let business = known.and_then(|(decision, _)| decision.business());
        business.inspect(|business| _ = text.bytes(&business.text()));
    });
    values.put(Told::Businesses, |text| match (&reach, known) {
        (Some(reach), _) if reach.everywhere => _ = text.words(&["*"]),
        (Some(reach), Some((_, key))) if reach.businesses.len() > MOST_BUSINESSES => {
            tracing::warn!(key = %key.id(), "too many businesses for a header; a request that names one is told of it");
        }
        (reach, _) => text.list(reach.iter().flat_map(|reach| &reach.businesses), |text, business| {
            text.bytes(&business.text());
        }),
    });
    values.put(Told::Permissions, |text| {
        let names = reach.iter().flat_map(|reach| catalogue.names(reach.permissions));
        text.list(names, |text, name| _ = text.words(&[name]));
    });
}
