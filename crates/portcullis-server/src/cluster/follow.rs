//! Following the log alone, on SQLite; and reading the whole state, which every node does at its start and when it has lost its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portcullis_core::keyring::Keyring;
use portcullis_core::permission::Catalogue;
use portcullis_core::time::Timestamp;
use tokio::sync::watch;

use super::{PAGE, POLL, Reload};
use crate::app::App;
use crate::store::changes::NumberedChange;
use crate::store::{Store, StoreError};

/// A database that says nothing for so long, in the middle of a snapshot, has gone.
const SILENCE: Duration = Duration::from_mins(1);

pub(super) async fn load(
    store: &Store,
    catalogue: &Arc<Catalogue>,
    now: Timestamp,
) -> Result<(Keyring, i64), StoreError> {
    let mut keyring = Keyring::new(Arc::clone(catalogue));
    let taken = AtomicU64::new(0);
    let mut take = |change| {
        taken.fetch_add(1, Ordering::Relaxed);
        keyring.apply(change).map_err(|error| StoreError::Unreadable(error.to_string()))
    };
    // However much there is to read, some of it comes all the time: a connection that has gone silent never says so.
    let seq = tokio::select! {
        read = store.snapshot(now, &mut take) => read?,
        () = stands_still(&taken) => return Err(StoreError::Silent),
    };
    tracing::info!(keys = keyring.len(), seq, "read the whole state into memory");
    Ok((keyring, seq))
}

/// Waits until the count has stood still for a while.
async fn stands_still(count: &AtomicU64) {
    let mut before = None;
    while before.replace(count.load(Ordering::Relaxed)) != Some(count.load(Ordering::Relaxed)) {
        tokio::time::sleep(SILENCE).await;
    }
}

/// Follows the log until the end is told.
pub(super) async fn follow(app: Arc<App>, mut ended: watch::Receiver<bool>) {
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
        let (applied, head) = (app.node.applied(), app.store.head().await?);
        app.node.head.store(head, Ordering::Relaxed);
        if head == applied {
            return Ok(());
        }
        take_in(app, app.store.changes_after(applied, PAGE).await?).await?;
    }
}

/// Takes in what comes next of a log that has more; where that does not fit, or is not there any more, the whole state.
pub(super) async fn take_in(app: &App, page: Vec<NumberedChange>) -> Result<(), StoreError> {
    let applied = if page.is_empty() {
        Err(Reload(format!("the log no longer has what came after {}", app.node.applied())))
    } else {
        app.node.apply(page).await
    };
    if let Err(Reload(why)) = applied {
        tracing::warn!(why, "reading the whole state anew");
        let (keyring, seq) = load(&app.store, &app.catalogue, app.clock.now()).await?;
        app.node.replace(keyring, seq);
    }
    Ok(())
}
