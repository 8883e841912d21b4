//! One connection, from its accept to its last byte.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Request, Response, Version};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1::Connection;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::alarm::Alarm;
use super::problem::{self, Problem};
use super::wire::{OpenRequest, Phase, Wire, WireStream};
use super::{Answering, Content, Terms};

/// How long, and for how many bytes, a client may go on sending after an answer that ends the connection.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 2 * 1024 * 1024;
const LINGER_STEP_BYTES: usize = 16 * 1024;

/// Serves one connection until either side ends it.
pub(super) async fn run(stream: TcpStream, peer: SocketAddr, router: impl Answering, terms: &Arc<Terms>) {
    // Answers are small and written whole: waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let (wire, router) = (Arc::new(Wire::default()), Arc::new(router));
    let stream = WireStream::new(stream, Arc::clone(&wire));
    let answering = service_fn({
        let (wire, terms) = (Arc::clone(&wire), Arc::clone(terms));
        move |request| answer(request, peer, &router, &wire, &terms)
    });
    let mut connection = terms.http.serve_connection(TokioIo::new(stream), answering);
    let end = drive(&mut connection, &wire, terms).await;
    let parts = connection.into_parts();
    let stream = parts.io.into_inner();
    match (end, wire.takeover()) {
        // Hyper is done with the connection, and its last word was a 101.
        (End::Closed, Some(takeover)) => takeover.begin(stream.into_inner(), parts.read_buf).await,
        (end, _) => finish(stream, end, &wire, peer, terms).await,
    }
}

#[derive(Debug)]
enum End {
    Closed,
    Failed(hyper::Error),
    Waited(Phase),
    /// What an answer hung to it has cut it.
    Severed,
}

async fn drive<S>(connection: &mut Connection<TokioIo<WireStream>, S>, wire: &Wire, terms: &Terms) -> End
where
    S: Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible>,
{
    let mut alarm = Alarm::new(&terms.limits);
    let mut bell = pin!(terms.stop_bell.notified());
    let (mut listening, mut leaving) = (false, false);
    poll_fn(|cx| {
        // Polled once, to leave this task's waker with it: polling takes a lock that all connections share, and after
        // the bell the flag tells.
        if !listening {
            listening = true;
            let _ = bell.as_mut().poll(cx);
        }
        if !leaving && terms.is_stopping() {
            leaving = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        match go_on(connection, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(End::Closed),
            Poll::Ready(Err(error)) => Poll::Ready(End::Failed(error)),
            Poll::Pending if wire.poll_severed(cx).is_ready() => Poll::Ready(End::Severed),
            Poll::Pending => alarm.poll(wire, cx).map(End::Waited),
        }
    })
    .await
}

/// Reads and writes what there is. A function of its own also in what the compiler makes of it, so that a profiler can tell what
/// requests cost from all the rest.
#[inline(never)]
fn go_on<S>(connection: &mut Connection<TokioIo<WireStream>, S>, cx: &mut Context<'_>) -> Poll<hyper::Result<()>>
where
    S: Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible>,
{
    Pin::new(connection).poll(cx)
}

/// Checks what hyper leaves to us, calls the router, and sees to it that the connection ends where it must.
fn answer<R: Answering>(
    request: Request<Incoming>,
    peer: SocketAddr,
    router: &Arc<R>,
    wire: &Arc<Wire>,
    terms: &Terms,
) -> impl Future<Output = Result<Response<Answer>, Infallible>> + use<R> {
    let (open, sound) = wire.open_request();
    let refusal = refusal(&request, sound, terms);
    // Only a chunked body has no length beforehand. Its end is not looked for (`framing`), so no request may follow it.
    let last = request.body().size_hint().exact().is_none();
    let outcome = if let Some(problem) = refusal {
        wire.note_refusal();
        Err(problem.response(&terms.new_request_id()))
    } else {
        Ok(router.answer(request, peer))
    };
    async move {
        let mut response = match outcome {
            Ok(coming) => coming.await,
            Err(refused) => refused.map(Content::Whole),
        };
        open.bind(response.extensions_mut());
        if last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|content| Answer { content, _open: open }))
    }
}

fn refusal(request: &Request<Incoming>, sound: bool, terms: &Terms) -> Option<Problem> {
    if !sound {
        return Some(problem::AMBIGUOUS_FRAMING);
    }
    if request.headers().len() > terms.limits.max_headers {
        return Some(problem::HEADERS_TOO_LARGE);
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host) => None,
        (None, _) if request.version() < Version::HTTP_11 => None,
        _ => Some(problem::NOT_ONE_HOST),
    }
}

/// Whether it can be a host and perhaps a port (RFC 9112, section 3.2): no space, no path, no user, nothing that would be two of them.
fn is_host(value: &HeaderValue) -> bool {
    // A pattern is a table to the compiler, and each request has a host.
    let odd = |byte: u8| {
        matches!(byte, b'"' | b'#' | b',' | b'/' | b'<' | b'>' | b'?' | b'@' | b'\\' | b'^' | b'`' | b'{'..=b'}')
    };
    value.as_bytes().iter().all(|&byte| byte.is_ascii_graphic() && !odd(byte))
}

/// A response's body, which keeps its request open until hyper has all of it.
#[derive(Debug)]
struct Answer {
    content: Content,
    _open: OpenRequest,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Streamed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Content::Streamed(body) => body.size_hint(),
        }
    }
}

/// Gives the last answer where one is due, and lets the client read it.
async fn finish(stream: WireStream, end: End, wire: &Wire, peer: SocketAddr, terms: &Terms) {
    let problem = match &end {
        End::Closed => None,
        End::Failed(error) => {
            tracing::debug!(%peer, %error, "a connection failed");
            match stream.refusal() {
                Some(status) => Some(Problem::of_hyper(status)),
                // The answer broke off. Without a length of its own it would look whole where the connection ends in order.
                None if error.is_user() => return reset(&stream.into_inner()),
                // Hyper refuses the preface of HTTP/2 without a word.
                None if error.is_parse() && wire.is_clear() => Some(problem::MALFORMED),
                None if error.is_parse() => None,
                None => return,
            }
        }
        End::Waited(phase) => {
            tracing::debug!(%peer, ?phase, "a connection timed out");
            if *phase == Phase::Writing {
                // Neither is the kernel to keep for long what nobody takes.
                return reset(&stream.into_inner());
            }
            if *phase != Phase::Head || !stream.is_inside_head() || !wire.is_clear() {
                return;
            }
            Some(problem::HEADERS_TOO_SLOW)
        }
        End::Severed => {
            tracing::debug!(%peer, "a connection was cut");
            return reset(&stream.into_inner());
        }
    };
    if problem.is_none() && !wire.was_refused() && stream.is_between_requests() {
        return;
    }
    let answer = problem.map(|problem| problem.on_the_wire(&terms.new_request_id()));
    // A client that takes too long over this has had its chance.
    let _ = timeout(LINGER, say_last(stream.into_inner(), &answer.unwrap_or_default())).await;
}

/// Ends the connection so that the client knows that something is missing, without what it has not taken yet.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection is closed, and not reset");
    }
}

/// Closing a socket with unread bytes resets the connection, and the client may lose the answer with it. So only the
/// write side is closed, and what the client still sends is read away.
async fn say_last(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    // On the heap, so that the other connections' tasks have no room for it in them.
    let mut sink = vec![0; LINGER_STEP_BYTES];
    let mut left = LINGER_BYTES;
    while left > 0 {
        match stream.read(&mut sink).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}
