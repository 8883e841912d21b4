//! Revokes keys that lie unused for longer than a policy allows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{in_time, next_turn};
use crate::app::App;
use crate::error::Error;
use crate::manage::api_keys;

const EVERY: Duration = Duration::from_hours(1);

pub(crate) async fn run(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    loop {
        match in_time(EVERY, Box::pin(once(&app))).await {
            Ok(0) => {}
            Ok(keys) => tracing::info!(keys, "revoked keys that were not used for longer than a policy allows"),
            Err(why) => tracing::warn!(why, "cannot revoke unused keys; trying again in an hour"),
        }
        if !next_turn(EVERY, &mut ended).await {
            return;
        }
    }
}

async fn once(app: &App) -> Result<usize, Error> {
    // What was used a moment ago is not unused.
    super::write_uses::all(app).await?;
    api_keys::revoke_unused(app).await
}
