//! `/nodes`

use std::sync::Arc;

use axum::extract::State;
use portcullis_api::nodes::{Node, Nodes};

use super::{Answer, success};
use crate::app::App;
use crate::caller::{Operator, UsageRead};
use crate::manage::nodes;

pub(crate) async fn list(State(app): State<Arc<App>>, by: Operator<UsageRead>) -> Answer<Nodes> {
    let (nodes, head) = nodes::list(&app, &by.proof).await?;
    let wire = |node: nodes::Node| Node {
        id: node.lease.node,
        this: node.this,
        version: node.lease.version,
        address: node.lease.address,
        joined_at: node.lease.joined_at.into(),
        applied: node.lease.applied,
        lag: (head - node.lease.applied).max(0),
        lease_ms: node.lease.lasts_ms,
        renewed_ms_ago: node.renewed_ms_ago,
    };
    Ok(success(Nodes { head, nodes: nodes.into_iter().map(wire).collect() }))
}
