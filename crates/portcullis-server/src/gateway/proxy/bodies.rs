//! Bodies on their way through the proxy, a piece at a time: what one side does not take, the other is not asked for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::exchange::{Exchange, Opened};
use super::headers;
use super::upstream::{Line, Upstream};

type Step = Poll<Option<Result<Frame<Bytes>, hyper::Error>>>;

/// What a client sends to the API.
#[derive(Debug)]
pub(super) struct Upload {
    /// `None` where there is no body.
    body: Option<Incoming>,
    exchange: Arc<Exchange>,
}

impl Upload {
    pub(super) fn new(body: Incoming, exchange: Arc<Exchange>) -> Self {
        Self { body: Some(body).filter(|body| !body.is_end_stream()), exchange }
    }

    /// That of a request that can be sent once more, as there is nothing in it.
    pub(super) fn again(&self) -> Option<Self> {
        self.body.is_none().then(|| Self { body: None, exchange: Arc::clone(&self.exchange) })
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Step {
        let Self { body: Some(body), exchange } = &mut *self else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *body).poll_frame(cx);
        exchange.starve(frame.is_pending());
        let frame = ready!(frame);
        match &frame {
            Some(Ok(frame)) if frame.is_data() && !body.is_end_stream() => exchange.move_on(),
            Some(Err(_)) => exchange.break_upload(),
            _ => exchange.end_upload(),
        }
        // Trailers could name what was cut out of the headers, and some servers take them for headers.
        Poll::Ready(frame.filter(|frame| frame.as_ref().map_or(true, Frame::is_data)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// What the API answers. While it is there, so are the entry of its exchange and the connection to the API.
#[derive(Debug)]
pub(super) struct Download {
    body: Incoming,
    ended: bool,
    line: Option<Line>,
    upstream: Arc<Upstream>,
    opened: Opened,
}

impl Download {
    pub(super) fn new(body: Incoming, line: Line, upstream: Arc<Upstream>, opened: Opened) -> Self {
        Self { body, ended: false, line: Some(line), upstream, opened }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Step {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => self.opened.exchange().move_on(),
            Some(Err(error)) => tracing::warn!(%error, "the API's answer broke off"),
            None => self.ended = true,
        }
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| match frame.into_trailers() {
                Ok(trailers) => Frame::trailers(headers::to_client(&trailers)),
                Err(frame) => frame,
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Download {
    /// A connection on which something is still under way cannot be used again: it is closed, and the API knows.
    fn drop(&mut self) {
        let over = (self.ended || self.body.is_end_stream()) && self.opened.exchange().is_uploaded();
        if let Some(line) = self.line.take().filter(|_| over) {
            self.upstream.keep(line);
        }
    }
}
