//! The headers of a request on its way to the API, and of the answer on its way back.
//!
//! First goes what belongs to one connection alone (RFC 9110, section 7.6.1), and what a client names in `Connection`; then what only
//! this proxy may say; and last is written what this proxy does say. In another order a client could have it removed.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE, VIA,
};
use portcullis_core::gate::{BusinessFrom, Gate};

use crate::caller::FORWARDED_FOR;
use crate::config::headers::{IDENTITY_PREFIX, NO_TWINS, OF_CONNECTIONS, dashed, is_ours};
use crate::error::X_REQUEST_ID;
use crate::verify::credentials::SESSION_COOKIE;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// How the headers of one gate's requests are rewritten.
#[derive(Debug)]
pub(super) struct Rewriting {
    /// What the API asks of this proxy. It is marked as sensitive, and so is never printed.
    pub(super) authorization: Option<HeaderValue>,
    /// The headers that decisions read: they reach the API as they were read.
    read: Vec<String>,
}

/// What the proxy tells of a request.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) identity: HeaderMap,
    /// From the peer to the client, as far as it can be believed.
    pub(super) way: &'a [IpAddr],
    /// Whether what the peer forwarded is believed.
    pub(super) trusted: bool,
    /// What the API is told as `Host`, where it is not what the client named.
    pub(super) host: Option<HeaderValue>,
    pub(super) request_id: Option<HeaderValue>,
    pub(super) upgrade: Option<HeaderValue>,
    /// Whether the body's length is not known beforehand.
    pub(super) chunked: bool,
}

impl Rewriting {
    pub(super) fn new(gate: &Gate, authorization: Option<HeaderValue>) -> Self {
        let read = gate.rules.iter().filter_map(|rule| match &rule.business {
            BusinessFrom::Header(name) => Some(name.clone()),
            BusinessFrom::None | BusinessFrom::Segment(_) => None,
        });
        Self { authorization, read: read.collect() }
    }

    /// The headers that the API gets.
    pub(super) fn to_api(&self, sent: &HeaderMap, told: Told<'_>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(sent.len() + 12);
        for (name, value) in sent {
            if !self.may_pass(name.as_str(), sent) {
                continue;
            }
            if name == COOKIE {
                headers.extend(without_session(value).map(|value| (COOKIE, value)));
            } else {
                headers.append(name, value.clone());
            }
        }
        headers.extend(told.identity);
        let forwarded = |name: &HeaderName| only(sent, name).filter(|_| told.trusted).cloned();
        let proto = forwarded(&FORWARDED_PROTO).filter(|proto| matches!(proto.as_bytes(), b"http" | b"https"));
        headers.insert(FORWARDED_PROTO, proto.unwrap_or(HeaderValue::from_static("http")));
        let way = told.way.iter().rev().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        headers.extend(HeaderValue::from_str(&way).map(|way| (FORWARDED_FOR, way)));
        let named = sent.get(HOST).cloned();
        headers.extend(forwarded(&FORWARDED_HOST).or(named.clone()).map(|host| (FORWARDED_HOST, host)));
        headers.extend(told.host.or(named).map(|host| (HOST, host)));
        headers.extend(told.request_id.map(|id| (X_REQUEST_ID, id)));
        headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        headers.append(VIA, HeaderValue::from_static("1.1 portcullis"));
        if told.chunked {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        if let Some(upgrade) = told.upgrade {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, upgrade);
        } else if tokens(sent, &TE).any(|token| token.eq_ignore_ascii_case(b"trailers")) {
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        headers
    }

    fn may_pass(&self, name: &str, sent: &HeaderMap) -> bool {
        let dashed = dashed(name);
        let is_twin = dashed != name;
        let reads = |name: &str| self.read.iter().any(|read| read == name);
        if reads(name) {
            return true;
        }
        let is_twin_of = |own: &str| is_twin && dashed == self::dashed(own);
        !(OF_CONNECTIONS.contains(&&*dashed)
            || is_ours(&dashed)
            || NO_TWINS.into_iter().any(is_twin_of)
            || self.read.iter().any(|read| dashed == self::dashed(read))
            || is_named(sent, name))
    }
}

/// The headers that the client gets. Of ours it gets none from the API: neither what the API may have heard from us, nor another number
/// of the request.
pub(super) fn to_client(sent: &HeaderMap) -> HeaderMap {
    let passes = |name: &str| {
        let ours = X_REQUEST_ID == name || dashed(name).starts_with(IDENTITY_PREFIX);
        !(OF_CONNECTIONS.contains(&name) || ours || is_named(sent, name))
    };
    let all = sent.iter().filter(|(name, _)| passes(name.as_str()));
    all.fold(HeaderMap::with_capacity(sent.len()), |mut headers, (name, value)| {
        headers.append(name, value.clone());
        headers
    })
}

/// What a client wants to go on with on this connection, where it asks as it must. HTTP/2 is left out: a tunnel of it would carry
/// requests past every rule. The protocol that stays is HTTP/1.1 then, as anybody may answer.
pub(super) fn upgrade(sent: &HeaderMap) -> Option<HeaderValue> {
    let value = only(sent, &UPGRADE)?;
    let hides_requests = |token: &[u8]| {
        let token = token.to_ascii_lowercase();
        [&b"h2"[..], b"http", b"tls"].iter().any(|start| token.starts_with(start))
    };
    let wanted = is_named(sent, UPGRADE.as_str()) && !tokens(sent, &UPGRADE).any(hides_requests);
    wanted.then(|| value.clone())
}

/// Whether `Connection` names this header.
fn is_named(sent: &HeaderMap, name: &str) -> bool {
    tokens(sent, &CONNECTION).any(|token| token.eq_ignore_ascii_case(name.as_bytes()))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none())
}

/// The members of a list, of all headers of that name.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers.get_all(name).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// The cookies without the one of the dashboard, which may have the same host; `None` where no other is left.
fn without_session(value: &HeaderValue) -> Option<HeaderValue> {
    let is_session = |pair: &&[u8]| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(SESSION_COOKIE.as_bytes())
    };
    let pairs = || value.as_bytes().split(|byte| *byte == b';');
    if !pairs().any(|pair| is_session(&pair)) {
        return Some(value.clone());
    }
    let rest = pairs().filter(|pair| !is_session(pair)).collect::<Vec<_>>().join(&b';');
    let rest = rest.trim_ascii();
    if rest.is_empty() { None } else { HeaderValue::from_bytes(rest).ok() }
}
