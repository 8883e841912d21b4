//! Following the change log: how this node's memory stays true, and what an edit waits for.
//!
//! A server alone is simply the only follower of its own log, so one server and many run the same code.

pub(crate) mod quotas;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard};
use std::time::Duration;

use portcullis_core::change::Change;
use portcullis_core::keyring::Keyring;
use portcullis_core::permission::Catalogue;
use portcullis_core::time::Timestamp;
use tokio::sync::{Notify, watch};

use crate::app::App;
use crate::store::changes::NumberedChange;
use crate::store::{Store, StoreError};

/// A nudge makes following fast; the poll makes it certain.
const POLL: Duration = Duration::from_millis(200);
/// How many rows of the log are read at a time.
const PAGE: i64 = 1_000;
/// How long an edit waits to be followed before its caller is told that the outcome is not known.
const PATIENCE: Duration = Duration::from_secs(10);

/// This node's memory, and how far it has followed the log.
#[derive(Debug)]
pub(crate) struct Node {
    keyring: RwLock<Keyring>,
    applied: watch::Sender<i64>,
    nudge: Notify,
    /// Whether the last look at the log went well.
    current: AtomicBool,
}

/// The edit is committed, but whether this node has followed it could not be found out in time.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the edit is written, but this node has not followed it yet")]
pub(crate) struct NotFollowed;

impl Node {
    /// Reads the whole state.
    pub(crate) async fn join(store: &Store, catalogue: &Arc<Catalogue>, now: Timestamp) -> Result<Self, StoreError> {
        let (keyring, seq) = load(store, catalogue, now).await?;
        Ok(Self {
            keyring: RwLock::new(keyring),
            applied: watch::Sender::new(seq),
            nudge: Notify::new(),
            current: AtomicBool::new(true),
        })
    }

    /// The memory, for one decision. `None` where a bug left it half changed: better no answer than a wrong one.
    pub(crate) fn keyring(&self) -> Option<RwLockReadGuard<'_, Keyring>> {
        self.keyring.read().ok()
    }

    pub(crate) fn is_current(&self) -> bool {
        self.current.load(Ordering::Relaxed) && !self.keyring.is_poisoned()
    }

    /// The number of the last edit that is in the memory.
    pub(crate) fn applied(&self) -> i64 {
        *self.applied.borrow()
    }

    /// Waits until an edit with this number is in the memory.
    pub(crate) async fn followed(&self, seq: i64) -> Result<(), NotFollowed> {
        self.nudge.notify_one();
        let mut applied = self.applied.subscribe();
        match tokio::time::timeout(PATIENCE, applied.wait_for(|&applied| applied >= seq)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(NotFollowed),
        }
    }

    /// Applies one page of the log. What does not fit, or is not known here, calls for a snapshot.
    fn apply(&self, page: Vec<NumberedChange>) -> Result<(), Reload> {
        let Some(last) = page.last().map(|change| change.seq) else { return Ok(()) };
        let mut expected = *self.applied.borrow();
        let mut changes = Vec::with_capacity(page.len());
        for change in page {
            if change.seq != expected && change.seq != expected + 1 {
                return Err(Reload(format!("the log goes from {expected} to {}", change.seq)));
            }
            expected = change.seq;
            changes.push(
                Change::from_row(&change.row.kind, &change.row.payload).map_err(|error| Reload(error.to_string()))?,
            );
        }
        let mut keyring = self.keyring.write().map_err(|_| Reload("the memory was left half changed".to_owned()))?;
        for change in changes {
            keyring.apply(change).map_err(|error| Reload(error.to_string()))?;
        }
        drop(keyring);
        self.applied.send_replace(last);
        Ok(())
    }

    fn replace(&self, keyring: Keyring, seq: i64) {
        *self.keyring.write().unwrap_or_else(std::sync::PoisonError::into_inner) = keyring;
        self.keyring.clear_poison();
        self.applied.send_replace(seq);
    }
}

/// Why following is not enough and a snapshot is called for.
#[derive(Debug)]
struct Reload(String);

async fn load(store: &Store, catalogue: &Arc<Catalogue>, now: Timestamp) -> Result<(Keyring, i64), StoreError> {
    let mut keyring = Keyring::new(Arc::clone(catalogue));
    let seq = store
        .snapshot(now, &mut |change| keyring.apply(change).map_err(|error| StoreError::Unreadable(error.to_string())))
        .await?;
    tracing::info!(keys = keyring.len(), seq, "read the whole state into memory");
    Ok((keyring, seq))
}

/// Follows the log until the end is told.
pub(crate) async fn follow(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = app.node.nudge.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            _ = ended.wait_for(|&ended| ended) => return,
        }
        let caught_up = catch_up(&app).await;
        if let Err(error) = &caught_up {
            tracing::error!(%error, "cannot follow the change log; trying again");
        }
        app.node.current.store(caught_up.is_ok(), Ordering::Relaxed);
    }
}

async fn catch_up(app: &App) -> Result<(), StoreError> {
    loop {
        let applied = *app.node.applied.borrow();
        if app.store.head().await? == applied {
            return Ok(());
        }
        let page = app.store.changes_after(applied, PAGE).await?;
        let applied = if page.is_empty() {
            Err(Reload(format!("the log no longer has what came after {applied}")))
        } else {
            app.node.apply(page)
        };
        if let Err(Reload(why)) = applied {
            tracing::warn!(why, "reading the whole state anew");
            let (keyring, seq) = load(&app.store, &app.catalogue, app.clock.now()).await?;
            app.node.replace(keyring, seq);
        }
    }
}
