//! What is on its way between clients and the API, and the look at all of it a few times a second.
//!
//! A request is decided on when it arrives, but a download, an upload or a tunnel may go on for hours. So everything that is open is
//! decided on anew at each beat, without being charged, and what may not go on is cut. A request that is over between two beats costs
//! no more than an entry in a map: silence is measured in beats too, and needs no timer of its own.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use portcullis_core::decision::{Ask, Denial, Unmetered, decide};

use crate::app::App;
use crate::serve::Sever;

/// How often everything is looked at: whoever revokes is promised that streams end within a second.
pub(super) const BEAT: Duration = Duration::from_millis(250);
/// Without a memory nobody can tell whether what is open may go on, and it goes on for so many beats from its beginning at most.
const BLIND_BEATS: u64 = 2;
/// So many are decided on before the memory is let go, for an edit that waits to change it.
const AT_ONCE: usize = 256;

/// Why something on its way was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// It may not go on.
    Denied(Denial),
    /// This node cannot tell any more whether it may.
    NoMemory,
    /// Nothing moved for too long.
    Silent,
}

/// One request, from the decision to the last byte of its answer, or of its tunnel.
#[derive(Debug)]
pub(super) struct Exchange {
    /// What is asked at each beat; `None` where nobody needed to be asked.
    ask: Option<Ask>,
    /// The beat that it began in.
    opened: u64,
    beat: Arc<AtomicU64>,
    /// The beat in which something moved last.
    moved: AtomicU64,
    /// Whether the API's answer has begun.
    answered: AtomicBool,
    /// Whether all of the request's body is with the API.
    uploaded: AtomicBool,
    /// Whether more of the request's body could be taken than its client has sent.
    starved: AtomicBool,
    /// Whether the request's body broke off, or was none.
    broken: AtomicBool,
    /// Whether all of it is done, so that nothing is left to be cut.
    over: AtomicBool,
    cut: OnceLock<Cut>,
    /// Rings in the task of the client's connection.
    bell: AtomicWaker,
}

impl Exchange {
    /// Notes that something was sent or received.
    pub(super) fn move_on(&self) {
        self.moved.store(self.beat.load(Relaxed), Relaxed);
    }

    pub(super) fn begin_answer(&self) {
        self.move_on();
        self.answered.store(true, Relaxed);
    }

    pub(super) fn end_upload(&self) {
        self.move_on();
        self.uploaded.store(true, Relaxed);
    }

    pub(super) fn break_upload(&self) {
        self.broken.store(true, Relaxed);
    }

    pub(super) fn starve(&self, starved: bool) {
        self.starved.store(starved, Relaxed);
    }

    pub(super) fn is_uploaded(&self) -> bool {
        self.uploaded.load(Relaxed)
    }

    /// Whether the request's body broke off by its client's fault.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// Whether it is the client who is waited for.
    pub(super) fn awaits_client(&self) -> bool {
        !self.is_uploaded() && self.starved.load(Relaxed)
    }

    /// Ends when it is cut.
    pub(super) async fn severed(&self) -> Cut {
        poll_fn(|cx| self.poll_cut(cx)).await
    }

    fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<Cut> {
        if let Some(cut) = self.cut.get() {
            return Poll::Ready(*cut);
        }
        self.bell.register(cx.waker());
        // It may have been cut between the look and the waker.
        self.cut.get().map_or(Poll::Pending, |cut| Poll::Ready(*cut))
    }

    fn cut(&self, why: Cut) {
        if self.cut.set(why).is_ok() {
            tracing::info!(?why, "what was on its way through the proxy is cut");
            self.bell.wake();
        }
    }
}

impl Sever for Exchange {
    fn poll_severed(&self, cx: &mut Context<'_>) -> Poll<()> {
        // A look that had begun before the end may still cut it, and the connection is for the next request then.
        if self.over.load(Relaxed) { Poll::Pending } else { self.poll_cut(cx).map(|_| ()) }
    }
}

/// Everything that is on its way through one proxy.
#[derive(Debug)]
pub(super) struct Exchanges {
    open: Mutex<HashMap<u64, Arc<Exchange>>>,
    next: AtomicU64,
    beat: Arc<AtomicU64>,
    response_beats: u64,
    idle_beats: u64,
}

/// An exchange, until dropped.
#[derive(Debug)]
pub(super) struct Opened {
    number: u64,
    exchange: Arc<Exchange>,
    all: Arc<Exchanges>,
}

impl Opened {
    pub(super) fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.exchange.over.store(true, Relaxed);
        locked(&self.all.open).remove(&self.number);
    }
}

impl Exchanges {
    pub(super) fn new(response_timeout_seconds: u64, idle_timeout_seconds: u64) -> Self {
        let beats = |seconds: u64| u64::try_from(u128::from(seconds) * 1_000 / BEAT.as_millis()).unwrap_or(u64::MAX);
        Self {
            open: Mutex::default(),
            next: AtomicU64::new(0),
            beat: Arc::default(),
            response_beats: beats(response_timeout_seconds),
            idle_beats: beats(idle_timeout_seconds),
        }
    }

    pub(super) fn open(self: &Arc<Self>, ask: Option<Ask>, uploaded: bool) -> Opened {
        let exchange = Arc::new(Exchange {
            ask,
            opened: self.now(),
            beat: Arc::clone(&self.beat),
            moved: AtomicU64::new(self.now()),
            answered: AtomicBool::new(false),
            uploaded: AtomicBool::new(uploaded),
            starved: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            over: AtomicBool::new(false),
            cut: OnceLock::new(),
            bell: AtomicWaker::new(),
        });
        let number = self.next.fetch_add(1, Relaxed);
        locked(&self.open).insert(number, Arc::clone(&exchange));
        Opened { number, exchange, all: Arc::clone(self) }
    }

    /// The number of this beat.
    pub(super) fn now(&self) -> u64 {
        self.beat.load(Relaxed)
    }

    /// Looks at everything that is open.
    pub(super) fn look(&self, app: &App) {
        let now = self.beat.fetch_add(1, Relaxed) + 1;
        // Whoever ends or begins a request meanwhile does not wait for the decisions.
        let open: Vec<_> = locked(&self.open).values().cloned().collect();
        for some in open.chunks(AT_ONCE) {
            let memory = app.node.keyring();
            for exchange in some {
                let denial = exchange.ask.as_ref().and_then(|ask| match memory.as_deref() {
                    // What was let through by a look into the database has a moment to end by itself.
                    None => (now.saturating_sub(exchange.opened) > BLIND_BEATS).then_some(Cut::NoMemory),
                    Some(keyring) => decide(keyring, ask, app.clock.now(), &mut Unmetered).denial.map(Cut::Denied),
                });
                if let Some(cut) = denial.or_else(|| self.silence(exchange, now)) {
                    exchange.cut(cut);
                }
            }
        }
    }

    fn silence(&self, exchange: &Exchange, now: u64) -> Option<Cut> {
        let waits_for_answer = !exchange.answered.load(Relaxed) && !exchange.awaits_client();
        let most = if waits_for_answer { self.response_beats } else { self.idle_beats };
        // The first beat came as soon as it could, and not a whole one after what moved.
        (now.saturating_sub(exchange.moved.load(Relaxed)) > most).then_some(Cut::Silent)
    }
}

/// Each statement leaves the map right, so a panic elsewhere while it was locked does not make it wrong.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
