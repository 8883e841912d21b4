//! The socket as hyper sees it, and what its two ends know of each other.
//!
//! Hyper answers bytes that are no request itself, with a status and nothing else. It has no setting for that, but such
//! an answer can be told from ours without looking at it. Between a call of the router and the flush after the last
//! byte of its response, bytes that hyper writes may be the response's, and they pass. At any other time no response
//! is under way, so what hyper writes can only be its own refusal: it is swallowed, all but the status, and the
//! connection's task writes a problem document instead.
//!
//! Where a refusal comes behind a response that the client has not taken yet, both share hyper's buffer, and the
//! refusal passes bare: it is better to send an answer without a body than to cut into a response.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::task::{Context, Poll, ready};

use http::{Extensions, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::bonds::{Bonds, Takeover};
use super::framing::Framing;

/// What the socket's end, the router's end and the connection's task tell each other. All of them run in one task, so
/// the order of each access is the program's and no stronger ordering is needed.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// Requests that hyper has handed on.
    calls: AtomicU64,
    /// Heads that went by and had one reading.
    sound_heads: AtomicU64,
    inside_head: AtomicBool,
    /// A request is with the router, or its response is not yet all with hyper.
    open: AtomicBool,
    /// Hyper may still hold bytes of a response.
    owed: AtomicBool,
    /// The client does not take what is written.
    blocked: AtomicBool,
    writes: AtomicU64,
    /// The connection ends with the answer that is under way, whatever the client still sends.
    refused: AtomicBool,
    /// What the last answer hung to the connection.
    bonds: Bonds,
}

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The rest of a head, or the first byte of a new connection.
    Head,
    /// The next request.
    Idle,
    /// The router.
    Router,
    /// The client, who does not take the response.
    Writing,
}

/// A request that is being answered, until dropped.
#[derive(Debug)]
pub(super) struct OpenRequest {
    wire: Arc<Wire>,
}

impl Wire {
    /// Notes that hyper handed on a request. False when its head was ambiguous, or when hyper saw a head where the
    /// second reader saw none.
    pub(super) fn open_request(self: &Arc<Wire>) -> (OpenRequest, bool) {
        let call = self.calls.load(Relaxed) + 1;
        self.calls.store(call, Relaxed);
        self.open.store(true, Relaxed);
        self.owed.store(true, Relaxed);
        (OpenRequest { wire: Arc::clone(self) }, call <= self.sound_heads.load(Relaxed))
    }

    pub(super) fn note_refusal(&self) {
        self.refused.store(true, Relaxed);
    }

    pub(super) fn was_refused(&self) -> bool {
        self.refused.load(Relaxed)
    }

    /// What the connection waits for, with a number that changes whenever it begins to wait anew.
    pub(super) fn phase(&self) -> (Phase, u64) {
        let calls = self.calls.load(Relaxed);
        if self.blocked.load(Relaxed) {
            (Phase::Writing, self.writes.load(Relaxed))
        } else if self.open.load(Relaxed) {
            (Phase::Router, calls)
        } else if calls == 0 || self.inside_head.load(Relaxed) {
            (Phase::Head, calls)
        } else {
            (Phase::Idle, calls)
        }
    }

    /// Ready when the connection must end at once.
    pub(super) fn poll_severed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.bonds.poll_severed(cx)
    }

    /// What goes on with the socket after hyper.
    pub(super) fn takeover(&self) -> Option<Takeover> {
        self.bonds.takeover()
    }

    /// Whether nothing that belongs to a response can be on its way, so that an answer of our own may be written.
    pub(super) fn is_clear(&self) -> bool {
        !self.owed.load(Relaxed)
    }
}

impl OpenRequest {
    /// Takes from an answer what its connection is to heed.
    pub(super) fn bind(&self, extensions: &mut Extensions) {
        self.wire.bonds.take(extensions);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.wire.open.store(false, Relaxed);
    }
}

/// The socket with the second reader beside it.
#[derive(Debug)]
pub(super) struct WireStream {
    stream: TcpStream,
    framing: Framing,
    wire: Arc<Wire>,
    refusal: Option<StatusCode>,
}

impl WireStream {
    pub(super) fn new(stream: TcpStream, wire: Arc<Wire>) -> WireStream {
        WireStream { stream, framing: Framing::default(), wire, refusal: None }
    }

    /// The status with which hyper wanted to refuse what it read.
    pub(super) fn refusal(&self) -> Option<StatusCode> {
        self.refusal
    }

    /// Whether all that was read belongs to complete requests, so that the client need not be sending more.
    pub(super) fn is_between_requests(&self) -> bool {
        self.framing.is_between_requests()
    }

    pub(super) fn is_inside_head(&self) -> bool {
        self.framing.is_inside_head()
    }

    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// Whether these bytes are hyper's own refusal, which is noted.
    fn swallows(&mut self, bytes: &[u8]) -> bool {
        if !self.wire.is_clear() {
            return false;
        }
        if self.refusal.is_none() {
            // `HTTP/1.1 400 …`
            let status = bytes.get(9..12).and_then(|digits| StatusCode::from_bytes(digits).ok());
            self.refusal = Some(status.unwrap_or(StatusCode::BAD_REQUEST));
        }
        true
    }

    fn note_write(&self, written: &Poll<io::Result<usize>>) {
        self.wire.blocked.store(written.is_pending(), Relaxed);
        if let Poll::Ready(Ok(_)) = written {
            self.wire.writes.store(self.wire.writes.load(Relaxed).wrapping_add(1), Relaxed);
        }
    }
}

impl AsyncRead for WireStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let new = buf.filled().get(before..).unwrap_or_default();
        // An ambiguous head is not counted as sound, nor is any after it: that is all the router's end has to know.
        let _ = self.framing.read(new);
        self.wire.sound_heads.store(self.framing.heads(), Relaxed);
        self.wire.inside_head.store(self.framing.is_inside_head(), Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WireStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.swallows(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.swallows(slices.first().map_or(&[], |first| first)) {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Hyper flushes only with an empty buffer, so after this nothing is owed of responses that are complete.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if !self.wire.open.load(Relaxed) {
            self.wire.owed.store(false, Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    /// After a swallowed refusal the write side stays open for the problem document.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.refusal.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
