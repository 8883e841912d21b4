//! Revokes again what a restored database has forgotten, as far as this node remembers it. Until that is done nobody is told yes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{in_time, next_turn};
use crate::app::App;
use crate::manage::api_keys;

const AGAIN: Duration = Duration::from_millis(500);
/// A connection that has gone silent must not keep this node from ever saying yes again.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn run(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = app.node.has_forgotten.notified() => {}
            _ = ended.wait_for(|&ended| ended) => return,
        }
        while let Some((user, id)) = app.node.forgotten() {
            if let Err(why) = in_time(PATIENCE, api_keys::revoke_again(&app, user, id)).await {
                tracing::error!(why, %id, "cannot revoke again what the database has forgotten; trying again");
                if !next_turn(AGAIN, &mut ended).await {
                    return;
                }
                continue;
            }
            app.node.remembered();
        }
    }
}
