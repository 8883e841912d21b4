//! Proxy mode: the same decision in front of an API that has no gateway at all.
//!
//! A request is decided on, and passed on without its credential and with who calls. Bodies go through a piece at a time, and what is
//! still under way when its key ends is cut ([`exchange`]).

mod bodies;
mod exchange;
mod headers;
mod target;
mod tunnel;
mod upstream;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use futures_util::FutureExt;
use http::header::{CONNECTION, HOST, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use portcullis_core::id::RequestId;

use super::{Arrival, Passed, Refused, decide, denied};
use crate::app::App;
use crate::caller::way;
use crate::clock::Stopwatch;
use crate::config::{self, Gate};
use crate::error::{Error, X_REQUEST_ID};
use crate::metrics::{Part, Surface};
use crate::serve::{Answering, Content, Leash};
use bodies::{Download, Upload};
use exchange::{Cut, Exchange, Exchanges, Opened};
use headers::{Rewriting, Told};
use upstream::{Line, Upstream};

/// The proxy in front of one API.
#[derive(Debug)]
pub(crate) struct Proxy {
    app: Arc<App>,
    gate: Gate,
    rewriting: Rewriting,
    keep_host: bool,
    upstream: Arc<Upstream>,
    exchanges: Arc<Exchanges>,
}

/// The proxy, as a connection has it.
#[derive(Debug, Clone)]
pub(crate) struct Proxying(pub(crate) Arc<Proxy>);

impl Answering for Proxying {
    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = http::Response<Content>> + Send + use<> {
        let proxying = Arc::clone(self);
        async move { proxying.0.answer(request, peer.ip().to_canonical()).await.map(Content::Streamed) }
    }
}

impl Proxy {
    pub(crate) fn new(app: &Arc<App>, gate: &Gate, config: &config::Upstream) -> io::Result<Self> {
        let authorization = config.authorization_file.as_deref().map(authorization).transpose()?;
        let exchanges = Exchanges::new(config.response_timeout_seconds, config.idle_timeout_seconds);
        let exchanges = Arc::new(exchanges);
        Ok(Self {
            app: Arc::clone(app),
            rewriting: Rewriting::new(&gate.rules, authorization),
            keep_host: config.keep_host,
            upstream: Arc::new(Upstream::new(config, Arc::clone(&exchanges))?),
            gate: gate.clone(),
            exchanges,
        })
    }

    /// Looks at what is on its way, for as long as anything is.
    pub(crate) async fn watch(&self) -> Infallible {
        loop {
            tokio::time::sleep(exchange::BEAT).await;
            self.exchanges.look(&self.app);
            self.upstream.tidy();
        }
    }

    /// Answers one request.
    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response {
        let stopwatch = Stopwatch::begin();
        let id = self.app.request_ids.next(self.app.clock.now());
        let (parts, body) = request.into_parts();
        let whole = body.is_end_stream();
        let passing = AssertUnwindSafe(self.pass(&parts, body, peer, id)).catch_unwind().await;
        let panicked = |_| Err(Refused::from(Error::Internal("the proxy panicked".to_owned())));
        let mut response = passing.unwrap_or_else(panicked).unwrap_or_else(|Refused { error, limits }| {
            let mut response = error.render(id);
            let headers = response.headers_mut();
            headers.extend(*limits);
            if !whole {
                // What the client is still sending would be read as the next request.
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        });
        if let Some(id) = request_id(id) {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        self.app.metrics.answered(Part::Proxy, stopwatch.elapsed());
        response
    }

    async fn pass(&self, parts: &Parts, body: Incoming, peer: IpAddr, id: RequestId) -> Result<Response, Refused> {
        let target = target::of(parts)?;
        let way: Vec<IpAddr> = way(&self.app.config, peer, &parts.headers).collect();
        let arrival = Arrival {
            gate: &self.gate,
            method: parts.method.as_str(),
            target: target.as_str().as_bytes(),
            headers: &parts.headers,
            address: way.last().copied(),
            surface: Surface::Proxy,
            at: self.app.clock.now(),
        };
        let Passed { identity, limits, ask } =
            decide(&self.app, &arrival, |decided| Passed::of(&self.app, decided)).await?;
        let upgrade = upgrade(parts, &body);
        let told = Told {
            identity,
            way: &way,
            trusted: self.app.config.trusts(peer),
            host: self.upstream.host().filter(|_| !self.keep_host || !parts.headers.contains_key(HOST)),
            request_id: request_id(id),
            upgrade: upgrade.clone(),
            chunked: body.size_hint().exact().is_none(),
        };
        let target = match &self.gate.token_parameter {
            Some(parameter) => target::without(target, parameter)?,
            None => target.clone(),
        };
        let opened = self.exchanges.open(ask, body.is_end_stream());
        let mut request = Request::new(Upload::new(body, Arc::clone(opened.exchange())));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = target.into();
        *request.headers_mut() = self.rewriting.to_api(&parts.headers, told);
        let answered = match self.forward(request, opened.exchange()).await {
            Ok((response, line)) => self.relay(response, line, opened, upgrade.is_some()),
            Err(error) => Err(error),
        };
        match answered {
            Ok(mut response) => {
                response.headers_mut().extend(limits);
                Ok(response)
            }
            Err(error) => Err(Refused { error, limits: Box::new(limits) }),
        }
    }

    /// Sends a request to the API and waits for the head of its answer.
    async fn forward(
        &self,
        request: Request<Upload>,
        exchange: &Exchange,
    ) -> Result<(http::Response<Incoming>, Line), Error> {
        let answered = tokio::select! {
            answered = self.upstream.send(request) => answered,
            cut = exchange.severed() => return Err(match cut {
                Cut::Denied(denial) => denied(&self.app, denial),
                Cut::NoMemory => Error::Unavailable("the lease ended while a request was with the API".to_owned()),
                Cut::Silent if exchange.awaits_client() => Error::Timeout,
                Cut::Silent => Error::GatewayTimeout,
            }),
        };
        answered.map_err(|error| {
            if exchange.is_broken() {
                return Error::Invalid("The request's body broke off, or cannot be read.".to_owned());
            }
            Error::BadGateway(format!("gate {}: {error}", self.gate.rules.name))
        })
    }

    /// The API's answer, as the client gets it.
    fn relay(
        &self,
        mut response: http::Response<Incoming>,
        line: Line,
        opened: Opened,
        upgrading: bool,
    ) -> Result<Response, Error> {
        opened.exchange().begin_answer();
        let leash = Leash(Arc::clone(opened.exchange()) as _);
        let headers = headers::to_client(response.headers());
        let mut relayed = if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !upgrading {
                return Err(Error::BadGateway("the API changed the protocol, and nobody had asked".to_owned()));
            }
            let mut relayed = Response::new(Body::empty());
            *relayed.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            relayed.extensions_mut().insert(tunnel::takeover(hyper::upgrade::on(&mut response), line, opened));
            *relayed.headers_mut() = headers;
            relayed.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            let protocol = response.headers_mut().remove(UPGRADE);
            relayed.headers_mut().extend(protocol.map(|protocol| (UPGRADE, protocol)));
            relayed
        } else {
            let status = response.status();
            let body = Download::new(response.into_body(), line, Arc::clone(&self.upstream), opened);
            let mut relayed = Response::new(Body::new(body));
            *relayed.headers_mut() = headers;
            *relayed.status_mut() = status;
            relayed
        };
        relayed.extensions_mut().insert(leash);
        Ok(relayed)
    }
}

/// What the client wants to go on with, where its request is one that can end in that.
fn upgrade(parts: &Parts, body: &Incoming) -> Option<HeaderValue> {
    let can = parts.method == Method::GET && parts.version == Version::HTTP_11 && body.is_end_stream();
    if can { headers::upgrade(&parts.headers) } else { None }
}

fn request_id(id: RequestId) -> Option<HeaderValue> {
    HeaderValue::from_str(&id.to_string()).ok()
}

/// What the API is told in place of the client's credential. Marked as sensitive, it is never printed.
fn authorization(file: &std::path::Path) -> io::Result<HeaderValue> {
    let wrong = |kind, why: String| io::Error::new(kind, format!("authorization_file {}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.kind(), error.to_string()))?;
    let unusable = || wrong(io::ErrorKind::InvalidData, "it must hold one line, as `Bearer …`".to_owned());
    let mut value = HeaderValue::from_str(text.trim()).map_err(|_| unusable())?;
    if value.is_empty() {
        return Err(unusable());
    }
    value.set_sensitive(true);
    Ok(value)
}
