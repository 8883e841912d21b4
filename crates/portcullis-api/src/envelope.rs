//! What every answer is wrapped in.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

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
