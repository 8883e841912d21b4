//! Following the change log: how this node's memory stays true, how long it may be believed, and what an edit waits for.
//!
//! A node always follows the log, and so one server and many run the same code. Alone on SQLite (`follow.rs`) it is simply the only
//! follower. On PostgreSQL (`member.rs`) it holds a lease besides: it may answer from memory for so long, and an edit waits until
//! every node has the edit or has no lease any more (`wait.rs`). Whoever has none reads from the database (`primary.rs`).

mod follow;
mod lease;
mod member;
mod memory;
mod mutants;
pub(crate) mod primary;
pub(crate) mod quotas;
mod reaper;
pub(crate) mod redis;
mod sync;
mod wait;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLockReadGuard};
use std::time::Duration;

use portcullis_core::change::Change;
use portcullis_core::id::{ApiKeyId, UserId};
use portcullis_core::keyring::Keyring;
use portcullis_core::permission::Catalogue;
use portcullis_core::time::Timestamp;
use tokio::sync::{Notify, watch};

use crate::app::App;
use crate::clock::since_boot;
use crate::store::changes::NumberedChange;
use crate::store::leases::LeaseRow;
use crate::store::{Store, StoreError};
use lease::Lease;
pub use memory::{Memory, NotApplied};
use mutants::Mutant;
pub(crate) use wait::{Receipt, everywhere};

/// A nudge makes following fast; the poll makes it certain.
const POLL: Duration = Duration::from_millis(200);
/// How many rows of the log are read at a time.
const PAGE: i64 = 1_000;

/// This node's memory, how far it has followed the log, and for how long it may be believed.
#[derive(Debug)]
pub(crate) struct Node {
    memory: Memory,
    applied: watch::Sender<i64>,
    nudge: Notify,
    lease: Lease,
    is_shared: bool,
    /// Whether the last look at the log went well, of a node that has no lease to lose.
    current: AtomicBool,
    /// The last head that was seen: how far this node is behind.
    head: AtomicI64,
    /// Keys whose revocation a restored database has forgotten. While there are any, nobody is told yes.
    forgotten: Mutex<Vec<(UserId, ApiKeyId)>>,
    pub(crate) has_forgotten: Notify,
    rejoining: AtomicBool,
    /// Told when this node has taken back its lease.
    left: watch::Sender<bool>,
    /// The nodes that were seen last, and when each was seen to renew its lease.
    peers: Mutex<Peers>,
    peer_count: AtomicU32,
    board: wait::Board,
    mutant: Option<Mutant>,
    /// What a mistaken node believes of its lease, and when it looked.
    cached: AtomicU64,
}

/// The nodes on this database, as this one sees them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peers {
    /// This node's own name; a node on SQLite has none.
    pub(crate) own: String,
    /// Each with the instant since boot at which its lease was seen to be renewed.
    pub(crate) seen: Vec<(LeaseRow, u64)>,
}

impl Node {
    /// Reads the whole state. From now on it follows the log; until it has a lease, on PostgreSQL, its memory is not believed.
    pub(crate) async fn read(store: &Store, catalogue: &Arc<Catalogue>, now: Timestamp) -> Result<Self, StoreError> {
        let (keyring, seq) = follow::load(store, catalogue, now).await?;
        let lease = Lease::new();
        if !store.is_shared() {
            // The only follower of its own log cannot be cut off from it.
            lease.publish(u64::MAX);
        }
        Ok(Self {
            memory: Memory::new(keyring),
            applied: watch::Sender::new(seq),
            nudge: Notify::new(),
            lease,
            is_shared: store.is_shared(),
            current: AtomicBool::new(true),
            head: AtomicI64::new(seq),
            forgotten: Mutex::default(),
            has_forgotten: Notify::new(),
            rejoining: AtomicBool::new(false),
            left: watch::Sender::new(false),
            peers: Mutex::default(),
            peer_count: AtomicU32::new(1),
            board: wait::Board::default(),
            mutant: mutants::of_this_process(),
            cached: AtomicU64::new(0),
        })
    }

    /// The memory, for one decision; `None` where it may not be believed: there is no lease, or a bug left it half changed.
    pub(crate) fn keyring(&self) -> Option<RwLockReadGuard<'_, Keyring>> {
        let memory = self.memory.read()?;
        // What is looked up in it is looked up after this; nobody can change it meanwhile.
        let holds = if self.makes(Mutant::CachedClock) { self.held_lately() } else { self.lease.holds(since_boot) };
        (holds && !self.is_rejoining()).then_some(memory)
    }

    /// The memory as it is, for what is no decision: names, counts.
    pub(crate) fn last_known(&self) -> Option<RwLockReadGuard<'_, Keyring>> {
        self.memory.read()
    }

    /// Whether this node takes requests: it has a lease, or is alone and follows.
    pub(crate) fn is_current(&self) -> bool {
        self.current.load(Ordering::Relaxed) && self.lease.holds(since_boot) && self.memory.is_whole()
    }

    /// The number of the last edit that is in the memory.
    pub(crate) fn applied(&self) -> i64 {
        *self.applied.borrow()
    }

    /// How many edits there are that are not in the memory, as far as this node knows.
    pub(crate) fn lag(&self) -> i64 {
        (self.head.load(Ordering::Relaxed) - self.applied()).max(0)
    }

    /// For how long this node may still answer from memory; `None` where it need not ask anybody.
    pub(crate) fn lease_remaining(&self) -> Option<Duration> {
        self.is_shared.then(|| Duration::from_micros(self.lease.remaining(since_boot())))
    }

    /// How many nodes share what is shared, this one among them.
    pub(crate) fn peer_count(&self) -> u32 {
        self.peer_count.load(Ordering::Relaxed).max(1)
    }

    pub(crate) fn peers(&self) -> Peers {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether keys wait to be revoked again.
    pub(crate) fn is_rejoining(&self) -> bool {
        self.rejoining.load(Ordering::Acquire)
    }

    fn meet(&self, peers: Peers) {
        self.peer_count.store(u32::try_from(peers.seen.len()).unwrap_or(1), Ordering::Relaxed);
        *self.peers.lock().unwrap_or_else(PoisonError::into_inner) = peers;
    }

    /// Nobody is told yes until these are revoked again.
    fn forget(&self, keys: Vec<(UserId, ApiKeyId)>) {
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner) = keys;
        self.rejoining.store(true, Ordering::Release);
        self.has_forgotten.notify_one();
    }

    /// The next key that is to be revoked again; `None` where all are, and this node may go on.
    pub(crate) fn forgotten(&self) -> Option<(UserId, ApiKeyId)> {
        let next = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).last().copied();
        if next.is_none() {
            self.rejoining.store(false, Ordering::Release);
            self.nudge.notify_one();
        }
        next
    }

    /// That key is revoked again.
    pub(crate) fn remembered(&self) {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).pop();
    }

    fn makes(&self, mistake: Mutant) -> bool {
        self.mutant == Some(mistake)
    }

    /// The mistake of [`Mutant::CachedClock`].
    fn held_lately(&self) -> bool {
        const EACH_MICROS: u64 = 1_000_000;
        let (now, cached) = (since_boot(), self.cached.load(Ordering::Relaxed));
        if now / EACH_MICROS == cached >> 1 {
            return cached & 1 == 1;
        }
        let holds = self.lease.holds(since_boot);
        self.cached.store((now / EACH_MICROS) << 1 | u64::from(holds), Ordering::Relaxed);
        holds
    }

    /// Applies one page of the log. What does not fit, or is not known here, calls for a snapshot. How far the memory has followed
    /// is told when all of it is in: until then nobody relies on any of it.
    async fn apply(&self, page: Vec<NumberedChange>) -> Result<(), Reload> {
        let Some(last) = page.last().map(|change| change.seq) else { return Ok(()) };
        let mut expected = self.applied();
        let mut changes = Vec::with_capacity(page.len());
        for change in page {
            if change.seq != expected && change.seq != expected + 1 {
                return Err(Reload(format!("the log goes from {expected} to {}", change.seq)));
            }
            expected = change.seq;
            changes.push(
                Change::from_row(&change.row.kind, &change.row.payload).map_err(|error| Reload(error.to_string()))?,
            );
            if changes.len() % memory::STEP == 0 {
                // This thread has requests to answer, too.
                tokio::task::yield_now().await;
            }
        }
        // Nobody may believe what is half changed: there is no lease any more when the next decision can look.
        let applied = self.memory.apply(changes, || self.lease.drop_it()).await;
        applied.map_err(|error| Reload(error.to_string()))?;
        self.applied.send_replace(last);
        Ok(())
    }

    fn replace(&self, keyring: Keyring, seq: i64) {
        self.memory.replace(keyring);
        self.applied.send_replace(seq);
        if !self.is_shared {
            self.lease.publish(u64::MAX);
        }
    }
}

/// Why following is not enough and a snapshot is called for.
#[derive(Debug)]
struct Reload(String);

/// Begins to follow, and to keep a lease where there may be others.
pub(crate) async fn join(app: &Arc<App>, ended: &watch::Receiver<bool>) -> Result<(), StoreError> {
    if app.store.is_shared() {
        return member::join(app, ended).await;
    }
    tokio::spawn(follow::follow(Arc::clone(app), ended.clone()));
    Ok(())
}

/// Waits until this node has taken back its lease, so that nobody waits for it after it has gone.
pub(crate) async fn left(app: &App) {
    const PATIENCE: Duration = Duration::from_secs(3);
    if app.store.is_shared() {
        let mut left = app.node.left.subscribe();
        let _ = tokio::time::timeout(PATIENCE, left.wait_for(|&left| left)).await;
    }
}
