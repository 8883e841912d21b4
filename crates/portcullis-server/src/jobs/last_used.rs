//! Writes down when keys were last used.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::next_turn;
use crate::app::App;
use crate::store::StoreError;

const EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    while next_turn(EVERY, &mut ended).await {
        if let Err(error) = once(&app).await {
            tracing::warn!(%error, "cannot write when keys were last used; what was not written is lost");
        }
    }
}

/// One transaction for all that were used since the last.
pub(crate) async fn once(app: &App) -> Result<(), StoreError> {
    let used = app.last_used.take();
    if used.is_empty() {
        return Ok(());
    }
    let mut edit = app.store.edit().await?;
    for (key, at) in used {
        edit.set_last_used(key, at).await?;
    }
    edit.commit().await
}
