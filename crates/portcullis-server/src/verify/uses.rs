//! What keys are used for: counted before the answer is written, in blocks of the spool, by counters that only grow.
//!
//! A block counts the decisions about one key, user or business in one hour, by their code. A job writes what was counted to the
//! database; until then it is read from here, so that what is told is right at once. A block belongs to one process: what another
//! left behind is written to the database and never counted on.

mod slot;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use portcullis_core::decision::Code;
use portcullis_core::limits::Subject;
use portcullis_core::time::Timestamp;

use crate::spool::{Arena, Block, BySubject, Shards, Use, dedicate, dedication};
use slot::{Flag, Slot, WORDS};

/// How often each code was decided, in the order of `Code::ALL`.
pub(crate) type Counts = [u32; Code::ALL.len()];

/// When a key was last used, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastUse {
    pub(crate) at: Timestamp,
    pub(crate) address: Option<IpAddr>,
}

/// What one block has counted, for the database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) subject: Subject,
    /// Hours since 1970.
    pub(crate) hour: u32,
    /// No other block has it, in this process or in another.
    pub(crate) source: i64,
    pub(crate) counts: Counts,
    /// How much of it the database has already; `None` where only the database can tell.
    pub(crate) written: Option<Counts>,
    pub(crate) last_use: Option<LastUse>,
    block: Block,
}

/// A block that the database has not heard of, or did not when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    subject: Subject,
    block: Block,
}

impl Waiting {
    /// Where its rows stand among those of others: tables are in the order of the ids' texts, and so of their bytes.
    pub(crate) fn row(&self) -> (u32, [u8; 16]) {
        (self.subject.kind(), *self.subject.as_bytes())
    }
}

/// See the module's own words.
#[derive(Debug)]
pub(crate) struct Uses {
    arena: Arc<Arena>,
    shards: Shards<Shard>,
    /// The number of this process among all that ever counted for the same database.
    start: u32,
    serial: AtomicU32,
    /// Held by whoever reads the database and this for one answer, and alone by whoever moves counts from here to there.
    pub(crate) books: tokio::sync::RwLock<()>,
}

#[derive(Debug, Default)]
struct Shard {
    /// The block of the hour that was counted in last.
    current: BySubject,
    /// Blocks that the database has not heard of, or not all; and, until they are looked for, some that it has meanwhile.
    dirty: Vec<Block>,
    /// How many of them wait.
    waiting: usize,
    /// Blocks of earlier hours, until the database has them.
    earlier: HashMap<Subject, Vec<Block>>,
}

impl Shard {
    fn waits(&mut self, block: Block) {
        self.dirty.push(block);
        self.waiting += 1;
    }
}

impl Uses {
    pub(crate) fn new(arena: Arc<Arena>, recovered: &[(Subject, Block)], start: u32) -> Self {
        let uses = Self {
            arena,
            shards: Shards::default(),
            start,
            serial: AtomicU32::new(0),
            books: tokio::sync::RwLock::default(),
        };
        for &(subject, block) in recovered {
            let slot = uses.slot(block);
            slot.lower(Flag::OnItsWay);
            slot.raise(Flag::Unsure);
            slot.raise(Flag::Dirty);
            let mut shard = uses.shards.of(subject);
            shard.waits(block);
            shard.earlier.entry(subject).or_default().push(block);
        }
        uses
    }

    /// Counts one decision.
    pub(crate) fn count(&self, subject: Subject, code: Code, now: Timestamp, last_use: Option<LastUse>) {
        let hour = hour_of(now);
        let mut guard = self.shards.of(subject);
        let shard = &mut *guard;
        let current = shard.current.find(&self.arena, subject);
        let block = match current {
            Some(block) if self.slot(block).hour() == hour => block,
            _ => self.begin(shard, subject, hour),
        };
        let slot = self.slot(block);
        slot.count(code);
        if let Some(last_use) = last_use {
            slot.used(last_use);
        }
        if slot.raise(Flag::Dirty) {
            shard.waits(block);
        }
    }

    fn begin(&self, shard: &mut Shard, subject: Subject, hour: u32) -> Block {
        let block = self.arena.take(WORDS);
        let slot = self.slot(block);
        slot.begin(hour, self.start, self.serial.fetch_add(1, Ordering::Relaxed));
        dedicate(self.arena.words(block), Use::Counts, subject);
        if let Some(before) = shard.current.put(&self.arena, subject, block) {
            self.retire(shard, subject, before);
        }
        block
    }

    /// A block that is not counted in any more goes when the database has all of it.
    fn retire(&self, shard: &mut Shard, subject: Subject, block: Block) {
        let slot = self.slot(block);
        if slot.has(Flag::Dirty) || slot.has(Flag::OnItsWay) {
            shard.earlier.entry(subject).or_default().push(block);
        } else {
            self.arena.free(block);
        }
    }

    /// What the database has not heard of, in one of the shards.
    pub(crate) fn waiting(&self, number: usize) -> Vec<Waiting> {
        let mut shard = self.shards.lock(number);
        // A block that was taken and counted in again is there twice; one that was given back may be anything.
        shard.dirty.sort_unstable();
        shard.dirty.dedup();
        let mut waiting = Vec::with_capacity(shard.waiting);
        shard.dirty.retain(|&block| {
            let of_counts = dedication(self.arena.words(block)).filter(|&(to, _)| to == Use::Counts);
            let waits = of_counts.filter(|_| self.slot(block).has(Flag::Dirty));
            waiting.extend(waits.map(|(_, subject)| Waiting { subject, block }));
            waits.is_some()
        });
        waiting
    }

    /// Takes those of these that still wait. Each must come back, to [`Uses::written`] or [`Uses::not_written`].
    pub(crate) fn take(&self, all: &[Waiting]) -> Vec<Counted> {
        let mut taken = Vec::with_capacity(all.len());
        for &Waiting { subject, block } in all {
            let mut shard = self.shards.of(subject);
            let slot = self.slot(block);
            let is_its = dedication(self.arena.words(block)) == Some((Use::Counts, subject));
            if is_its && slot.has(Flag::Dirty) {
                slot.lower(Flag::Dirty);
                shard.waiting = shard.waiting.saturating_sub(1);
                slot.raise(Flag::OnItsWay);
                taken.extend(self.counted(block));
            }
        }
        taken
    }

    fn counted(&self, block: Block) -> Option<Counted> {
        let (_, subject) = dedication(self.arena.words(block))?;
        let slot = self.slot(block);
        Some(Counted {
            subject,
            hour: slot.hour(),
            source: slot.source(),
            counts: slot.counts(),
            written: (!slot.has(Flag::Unsure)).then(|| slot.written()),
            last_use: slot.last_use(),
            block,
        })
    }

    /// The database has these.
    pub(crate) fn written(&self, all: &[Counted]) {
        for counted in all {
            let mut guard = self.shards.of(counted.subject);
            let shard = &mut *guard;
            let slot = self.slot(counted.block);
            slot.set_written(counted.counts);
            slot.lower(Flag::Unsure);
            slot.lower(Flag::OnItsWay);
            let current = shard.current.find(&self.arena, counted.subject) == Some(counted.block);
            if !current && !slot.has(Flag::Dirty) {
                if let Some(earlier) = shard.earlier.get_mut(&counted.subject) {
                    earlier.retain(|&block| block != counted.block);
                    if earlier.is_empty() {
                        shard.earlier.remove(&counted.subject);
                    }
                }
                self.arena.free(counted.block);
            }
        }
    }

    /// Whether the database has these is not known.
    pub(crate) fn not_written(&self, all: &[Counted]) {
        for counted in all {
            let mut shard = self.shards.of(counted.subject);
            let slot = self.slot(counted.block);
            slot.raise(Flag::Unsure);
            slot.lower(Flag::OnItsWay);
            if slot.raise(Flag::Dirty) {
                shard.waits(counted.block);
            }
        }
    }

    /// What was counted about a subject and is not in the database, by hour. Whoever asks holds `books`.
    pub(crate) fn unwritten(&self, subject: Subject) -> (Vec<(u32, Counts)>, Option<LastUse>) {
        let shard = self.shards.of(subject);
        let current = shard.current.find(&self.arena, subject);
        let earlier = shard.earlier.get(&subject).into_iter().flatten().copied();
        let counted = current.into_iter().chain(earlier).filter_map(|block| self.counted(block));
        let (mut hours, mut last_use): (Vec<(u32, Counts)>, Option<LastUse>) = (Vec::new(), None);
        for counted in counted {
            let mut more = counted.counts;
            // Where the last try may have been in vain, what was certain before it is what is told.
            for (more, written) in more.iter_mut().zip(self.slot(counted.block).written()) {
                *more = more.saturating_sub(written);
            }
            hours.push((counted.hour, more));
            last_use = last_use.into_iter().chain(counted.last_use).max_by_key(|last_use| last_use.at);
        }
        (hours, last_use)
    }

    /// Gives back the blocks of hours that are over and in the database, in one of the shards.
    pub(crate) fn sweep(&self, number: usize, now: Timestamp) {
        let mut guard = self.shards.lock(number);
        let shard = &mut *guard;
        let over = |block: &Block| self.slot(*block).hour() < hour_of(now);
        let blocks: Vec<Block> = shard.current.blocks().filter(over).collect();
        for block in blocks {
            if let Some((_, subject)) = dedication(self.arena.words(block)) {
                shard.current.take(subject, block);
                self.retire(shard, subject, block);
            }
        }
    }

    /// How many blocks are counted in, and how many the database has not heard of.
    pub(crate) fn len(&self) -> (usize, usize) {
        self.shards
            .each()
            .fold((0, 0), |(current, waiting), shard| (current + shard.current.len(), waiting + shard.waiting))
    }

    fn slot(&self, block: Block) -> Slot<'_> {
        Slot { words: self.arena.words(block) }
    }
}

/// Whether a block of another process has counted what the database may not have heard of.
pub(crate) fn is_of_use(words: &[AtomicU32]) -> bool {
    let slot = Slot { words };
    slot.counts() != slot.written()
}

/// Hours since 1970.
pub(crate) fn hour_of(now: Timestamp) -> u32 {
    u32::try_from(now.as_millis().div_euclid(3_600_000)).unwrap_or(0)
}
