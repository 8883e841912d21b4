//! Revokes again what a restored database has forgotten, as far as this node remembers it. Until that is done nobody is told yes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::next_turn;
use crate::app::App;
use crate::manage::api_keys;

const AGAIN: Duration = Duration::from_millis(500);

pub(crate) async fn run(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = app.node.has_forgotten.notified() => {}
            _ = ended.wait_for(|&ended| ended) => return,
        }
        while let Err(error) = api_keys::revoke_again(&app, &app.node.forgotten()).await {
            tracing::error!(%error, "cannot revoke again what the database has forgotten; trying again");
            if !next_turn(AGAIN, &mut ended).await {
                return;
            }
        }
        app.node.all_remembered();
    }
}
