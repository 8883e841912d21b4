//! The order of loads and stores of the words that decide, in every execution that the memory model allows.
//!
//! A node's loop, an edit that revokes, and a verification that is sent after the edit returned. The lease is production's file with
//! loom's atomics in it. The database answers in one order that everybody agrees on and messages carry what was before them, so both
//! acquire and release; clocks show the newest reading but order nothing.

mod no_acquire;
mod no_release;

#[path = "../../src/cluster/lease.rs"]
mod lease;

/// Where `lease` takes its atomics from: here they try out whatever a processor may do.
mod sync {
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
}

use std::sync::Mutex;

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Arc, RwLock};

use lease::Lease;

const LEASE_US: u64 = 5_000_000;
const SLACK_US: u64 = 500_000;

/// The part of `Lease` that is checked, of production's and of those that lack an ordering.
trait Word: Send + Sync + 'static {
    fn new() -> Self;
    fn publish(&self, until_us: u64);
    fn holds(&self, clock: impl FnOnce() -> u64) -> bool;
}

macro_rules! word {
    ($lease:ty) => {
        impl Word for $lease {
            fn new() -> Self {
                <$lease>::new()
            }

            fn publish(&self, until_us: u64) {
                self.publish(until_us);
            }

            fn holds(&self, clock: impl FnOnce() -> u64) -> bool {
                self.holds(clock)
            }
        }
    };
}

word!(Lease);
word!(no_acquire::lease::Lease);
word!(no_release::lease::Lease);

/// What is known of the key: one word, or what production has, a lock around more than a word.
trait Memory: Send + Sync + 'static {
    fn new() -> Self;
    fn revoke(&self);
    fn revoked(&self) -> bool;
}

impl Memory for AtomicBool {
    fn new() -> Self {
        Self::new(false)
    }

    fn revoke(&self) {
        self.store(true, Ordering::Relaxed);
    }

    fn revoked(&self) -> bool {
        self.load(Ordering::Relaxed)
    }
}

impl Memory for RwLock<bool> {
    fn new() -> Self {
        Self::new(false)
    }

    fn revoke(&self) {
        *self.write().unwrap() = true;
    }

    fn revoked(&self) -> bool {
        *self.read().unwrap()
    }
}

struct World<L, M> {
    /// One clock for everybody: that clocks differ is the state machine's question.
    clock_us: AtomicU64,
    head: AtomicU64,
    acknowledged: AtomicU64,
    lease: L,
    memory: M,
}

impl<L: Word, M: Memory> World<L, M> {
    /// The node holds a lease since the beginning.
    fn new() -> Self {
        let world = Self {
            clock_us: AtomicU64::new(0),
            head: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            lease: L::new(),
            memory: M::new(),
        };
        world.lease.publish(lease::end(0, LEASE_US, SLACK_US));
        world
    }

    /// A read that writes gets the newest value and, relaxed, orders nothing.
    fn now_us(&self) -> u64 {
        self.clock_us.fetch_add(0, Ordering::Relaxed)
    }

    fn poll(&self) -> u64 {
        self.head.fetch_add(0, Ordering::AcqRel)
    }

    /// A round of the node's loop.
    fn follow(&self) {
        let ts_us = self.now_us();
        let head = self.poll();
        if head > 0 {
            self.memory.revoke();
        }
        self.lease.publish(lease::end(ts_us, LEASE_US, SLACK_US));
        self.acknowledged.fetch_max(head, Ordering::AcqRel);
    }

    /// The mistake: whoever sees the new end need not see what it stands for.
    fn follow_and_publish_first(&self) {
        let ts_us = self.now_us();
        let head = self.poll();
        self.lease.publish(lease::end(ts_us, LEASE_US, SLACK_US));
        if head > 0 {
            self.memory.revoke();
        }
        self.acknowledged.fetch_max(head, Ordering::AcqRel);
    }

    /// Returns when the node acknowledged or its lease must be over.
    fn revoke(&self) {
        self.head.fetch_add(1, Ordering::AcqRel);
        if self.acknowledged.fetch_add(0, Ordering::AcqRel) == 0 {
            self.clock_us.fetch_add(lease::waiters_patience(LEASE_US, 0), Ordering::Relaxed);
        }
    }

    fn verify(&self) -> Verdict {
        if !self.lease.holds(|| self.now_us()) {
            return Verdict::NoLease;
        }
        if self.memory.revoked() { Verdict::Refused } else { Verdict::Accepted }
    }

    /// The mistake: what was found may be older than the lease that is said to cover it.
    fn look_up_and_then_verify(&self) -> Verdict {
        let revoked = self.memory.revoked();
        if !self.lease.holds(|| self.now_us()) {
            return Verdict::NoLease;
        }
        if revoked { Verdict::Refused } else { Verdict::Accepted }
    }
}

impl<L: Word> World<L, RwLock<bool>> {
    /// As production does it. The lock is taken first, and it keeps changes out until the key was looked up.
    fn verify_under_the_lock(&self) -> Verdict {
        let revoked = self.memory.read().unwrap();
        if !self.lease.holds(|| self.now_us()) {
            return Verdict::NoLease;
        }
        if *revoked { Verdict::Refused } else { Verdict::Accepted }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    NoLease,
    Refused,
    Accepted,
}

/// How many executions ended in which verdict on a verification that was sent after the revocation returned.
#[derive(Debug, Clone, Copy, Default)]
struct Late {
    no_lease: usize,
    refused: usize,
    accepted: usize,
}

fn explore<L: Word, M: Memory>(follow: fn(&World<L, M>), verify: fn(&World<L, M>) -> Verdict) -> Late {
    let late = std::sync::Arc::new(Mutex::new(Late::default()));
    let tally = late.clone();
    loom::model(move || {
        let world = Arc::new(World::new());
        let node = loom::thread::spawn({
            let world = world.clone();
            move || {
                follow(&world);
                follow(&world);
            }
        });
        world.revoke();
        let verdict = verify(&world);
        node.join().unwrap();
        let mut tally = tally.lock().unwrap();
        match verdict {
            Verdict::NoLease => tally.no_lease += 1,
            Verdict::Refused => tally.refused += 1,
            Verdict::Accepted => tally.accepted += 1,
        }
    });
    *late.lock().unwrap()
}

/// Nothing is accepted late, and both ways not to accept it are taken.
#[track_caller]
fn kept(late: Late) {
    println!("{late:?}");
    assert_eq!(late.accepted, 0, "accepted late: {late:?}");
    assert!(late.no_lease > 0 && late.refused > 0, "this does not show much: {late:?}");
}

#[track_caller]
fn broken(late: Late) {
    println!("{late:?}");
    assert!(late.accepted > 0, "the mistake is not found: {late:?}");
}

#[test]
fn whoever_sees_the_longer_lease_sees_what_was_applied_before() {
    kept(explore::<Lease, AtomicBool>(World::follow, World::verify));
}

#[test]
fn the_lock_around_the_keyring_may_be_taken_first() {
    kept(explore::<Lease, RwLock<bool>>(World::follow, World::verify_under_the_lock));
}

#[test]
fn without_either_ordering_it_breaks() {
    broken(explore::<no_acquire::lease::Lease, AtomicBool>(World::follow, World::verify));
    broken(explore::<no_release::lease::Lease, AtomicBool>(World::follow, World::verify));
}

#[test]
fn looking_up_before_loading_the_end_breaks_it() {
    broken(explore::<Lease, AtomicBool>(World::follow, World::look_up_and_then_verify));
    broken(explore::<Lease, RwLock<bool>>(World::follow, World::look_up_and_then_verify));
}

#[test]
fn publishing_before_applying_breaks_it() {
    broken(explore::<Lease, AtomicBool>(World::follow_and_publish_first, World::verify));
    broken(explore::<Lease, RwLock<bool>>(World::follow_and_publish_first, World::verify_under_the_lock));
}

#[test]
fn a_lease_ends_before_its_end_and_not_at_it() {
    loom::model(|| {
        let lease = Lease::new();
        assert!(!lease.holds(|| 0), "a node begins without");
        lease.publish(10);
        assert!(lease.holds(|| 9) && !lease.holds(|| 10) && !lease.holds(|| 11));
        assert_eq!((lease.remaining(4), lease.remaining(10), lease.remaining(11)), (6, 0, 0));
        lease.drop_it();
        assert!(!lease.holds(|| 0));
        assert_eq!(lease.remaining(0), 0);
    });
}

#[test]
fn a_lease_is_over_for_the_slowest_node_before_it_is_for_the_fastest_waiter() {
    assert_eq!(lease::end(7, LEASE_US, SLACK_US), 7 + 4_450_000);
    assert_eq!(lease::waiters_patience(LEASE_US, 0), 5_050_000);
    assert_eq!(lease::waiters_patience(LEASE_US, 250_000), 5_300_000);
    for lease_us in (0..1_000).chain([LEASE_US - 1, LEASE_US, LEASE_US + 1, 1_000_000_007]) {
        assert!(lease::end(0, lease_us, 0) * 100 <= lease_us * 99, "{lease_us}");
        assert!(lease::waiters_patience(lease_us, 0) * 100 >= lease_us * 101, "{lease_us}");
    }
    assert_eq!(lease::end(7, SLACK_US, SLACK_US), 7, "a lease as short as its slack is none");
    assert_eq!(lease::end(u64::MAX, LEASE_US, SLACK_US), u64::MAX);
    assert_eq!(lease::waiters_patience(u64::MAX, 1), u64::MAX);
}
