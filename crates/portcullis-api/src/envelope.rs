//! What every answer is wrapped in.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A success: `{"success": true, "data": …}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Success<T> {
    pub success: bool,
    pub data: T,
    /// Where something was edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
}

impl<T> Success<T> {
    pub const fn of(data: T) -> Self {
        Self { success: true, data, edit: None }
    }
}

/// How an edit came into force: when this is answered, no node decides by what was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"seq": 4711, "nodes": {"acknowledged": 3, "lease_expired": 0}, "waited_ms": 4}))]
pub struct Edit {
    /// The number of the edit in the change log.
    pub seq: i64,
    pub nodes: EditNodes,
    /// How long the answer waited for the nodes, in milliseconds.
    pub waited_ms: u64,
}

/// What became of the nodes that had to learn of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EditNodes {
    /// Those that have it in memory.
    pub acknowledged: usize,
    /// Those that were paused, cut off or dead: they may not answer from memory any more until they have it.
    pub lease_expired: usize,
}

/// What is told of something that was done and leaves nothing to show: `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done;

/// One page of a list: a success whose `next_cursor` leads to the page after it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    pub success: bool,
    pub data: Vec<T>,
    /// Opaque; `null` on the last page.
    pub next_cursor: Option<String>,
}

/// How a list is asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many at a time: 1 to 100; 50 where it is left out.
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}
