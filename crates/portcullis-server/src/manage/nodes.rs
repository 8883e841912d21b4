//! The nodes on this database.

use portcullis_core::scope::Platform;

use crate::app::App;
use crate::clock::since_boot;
use crate::error::Error;
use crate::store::leases::LeaseRow;

/// A node, as this one sees it.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) lease: LeaseRow,
    /// Whether it is the one that tells.
    pub(crate) this: bool,
    /// How long ago its lease was seen to be renewed, in milliseconds.
    pub(crate) renewed_ms_ago: Option<u64>,
}

/// Every node that has a lease, and the number of the last edit.
pub(crate) async fn list(app: &App, _proof: &Platform) -> Result<(Vec<Node>, i64), Error> {
    let (leases, head) = app.store.nodes().await?;
    let (peers, now) = (app.node.peers(), since_boot());
    let node = |lease: LeaseRow| {
        let seen = peers.seen.iter().find(|(known, _)| known.node == lease.node);
        let renewed_ms_ago = seen.map(|&(_, at)| now.saturating_sub(at) / 1_000);
        Node { this: lease.node == peers.own, renewed_ms_ago, lease }
    };
    Ok((leases.into_iter().map(node).collect(), head))
}
