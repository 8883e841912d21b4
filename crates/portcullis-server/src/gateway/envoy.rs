//! Envoy's `ext_authz` by gRPC: `envoy.service.auth.v3.Authorization/Check`.
//!
//! It has a listener of its own, since gRPC needs HTTP/2. Whoever is not in `trusted_proxies` gets no further than its accept.

mod messages;

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use http::{HeaderMap, HeaderName, StatusCode, header};
use portcullis_core::credential::METHOD_OVERRIDES;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::transport::Server;
use tonic_prost::ProstCodec;
use tower::Service;

use super::{Arrival, Passed, Refused, decide};
use crate::app::App;
use crate::clock::Stopwatch;
use crate::metrics::{Part, Surface};
use crate::verify::credentials::X_API_KEY;
use messages::{
    CheckRequest, CheckResponse, DeniedHttpResponse, HeaderValue, HeaderValueOption, HttpRequest, HttpStatus,
    OVERWRITE_IF_EXISTS_OR_ADD, OkHttpResponse, Status,
};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// Envoy takes 60 KB of headers from a client, and may send them twice.
const LONGEST_QUESTION: usize = 256 * 1024;
const MOST_AT_ONCE: u32 = 1_024;
const LONGEST_METADATA: u32 = 16 * 1024;
/// A gateway that is gone without a word is found out after this.
const STILL_THERE: Duration = Duration::from_secs(30);
const BACKOFF: Duration = Duration::from_millis(50);
/// Of `google.rpc.Code`.
const PERMISSION_DENIED: i32 = 7;
const UNAUTHENTICATED: i32 = 16;

/// Answers until `stop` becomes true, and then finishes what has begun.
pub(crate) async fn serve(app: Arc<App>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let stopped = async move {
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let served = Server::builder()
        .tcp_nodelay(true)
        .max_concurrent_streams(MOST_AT_ONCE)
        .http2_max_header_list_size(LONGEST_METADATA)
        .http2_keepalive_interval(Some(STILL_THERE))
        .serve_with_incoming_shutdown(Authorization { app: Arc::clone(&app) }, trusted(app, listener), stopped);
    if let Err(error) = served.await {
        tracing::error!(%error, "Envoy cannot ask any more");
    }
}

/// The connections of those who are believed.
fn trusted(app: Arc<App>, listener: TcpListener) -> impl Stream<Item = Result<TcpStream, Infallible>> {
    stream::unfold((app, listener), |(app, listener)| async move {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) if app.config.trusts(peer.ip()) => return Some((Ok(stream), (app, listener))),
                Ok((_, peer)) => {
                    tracing::warn!(%peer, "asked by gRPC by an address that is not among `trusted_proxies`");
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a connection");
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
    })
}

/// The gRPC service, and its one method.
#[derive(Debug, Clone)]
struct Authorization {
    app: Arc<App>,
}

type Answering<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl Service<http::Request<Body>> for Authorization {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let own = self.clone();
        Box::pin(async move {
            if request.uri().path() != CHECK {
                return Ok(tonic::Status::unimplemented("only Check is answered here").into_http());
            }
            let grpc = Grpc::new(ProstCodec::default());
            Ok(grpc.apply_max_message_size_config(Some(LONGEST_QUESTION), None).unary(own, request).await)
        })
    }
}

impl Service<tonic::Request<CheckRequest>> for Authorization {
    type Response = tonic::Response<CheckResponse>;
    type Error = tonic::Status;
    type Future = Answering<Self::Response, tonic::Status>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), tonic::Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<CheckRequest>) -> Self::Future {
        let app = Arc::clone(&self.app);
        Box::pin(async move {
            let stopwatch = Stopwatch::begin();
            let answer = check(&app, request.into_inner()).await.map(tonic::Response::new);
            app.metrics.answered(Part::ForwardAuth, stopwatch.elapsed());
            answer
        })
    }
}

/// What Envoy does with an error is to refuse the request, if it is told to, so errors are for what cannot be decided on.
async fn check(app: &App, question: CheckRequest) -> Result<CheckResponse, tonic::Status> {
    let invalid = |what: &str| tonic::Status::invalid_argument(what.to_owned());
    let context = question.attributes.ok_or_else(|| invalid("there are no attributes"))?;
    let name = context.context_extensions.get("gate");
    let name = name.ok_or_else(|| invalid("context_extensions must name the gate, as `gate: crm`"))?;
    let gate = app.config.gate(name).ok_or_else(|| {
        tracing::warn!(gate = name, "Envoy asks at a gate that is not in the configuration");
        tonic::Status::not_found("the configuration has no such gate")
    })?;
    let http = context.request.and_then(|request| request.http).ok_or_else(|| invalid("there is no request"))?;
    let headers = headers(&http).ok_or_else(|| invalid("a header is none"))?;
    let source = context.source.and_then(|peer| peer.address).and_then(|address| address.socket_address);
    let address = source.and_then(|socket| socket.address.parse().ok()).map(|address: IpAddr| address.to_canonical());
    let (method, target) = (http.method.as_str(), http.path.as_bytes());
    let arrival =
        Arrival { gate, method, target, headers: &headers, address, surface: Surface::Envoy, at: app.clock.now() };
    Ok(match decide(app, &arrival, |decided| Passed::of(app, decided)).await {
        Ok(passed) => allowed(&passed, gate.token_parameter.as_ref()),
        Err(refused) => denied(app, &refused),
    })
}

/// The headers of the client's request. The names that HTTP/2 writes with a colon are none.
fn headers(http: &HttpRequest) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &[u8]| {
        if !name.starts_with(':') {
            headers.append(name.parse::<HeaderName>().ok()?, http::HeaderValue::from_bytes(value).ok()?);
        }
        Some(())
    };
    if let Some(all) = &http.header_map {
        for HeaderValue { key, value, raw_value } in &all.headers {
            add(key, if raw_value.is_empty() { value.as_bytes() } else { raw_value })?;
        }
    } else {
        for (name, value) in &http.headers {
            add(name, value.as_bytes())?;
        }
    }
    Some(headers)
}

fn allowed(passed: &Passed, token_parameter: Option<&String>) -> CheckResponse {
    let credentials = [header::AUTHORIZATION, X_API_KEY];
    let unwanted = credentials.iter().map(HeaderName::as_str).chain(METHOD_OVERRIDES);
    CheckResponse {
        status: Some(Status { code: 0, message: String::new() }),
        denied_response: None,
        ok_response: Some(OkHttpResponse {
            headers: written(&passed.identity),
            headers_to_remove: unwanted.map(str::to_owned).collect(),
            response_headers_to_add: written(&passed.limits),
            query_parameters_to_remove: token_parameter.into_iter().cloned().collect(),
        }),
    }
}

fn denied(app: &App, refused: &Refused) -> CheckResponse {
    let (status, mut headers, body) = refused.error.parts(app.request_ids.next(app.clock.now()));
    let code = if status == StatusCode::UNAUTHORIZED { UNAUTHENTICATED } else { PERMISSION_DENIED };
    headers.extend((*refused.limits).clone());
    let status = HttpStatus { code: status.as_u16().into() };
    CheckResponse {
        status: Some(Status { code, message: refused.error.code().to_owned() }),
        denied_response: Some(DeniedHttpResponse { status: Some(status), headers: written(&headers), body }),
        ok_response: None,
    }
}

/// Headers that take the place of what was there, also where they are empty.
fn written(headers: &HeaderMap) -> Vec<HeaderValueOption> {
    let one = |(name, value): (&HeaderName, &http::HeaderValue)| HeaderValueOption {
        header: Some(HeaderValue {
            key: name.as_str().to_owned(),
            value: value.to_str().unwrap_or_default().to_owned(),
            raw_value: Vec::new(),
        }),
        append_action: OVERWRITE_IF_EXISTS_OR_ADD,
        keep_empty_value: true,
    };
    headers.iter().map(one).collect()
}
