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
use crate::verify::uses::{Counted, Counts, Row, hour_of, row};

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
    let (mut turn, mut after) = (0, None);
    while next_turn(EVERY, &mut ended).await {
        turn = (turn + 1) % SHARDS;
        let (_, waiting) = app.uses.len();
        let done = once(&app, AT_LEAST.max(waiting / SECONDS), &mut after).await;
        if let Err(error) = done {
            app.metrics.uses_not_written.inc();
            tracing::warn!(%error, "cannot write what was counted; it stays in the spool, and is written when this is over");
        }
        tidy(&app, turn).await;
    }
}

/// Writes everything that there is to write now.
pub(crate) async fn all(app: &App) -> Result<(), StoreError> {
    let (_, waiting) = app.uses.len();
    let mut after = None;
    for _ in 0..waiting.div_ceil(AT_ONCE) {
        once(app, AT_ONCE, &mut after).await?;
    }
    Ok(())
}

/// One transaction, of what waits behind the row where the last one ended.
async fn once(app: &App, most: usize, after: &mut Option<Row>) -> Result<(), StoreError> {
    let books = app.uses.books.write().await;
    let taken = app.uses.take_dirty(most, *after);
    let Some(last) = taken.last() else { return Ok(()) };
    *after = Some(row(last.subject));
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
