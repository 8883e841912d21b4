//! One node among several: the loop that keeps its memory true and its lease alive.
//!
//! The order of the steps is the proof that a revoke is immediate. A grant that commits after an edit has looked who must be waited
//! for polls after it, and so has the edit; whoever committed a grant before is waited for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_core::dice::Dice;
use tokio::sync::watch;

use super::lease::{end, waiters_patience};
use super::mutants::Mutant;
use super::reaper::Reaper;
use super::{PAGE, POLL, Peers, follow, wait};
use crate::app::App;
use crate::clock::since_boot;
use crate::store::StoreError;
use crate::store::changes::listen;
use crate::store::leases::{LeaseRow, Line, Polled};

/// So often in the time of a lease it is renewed.
const RENEWALS: u64 = 5;
/// After so long a listener is made anew: a connection that was cut without a word never says so.
const LISTENING: Duration = Duration::from_mins(1);

/// What the loop knows from one turn to the next.
#[derive(Debug)]
struct Member {
    id: String,
    line: Option<Line>,
    /// Whether the row is there, as far as this node knows.
    is_entered: bool,
    renewed_at: Option<u64>,
    acknowledged: i64,
    /// The incarnation and the time line of the database that this node's memory is of.
    database: Option<(String, String)>,
    /// The database is another, and what it has forgotten has not been found out yet.
    must_begin_anew: bool,
    reaper: Reaper,
    /// Which start of the database is one whose leases may be missing, and since when that is seen.
    unsettled: Option<(String, u64)>,
}

/// Takes the first lease, and keeps it from then on.
pub(super) async fn join(app: &Arc<App>, ended: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let mut member = Member {
        id: new_id(app),
        line: None,
        is_entered: false,
        renewed_at: None,
        acknowledged: 0,
        database: None,
        must_begin_anew: false,
        reaper: Reaper::default(),
        unsettled: None,
    };
    member.turn(app, true).await?;
    tokio::spawn(keep(Arc::clone(app), member, ended.clone()));
    tokio::spawn(be_nudged(Arc::clone(app), ended.clone()));
    tokio::spawn(wait::look(Arc::clone(app), ended.clone()));
    Ok(())
}

async fn keep(app: Arc<App>, mut member: Member, mut ended: watch::Receiver<bool>) {
    let renewal_us = app.config.cluster.lease_ms * 1_000 / RENEWALS;
    loop {
        tokio::select! {
            () = app.node.nudge.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            _ = ended.wait_for(|&ended| ended) => break,
        }
        let is_due = member.renewed_at.is_none_or(|at| since_boot() - at >= renewal_us);
        if let Err(error) = member.turn(&app, is_due).await {
            // The connection may be in the middle of something; the next turn begins with another.
            member.line = None;
            tracing::error!(%error, "cannot follow the change log; trying again, and without a lease when it ends");
        }
    }
    app.node.lease.drop_it();
    if let Some(line) = &mut member.line
        && let Err(error) = within(&app, line.leave(&member.id)).await
    {
        tracing::warn!(%error, "cannot take back the lease; the next edit waits until it runs out");
    }
    app.node.left.send_replace(true);
}

/// Hears of new changes from the database, where it can.
async fn be_nudged(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    loop {
        let listening = listen(&app.config.database, || app.node.nudge.notify_one());
        let heard = tokio::select! {
            heard = tokio::time::timeout(LISTENING, listening) => heard,
            _ = ended.wait_for(|&ended| ended) => return,
        };
        if let Ok(Err(error)) = heard {
            tracing::debug!(%error, "cannot listen for changes; polling finds them");
            tokio::time::sleep(POLL).await;
        }
    }
}

/// How long the longest of these leases, or one like this node's own that is missing among them, must be waited for.
pub(super) fn longest_patience(app: &App, leases: &[LeaseRow]) -> u64 {
    let longest = leases.iter().map(LeaseRow::lasts_us).max().unwrap_or(0);
    waiters_patience(longest.max(app.config.cluster.lasts_ms() * 1_000), 0)
}

fn new_id(app: &App) -> String {
    let mut bytes = [0; 10];
    app.dice.fill(&mut bytes);
    format!("node_{}", data_encoding::HEXLOWER.encode(&bytes))
}

/// A statement that does not come back is as good as a connection that was cut.
pub(super) async fn within<T>(app: &App, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(patience(app), work).await.unwrap_or(Err(StoreError::Silent))
}

/// A connection for what keeps leases: statements on it wait no longer than the time of a renewal.
pub(super) async fn line(app: &App, known: Option<Line>) -> Result<Line, StoreError> {
    match known {
        Some(line) => Ok(line),
        None => within(app, Line::connect(&app.config.database, patience(app))).await,
    }
}

fn patience(app: &App) -> Duration {
    Duration::from_millis((app.config.cluster.lease_ms / RENEWALS).max(200))
}

impl Member {
    /// The steps, in their order. A turn that is not due to renew only follows.
    async fn turn(&mut self, app: &App, is_due: bool) -> Result<(), StoreError> {
        if app.node.is_rejoining() {
            return Ok(());
        }
        let node = &app.node;
        // 1. By the clock before anything is sent, so that the lease is over here before anybody there thinks that it is.
        let ts = since_boot();
        let mut line = line(app, self.line.take()).await?;
        let mut early = None;
        // Whoever has a lease is waited for in any case: it is who comes anew that misses what is edited in these moments.
        let dawdles = node.makes(Mutant::PollBeforeGrant) && !node.lease.holds(since_boot);
        if node.makes(Mutant::PollBeforeGrant) {
            early = Some(within(app, line.poll(node.applied(), PAGE)).await?);
        }
        if dawdles {
            tokio::time::sleep(POLL).await;
        }
        // 2. The grant, committed by itself.
        if is_due {
            self.renew(app, &mut line).await?;
        }
        // 3. and 4. After the grant has committed: what is beyond `applied`, and into the memory.
        if !self.catch_up(app, &mut line, early).await? {
            self.line = Some(line);
            return Ok(());
        }
        // 5. Only now may it answer for longer.
        if is_due {
            let cluster = &app.config.cluster;
            let (lease_us, slack_us) = (cluster.lease_ms * 1_000, cluster.slack_ms * 1_000);
            let until = if node.makes(Mutant::EndFromTheAnswer) {
                since_boot() + lease_us + lease_us / 2
            } else {
                end(ts, cluster.lasts_ms() * 1_000, slack_us)
            };
            node.lease.publish(until);
            self.renewed_at = Some(ts);
        }
        if dawdles {
            tokio::time::sleep(POLL).await;
        }
        // 6. And the others may be told.
        if is_due || self.acknowledged != node.applied() {
            self.acknowledged = node.applied();
            within(app, line.acknowledge(&self.id, self.acknowledged)).await?;
        }
        if is_due {
            self.look_around(app, &mut line).await?;
        }
        self.line = Some(line);
        Ok(())
    }

    async fn renew(&mut self, app: &App, line: &mut Line) -> Result<(), StoreError> {
        if self.is_entered && within(app, line.renew(&self.id, &app.node_url())).await? {
            return Ok(());
        }
        if self.is_entered {
            // Others do not wait for this node any more. It comes back as somebody else, so that nobody mistakes an old number for it.
            app.node.lease.drop_it();
            self.id = new_id(app);
            self.is_entered = false;
            tracing::warn!(node = %self.id, "the lease had run out and was taken away; going on with a new one");
        }
        let row = LeaseRow {
            node: self.id.clone(),
            renewals: 1,
            applied: app.node.applied(),
            lasts_ms: i64::try_from(app.config.cluster.lasts_ms()).unwrap_or(i64::MAX),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: app.node_url(),
            joined_at: app.clock.now(),
        };
        within(app, line.join(&row)).await?;
        self.is_entered = true;
        Ok(())
    }

    /// Follows the log up to the head that its first look finds; `false` where the database is another than before, and what it has
    /// forgotten must be told to it first.
    async fn catch_up(&mut self, app: &App, line: &mut Line, mut early: Option<Polled>) -> Result<bool, StoreError> {
        let mut wanted = None;
        loop {
            let polled = match early.take() {
                Some(polled) => polled,
                None => within(app, line.poll(app.node.applied(), PAGE)).await?,
            };
            let wanted = *wanted.get_or_insert(polled.head);
            app.node.head.store(polled.head, Ordering::Relaxed);
            let known = self.unsettled.take().filter(|(era, _)| era == line.era());
            if !polled.settled && known.is_none() {
                tracing::warn!(
                    "the database was started anew: edits wait for a whole lease until those from before are over"
                );
            }
            self.unsettled = (!polled.settled).then(|| known.unwrap_or_else(|| (line.era().to_owned(), since_boot())));
            // A replica that has taken over may have lost edits, and given their numbers to others since.
            let database = (polled.incarnation, line.time_line().to_owned());
            let is_another = self.database.as_ref().is_some_and(|known| *known != database);
            self.must_begin_anew |= is_another || polled.head < app.node.applied();
            if self.must_begin_anew {
                // It is tried until it is done: by then the head may be where nothing shows any more.
                self.begin_anew(app, line).await?;
                (self.must_begin_anew, self.database) = (false, Some(database));
                return Ok(false);
            }
            self.database = Some(database);
            if app.node.makes(Mutant::AcknowledgeBeforeApply) && !polled.changes.is_empty() {
                within(app, line.acknowledge(&self.id, polled.head)).await?;
                tokio::time::sleep(POLL).await;
            }
            if polled.head > app.node.applied() {
                follow::take_in(app, polled.changes).await?;
            }
            if app.node.applied() >= wanted {
                return Ok(true);
            }
        }
    }

    /// The database was restored, or is another: what this node remembers as revoked stays so.
    async fn begin_anew(&mut self, app: &App, line: &mut Line) -> Result<(), StoreError> {
        app.node.lease.drop_it();
        tracing::error!("the database has forgotten edits that this node knows, or is another: reading all of it anew");
        let _ = within(app, line.leave(&self.id)).await;
        (self.is_entered, self.renewed_at, self.id) = (false, None, new_id(app));
        let (keyring, seq) = follow::load(&app.store, &app.catalogue, app.clock.now()).await?;
        let forgotten: Vec<_> = match app.node.last_known() {
            Some(known) => known.revoked().filter(|&(_, id)| keyring.is_live(id)).collect(),
            None => Vec::new(),
        };
        if forgotten.is_empty() {
            app.node.replace(keyring, seq);
            app.node.nudge.notify_one();
            return Ok(());
        }
        tracing::error!(
            keys = forgotten.len(),
            "revoking again what the database has forgotten, before anybody is told yes"
        );
        app.node.forget(forgotten);
        app.node.replace(keyring, seq);
        Ok(())
    }

    /// Once a renewal: who else is there, and who has stopped.
    async fn look_around(&mut self, app: &App, line: &mut Line) -> Result<(), StoreError> {
        let (leases, _) = within(app, line.leases()).await?;
        let now = since_boot();
        for (node, renewals) in self.reaper.look(&leases, now, app.node.makes(Mutant::ReapEarly)) {
            if node != self.id && within(app, line.reap(&node, renewals)).await? {
                app.metrics.reaped.inc();
                tracing::warn!(node, "took away the lease of a node that has stopped");
            }
        }
        if let Some((_, since)) = self.unsettled
            && now - since >= longest_patience(app, &leases)
        {
            within(app, line.settle()).await?;
        }
        let seen = |lease: LeaseRow| {
            let at = self.reaper.seen_at(&lease.node);
            (lease, at)
        };
        app.node.meet(Peers { own: self.id.clone(), seen: leases.into_iter().map(seen).collect() });
        Ok(())
    }
}
