//! The atomics of [`super::lease`]: the check of its orderings puts others in their place.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
