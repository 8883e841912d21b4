//! Single instants, the oldest overwritten by the newest.

use std::sync::atomic::AtomicU32;

use super::{Fit, Look, Window, get, get_wide, set, set_wide};

/// The head: the last instant in two words, and in one where the next goes and how many there are.
#[derive(Clone, Copy)]
pub(super) struct Ring<'a> {
    pub(super) head: &'a [AtomicU32],
    /// The low words of instants: each is less than 49 days before the last, so the rest follows from that.
    pub(super) slots: &'a [AtomicU32],
}

impl Ring<'_> {
    pub(super) fn last(self) -> u64 {
        get_wide(self.head, 0)
    }

    pub(super) fn set_last(self, last: u64) {
        set_wide(self.head, 0, last);
    }

    fn next(self) -> usize {
        (get(self.head, 2) >> 16) as usize
    }

    fn filled(self) -> usize {
        (get(self.head, 2) & 0xffff) as usize
    }

    /// One word, so that a killed process leaves the one state or the other.
    fn stand(self, next: usize, filled: usize) {
        set(self.head, 2, u32::try_from(next << 16 | filled).unwrap_or(0));
    }

    pub(super) fn is_sound(self) -> bool {
        self.filled() <= self.slots.len() && (self.next() < self.slots.len() || self.filled() == 0)
    }

    /// The place of the `nth` last instant; 1 is the last.
    fn place(self, nth: usize) -> usize {
        // No division: this is asked several times a request.
        let (next, size) = (self.next(), self.slots.len());
        if nth <= next { next - nth } else { (next + size).saturating_sub(nth) }
    }

    /// The `nth` last instant; 1 is the last.
    fn instant(self, nth: usize, last: u64) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "the low word is what is compared")]
        let before = (last as u32).wrapping_sub(get(self.slots, self.place(nth)));
        last.saturating_sub(u64::from(before))
    }

    /// How many instants are younger than this, at `now`.
    pub(super) fn younger_than(self, age: u64, now: u64) -> u32 {
        let last = self.last();
        if last.saturating_add(age) <= now {
            return 0;
        }
        let is_young = |nth: usize| self.instant(nth, last).saturating_add(age) > now;
        let (mut young, mut old) = (0, self.filled() + 1);
        // Few are younger than a second, and few are older than a minute, or else they would not be here: so the border is looked for
        // from both ends, with steps that grow. To begin in the middle would fetch a line of the cache at nearly every step.
        let mut step = 1;
        while young + step < old {
            if !is_young(young + step) {
                old = young + step;
                break;
            }
            young += step;
            if young + step >= old {
                break;
            }
            if is_young(old - step) {
                young = old - step;
                break;
            }
            old -= step;
            step *= 2;
        }
        while old - young > 1 {
            let middle = usize::midpoint(young, old);
            if is_young(middle) { young = middle } else { old = middle }
        }
        u32::try_from(young).unwrap_or(u32::MAX)
    }

    pub(super) fn look(self, window: Window, cost: u32, now: u64) -> Look {
        let (age, last) = (u64::from(window.millis), self.last());
        let taken = self.younger_than(age, now);
        let leaves = |nth: u32| self.instant(nth as usize, last).saturating_add(age).saturating_sub(now);
        let fit = match window.limit.checked_sub(cost) {
            None => Fit::Never,
            Some(spare) if taken <= spare => Fit::Now,
            // Of those that are taken now, all but `spare` must leave.
            Some(spare) => Fit::After(leaves(spare + 1)),
        };
        Look { taken, next_millis: (taken > 0).then(|| leaves(taken)), fit }
    }

    pub(super) fn charge(self, longest: u64, cost: u32, now: u64) {
        // What is too old to matter must go before its distance from the last no longer fits into a word.
        let young = self.younger_than(longest, now) as usize;
        self.stand(self.next(), young.min(self.filled()));
        for _ in 0..cost.min(u32::try_from(self.slots.len()).unwrap_or(0)) {
            self.push(now);
        }
        self.set_last(now);
    }

    /// Puts an instant in that is not before the last.
    pub(super) fn push(self, instant: u64) {
        if self.slots.is_empty() {
            return;
        }
        let (next, filled) = (self.next(), self.filled());
        #[expect(clippy::cast_possible_truncation, reason = "the low word is what is kept")]
        set(self.slots, next, instant as u32);
        self.set_last(instant);
        self.stand((next + 1) % self.slots.len(), (filled + 1).min(self.slots.len()));
    }

    pub(super) fn step_back(self, now: u64) {
        let last = self.last();
        if last <= now {
            return;
        }
        for nth in (1..=self.filled()).take_while(|&nth| self.instant(nth, last) > now) {
            #[expect(clippy::cast_possible_truncation, reason = "the low word is what is kept")]
            set(self.slots, self.place(nth), now as u32);
        }
        self.set_last(now);
    }

    /// Every instant, the oldest first.
    pub(super) fn each(self, mut take: impl FnMut(u64)) {
        let last = self.last();
        for nth in (1..=self.filled()).rev() {
            take(self.instant(nth, last));
        }
    }
}
