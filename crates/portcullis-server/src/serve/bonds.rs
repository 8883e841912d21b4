//! What an answer may hang to its connection: an end that comes from elsewhere, and what goes on with the socket after a 101.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Extensions;
use tokio::net::TcpStream;

/// Something that may say that a connection must end at once.
pub(crate) trait Sever: fmt::Debug + Send + Sync {
    fn poll_severed(&self, cx: &mut Context<'_>) -> Poll<()>;
}

/// In an answer's extensions: what may cut its connection, in the middle of the answer too. The client sees a reset, and never
/// an answer that looks whole.
#[derive(Debug, Clone)]
pub(crate) struct Leash(pub(crate) Arc<dyn Sever>);

type Continuation = Box<dyn FnOnce(TcpStream, Bytes) -> BoxFuture<'static, ()> + Send>;

/// In the extensions of a 101: what goes on with the socket, and with what was read of it already.
#[derive(Clone)]
pub(crate) struct Takeover(Arc<Mutex<Option<Continuation>>>);

impl Takeover {
    pub(crate) fn new(continuation: Continuation) -> Self {
        Self(Arc::new(Mutex::new(Some(continuation))))
    }

    /// Goes on, once.
    pub(super) async fn begin(self, stream: TcpStream, read: Bytes) {
        let continuation = locked(&self.0).take();
        if let Some(continuation) = continuation {
            continuation(stream, read).await;
        }
    }
}

impl fmt::Debug for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Takeover").finish_non_exhaustive()
    }
}

/// What the last answer of a connection hung to it.
#[derive(Debug, Default)]
pub(super) struct Bonds {
    /// Whether there is anything: most connections never have, and need no lock to know it.
    any: AtomicBool,
    held: Mutex<(Option<Leash>, Option<Takeover>)>,
}

impl Bonds {
    /// Takes the bonds of an answer, in place of those of the one before.
    pub(super) fn take(&self, extensions: &mut Extensions) {
        let bonds = (extensions.remove::<Leash>(), extensions.remove::<Takeover>());
        let any = bonds.0.is_some() || bonds.1.is_some();
        if any || self.any.load(Relaxed) {
            self.any.store(any, Relaxed);
            *locked(&self.held) = bonds;
        }
    }

    pub(super) fn poll_severed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.any.load(Relaxed) {
            return Poll::Pending;
        }
        let leash = locked(&self.held).0.clone();
        leash.map_or(Poll::Pending, |leash| leash.0.poll_severed(cx))
    }

    pub(super) fn takeover(&self) -> Option<Takeover> {
        if self.any.load(Relaxed) { locked(&self.held).1.take() } else { None }
    }
}

/// What is in it is put there whole, so a panic elsewhere does not make it wrong.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
