//! When keys were last used: noted in memory as they are, and taken from there by a job.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use portcullis_core::id::ApiKeyId;
use portcullis_core::time::Timestamp;

/// So many locks, so that two requests seldom want the same one.
const SHELVES: usize = 16;

/// The keys that were used since they were last taken.
#[derive(Debug, Default)]
pub(crate) struct LastUsed([Mutex<HashMap<ApiKeyId, Timestamp>>; SHELVES]);

impl LastUsed {
    pub(crate) fn note(&self, key: ApiKeyId, now: Timestamp) {
        let number = key.as_bytes().last().map_or(0, |byte| usize::from(*byte)) % SHELVES;
        let Some(used) = self.0.get(number) else { return };
        used.lock().unwrap_or_else(PoisonError::into_inner).insert(key, now);
    }

    pub(crate) fn take(&self) -> Vec<(ApiKeyId, Timestamp)> {
        let empty =
            |shelf: &Mutex<HashMap<_, _>>| std::mem::take(&mut *shelf.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.iter().flat_map(empty).collect()
    }
}
