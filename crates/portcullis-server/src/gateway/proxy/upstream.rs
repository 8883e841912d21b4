//! Connections to the API: made when wanted, kept for the next request, and closed with the request that they are cut off in.

use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tower::Service;

use super::bodies::Upload;
use super::exchange::{BEAT, Exchanges};
use crate::config;

/// How long a connection is kept with nothing on it. Widespread servers close theirs after five seconds, and what is sent to a
/// connection in that moment is lost, so this one is the first to hang up.
const KEPT: Duration = Duration::from_secs(4);
/// The most connections that are kept.
const MOST_KEPT: usize = 256;
/// How long a connection has to come to rest after an answer.
const REST: Duration = Duration::from_secs(1);
/// How much of what the API sends is read before the client takes it; the head of an answer is no longer either.
const BUFFER_BYTES: usize = 64 * 1024;

/// Why there is no answer from the API.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("cannot connect to the API within {} ms", .0.as_millis())]
    TooSlow(Duration),
    #[error("cannot connect to the API: {}", told(&**.0))]
    Unreachable(Box<dyn std::error::Error + Send + Sync>),
    #[error("the API's answer cannot be read: {}", told(.0))]
    Broken(hyper::Error),
}

/// An error with what is behind it.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The API, and the connections to it.
#[derive(Debug)]
pub(super) struct Upstream {
    connector: HttpsConnector<HttpConnector>,
    /// Scheme, host and port.
    uri: Uri,
    http: http1::Builder,
    connect_timeout: Duration,
    kept: Mutex<Vec<(Line, u64)>>,
    exchanges: Arc<Exchanges>,
}

/// One connection to the API, closed when dropped.
#[derive(Debug)]
pub(super) struct Line {
    sender: SendRequest<Upload>,
    task: AbortHandle,
    signs: Arc<Signs>,
    reused: bool,
}

/// What a socket tells of the API at its other end.
#[derive(Debug, Default)]
struct Signs {
    /// It has sent something since the last request.
    heard: AtomicBool,
    /// It does not take any more.
    deaf: AtomicBool,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upstream {
    pub(super) fn new(config: &config::Upstream, exchanges: Arc<Exchanges>) -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new().try_with_platform_verifier().map_err(io::Error::other)?;
        let mut http = http1::Builder::new();
        http.max_buf_size(BUFFER_BYTES);
        Ok(Self {
            connector: tls.https_or_http().enable_http1().wrap_connector(tcp),
            uri: config.url.parse().map_err(io::Error::other)?,
            http,
            connect_timeout: Duration::from_millis(config.connect_timeout_ms),
            kept: Mutex::default(),
            exchanges,
        })
    }

    /// Host and port of the API.
    pub(super) fn host(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.uri.authority()?.as_str()).ok()
    }

    /// Sends a request, and waits for the head of the answer. A request is sent a second time only where it changes nothing and has no
    /// body, once, and only where a connection that was kept ended before any byte of an answer.
    pub(super) async fn send(&self, mut request: Request<Upload>) -> Result<(Response<Incoming>, Line), NoAnswer> {
        let mut spare = repeatable(&request);
        let mut kept = self.kept();
        loop {
            let mut line = match kept.take() {
                Some(line) => line,
                None => self.connect().await?,
            };
            line.signs.heard.store(false, Relaxed);
            let mut failed = match line.sender.try_send_request(request).await {
                Ok(response) => return Ok((response, line)),
                Err(failed) => failed,
            };
            let unsent = failed.take_message();
            let died = line.reused && !line.signs.heard.load(Relaxed);
            request = match (unsent, spare.take()) {
                // It ended while nobody looked, and nothing was sent.
                (Some(unsent), again) if line.reused => {
                    spare = again;
                    kept = self.kept();
                    unsent
                }
                (_, Some(again)) if died => again,
                _ => return Err(NoAnswer::Broken(failed.into_error())),
            };
        }
    }

    async fn connect(&self) -> Result<Line, NoAnswer> {
        let connecting = self.connector.clone().call(self.uri.clone());
        let stream = match timeout(self.connect_timeout, connecting).await {
            Ok(connected) => connected.map_err(NoAnswer::Unreachable)?,
            Err(_) => return Err(NoAnswer::TooSlow(self.connect_timeout)),
        };
        let signs = Arc::<Signs>::default();
        let stream = Heard { stream: TokioIo::new(stream), signs: Arc::clone(&signs) };
        let (sender, connection) = self.http.handshake(TokioIo::new(stream)).await.map_err(NoAnswer::Broken)?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to the API ended");
            }
        });
        Ok(Line { sender, task: task.abort_handle(), signs, reused: false })
    }

    /// A connection that was used before, the last one first, so that those that are not needed grow old.
    fn kept(&self) -> Option<Line> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| kept.pop()).map(|(line, _)| line).find(|line| line.sender.is_ready())
    }

    /// Keeps a connection whose answer is over.
    pub(super) fn keep(self: &Arc<Self>, mut line: Line) {
        line.reused = true;
        if line.signs.deaf.load(Relaxed) {
            return;
        }
        if line.sender.is_ready() {
            self.put(line);
        } else if !line.sender.is_closed() {
            // Its task has yet to see the end of the answer.
            let upstream = Arc::clone(self);
            tokio::spawn(async move {
                if matches!(timeout(REST, line.sender.ready()).await, Ok(Ok(()))) {
                    upstream.put(line);
                }
            });
        }
    }

    fn put(&self, line: Line) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_KEPT {
            kept.push((line, self.exchanges.now()));
        }
    }

    /// Closes what was not used for long.
    pub(super) fn tidy(&self) {
        let beats = u64::try_from(KEPT.as_millis() / BEAT.as_millis()).unwrap_or(u64::MAX);
        let now = self.exchanges.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(line, since)| now.saturating_sub(*since) <= beats && !line.sender.is_closed());
    }
}

/// A request that may be sent twice, once more.
fn repeatable(request: &Request<Upload>) -> Option<Request<Upload>> {
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let mut again = Request::new(request.body().again().filter(|_| harmless)?);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    again.headers_mut().clone_from(request.headers());
    Some(again)
}

/// The socket to the API, which notes whether the API says anything, and listens to the last. An API that takes no more may have
/// answered before, as one that will not have so long a body does: so what is written then is lost without a word, and reading tells
/// how it ends.
#[derive(Debug)]
struct Heard {
    stream: TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>,
    signs: Arc<Signs>,
}

impl Heard {
    fn is_deaf(&self) -> bool {
        self.signs.deaf.load(Relaxed)
    }

    fn despite(&self, written: Poll<io::Result<usize>>, length: usize) -> Poll<io::Result<usize>> {
        match ready!(written) {
            Err(error) if hung_up(&error) => {
                self.signs.deaf.store(true, Relaxed);
                Poll::Ready(Ok(length))
            }
            other => Poll::Ready(other),
        }
    }
}

fn hung_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.signs.heard.store(true, Relaxed);
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_deaf() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.despite(written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.is_deaf() {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.despite(written, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf() {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx).map_ok(|()| 0);
        self.despite(flushed, 0).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
