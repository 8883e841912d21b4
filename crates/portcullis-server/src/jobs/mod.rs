//! Work that nobody asks for by a request. Each job can be run again at any time without harm.

use std::time::Duration;

use tokio::sync::watch;

pub(crate) mod canary;
pub(crate) mod prune;
pub(crate) mod revoke_again;
pub(crate) mod revoke_unused;
pub(crate) mod sign_head;
pub(crate) mod write_uses;

/// Waits until a job's next turn; `false` when the end is told instead.
async fn next_turn(period: Duration, ended: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(period) => true,
        _ = ended.wait_for(|&ended| ended) => false,
    }
}
