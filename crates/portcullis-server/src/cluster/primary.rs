//! A decision without a lease: what it needs is read from the primary, after the request came, and nothing of it is kept.

use std::sync::Arc;

use portcullis_core::change::{ApiKeyEnd, Change};
use portcullis_core::keyring::Keyring;
use portcullis_core::token::Digest;

use crate::app::App;
use crate::config::OnLeaseLoss;
use crate::store::StoreError;

/// Why nothing is read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoMemory {
    #[error("this node has no lease, and is set to refuse without one (`on_lease_loss`)")]
    NoLease,
    #[error("this node revokes again what the restored database has forgotten")]
    Rejoining,
    #[error("the node's memory is being read anew")]
    Broken,
    #[error("this node has no lease, and the database does not answer: {0}")]
    NoDatabase(#[from] StoreError),
}

/// Reads what a decision about this credential needs. `is_wanted`: the asker wants it so, whether or not there is a lease.
pub(crate) async fn read(app: &App, digest: Option<&Digest>, is_wanted: bool) -> Result<Keyring, NoMemory> {
    if app.node.is_rejoining() {
        return Err(NoMemory::Rejoining);
    }
    let mut keyring = Keyring::new(Arc::clone(&app.catalogue));
    let Some(digest) = digest else { return Ok(keyring) };
    if !is_wanted {
        match (app.store.is_shared(), app.config.cluster.on_lease_loss) {
            (false, _) => return Err(NoMemory::Broken),
            (true, OnLeaseLoss::Refuse) => return Err(NoMemory::NoLease),
            (true, OnLeaseLoss::ReadPrimary) => app.metrics.read_through.inc(),
        };
    }
    let unreadable = |error: portcullis_core::keyring::Unfit| StoreError::Unreadable(error.to_string());
    let mut take = |change| keyring.apply(change).map_err(unreadable);
    app.store.in_time(app.store.snapshot_of(digest, &mut take)).await?;
    // What this node remembers may have been put aside meanwhile.
    if app.node.is_rejoining() {
        return Err(NoMemory::Rejoining);
    }
    // Revoked is for ever, also where a database that was set back does not know it any more.
    let known = app.node.last_known().and_then(|known| known.find(digest).map(|key| (key.id(), key.revoked_at())));
    if let (Some((id, Some(at))), Some(_)) = (known, keyring.find(digest)) {
        keyring.apply(Change::ApiKeyRevoked(ApiKeyEnd { id, at })).map_err(unreadable)?;
    }
    Ok(keyring)
}
