//! What every answer is wrapped in.

use serde::{Deserialize, Serialize};

/// A success: `{"success": true, "data": …}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Success<T> {
    pub success: bool,
    pub data: T,
}

impl<T> Success<T> {
    pub const fn of(data: T) -> Self {
        Self { success: true, data }
    }
}

/// One page of a list: a success whose `next_cursor` leads to the page after it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    pub success: bool,
    pub data: Vec<T>,
    /// Opaque; `null` on the last page.
    pub next_cursor: Option<String>,
}

/// How a list is asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// 1 to 100; 50 where it is left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}
