//! What a test knows of its keys: when each was revoked, and who was told yes or no about it, of a request that was sent when.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::clock::now;

/// A key, from its making.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) token: String,
    /// When the first call to revoke it was sent, and when one returned that it is done. Zero before.
    begun: AtomicU64,
    revoked: AtomicU64,
    /// Requests that were told yes after the first call to revoke it was sent.
    accepted: Mutex<Vec<Sighting>>,
}

/// A request that was told yes.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    sent: u64,
    answered: u64,
    node: usize,
    how: &'static str,
}

/// What an answer says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Refused(String),
    /// Nobody says: no answer, or one that the server cannot answer now.
    Unknown,
    /// An answer that there must not be.
    Strange(String),
}

/// All keys of one test, and what was seen.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    keys: Mutex<Vec<Arc<Key>>>,
    /// Those that are asked about: alive, or revoked a short while ago.
    watched: Mutex<VecDeque<Arc<Key>>>,
    wrong: Mutex<Vec<String>>,
    pub(crate) answered: AtomicU64,
    pub(crate) unanswered: AtomicU64,
    pub(crate) revoked: AtomicU64,
    pub(crate) is_over: AtomicBool,
    late: AtomicU64,
}

impl Key {
    pub(crate) fn new(id: String, token: String) -> Self {
        Self { id, token, begun: AtomicU64::new(0), revoked: AtomicU64::new(0), accepted: Mutex::default() }
    }

    /// Before the first call is sent.
    pub(crate) fn is_being_revoked(&self) {
        self.begun.store(now(), Ordering::SeqCst);
    }

    /// After a call has returned.
    pub(crate) fn is_revoked(&self) {
        self.revoked.store(now(), Ordering::SeqCst);
    }

    /// When that was; zero if it was not.
    pub(crate) fn revoked_at(&self) -> u64 {
        self.revoked.load(Ordering::SeqCst)
    }

    /// Whether nobody has tried to revoke it.
    pub(crate) fn is_untouched(&self) -> bool {
        self.begun.load(Ordering::SeqCst) == 0
    }
}

impl Ledger {
    /// A key that a call has returned.
    pub(crate) fn made(&self, id: String, token: String) -> Arc<Key> {
        let key = Arc::new(Key::new(id, token));
        self.keys.lock().unwrap().push(Arc::clone(&key));
        key
    }

    /// From now on it is asked about, for so long after its end.
    pub(crate) fn watch(&self, key: &Arc<Key>, keep: Duration) {
        let oldest = now().saturating_sub(u64::try_from(keep.as_micros()).unwrap());
        let mut watched = self.watched.lock().unwrap();
        watched.retain(|key| key.revoked_at() == 0 || key.revoked_at() > oldest);
        watched.push_back(Arc::clone(key));
    }

    pub(crate) fn watched(&self) -> Vec<Arc<Key>> {
        self.watched.lock().unwrap().iter().cloned().collect()
    }

    pub(crate) fn keys(&self) -> Vec<Arc<Key>> {
        self.keys.lock().unwrap().clone()
    }

    /// Notes the answer, which has just come, to a request that was sent at `sent`.
    pub(crate) fn note(&self, key: &Key, node: usize, how: &'static str, sent: u64, verdict: Verdict) {
        let answered = now();
        let counter = if verdict == Verdict::Unknown { &self.unanswered } else { &self.answered };
        counter.fetch_add(1, Ordering::Relaxed);
        let (begun, revoked) = (key.begun.load(Ordering::SeqCst), key.revoked_at());
        match verdict {
            Verdict::Accepted if begun > 0 => {
                key.accepted.lock().unwrap().push(Sighting { sent, answered, node, how });
                if revoked > 0 && sent > revoked {
                    self.late.fetch_add(1, Ordering::Relaxed);
                }
            }
            Verdict::Refused(why) if begun == 0 || answered < begun => {
                self.complain(format!("the live key {} was refused by node {node} ({how}): {why}", key.id));
            }
            Verdict::Strange(what) => self.complain(format!("node {node} ({how}) answered {what}")),
            Verdict::Accepted | Verdict::Refused(_) | Verdict::Unknown => {}
        }
    }

    pub(crate) fn complain(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    /// Everything that was seen and must not be, but for what was accepted late.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }

    /// Whether something has been accepted late already.
    pub(crate) fn has_late(&self) -> bool {
        self.late.load(Ordering::Relaxed) > 0
    }

    /// Every request that was sent after the revocation had returned and was told yes.
    pub(crate) fn late(&self) -> Vec<String> {
        let late_of = |key: &Arc<Key>| {
            let revoked = key.revoked_at();
            let accepted = key.accepted.lock().unwrap().clone();
            let late = accepted.into_iter().filter(move |seen| revoked > 0 && seen.sent > revoked);
            let id = key.id.clone();
            late.map(move |Sighting { sent, answered, node, how }| {
                let (after, took) = (sent - revoked, answered - sent);
                format!("{id} on node {node} ({how}), sent {after} µs after the revocation, answered in {took} µs")
            })
        };
        self.keys().iter().flat_map(late_of).collect()
    }
}
