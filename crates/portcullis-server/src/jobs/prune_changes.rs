//! The change log is kept for a day: whoever fell further behind reads the whole state instead.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::store::StoreError;

const EVERY: Duration = Duration::from_hours(1);
const KEPT_DAYS: i64 = 1;

pub(crate) async fn run(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    loop {
        if let Err(error) = once(&app).await {
            tracing::warn!(%error, "cannot prune the change log; trying again in an hour");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = ended.wait_for(|&ended| ended) => return,
        }
    }
}

async fn once(app: &App) -> Result<(), StoreError> {
    let mut edit = app.store.edit().await?;
    edit.prune_changes(app.clock.now().plus_days(-KEPT_DAYS)).await?;
    edit.commit().await
}
