//! The limiter itself: many threads at once, and what it holds of memory.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};

use portcullis_core::id::{FamilyId, UserId};
use portcullis_core::limits::Rate;
use tempfile::TempDir;

use super::*;
use crate::spool::SHARDS;

const START: i64 = 1_795_203_000_000;
const DEFAULT: Rate = Rate { per_minute: 100, per_second: 10 };

struct World {
    _directory: TempDir,
    arena: Arc<Arena>,
    limiter: Limiter,
    time: Arc<AtomicI64>,
    clock: Clock,
}

fn world() -> World {
    let directory = TempDir::new().unwrap();
    let arena = Arc::new(Arena::open(&directory.path().join("spool"), [0; 4], |_, _| true).unwrap());
    let time = Arc::new(AtomicI64::new(START));
    let limiter = Limiter::new(Arc::clone(&arena), &[]);
    World { _directory: directory, arena, limiter, clock: Clock::Set(Arc::clone(&time)), time }
}

fn family(n: u128) -> Subject {
    Subject::Family(FamilyId::from_bytes(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_le_bytes()))
}

impl World {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn passes(&self, all: &[Windows]) -> bool {
        let standing = self.limiter.ask(all, Charge::Cost(1), self.now(), &self.clock);
        standing.unwrap().fit == Fit::Now
    }
}

/// At one instant, at the end of the window to the millisecond, and with a clock that goes on meanwhile.
#[test]
fn a_boundary_that_64_threads_hit_at_once_lets_in_just_the_limit() {
    let world = Arc::new(world());
    let window = |millis| [Windows::of(family(1), [Window { limit: 500, millis }])];
    let run = |windows: [Windows; 1], steps: bool| {
        let barrier = Arc::new(Barrier::new(64));
        let passed = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = (0..64)
            .map(|n| {
                let (world, barrier, passed) = (Arc::clone(&world), Arc::clone(&barrier), Arc::clone(&passed));
                std::thread::spawn(move || {
                    barrier.wait();
                    for _ in 0..100 {
                        // Some read the clock before others that come first.
                        let now = world.now();
                        if steps && n == 0 {
                            world.time.fetch_add(1, Ordering::Relaxed);
                        }
                        let standing = world.limiter.ask(&windows, Charge::Cost(1), now, &world.clock);
                        passed.fetch_add(u32::from(standing.unwrap().fit == Fit::Now), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        passed.load(Ordering::Relaxed)
    };
    for _ in 0..3 {
        assert_eq!(run(window(1_000), false), 500);
        world.time.fetch_add(999, Ordering::Relaxed);
        assert!(!world.passes(&window(1_000)));
        world.time.fetch_add(1, Ordering::Relaxed);
    }
    world.time.fetch_add(10_000, Ordering::Relaxed);
    assert_eq!(run(window(1_000), true), 500, "a tenth of a second passed, and no window ended");
}

#[test]
fn requests_under_several_limits_never_wait_for_each_other() {
    let world = Arc::new(world());
    let roomy = Rate { per_minute: 1_000_000, per_second: 4_000 };
    let threads: Vec<_> = (0..16_u128)
        .map(|n| {
            let world = Arc::clone(&world);
            std::thread::spawn(move || {
                for round in 0..2_000_u128 {
                    let three = [n + round, round * 3, n * 7].map(|n| Windows::of(family(n % 50), roomy.windows()));
                    let mut all = three.to_vec();
                    all.sort_unstable_by_key(|windows| windows.subject);
                    all.dedup_by_key(|windows| windows.subject);
                    let count = all.len();
                    all.rotate_left(usize::try_from(round).unwrap() % count);
                    world.passes(&all);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(world.limiter.len(), 50);
}

#[test]
fn a_key_in_use_takes_at_most_512_bytes_and_one_that_is_not_none() {
    let world = world();
    let bytes = |n: u128| {
        let block = world.limiter.shards.of(family(n)).find(&world.arena, family(n));
        block.map(|block| world.arena.words(block).len() * 4)
    };
    let of = |n| [Windows::of(family(n), DEFAULT.windows())];
    assert!(world.passes(&of(1)));
    assert_eq!(bytes(1), Some(64), "a key that was used once");
    for _ in 0..200 {
        world.passes(&of(2));
        world.time.fetch_add(100, Ordering::Relaxed);
    }
    assert_eq!(bytes(2), Some(448), "a key that was used as often as it may");
    for limit in [1, 4_096, 4_097, 100_000_000] {
        let subject = family(u128::from(limit) + 10);
        let windows = [Windows::of(subject, [Window { limit, millis: 1_000 }])];
        (0..5_000).for_each(|_| _ = world.passes(&windows));
    }
    assert_eq!(world.limiter.len(), 6);
    let sweep = || (0..SHARDS).for_each(|number| world.limiter.sweep(number, world.now()));
    sweep();
    assert_eq!(world.limiter.len(), 6, "they matter still");
    world.time.fetch_add(60_300, Ordering::Relaxed);
    sweep();
    assert_eq!((world.limiter.len(), bytes(1)), (0, None));
    assert!(world.passes(&of(1)));
}

#[test]
fn a_greater_block_that_a_killed_process_left_beside_the_old_one_is_the_one_that_counts() {
    let world = world();
    let windows = [Windows::of(family(1), DEFAULT.windows())];
    for _ in 0..3 {
        assert!(world.passes(&windows));
    }
    let old = world.limiter.shards.of(family(1)).find(&world.arena, family(1)).unwrap();
    for first in [true, false] {
        // As it is when the process is killed after the new block is named, and before the old one is free.
        let new = world.arena.take(112);
        let history = History::begin(world.limiter.history_words(new), &DEFAULT.windows());
        history.absorb(&History::at(world.limiter.history_words(old)));
        dedicate(world.arena.words(new), Use::Windows, family(1));
        let found = if first { [(family(1), old), (family(1), new)] } else { [(family(1), new), (family(1), old)] };
        let next = Limiter::new(Arc::clone(&world.arena), &found);
        let standing = next.ask(&windows, Charge::Nothing, world.now(), &world.clock).unwrap();
        assert_eq!((standing.remaining, next.len()), (7, 1));
        assert_eq!(next.shards.of(family(1)).find(&world.arena, family(1)), Some(new));
        dedicate(world.arena.words(old), Use::Windows, family(1));
        let history = History::begin(world.limiter.history_words(old), &DEFAULT.windows());
        history.absorb(&History::at(world.limiter.history_words(new)));
    }
}

#[test]
fn the_tightest_is_the_one_that_refuses_for_longest_or_leaves_the_least() {
    let world = world();
    let user = Subject::User(UserId::from_bytes([7; 16]));
    let key = Windows::of(family(1), [Window { limit: 9, millis: 1_000 }, Window { limit: 5, millis: 60_000 }]);
    let all = [key, Windows::of(user, [Window { limit: 4, millis: 30_000 }, Window { limit: 4, millis: 40_000 }])];
    let ask = |charge| world.limiter.ask(&all, charge, world.now(), &world.clock).unwrap();
    assert_eq!((ask(Charge::Cost(1)).place, ask(Charge::Nothing).remaining), ((1, 1), 3), "the longer of two alike");
    let refused = ask(Charge::Cost(4));
    assert_eq!((refused.place, refused.fit), ((1, 1), Fit::After(40_000)));
    assert_eq!(ask(Charge::Cost(5)).fit, Fit::Never);
    assert_eq!(world.limiter.ask(&[], Charge::Cost(1), world.now(), &world.clock), None);
}
