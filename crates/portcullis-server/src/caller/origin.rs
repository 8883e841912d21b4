//! Where a request came from: the address for the audit log, and the site for the guard against forged requests.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, header};
use portcullis_core::audit::Origin;
use portcullis_core::id::RequestId;

use crate::app::App;
use crate::config::Config;
use crate::error::Error;

pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where the request came from, for the audit log.
pub(crate) struct From(pub(crate) Origin);

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(origin(&parts.extensions)))
    }
}

/// The address of whoever asks, which is the peer's own, or what a trusted proxy tells of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client(IpAddr);

impl Client {
    /// Hangs itself to a request.
    pub(crate) fn on(config: &Config, request: &mut Request) {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
        if let Some(peer) = peer {
            let client = Self(Self::behind(config, peer, request.headers()));
            request.extensions_mut().insert(client);
        }
    }

    /// Walks `X-Forwarded-For` from right to left: each address was written by the one to its right, which must be trusted.
    pub(crate) fn behind(config: &Config, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        way(config, peer, headers).last().unwrap_or(peer)
    }
}

/// The addresses that a request came by, as far as they can be believed: from the peer to the client.
pub(crate) fn way(config: &Config, peer: IpAddr, headers: &HeaderMap) -> impl Iterator<Item = IpAddr> {
    let all = headers.get_all(FORWARDED_FOR).iter().rev();
    // What cannot be read ends the walk: who wrote what is left of it is not known.
    let mut told =
        all.flat_map(|value| value.to_str().unwrap_or("?").rsplit(',')).map_while(|text| address(text.trim()));
    std::iter::successors(Some(peer), move |last| if config.trusts(*last) { told.next() } else { None })
}

/// An address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

pub(crate) fn origin(extensions: &Extensions) -> Origin {
    Origin {
        address: extensions.get::<Client>().map(|client| client.0),
        request: extensions.get::<RequestId>().copied(),
    }
}

/// Refuses what another site makes a browser do with its user's cookie. A browser says where a request comes from, by Fetch
/// metadata or by `Origin`; what says neither and changes something is refused too, since every browser says one of them then.
pub(crate) fn check_same_site(app: &App, parts: &Parts) -> Result<(), Error> {
    if parts.method.is_safe() || comes_from_here(app, &parts.headers) == Some(true) { Ok(()) } else { Err(elsewhere()) }
}

/// Refuses what another site makes a browser do without any cookie: to sign its user in as somebody else.
pub(crate) fn check_not_from_elsewhere(app: &App, headers: &HeaderMap) -> Result<(), Error> {
    if comes_from_here(app, headers) == Some(false) { Err(elsewhere()) } else { Ok(()) }
}

/// Whether the headers say that the request comes from a page of this server; `None` where they say nothing.
fn comes_from_here(app: &App, headers: &HeaderMap) -> Option<bool> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return Some(matches!(site, "same-origin" | "none"));
    }
    let origin = text(header::ORIGIN.as_str())?;
    let host = text(header::HOST.as_str()).unwrap_or_default();
    let same_host = origin.split_once("://").is_some_and(|(_, place)| !place.is_empty() && place == host);
    Some(same_host || origin == app.public_url())
}

fn elsewhere() -> Error {
    Error::Forbidden {
        reason: "origin",
        detail: "With a session, changes are made from this server's own pages; use an API key in programs.".to_owned(),
        scope: None,
    }
}
