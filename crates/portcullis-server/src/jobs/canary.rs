//! Each round a key is made, used on every node, revoked, and tried again: a node that still lets it through would be a late accept,
//! which must never be. One node does it for all: the one whose name comes first.

use std::sync::Arc;
use std::time::Duration;

use portcullis_api::secret::SecretText;
use tokio::sync::watch;

use super::{in_time, next_turn};
use crate::app::App;
use crate::error::Error;
use crate::manage::api_keys::canary;

/// A node that takes longer is not asked further: that it is slow is for others to tell.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(app: Arc<App>, mut ended: watch::Receiver<bool>) {
    let period = Duration::from_secs(app.config.cluster.canary_seconds);
    if period.is_zero() || !app.store.is_shared() {
        return;
    }
    let client = match reqwest::Client::builder().no_proxy().timeout(PATIENCE).build() {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "there is no canary: no client for it can be made"),
    };
    while next_turn(period, &mut ended).await {
        // Whoever sets the server up finds it empty.
        if app.awaits_setup() {
            continue;
        }
        let peers = app.node.peers();
        if peers.seen.iter().any(|(lease, _)| lease.node < peers.own) {
            continue;
        }
        let nodes: Vec<String> = peers.seen.into_iter().map(|(lease, _)| lease.address).collect();
        if let Err(why) = in_time(period.max(PATIENCE * 6), round(&app, &client, &nodes)).await {
            tracing::warn!(why, "the canary could not be made or revoked; trying again");
        }
    }
}

async fn round(app: &App, client: &reqwest::Client, nodes: &[String]) -> Result<(), Error> {
    let (owner, id, token) = canary::make(app).await?;
    for node in nodes {
        if !passes(client, node, &token).await {
            tracing::warn!(node, "the canary does not pass on a node, or the node cannot be reached (`node_url`)");
        }
    }
    canary::revoke(app, owner, id).await?;
    for node in nodes {
        if passes(client, node, &token).await {
            app.metrics.canary_late_accepts.inc();
            tracing::error!(node, %id, "a revoked key passed: this must never be; take the node out and report it");
        }
    }
    app.metrics.canary_rounds.inc();
    Ok(())
}

async fn passes(client: &reqwest::Client, node: &str, token: &SecretText) -> bool {
    let asked = client.get(format!("{node}/api/v1/whoami")).bearer_auth(token.expose()).send().await;
    asked.is_ok_and(|answer| answer.status().is_success())
}
