//! What an edit waits for: that every node has it, or may not answer from memory any more.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::member::{line, longest_patience, within};
use super::mutants::Mutant;
use crate::app::App;
use crate::clock::since_boot;
use crate::store::StoreError;
use crate::store::leases::{LeaseRow, Line};

/// How often the leases are looked at while an edit waits.
const GLANCE: Duration = Duration::from_millis(1);
/// How much longer than the longest wait an edit waits for the database itself, before its caller is told that nobody knows.
const PATIENCE: Duration = Duration::from_secs(10);

/// The edit is committed, but whether all nodes have it could not be found out in time.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the edit is written, but whether every node has it is not known")]
pub(crate) struct NotFollowed;

/// How an edit became true everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) seq: i64,
    pub(crate) acknowledged: usize,
    pub(crate) lease_expired: usize,
    pub(crate) waited: Duration,
}

/// Where all edits that wait on this node look: one connection reads the leases for all of them.
#[derive(Debug, Default)]
pub(crate) struct Board {
    /// How many edits have asked for a look so far, and how many wait.
    asked: AtomicU64,
    waiting: AtomicU64,
    ask: Notify,
    last: watch::Sender<Arc<Look>>,
}

/// All leases, at one moment.
#[derive(Debug, Default)]
struct Look {
    /// It began after so many had asked.
    asked: u64,
    /// The instant at which it was over: whoever is not in it was entered later, or had run out before.
    at: u64,
    leases: Vec<LeaseRow>,
    /// Whether those are all, and of which start of the database server.
    settled: bool,
    era: String,
}

/// Counts an edit as waiting for as long as it is held.
struct Waiting<'a>(&'a Board);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits until the edit with this number is everywhere. Alone, this node is everywhere.
pub(crate) async fn everywhere(app: &App, seq: i64) -> Result<Receipt, NotFollowed> {
    let began = since_boot();
    app.node.nudge.notify_one();
    let receipt = |(acknowledged, lease_expired)| Receipt {
        seq,
        acknowledged,
        lease_expired,
        waited: Duration::from_micros(since_boot() - began),
    };
    if app.node.makes(Mutant::PublishWithoutWaiting) {
        return Ok(receipt((0, 0)));
    }
    let longest = Duration::from_micros(longest_patience(app, &[]));
    let waited = tokio::time::timeout(longest + PATIENCE, async {
        if app.store.is_shared() { all_nodes(app, seq).await } else { this_node(app, seq).await }
    });
    let outcome = waited.await.unwrap_or(Err(NotFollowed)).map(receipt);
    app.metrics.edit_waited(outcome.as_ref().ok());
    outcome
}

async fn this_node(app: &App, seq: i64) -> Result<(usize, usize), NotFollowed> {
    let mut applied = app.node.applied.subscribe();
    applied.wait_for(|&applied| applied >= seq).await.map(|_| (1, 0)).map_err(|_| NotFollowed)
}

async fn all_nodes(app: &App, seq: i64) -> Result<(usize, usize), NotFollowed> {
    let board = &app.node.board;
    let mut looks = board.last.subscribe();
    board.waiting.fetch_add(1, Ordering::Relaxed);
    let _waiting = Waiting(board);
    // A look that began before the commit may be one in which a node seems to need no waiting for.
    let ticket = board.asked.fetch_add(1, Ordering::AcqRel) + 1;
    board.ask.notify_one();
    let first = Arc::clone(&*looks.wait_for(|look| look.asked >= ticket).await.map_err(|_| NotFollowed)?);
    let deadline = first.at + longest_patience(app, &first.leases);
    let total = first.leases.len();
    let mut pending: HashSet<String> =
        first.leases.iter().filter(|lease| lease.applied < seq).map(|lease| lease.node.clone()).collect();
    // After a start of the database a node may be missing whose lease has not run out.
    let mut may_be_more = !first.settled;
    loop {
        let look = Arc::clone(&looks.borrow_and_update());
        may_be_more |= look.era != first.era;
        if !may_be_more {
            pending.retain(|node| look.leases.iter().any(|lease| lease.node == *node && lease.applied < seq));
        }
        if pending.is_empty() && !may_be_more {
            // Whoever was there and is gone was reaped: its lease had run out.
            let gone = first.leases.iter().filter(|known| look.leases.iter().all(|lease| lease.node != known.node));
            let gone = gone.filter(|known| known.applied < seq).count();
            return Ok((total - gone, gone));
        }
        let left = deadline.saturating_sub(since_boot());
        if left == 0 {
            return Ok((total - pending.len(), pending.len()));
        }
        let _ = tokio::time::timeout(Duration::from_micros(left), looks.changed()).await;
    }
}

/// Looks at the leases, for as long as anybody waits.
pub(super) async fn look(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    let mut known: Option<Line> = None;
    let board = &app.node.board;
    loop {
        if board.waiting.load(Ordering::Relaxed) == 0 {
            tokio::select! {
                () = board.ask.notified() => {}
                _ = ended.wait_for(|&ended| ended) => return,
            }
        }
        let asked = board.asked.load(Ordering::Acquire);
        match glance(&app, &mut known).await {
            Ok((leases, settled, era)) => {
                let look = Look { asked, at: since_boot(), leases, settled, era };
                board.last.send_replace(Arc::new(look));
                tokio::select! {
                    () = board.ask.notified() => {}
                    () = tokio::time::sleep(GLANCE) => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look which nodes have an edit; trying again");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn glance(app: &App, known: &mut Option<Line>) -> Result<(Vec<LeaseRow>, bool, String), StoreError> {
    let mut open = line(app, known.take()).await?;
    let (leases, settled) = within(app, open.leases()).await?;
    let era = open.era().to_owned();
    *known = Some(open);
    Ok((leases, settled, era))
}
