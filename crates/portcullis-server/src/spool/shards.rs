//! Tables of which each subject has its own part, so that two requests seldom want the same lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use portcullis_core::limits::Subject;

/// A power of two.
pub(crate) const SHARDS: usize = 64;
/// A key, its owner, and a business: more are never locked at a time.
pub(crate) const MOST_AT_A_TIME: usize = 3;

/// See the module's own words.
#[derive(Debug)]
pub(crate) struct Shards<T> {
    first: Mutex<T>,
    others: Box<[Mutex<T>]>,
}

/// The shards that a request has locked, with their numbers.
#[derive(Debug)]
pub(crate) struct Held<'a, T>([Option<(usize, MutexGuard<'a, T>)>; MOST_AT_A_TIME]);

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self { first: Mutex::default(), others: (1..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

fn number(subject: Subject) -> usize {
    usize::try_from(subject.spread() >> 8).unwrap_or(0) % SHARDS
}

impl<T> Shards<T> {
    /// The shard of a subject.
    pub(crate) fn of(&self, subject: Subject) -> MutexGuard<'_, T> {
        self.lock(number(subject))
    }

    /// The shard with this number.
    pub(crate) fn lock(&self, number: usize) -> MutexGuard<'_, T> {
        let others = (number % SHARDS).checked_sub(1).and_then(|place| self.others.get(place));
        // What a request that panicked left behind is whole: every step leaves the tables as they should be.
        others.unwrap_or(&self.first).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All shards, one after the other.
    pub(crate) fn each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        (0..SHARDS).map(|number| self.lock(number))
    }

    /// Locks the shards of some subjects, the lower number first, so that no two requests wait for each other.
    pub(crate) fn hold(&self, subjects: impl Iterator<Item = Subject>) -> Held<'_, T> {
        let mut numbers = [None; MOST_AT_A_TIME];
        for (place, subject) in numbers.iter_mut().zip(subjects) {
            *place = Some(number(subject));
        }
        numbers.sort_unstable();
        let mut held = Held([const { None }; MOST_AT_A_TIME]);
        let mut before = None;
        for (place, number) in held.0.iter_mut().zip(numbers) {
            // Two subjects may share a shard, which can be locked but once.
            if number != before {
                *place = number.map(|number| (number, self.lock(number)));
                before = number;
            }
        }
        held
    }
}

impl<T> Held<'_, T> {
    /// The shard of a subject, if it is among those that are held.
    pub(crate) fn of(&mut self, subject: Subject) -> Option<&mut T> {
        let wanted = number(subject);
        self.0.iter_mut().flatten().find(|(number, _)| *number == wanted).map(|(_, shard)| &mut **shard)
    }
}
