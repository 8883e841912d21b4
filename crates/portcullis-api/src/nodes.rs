//! The nodes on one database.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;
use crate::time::Time;

/// The nodes, as the one that is asked sees them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "head": 4711,
    "nodes": [{
        "id": "node_6a0f3c1d9b2e4f5a7c8d", "this": true, "version": "0.1.0", "address": "http://10.0.0.7:7373",
        "joined_at": "2026-11-20T19:30:00Z", "applied": 4711, "lag": 0, "lease_ms": 5000, "renewed_ms_ago": 412
    }]
}))]
pub struct Nodes {
    /// The number of the last edit.
    pub head: i64,
    /// Those that have a lease; none, where the database is SQLite and has a single node.
    pub nodes: Vec<Node>,
}

/// A node that may answer from memory.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Random, for each start of a process.
    pub id: String,
    /// Whether it is the one that answers.
    pub this: bool,
    pub version: String,
    /// Where other nodes reach it (`node_url`), or where it listens.
    pub address: String,
    #[schema(value_type = schema::Instant)]
    pub joined_at: Time,
    /// The number of the last edit that it has told to have in memory.
    pub applied: i64,
    /// How many edits it has not told to have.
    pub lag: i64,
    /// How long after a renewal it may answer, in milliseconds.
    pub lease_ms: i64,
    /// How long ago the one that answers saw it renew its lease, in milliseconds; `null` if it has not seen it yet.
    pub renewed_ms_ago: Option<u64>,
}
