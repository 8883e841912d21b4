//! The word that says how long this node may still answer from memory.
//!
//! All instants are microseconds of `CLOCK_BOOTTIME`, which goes on while the machine sleeps and which nobody can set. The atomics
//! come from the parent module, so that the check of the orderings runs on this file and not on a copy.

use super::sync::{AtomicU64, Ordering};

/// Two clocks of the cluster go apart by less than one part in this many (`rho` is 1 %).
const RATE_ERROR: u64 = 100;

/// What this node was granted: the instant at which it must stop to answer from memory. One loop writes it, every verification
/// reads it.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Zero is no lease: no reading of a clock is before it.
    until_us: AtomicU64,
}

impl Lease {
    /// A node begins without.
    pub(crate) fn new() -> Self {
        Self { until_us: AtomicU64::new(0) }
    }

    /// To be called after everything that the poll brought is in memory: whoever sees this end sees that memory (release).
    pub(crate) fn publish(&self, until_us: u64) {
        self.until_us.store(until_us, Ordering::Release);
    }

    /// The row was reaped, the database is another, or this node leaves.
    pub(crate) fn drop_it(&self) {
        self.until_us.store(0, Ordering::Release);
    }

    /// Whether memory may be believed, if it is looked at *after* this call. The clock is read after the end was loaded and never
    /// handed in, because a reading from before the request came says nothing about the request.
    pub(crate) fn holds(&self, clock: impl FnOnce() -> u64) -> bool {
        let until_us = self.until_us.load(Ordering::Acquire);
        clock() < until_us
    }

    /// For metrics and readiness: what is left at `now_us`. It decides nothing, so it orders nothing.
    pub(crate) fn remaining(&self, now_us: u64) -> u64 {
        self.until_us.load(Ordering::Relaxed).saturating_sub(now_us)
    }
}

/// When a lease ends that was asked for at `ts_before_sending_us`, by the clock of the node that asked: a slow clock must be through
/// with it before the fastest waiter is, and a machine that is frozen unseen for `slack_us` still is. A lease too short for its slack
/// ends where it began.
pub(crate) fn end(ts_before_sending_us: u64, lease_us: u64, slack_us: u64) -> u64 {
    let term_us = lease_us.saturating_sub(rate_error(lease_us));
    ts_before_sending_us.saturating_add(term_us.saturating_sub(slack_us))
}

/// How long an edit waits for a node that does not acknowledge, and the reaper for a row that does not move, each by its own clock.
pub(crate) fn waiters_patience(lease_us: u64, grace_us: u64) -> u64 {
    lease_us.saturating_add(rate_error(lease_us)).saturating_add(grace_us)
}

/// Rounded up, since a microsecond too many is only a longer wait.
fn rate_error(lease_us: u64) -> u64 {
    lease_us.div_ceil(RATE_ERROR)
}
