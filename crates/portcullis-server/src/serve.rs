//! The HTTP/1.1 connection layer: accept, bound, drain.
//!
//! `axum::serve` sets no timeouts, caps nothing and lets hyper answer a malformed request with an empty body, so hyper's
//! connections are driven here. Four things always hold:
//!
//! - Every answer that leaves the server, also to bytes that are no request, is a problem document.
//! - A request whose length two readers could read differently never reaches the router (`framing`).
//! - No connection waits longer than its limits say (`alarm`), and none costs a task or a timer for each request.
//! - The accept loop ends only when it is told to.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

mod addresses;
mod alarm;
mod bonds;
mod connection;
mod framing;
mod problem;
#[cfg(test)]
mod tests;
mod wire;

use addresses::Addresses;
pub(crate) use bonds::{Leash, Sever, Takeover};

/// The first and the longest pause after an accept that failed for want of something, e.g. file descriptors.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_LONGEST: Duration = Duration::from_secs(1);

/// How far hyper's buffers grow, where a head may not be longer. The default lets one connection take 400 KB.
const BUFFER_BYTES: usize = 64 * 1024;
/// How many headers hyper parses on the stack; more of them would cost an allocation for each request.
const HEADERS_ON_THE_STACK: usize = 100;

/// What one connection may cost.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimits {
    /// From the first byte of a request (of the first one: from the accept) to the end of its headers.
    pub(crate) header_read_timeout: Duration,
    /// How long a connection is kept with no request in progress, or with an answer that the client does not take.
    pub(crate) idle_timeout: Duration,
    /// The request line and all headers together.
    pub(crate) max_header_bytes: usize,
    pub(crate) max_headers: usize,
    /// Connections open at once from one IPv4 address or one IPv6 /64; 0 means no cap.
    pub(crate) max_connections_per_address: usize,
    /// Addresses that the cap is not for: those of gateways, behind whom everybody is.
    pub(crate) uncapped: Vec<IpNet>,
    /// How long a graceful stop waits for requests in flight.
    pub(crate) drain_timeout: Duration,
}

/// Where the ids of requests come from that no router saw.
pub(crate) type RequestIds = Arc<dyn Fn() -> String + Send + Sync>;

/// What answers requests: a router, or less. It is told where each came from. Every connection has one of its own, so that
/// connections on different cores do not count the references to the same one.
pub(crate) trait Answering: Clone + Send + Sync + 'static {
    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Content>> + Send + use<Self>;
}

/// The body of an answer. What is there as a whole needs no place on the heap of its own, as a stream does.
#[derive(Debug)]
pub(crate) enum Content {
    Whole(Bytes),
    Streamed(Body),
}

/// Has a router answer.
pub(crate) fn routed(
    router: &Router,
    mut request: Request<Incoming>,
    peer: SocketAddr,
) -> impl Future<Output = Response<Content>> + Send + use<> {
    request.extensions_mut().insert(ConnectInfo(peer));
    let answering = router.clone().oneshot(request);
    async move { answering.await.unwrap_or_else(|never| match never {}).map(Content::Streamed) }
}

/// Serves until `stop` becomes true, then drains: idle connections close at once, requests in flight have
/// [`ConnectionLimits::drain_timeout`] to end. When the sender of `stop` is gone without having said so, serving goes on.
pub(crate) async fn serve(
    listener: TcpListener,
    router: impl Answering,
    limits: ConnectionLimits,
    request_ids: RequestIds,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let addresses = Addresses::new(limits.max_connections_per_address, limits.uncapped.clone());
    let terms = Arc::new(Terms::new(limits, request_ids));
    let mut connections = JoinSet::new();
    let mut backoff = BACKOFF_FIRST;
    loop {
        let accepted = tokio::select! {
            () = told_to_stop(&mut stop) => break,
            Some(ended) = connections.join_next() => {
                report_panic(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                backoff = BACKOFF_FIRST;
                let Some(place) = addresses.admit(peer.ip()) else {
                    turn_away(stream, peer, &terms);
                    continue;
                };
                let (router, terms) = (router.clone(), Arc::clone(&terms));
                connections.spawn(async move {
                    connection::run(stream, peer, router, &terms).await;
                    drop(place);
                });
            }
            Err(error) if concerns_one_connection(&error) => {
                tracing::debug!(%error, "a connection ended before it was accepted");
            }
            Err(error) => {
                tracing::warn!(%error, pause_ms = backoff.as_millis(), "cannot accept connections");
                if timeout(backoff, told_to_stop(&mut stop)).await.is_ok() {
                    break;
                }
                backoff = (backoff * 2).min(BACKOFF_LONGEST);
            }
        }
    }
    drop(listener);
    terms.stop();
    drain(connections, terms.limits.drain_timeout).await;
    Ok(())
}

/// What every connection is served under.
struct Terms {
    limits: ConnectionLimits,
    request_ids: RequestIds,
    http: http1::Builder,
    stopping: AtomicBool,
    stop_bell: Notify,
}

impl Terms {
    fn new(limits: ConnectionLimits, request_ids: RequestIds) -> Terms {
        let mut http = http1::Builder::new();
        http.half_close(false)
            .keep_alive(true)
            // Hyper's own timer starts as soon as it waits for a request, so it would close idle connections too, costs
            // an allocation for each request, and closes without an answer. `alarm` does both timeouts instead.
            .header_read_timeout(None)
            .max_header_size(limits.max_header_bytes)
            .max_buf_size(limits.max_header_bytes.max(BUFFER_BYTES));
        if limits.max_headers > HEADERS_ON_THE_STACK {
            http.max_headers(limits.max_headers);
        }
        Terms { limits, request_ids, http, stopping: AtomicBool::new(false), stop_bell: Notify::new() }
    }

    /// The flag is set before the bell rings: who starts to listen too late for the bell finds the flag.
    fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop_bell.notify_waiters();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn new_request_id(&self) -> String {
        (self.request_ids)()
    }
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms").field("limits", &self.limits).finish_non_exhaustive()
    }
}

async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Errors of a connection that went away in the queue, and (on Linux) network errors that were pending on it.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
    )
}

/// Says why and closes, without waiting for anything: who is over the cap gets neither a task nor memory.
fn turn_away(stream: TcpStream, peer: SocketAddr, terms: &Terms) {
    tracing::debug!(%peer, "too many connections from this address");
    let answer = problem::TOO_MANY_CONNECTIONS.on_the_wire(&terms.new_request_id());
    // The blocking interface of a socket that does not block: the new socket's send buffer takes the whole answer.
    if let Ok(stream) = stream.into_std() {
        let _ = io::Write::write(&mut &stream, &answer);
    }
}

fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task panicked");
    }
}

async fn drain(mut connections: JoinSet<()>, limit: Duration) {
    let drained = timeout(limit, async {
        while let Some(ended) = connections.join_next().await {
            report_panic(ended);
        }
    })
    .await;
    if drained.is_err() {
        tracing::warn!(open = connections.len(), "stopped before every request had ended");
        connections.shutdown().await;
    }
}

/// Timeouts are about elapsed time on this machine and decide nothing about keys, so they need no clock that a test
/// could set: tests pause Tokio's.
#[expect(clippy::disallowed_methods, reason = "only how long a socket has been silent is measured with it")]
fn now() -> Instant {
    Instant::now()
}
