//! A table of blocks, found by the subject that stands in them.

use hashbrown::HashTable;
use portcullis_core::limits::Subject;

use super::{Arena, Block, dedication, is_of};

/// Four bytes a block: who it is for stands in the block itself.
#[derive(Debug, Default)]
pub(crate) struct BySubject(HashTable<Block>);

fn hash(subject: Subject) -> u64 {
    // The bits that all of a shard share must be neither the lowest nor the highest, which the table goes by.
    (subject.spread() ^ u64::from(subject.kind()) << 32).rotate_right(24)
}

fn hash_of(arena: &Arena, block: Block) -> u64 {
    dedication(arena.words(block)).map_or(0, |(_, subject)| hash(subject))
}

impl BySubject {
    pub(crate) fn find(&self, arena: &Arena, subject: Subject) -> Option<Block> {
        self.0.find(hash(subject), |block| is_of(arena.words(*block), subject)).copied()
    }

    /// Puts a block in, and returns the one that its subject had before.
    pub(crate) fn put(&mut self, arena: &Arena, subject: Subject, block: Block) -> Option<Block> {
        let before = self.find(arena, subject);
        if let Some(before) = before {
            self.take(subject, before);
        }
        self.0.insert_unique(hash(subject), block, |block| hash_of(arena, *block));
        before
    }

    /// Takes this very block out.
    pub(crate) fn take(&mut self, subject: Subject, block: Block) {
        if let Ok(entry) = self.0.find_entry(hash(subject), |other| *other == block) {
            entry.remove();
        }
    }

    /// Gives back the blocks that are no more of use.
    pub(crate) fn sweep(&mut self, arena: &Arena, is_over: impl Fn(Block) -> bool) {
        self.0.retain(|block| {
            let over = is_over(*block);
            if over {
                arena.free(*block);
            }
            !over
        });
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = Block> {
        self.0.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
