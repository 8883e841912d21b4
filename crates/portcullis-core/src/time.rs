//! Instants, as numbers: milliseconds since 1970-01-01T00:00:00Z.

use serde::{Deserialize, Serialize};

/// An instant in UTC, in milliseconds since the Unix epoch. How it is written on the wire is no business of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant that no other reaches: what "never" compares as.
    pub const NEVER: Self = Self(i64::MAX);

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `days` later; it stops at the end of time instead of wrapping around it.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        self.plus_millis(days.saturating_mul(86_400_000))
    }

    /// The instant so much later; it stops at the end of time instead of wrapping around it.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}
