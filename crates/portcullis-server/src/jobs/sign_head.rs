//! Signs the head of the audit log to the server's own log, each minute in which it grew.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{in_time, next_turn};
use crate::app::App;
use crate::manage::audit;

const EVERY: Duration = Duration::from_mins(1);

pub(crate) async fn run(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    let mut last = 0;
    loop {
        match in_time(EVERY, audit::signed_head(&app)).await {
            Ok(Some(head)) if head.number != last => {
                last = head.number;
                tracing::info!(%head, "signed the head of the audit log");
            }
            Ok(_) => {}
            Err(why) => tracing::warn!(why, "cannot sign the head of the audit log; trying again in a minute"),
        }
        if !next_turn(EVERY, &mut ended).await {
            return;
        }
    }
}
