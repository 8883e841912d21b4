//! What is kept for a while only: the change log (whoever fell further behind reads the whole state instead), sessions and links
//! that are over, and what idempotent calls did.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{in_time, next_turn};
use crate::app::App;
use crate::manage::idempotency::REMEMBERED_DAYS;
use crate::store::{StoreError, again};

const EVERY: Duration = Duration::from_hours(1);
/// How long changes are kept.
const KEPT_DAYS: i64 = 1;
/// How long sessions and links are kept after their end.
const ENDED_KEPT_DAYS: i64 = 30;

pub(crate) async fn run(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    loop {
        if let Err(why) = in_time(EVERY, async { again!({ once(&app).await }) }).await {
            tracing::warn!(why, "cannot prune what is over; trying again in an hour");
        }
        if !next_turn(EVERY, &mut ended).await {
            return;
        }
    }
}

async fn once(app: &App) -> Result<(), StoreError> {
    let mut edit = app.store.write().await?;
    let now = app.clock.now();
    edit.prune_changes(now.plus_days(-KEPT_DAYS)).await?;
    edit.prune_idempotent_calls(now.plus_days(-REMEMBERED_DAYS)).await?;
    edit.prune_sessions(now.plus_days(-ENDED_KEPT_DAYS)).await?;
    edit.prune_links(now.plus_days(-ENDED_KEPT_DAYS)).await?;
    edit.commit().await?;
    // The first time there may be many of these, and nobody should wait for both.
    let mut edit = app.store.write().await?;
    let day = |days: u32| now.plus_days(-i64::from(days)).as_millis().div_euclid(86_400_000);
    edit.prune_uses(day(app.config.usage.by_hour_days) * 24, day(app.config.usage.by_day_days)).await?;
    edit.commit().await
}
