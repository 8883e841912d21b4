//! A number for each request that is refused, so that an answer can be found in the log.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName};
use portcullis_core::id::RequestId;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A longer one is not repeated.
const LONGEST: usize = 128;

/// Numbers requests: a start that no other process has, and a counter. The id of a request is no secret, so it needs no dice.
///
/// A guard numbers what it refuses. An API that numbers all its requests sets `X-Request-Id` further out, and the guard keeps to that.
#[derive(Debug)]
pub struct RequestIds {
    start: u64,
    count: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestIds {
    pub fn new() -> Self {
        Self { start: RandomState::new().build_hasher().finish(), count: AtomicU64::new(0) }
    }

    /// The number that a layer further out has given the request, or else a new one.
    pub fn of(&self, headers: &HeaderMap) -> String {
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        match given.filter(|id| (1..=LONGEST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())) {
            Some(id) => id.to_owned(),
            None => self.next().to_string(),
        }
    }

    pub fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        RequestId::from_bytes((u128::from(self.start) << 64 | u128::from(count)).to_be_bytes())
    }
}
