//! Quotas on this node: so many calls in a day or a month (UTC).
//!
//! A part of a quota is taken out of the database before it is used, and spent from the spool. So a decision seldom waits for the
//! database, a killed process gives no call back, and what a power failure leaves unsure counts as spent.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use jiff::tz::TimeZone;
use portcullis_core::limits::{Period, Quotas as Set, Subject};
use portcullis_core::time::Timestamp;

use super::limiter::Charge;
use crate::spool::{Arena, Block, BySubject, HEAD, Shards, Use, dedicate, dedication, get, set};

/// Of each period: its number, what is left of the part that was taken, and what was taken from the database by all.
const WORDS_OF_A_PERIOD: usize = 3;
/// A part is this share of the quota, and at most so many calls: the most that a power failure can cost.
const SHARE: u32 = 100;
const MOST_OF_A_PART: u32 = 1_000;

/// Which period it is, and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    pub(crate) number: u32,
    pub(crate) end: Timestamp,
}

impl Now {
    pub(crate) fn of(period: Period, now: Timestamp) -> Self {
        const DAY: i64 = 86_400_000;
        match period {
            Period::Day => {
                let day = now.as_millis().div_euclid(DAY);
                let end = Timestamp::from_millis(day.saturating_add(1).saturating_mul(DAY));
                Self { number: u32::try_from(day).unwrap_or(0), end }
            }
            Period::Month => Self::month(now).unwrap_or(Self { number: 0, end: now.plus_days(1) }),
        }
    }

    fn month(now: Timestamp) -> Option<Self> {
        let date = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?.to_zoned(TimeZone::UTC).date();
        let end = date.last_of_month().tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
        let number = i32::from(date.year()) * 12 + i32::from(date.month()) - 1;
        Some(Self {
            number: u32::try_from(number).unwrap_or(0),
            end: Timestamp::from_millis(end.timestamp().as_millisecond()),
        })
    }
}

/// How the tightest quota stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) subject: Subject,
    pub(crate) period: Period,
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) end: Timestamp,
    pub(crate) is_spent: bool,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is something left, or nothing is limited.
    Left(Option<Standing>),
    Spent(Standing),
    /// More must be taken from the database first.
    Wants(Wanted),
}

/// A part of a quota that is to be taken from the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) subject: Subject,
    pub(crate) period: Period,
    /// The number of the period.
    pub(crate) number: u32,
    pub(crate) limit: u32,
    pub(crate) part: u32,
    pub(crate) at_least: u32,
}

/// What the database gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) number: u32,
    pub(crate) part: u32,
    /// By all, this part among it.
    pub(crate) spent: u32,
}

/// See the module's own words.
#[derive(Debug)]
pub(crate) struct Quotas {
    arena: Arc<Arena>,
    shards: Shards<BySubject>,
    /// Parts of one call: each is then in the database before it is answered.
    exact: bool,
}

impl Quotas {
    pub(crate) fn new(arena: Arc<Arena>, recovered: &[(Subject, Block)], exact: bool) -> Self {
        let quotas = Self { arena, shards: Shards::default(), exact };
        for &(subject, block) in recovered {
            if !quotas.arena.is_same_boot() {
                // The file may be older than what was spent last.
                for period in Period::ALL {
                    quotas.cell(block, period).set_left(0);
                }
            }
            if let Some(before) = quotas.shards.of(subject).put(&quotas.arena, subject, block) {
                quotas.arena.free(before);
            }
        }
        quotas
    }

    /// Looks whether all quotas have something left, and spends it if so, while nobody else can.
    pub(super) fn ask(&self, all: &[(Subject, Set)], charge: Charge, now: Timestamp) -> Answer {
        let mut held = self.shards.hold(all.iter().map(|(subject, _)| *subject));
        let mut tightest: Option<Standing> = None;
        let mut cells = Vec::new();
        for &(subject, quotas) in all {
            let block = held.of(subject).and_then(|shard| shard.find(&self.arena, subject));
            for period in Period::ALL {
                let Some(limit) = quotas.of(period) else { continue };
                let cell = block.map(|block| self.cell(block, period));
                match self.look((subject, period, limit), cell, charge, now) {
                    Answer::Left(standing) => {
                        tightest = tightest.into_iter().chain(standing).min_by_key(|it| it.remaining);
                    }
                    denied => return denied,
                }
                cells.extend(cell);
            }
        }
        for cell in cells {
            cell.set_left(cell.left().saturating_sub(charge.charged()));
        }
        let remaining = |standing: Standing| standing.remaining.saturating_sub(charge.charged());
        Answer::Left(tightest.map(|standing| Standing { remaining: remaining(standing), ..standing }))
    }

    fn look(
        &self,
        (subject, period, limit): (Subject, Period, u32),
        cell: Option<Cell<'_>>,
        charge: Charge,
        now: Timestamp,
    ) -> Answer {
        let Now { number, end } = Now::of(period, now);
        let asked = charge.asked();
        let share = (limit / SHARE).clamp(1, MOST_OF_A_PART);
        let part = if self.exact { asked } else { share.max(asked) };
        let wanted = Answer::Wants(Wanted { subject, period, number, limit, part, at_least: asked });
        // A clock that went back fills nothing again.
        let Some(cell) = cell.filter(|cell| cell.number() >= number) else { return wanted };
        let used = cell.spent().saturating_sub(cell.left());
        let is_spent = used.saturating_add(asked) > limit;
        let standing = Standing { subject, period, limit, remaining: limit.saturating_sub(used), end, is_spent };
        match () {
            () if is_spent => Answer::Spent(standing),
            () if cell.left() >= asked => Answer::Left(Some(standing)),
            () => wanted,
        }
    }

    /// Whether a part is still wanted: somebody else may have taken one meanwhile.
    pub(crate) fn is_wanted(&self, wanted: &Wanted) -> bool {
        let shard = self.shards.of(wanted.subject);
        let Some(block) = shard.find(&self.arena, wanted.subject) else { return true };
        let cell = self.cell(block, wanted.period);
        cell.number() < wanted.number || cell.left() < wanted.at_least
    }

    /// Has what the database gave.
    pub(crate) fn take(&self, subject: Subject, period: Period, taken: Taken) {
        let mut shard = self.shards.of(subject);
        let block = shard.find(&self.arena, subject).unwrap_or_else(|| {
            let block = self.arena.take(HEAD + Period::ALL.len() * WORDS_OF_A_PERIOD);
            dedicate(self.arena.words(block), Use::Quotas, subject);
            shard.put(&self.arena, subject, block);
            block
        });
        let cell = self.cell(block, period);
        let left = if cell.number() == taken.number { cell.left() } else { 0 };
        // What is left is written last: a process that is killed before it loses the part, and never has it twice.
        cell.set_left(0);
        cell.set_spent(taken.spent);
        cell.set_number(taken.number);
        cell.set_left(left.saturating_add(taken.part));
    }

    /// Takes out of a subject's quotas what is left of the parts, for the database to have it back.
    pub(crate) fn give_back(&self, subject: Subject) -> Vec<(Period, Taken)> {
        let shard = self.shards.of(subject);
        let Some(block) = shard.find(&self.arena, subject) else { return Vec::new() };
        let cells = Period::ALL.map(|period| (period, self.cell(block, period)));
        let given = cells.into_iter().filter(|(_, cell)| cell.left() > 0).map(|(period, cell)| {
            let left = cell.left();
            cell.set_left(0);
            cell.set_spent(cell.spent().saturating_sub(left));
            (period, Taken { number: cell.number(), part: left, spent: cell.spent() })
        });
        given.collect()
    }

    /// All that have a part of a quota.
    pub(crate) fn subjects(&self) -> Vec<Subject> {
        let named = |block| dedication(self.arena.words(block)).map(|(_, subject)| subject);
        self.shards.each().flat_map(|shard| shard.blocks().filter_map(named).collect::<Vec<_>>()).collect()
    }

    /// Gives back the blocks of periods that are over, in one of the shards.
    pub(crate) fn sweep(&self, number: usize, now: Timestamp) {
        self.shards.lock(number).sweep(&self.arena, |block| !is_of_use(self.arena.words(block), now));
    }

    fn cell(&self, block: Block, period: Period) -> Cell<'_> {
        cell(self.arena.words(block), period)
    }
}

fn cell(words: &[AtomicU32], period: Period) -> Cell<'_> {
    let first = HEAD + if period == Period::Day { 0 } else { WORDS_OF_A_PERIOD };
    Cell { words: words.get(first..first + WORDS_OF_A_PERIOD).unwrap_or(&[]) }
}

/// Whether a block has something of a period that is not over.
pub(crate) fn is_of_use(words: &[AtomicU32], now: Timestamp) -> bool {
    Period::ALL.into_iter().any(|period| cell(words, period).number() >= Now::of(period, now).number)
}

#[derive(Clone, Copy)]
struct Cell<'a> {
    words: &'a [AtomicU32],
}

impl Cell<'_> {
    fn number(self) -> u32 {
        get(self.words, 0)
    }

    fn left(self) -> u32 {
        get(self.words, 1)
    }

    fn spent(self) -> u32 {
        get(self.words, 2)
    }

    fn set_number(self, number: u32) {
        set(self.words, 0, number);
    }

    fn set_left(self, left: u32) {
        set(self.words, 1, left);
    }

    fn set_spent(self, spent: u32) {
        set(self.words, 2, spent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_end_at_midnight_in_utc() {
        // 2026-11-20T19:30:00Z.
        let now = Timestamp::from_millis(1_795_203_000_000);
        let day = Now::of(Period::Day, now);
        assert_eq!((day.number, day.end.as_millis()), (20_777, 1_795_219_200_000));
        let month = Now::of(Period::Month, now);
        assert_eq!((month.number, month.end.as_millis()), (2_026 * 12 + 10, 1_796_083_200_000));
        let new_year = Now::of(Period::Month, Timestamp::from_millis(1_798_761_599_999));
        assert_eq!((new_year.number, new_year.end.as_millis()), (2_026 * 12 + 11, 1_798_761_600_000));
        for far in [i64::MIN, -1, i64::MAX] {
            for period in Period::ALL {
                let _ = Now::of(period, Timestamp::from_millis(far));
            }
        }
    }
}
