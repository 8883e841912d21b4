//! Rate-limit algebra: exact sliding windows.
//!
//! A window of `limit` requests in `w` milliseconds lets a request in where the `limit`-th last that it let in is at least `w`
//! old. So there are never more than `limit` in any span of `w`, and a client that keeps to the pace is never refused: neither
//! holds of a bucket that is refilled.
//!
//! A [`History`] is what all windows of one key (or business, or user) need to remember, in plain words of memory: the instants
//! of the requests that were let in, held once for all windows of up to [`EXACT`] requests; and for each greater window its
//! own counts in 256 segments of the window, by which never too many are let in, and a refusal lasts too long by at most `w`/256.
//!
//! The words may be those of a file that outlives the process. Whoever writes to a history keeps others from it meanwhile.

mod long;
mod ring;

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, Release};

use crate::time::Timestamp;
use long::Long;
use ring::Ring;

/// The greatest limit of which every single instant is remembered.
pub const EXACT: u32 = 4_096;

/// The words before the ring: the last instant (low, high), where the ring stands, and what follows it.
const HEAD: usize = 4;

/// At most `limit` requests in any span of `millis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub limit: u32,
    pub millis: u32,
}

/// What a window says of requests that ask to be let in together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// How many of the limit are taken at this instant.
    pub taken: u32,
    /// When one of those leaves the window, in milliseconds from now; `None` where none is taken.
    pub next_millis: Option<u64>,
    pub fit: Fit,
}

/// Whether there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Now,
    /// There is after this many milliseconds, unless others come first.
    After(u64),
    /// More is asked for than the window ever lets in at once.
    Never,
}

impl Window {
    pub const fn is_exact(self) -> bool {
        self.limit <= EXACT
    }

    /// What a window says of which nothing is remembered.
    pub const fn look_at_nothing(self, cost: u32) -> Look {
        Look { taken: 0, next_millis: None, fit: if cost > self.limit { Fit::Never } else { Fit::Now } }
    }
}

/// The requests that were let in, as far as some windows must know of them. See the module's own words.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    words: &'a [AtomicU32],
}

/// How many words a history of these windows takes that can remember `events` single instants.
pub fn words_for(windows: &[Window], events: u32) -> usize {
    let ring = events.min(ring_wanted(windows)) as usize;
    HEAD + ring + long_windows(windows).count() * long::WORDS
}

/// How many single instants these windows need at most.
pub fn ring_wanted(windows: &[Window]) -> u32 {
    windows.iter().filter(|window| window.is_exact()).map(|window| window.limit).max().unwrap_or(0)
}

fn long_windows(windows: &[Window]) -> impl Iterator<Item = &Window> {
    windows.iter().filter(|window| !window.is_exact())
}

/// The longest time after which single instants are of no use to these windows, in milliseconds.
fn longest_exact(windows: &[Window]) -> u64 {
    windows.iter().filter(|window| window.is_exact()).map(|window| u64::from(window.millis)).max().unwrap_or(0)
}

impl<'a> History<'a> {
    /// Makes an empty history in words that are all zero. Where there are more than it needs, it remembers more instants.
    pub fn begin(words: &'a [AtomicU32], windows: &[Window]) -> Self {
        let longs = long_windows(windows).count();
        let room = words.len().saturating_sub(HEAD + longs * long::WORDS);
        let ring = room.min(ring_wanted(windows) as usize);
        let history = Self { words };
        history.set(3, u32::try_from(ring | longs << 16).unwrap_or(0));
        for (long, window) in history.longs().zip(long_windows(windows)) {
            long.begin(window.millis);
        }
        history
    }

    /// Takes words for the history that was made in them; `None` where they cannot be one. After this it is whole again,
    /// wherever a killed process had left off.
    pub fn recover(words: &'a [AtomicU32]) -> Option<Self> {
        let history = Self { words };
        let fits = words.len() >= HEAD + history.ring_size() + history.long_count() * long::WORDS;
        if !fits || !history.ring().is_sound() {
            return None;
        }
        history.longs().for_each(Long::mend);
        Some(history)
    }

    /// Takes words for the history that was made in them.
    pub const fn at(words: &'a [AtomicU32]) -> Self {
        Self { words }
    }

    /// Whether this can go on for these windows and let in `cost` more: otherwise make a greater one, and have it
    /// [absorb](Self::absorb) this.
    pub fn suits(&self, windows: &[Window], cost: u32, now: Timestamp) -> bool {
        let same = self.longs().map(Long::millis).eq(long_windows(windows).map(|window| window.millis));
        let wanted = ring_wanted(windows) as usize;
        let size = self.ring_size();
        same && (size >= wanted || size >= self.events(windows, now) as usize + cost as usize)
    }

    /// How many single instants must be remembered now.
    pub fn events(&self, windows: &[Window], now: Timestamp) -> u32 {
        self.ring().younger_than(longest_exact(windows), whole(now))
    }

    /// The instant of the last request that was let in. What is asked at an instant before it must be asked again at one that is
    /// not, or, where the clock itself went back, after [`step_back`](Self::step_back).
    pub fn last(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.ring().last()).unwrap_or(i64::MAX))
    }

    /// The clock went back: whatever lies ahead of it happened now. So nobody is locked out for longer than a window.
    pub fn step_back(&self, now: Timestamp) {
        let now = whole(now);
        self.longs().for_each(|long| long.step_back(now));
        self.ring().step_back(now);
    }

    /// What one of the windows says of `cost` requests that ask to be let in now.
    pub fn look(&self, window: Window, cost: u32, now: Timestamp) -> Look {
        if !window.is_exact() {
            let long = self.longs().find(|long| long.millis() == window.millis);
            return long.map_or(window.look_at_nothing(cost), |long| long.look(window, cost, whole(now)));
        }
        self.ring().look(window, cost, whole(now))
    }

    /// Remembers that `cost` requests were let in now. Every window must have said [`Fit::Now`] to them.
    pub fn charge(&self, windows: &[Window], cost: u32, now: Timestamp) {
        let now = whole(now);
        self.longs().for_each(|long| long.charge(cost, now));
        self.ring().charge(longest_exact(windows), cost, now);
    }

    /// Whether nothing that is remembered matters any more to windows of up to so many milliseconds.
    pub fn is_idle(&self, longest: u32, now: Timestamp) -> bool {
        let longest = u64::from(longest);
        // A segment goes on for up to 1/256 of a window.
        self.ring().last().saturating_add(longest + longest / long::SEGMENTS + 1) <= whole(now)
    }

    /// Remembers, in an empty history, what matters of another.
    pub fn absorb(&self, old: &History<'_>) {
        let last = old.ring().last();
        for long in self.longs() {
            match old.longs().find(|known| known.millis() == long.millis()) {
                Some(known) => long.copy(known),
                None => old.ring().each(|instant| long.charge(1, instant)),
            }
        }
        if old.ring_size() > 0 {
            old.ring().each(|instant| self.ring().push(instant));
        } else if let Some(known) = old.longs().next() {
            known.each(last, self.ring_size(), |instant| self.ring().push(instant));
        }
        self.ring().set_last(last);
    }

    fn ring_size(&self) -> usize {
        (self.get(3) & 0xffff) as usize
    }

    fn long_count(&self) -> usize {
        (self.get(3) >> 16) as usize
    }

    fn ring(&self) -> Ring<'a> {
        let (head, rest) = self.words.split_at_checked(HEAD).unwrap_or((&[], &[]));
        Ring { head, slots: rest.get(..self.ring_size()).unwrap_or(&[]) }
    }

    fn longs(&self) -> impl Iterator<Item = Long<'a>> + use<'a> {
        let rest = self.words.get(HEAD + self.ring_size()..).unwrap_or(&[]);
        rest.chunks_exact(long::WORDS).take(self.long_count()).map(|words| Long { words })
    }

    fn get(&self, at: usize) -> u32 {
        get(self.words, at)
    }

    fn set(&self, at: usize, value: u32) {
        set(self.words, at, value);
    }
}

/// An instant as whole milliseconds that can be reckoned with: a clock before 1970, or after the year 10000, is wrong anyway.
fn whole(now: Timestamp) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(0).min(1 << 48)
}

/// A word that is not there reads as zero.
fn get(words: &[AtomicU32], at: usize) -> u32 {
    words.get(at).map_or(0, |word| word.load(Relaxed))
}

/// What was written before is there when this is, wherever the process is killed.
fn set(words: &[AtomicU32], at: usize, value: u32) {
    if let Some(word) = words.get(at) {
        word.store(value, Release);
    }
}

/// Two words as one number.
fn get_wide(words: &[AtomicU32], at: usize) -> u64 {
    u64::from(get(words, at)) | u64::from(get(words, at + 1)) << 32
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are what is written")]
fn set_wide(words: &[AtomicU32], at: usize, value: u64) {
    set(words, at + 1, (value >> 32) as u32);
    set(words, at, value as u32);
}
