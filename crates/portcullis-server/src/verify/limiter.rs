//! Rate limits on this node: the algebra of `portcullis_core::window` on blocks of the spool.
//!
//! What has limits has a block only while it is in use. All windows that a request falls under are checked, then all are charged,
//! while nobody else can look at any of them.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use portcullis_core::limits::{MOST_LIMITS, Subject};
use portcullis_core::time::Timestamp;
use portcullis_core::window::{Fit, History, Look, Window, words_for};

use crate::clock::Clock;
use crate::spool::{Arena, Block, BySubject, HEAD, Held, MOST_AT_A_TIME, OWN, Shards, Use, dedicate, get, set};

/// The words of a block that is small even when it is whole.
const SMALL: usize = 128;
/// The two windows of every key, and the named ones.
const MOST_WINDOWS: usize = 2 + MOST_LIMITS;

/// The windows of one subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) subject: Subject,
    list: [Window; MOST_WINDOWS],
    count: usize,
}

impl Windows {
    pub(crate) fn of(subject: Subject, windows: impl IntoIterator<Item = Window>) -> Self {
        let mut list = [Window { limit: 0, millis: 0 }; MOST_WINDOWS];
        let mut count = 0;
        for (place, window) in list.iter_mut().zip(windows) {
            *place = window;
            count += 1;
        }
        Self { subject, list, count }
    }

    pub(crate) fn list(&self) -> &[Window] {
        self.list.get(..self.count).unwrap_or(&[])
    }

    /// What one of so many nodes may let in by itself.
    pub(super) fn part(&self, nodes: u32) -> Self {
        let part = |window: &Window| Window { limit: (window.limit / nodes.max(1)).max(1), ..*window };
        Self::of(self.subject, self.list().iter().map(part))
    }

    pub(super) fn longest_millis(&self) -> u32 {
        self.list().iter().map(|window| window.millis).max().unwrap_or(0)
    }
}

/// How the tightest of all windows stands: the one that refuses for the longest time, or leaves the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// When there will be more room, in milliseconds from now.
    pub(crate) next_millis: u64,
    pub(crate) fit: Fit,
    /// Which subject, of those that were asked about, and which of its windows.
    pub(super) place: (usize, usize),
}

impl Standing {
    fn new(window: Window, look: Look, charged: u32, place: (usize, usize)) -> Self {
        let next_millis = look.next_millis.unwrap_or(if charged > 0 { window.millis.into() } else { 0 });
        let remaining = window.limit.saturating_sub(look.taken);
        Self { limit: window.limit, remaining, next_millis, fit: look.fit, place }
    }

    /// The tighter of two comes first.
    fn order(&self) -> (std::cmp::Reverse<u64>, u32, std::cmp::Reverse<u64>) {
        let wait = match self.fit {
            Fit::Now => 0,
            Fit::After(millis) => millis,
            Fit::Never => u64::MAX,
        };
        (std::cmp::Reverse(wait), self.remaining, std::cmp::Reverse(self.next_millis))
    }
}

/// How the tightest of these looks stands.
pub(super) fn tightest(all: &[Windows], looks: &[Vec<Look>], charge: Charge) -> Option<Standing> {
    let each = all.iter().zip(looks).enumerate().flat_map(|(subject, (windows, looks))| {
        let placed = windows.list().iter().zip(looks).enumerate();
        placed.map(move |(place, (&window, &look))| Standing::new(window, look, charge.charged(), (subject, place)))
    });
    let mut tightest = each.reduce(|known, other| if other.order() < known.order() { other } else { known })?;
    if tightest.fit == Fit::Now {
        tightest.remaining = tightest.remaining.saturating_sub(charge.charged());
    }
    Some(tightest)
}

/// What is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charge {
    /// Only whether there is room for one is asked.
    Nothing,
    Cost(u32),
}

impl Charge {
    pub(crate) const fn asked(self) -> u32 {
        match self {
            Self::Nothing => 1,
            Self::Cost(cost) => cost,
        }
    }

    pub(crate) const fn charged(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Cost(cost) => cost,
        }
    }
}

/// See the module's own words.
#[derive(Debug)]
pub(crate) struct Limiter {
    arena: Arc<Arena>,
    shards: Shards<BySubject>,
}

impl Limiter {
    pub(crate) fn new(arena: Arc<Arena>, recovered: &[(Subject, Block)]) -> Self {
        let limiter = Self { arena, shards: Shards::default() };
        for &(subject, block) in recovered {
            limiter.recover(subject, block);
        }
        limiter
    }

    /// Goes on with a block that was there at the start. Of two for one subject, the process was killed between making the
    /// greater one and giving the other back: the one that knows the later request has all that the other has.
    fn recover(&self, subject: Subject, block: Block) {
        let Some(history) = History::recover(self.history_words(block)) else { return self.arena.free(block) };
        let mut shard = self.shards.of(subject);
        let Some(before) = shard.put(&self.arena, subject, block) else { return };
        let other = History::at(self.history_words(before));
        let sizes = (self.arena.words(before).len(), self.arena.words(block).len());
        if (other.last(), sizes.0) > (history.last(), sizes.1) {
            shard.put(&self.arena, subject, before);
            self.arena.free(block);
        } else {
            self.arena.free(before);
        }
    }

    /// Looks whether all windows have room, and charges all of them if so. `None` where there are no windows.
    pub(super) fn ask(&self, all: &[Windows], charge: Charge, now: Timestamp, clock: &Clock) -> Option<Standing> {
        let mut held = self.shards.hold(all.iter().map(|windows| windows.subject));
        let mut histories: Histories<'_> = [None; MOST_AT_A_TIME];
        for (history, windows) in histories.iter_mut().zip(all) {
            *history = self.found(&mut held, windows.subject);
        }
        let mut now = now;
        // Somebody who read the clock later may have been here first; and a clock may be set back.
        if histories.iter().flatten().any(|(_, history)| history.last() > now) {
            now = clock.now();
        }
        let mut tightest: Option<Standing> = None;
        for (subject, (windows, history)) in all.iter().zip(&mut histories).enumerate() {
            *history = history.map(|known| self.fit(&mut held, windows, known, charge, now));
            for (place, &window) in windows.list().iter().enumerate() {
                let look = history.map_or(window.look_at_nothing(charge.asked()), |(_, history)| {
                    history.look(window, charge.asked(), now)
                });
                let standing = Standing::new(window, look, charge.charged(), (subject, place));
                tightest = Some(
                    tightest.map_or(standing, |other| if standing.order() < other.order() { standing } else { other }),
                );
            }
        }
        let mut tightest = tightest?;
        if tightest.fit == Fit::Now && charge.charged() > 0 {
            for (windows, history) in all.iter().zip(histories) {
                self.charge(&mut held, windows, history, charge.charged(), now);
            }
            tightest.remaining = tightest.remaining.saturating_sub(charge.charged());
        }
        Some(tightest)
    }

    /// Gives back what nobody asked for lately, in one of the shards.
    pub(crate) fn sweep(&self, number: usize, now: Timestamp) {
        self.shards.lock(number).sweep(&self.arena, |block| !is_of_use(self.arena.words(block), now));
    }

    /// How many keys, users and businesses have a block now.
    pub(crate) fn len(&self) -> usize {
        self.shards.each().map(|shard| shard.len()).sum()
    }

    fn found(&self, held: &mut Held<'_, BySubject>, subject: Subject) -> Option<Known<'_>> {
        let block = held.of(subject)?.find(&self.arena, subject)?;
        Some((block, History::at(self.history_words(block))))
    }

    /// A history, made fit for these windows and this cost.
    fn fit<'a>(
        &'a self,
        held: &mut Held<'_, BySubject>,
        windows: &Windows,
        (block, history): Known<'a>,
        charge: Charge,
        now: Timestamp,
    ) -> Known<'a> {
        if history.last() > now {
            history.step_back(now);
        }
        if history.suits(windows.list(), charge.charged(), now) {
            return (block, history);
        }
        self.enlarge(held, windows, Some(history), charge.charged(), now)
    }

    /// Makes a history with room for what is remembered, for `cost` more, and for as much again.
    fn enlarge(
        &self,
        held: &mut Held<'_, BySubject>,
        windows: &Windows,
        old: Option<History<'_>>,
        cost: u32,
        now: Timestamp,
    ) -> Known<'_> {
        let events = old.map_or(0, |old| old.events(windows.list(), now));
        let (twice, whole) = ((events + cost).saturating_mul(2), words_for(windows.list(), u32::MAX));
        // Most keys are used once in a while, and the others soon need all that there is: sizes between would be taken and left.
        let at_once = old.is_some() && HEAD + whole <= SMALL;
        let block = self.arena.take(HEAD + if at_once { whole } else { words_for(windows.list(), twice) });
        let history = History::begin(self.history_words(block), windows.list());
        if let Some(old) = old {
            history.absorb(&old);
        }
        dedicate(self.arena.words(block), Use::Windows, windows.subject);
        if let Some(shard) = held.of(windows.subject)
            && let Some(before) = shard.put(&self.arena, windows.subject, block)
        {
            self.arena.free(before);
        }
        (block, history)
    }

    fn charge(
        &self,
        held: &mut Held<'_, BySubject>,
        windows: &Windows,
        known: Option<Known<'_>>,
        cost: u32,
        now: Timestamp,
    ) {
        if windows.list().is_empty() {
            return;
        }
        let (block, history) = known.unwrap_or_else(|| self.enlarge(held, windows, None, cost, now));
        // How long it must be kept, for the sweep.
        set(self.arena.words(block), OWN, windows.longest_millis());
        history.charge(windows.list(), cost, now);
    }

    fn history_words(&self, block: Block) -> &[AtomicU32] {
        history_words(self.arena.words(block))
    }
}

fn history_words(words: &[AtomicU32]) -> &[AtomicU32] {
    words.get(HEAD..).unwrap_or(&[])
}

/// Whether anything in a block matters still to the windows that it was made for.
pub(crate) fn is_of_use(words: &[AtomicU32], now: Timestamp) -> bool {
    !History::at(history_words(words)).is_idle(get(words, OWN), now)
}

/// A block, and the history in it.
type Known<'a> = (Block, History<'a>);
/// Of each subject that is asked about.
type Histories<'a> = [Option<Known<'a>>; MOST_AT_A_TIME];
