//! Work that nobody asks for by a request. Each job can be run again at any time without harm.

use std::time::Duration;

use tokio::sync::watch;

pub(crate) mod canary;
pub(crate) mod prune;
pub(crate) mod revoke_again;
pub(crate) mod revoke_unused;
pub(crate) mod sign_head;
pub(crate) mod write_uses;

/// A turn that takes this long is given up, and begun anew the next time: a connection that has gone silent never says so.
async fn in_time<T, E: ToString>(longest: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(longest, work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("the database does not answer".to_owned()),
    }
}

/// Waits until a job's next turn; `false` when the end is told instead.
async fn next_turn(period: Duration, ended: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(period) => true,
        _ = ended.wait_for(|&ended| ended) => false,
    }
}
