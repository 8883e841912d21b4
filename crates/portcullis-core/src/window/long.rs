//! Counts in segments of a window: what stands in for single instants where there would be too many of them.

use std::sync::atomic::AtomicU32;

use super::{Fit, Look, Window, get, get_wide, set, set_wide};

/// Into so many parts a window is divided.
pub(super) const SEGMENTS: u64 = 256;
/// A window that begins within a segment touches one more.
const SLOTS: u64 = SEGMENTS + 1;
/// Before the counts: the window, their sum, and the number of the newest segment.
const HEAD: usize = 4;
pub(super) const WORDS: usize = HEAD + 257;

/// Segment `n` begins at `n` × window / 256, counted from 1970.
#[derive(Clone, Copy)]
pub(super) struct Long<'a> {
    pub(super) words: &'a [AtomicU32],
}

impl Long<'_> {
    pub(super) fn begin(self, millis: u32) {
        set(self.words, 0, millis);
    }

    pub(super) fn millis(self) -> u32 {
        get(self.words, 0)
    }

    fn sum(self) -> u32 {
        get(self.words, 1)
    }

    fn set_sum(self, sum: u32) {
        set(self.words, 1, sum);
    }

    fn newest(self) -> u64 {
        get_wide(self.words, 2)
    }

    fn segment(self, instant: u64) -> u64 {
        instant * SEGMENTS / u64::from(self.millis()).max(1)
    }

    /// The first instant that segment `n` has no part in any more.
    fn over(self, n: u64) -> u64 {
        ((n + SLOTS) * u64::from(self.millis())).div_ceil(SEGMENTS)
    }

    fn place(n: u64) -> usize {
        HEAD + usize::try_from(n % SLOTS).unwrap_or(0)
    }

    fn count(self, n: u64) -> u32 {
        get(self.words, Self::place(n))
    }

    fn set_count(self, n: u64, count: u32) {
        set(self.words, Self::place(n), count);
    }

    /// The segments that are remembered, the oldest first.
    fn segments(self) -> impl Iterator<Item = u64> {
        let newest = self.newest();
        newest.saturating_sub(SEGMENTS)..=newest
    }

    /// Forgets the segments that have no part in the window any more.
    fn advance(self, now: u64) {
        let (newest, segment) = (self.newest(), self.segment(now));
        if segment <= newest {
            return;
        }
        let mut sum = self.sum();
        for n in (newest + 1..=segment).take(257) {
            sum = sum.saturating_sub(self.count(n));
            self.set_count(n, 0);
        }
        self.set_sum(sum);
        set_wide(self.words, 2, segment);
    }

    pub(super) fn look(self, window: Window, cost: u32, now: u64) -> Look {
        self.advance(now);
        let taken = self.sum();
        let first = self.segments().find(|&n| self.count(n) > 0);
        let fit = match window.limit.checked_sub(cost) {
            None => Fit::Never,
            Some(spare) if taken <= spare => Fit::Now,
            Some(spare) => Fit::After(self.after(taken - spare).saturating_sub(now)),
        };
        Look { taken, next_millis: first.map(|n| self.over(n).saturating_sub(now)), fit }
    }

    /// The first instant at which so many have left.
    fn after(self, many: u32) -> u64 {
        let mut left = 0_u32;
        let enough = self.segments().find(|&n| {
            left = left.saturating_add(self.count(n));
            left >= many
        });
        self.over(enough.unwrap_or(self.newest()))
    }

    pub(super) fn charge(self, cost: u32, now: u64) {
        self.advance(now);
        let newest = self.newest();
        self.set_count(newest, self.count(newest).saturating_add(cost));
        self.set_sum(self.sum().saturating_add(cost));
    }

    pub(super) fn step_back(self, now: u64) {
        let (newest, segment) = (self.newest(), self.segment(now));
        if newest <= segment {
            return;
        }
        let mut ahead = 0_u32;
        for n in self.segments().filter(|&n| n > segment) {
            ahead = ahead.saturating_add(self.count(n));
            self.set_count(n, 0);
        }
        // A place that is free now may stand for a segment before the first that was remembered; it has counted none.
        self.set_count(segment, self.count(segment).saturating_add(ahead));
        set_wide(self.words, 2, segment);
    }

    /// The sum and the counts are two words: a process that was killed between them leaves them apart.
    pub(super) fn mend(self) {
        self.set_sum(self.segments().fold(0, |sum, n| sum.saturating_add(self.count(n))));
    }

    pub(super) fn copy(self, known: Long<'_>) {
        for at in 0..WORDS {
            set(self.words, at, get(known.words, at));
        }
    }

    /// An instant for each of the last `most` that are counted, the oldest first: as late as its segment allows.
    pub(super) fn each(self, last: u64, most: usize, mut take: impl FnMut(u64)) {
        let mut too_many = (self.sum() as usize).saturating_sub(most);
        for n in self.segments() {
            let end = ((n + 1) * u64::from(self.millis())).div_ceil(SEGMENTS).saturating_sub(1).min(last);
            for _ in 0..self.count(n) {
                if too_many > 0 { too_many -= 1 } else { take(end) }
            }
        }
    }
}
