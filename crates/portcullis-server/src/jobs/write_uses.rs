//! Writes what was counted to the database, each second; gives back the memory of what nobody uses; and keeps room in the spool.

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::limits::Subject;
use tokio::sync::watch;

use super::next_turn;
use crate::app::App;
use crate::spool::SHARDS;
use crate::store::uses::{HourOfUse, LastUse};
use crate::store::{StoreError, again};
use crate::verify::uses::{Counted, Counts, Waiting, hour_of};

const EVERY: Duration = Duration::from_secs(1);
/// How many blocks one transaction writes: so many, or a part of all that wait, so that none waits much longer than that many
/// seconds. What waits is counted all the same, and read from the spool; so writing it late costs nothing, and writing a key that
/// is used all the time once in a while costs little.
const AT_LEAST: usize = 128;
const SECONDS: usize = 60;
/// How many blocks one transaction writes where everything is to be written now.
const AT_ONCE: usize = 2_000;

pub(crate) async fn run(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    // What another process left behind first: only the database can tell how much of it is new.
    if let Err(error) = all(&app).await {
        tracing::warn!(%error, "cannot write what was counted before this start; it stays in the spool");
    }
    let (mut turn, mut lap) = (0, Lap::default());
    while next_turn(EVERY, &mut ended).await {
        turn = (turn + 1) % SHARDS;
        if lap.is_over() {
            lap = Lap::begin(&app).await;
        }
        if let Err(error) = once(&app, lap.part()).await {
            app.metrics.uses_not_written.inc();
            tracing::warn!(%error, "cannot write what was counted; it stays in the spool, and is written when this is over");
        }
        tidy(&app, turn).await;
    }
}

/// Everything that waited at one moment, in the order of its rows, a part for each second. Rows that stand beside each other share the
/// pages of a table, which are then written once for all of them.
#[derive(Debug, Default)]
struct Lap {
    all: Vec<Waiting>,
    begun: usize,
    each: usize,
}

impl Lap {
    async fn begin(app: &App) -> Self {
        let all = waiting(app).await;
        let each = AT_LEAST.max(all.len().div_ceil(SECONDS));
        Self { all, begun: 0, each }
    }

    const fn is_over(&self) -> bool {
        self.begun >= self.all.len()
    }

    fn part(&mut self) -> &[Waiting] {
        let begun = self.begun;
        self.begun = self.all.len().min(begun + self.each);
        self.all.get(begun..self.begun).unwrap_or_default()
    }
}

async fn waiting(app: &App) -> Vec<Waiting> {
    let mut all = Vec::new();
    for number in 0..SHARDS {
        all.append(&mut app.uses.waiting(number));
        tokio::task::yield_now().await;
    }
    let sorted = tokio::task::spawn_blocking(move || {
        all.sort_unstable_by_key(Waiting::row);
        all
    });
    sorted.await.unwrap_or_default()
}

/// Writes everything that there is to write now.
pub(crate) async fn all(app: &App) -> Result<(), StoreError> {
    for part in waiting(app).await.chunks(AT_ONCE) {
        once(app, part).await?;
    }
    Ok(())
}

/// One transaction, of those of these that still wait.
async fn once(app: &App, part: &[Waiting]) -> Result<(), StoreError> {
    let books = app.uses.books.write().await;
    let taken = app.uses.take(part);
    if taken.is_empty() {
        return Ok(());
    }
    // Whoever asks what was used waits for this.
    let done = again!({ app.store.in_time(write(app, &taken)).await });
    match &done {
        Ok(()) => {
            app.uses.written(&taken);
            app.metrics.uses_written.inc_by(u64::try_from(taken.len()).unwrap_or(0));
        }
        Err(_) => app.uses.not_written(&taken),
    }
    drop(books);
    done
}

async fn write(app: &App, taken: &[Counted]) -> Result<(), StoreError> {
    let wide = |counts: Counts| counts.map(i64::from);
    // What a dead process left so long ago that its hour is forgotten could be counted twice.
    let oldest = hour_of(app.clock.now().plus_days(-i64::from(app.config.usage.by_hour_days)));
    let hours: Vec<HourOfUse> = taken
        .iter()
        .filter(|counted| counted.written.is_some() || counted.hour >= oldest)
        .map(|counted| HourOfUse {
            subject: counted.subject,
            hour: counted.hour.into(),
            source: counted.source,
            counts: wide(counted.counts),
            written: counted.written.map(wide),
        })
        .collect();
    let mut edit = app.store.write().await?;
    edit.add_uses(&hours).await?;
    edit.set_last_uses(taken.iter().filter_map(last_use)).await?;
    edit.commit().await
}

fn last_use(counted: &Counted) -> Option<LastUse> {
    let Subject::ApiKey(key) = counted.subject else { return None };
    let last_use = counted.last_use?;
    Some(LastUse { key, at: last_use.at, address: last_use.address.map(|address| address.to_string()) })
}

/// A part of the memory in each turn, and the disk's own work on a thread that may wait.
async fn tidy(app: &Arc<App>, turn: usize) {
    let now = app.clock.now();
    app.limiter.sweep(turn, now);
    app.quotas.sweep(turn, now);
    app.uses.sweep(turn, now);
    let arena = Arc::clone(&app.arena);
    let done = tokio::task::spawn_blocking(move || {
        arena.grow_ahead();
        arena.sync()
    });
    if let Ok(Err(error)) = done.await {
        tracing::warn!(%error, "cannot write the spool to the disk; a power failure now would cost more than a second of counts");
    }
}
