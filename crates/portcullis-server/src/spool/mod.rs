//! Memory that outlives the process: blocks of words in a file that is mapped into it.
//!
//! What stands in these words is in the operating system's hands as soon as it is written, and a process that is killed loses
//! nothing of it. Nobody waits for a disk. The file has all its space before it is used: a sparse one would end the process
//! where the disk is full.

mod arena;
mod by_subject;
mod shards;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use arena::{Arena, Block, OpenSpoolError};
pub(crate) use by_subject::BySubject;
pub(crate) use shards::{Held, MOST_AT_A_TIME, SHARDS, Shards};

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, Release};

use portcullis_core::limits::Subject;

/// What a block is for. It is a block's first word, with the kind of its subject, and zero in one that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Windows = 1,
    Quotas = 2,
    Counts = 3,
}

/// The words that every block begins with: its use, its subject, and one that each use has for itself.
pub(crate) const HEAD: usize = 6;
/// The word that each use has for itself.
pub(crate) const OWN: usize = 5;

/// A word that is not there reads as zero.
pub(crate) fn get(words: &[AtomicU32], at: usize) -> u32 {
    words.get(at).map_or(0, |word| word.load(Relaxed))
}

/// What was written before is there when this is, wherever the process is killed.
pub(crate) fn set(words: &[AtomicU32], at: usize, value: u32) {
    if let Some(word) = words.get(at) {
        word.store(value, Release);
    }
}

/// Names a block's subject, and last its use: until then it is free.
pub(crate) fn dedicate(words: &[AtomicU32], to: Use, subject: Subject) {
    for (at, bytes) in (1..).zip(subject.as_bytes().as_chunks::<4>().0) {
        set(words, at, u32::from_le_bytes(*bytes));
    }
    set(words, 0, to as u32 | subject.kind() << 8);
}

/// Whether a block is for this subject, whatever it is used for.
fn is_of(words: &[AtomicU32], subject: Subject) -> bool {
    let named = |(at, bytes): (usize, &[u8; 4])| get(words, at) == u32::from_le_bytes(*bytes);
    (1..).zip(subject.as_bytes().as_chunks::<4>().0).all(named) && get(words, 0) >> 8 == subject.kind()
}

/// What a block is for, and for whom; `None` where it is free or damaged.
pub(crate) fn dedication(words: &[AtomicU32]) -> Option<(Use, Subject)> {
    let first = get(words, 0);
    let to = match first & 0xff {
        1 => Use::Windows,
        2 => Use::Quotas,
        3 => Use::Counts,
        _ => return None,
    };
    let mut bytes = [0; 16];
    for (at, four) in (1..).zip(bytes.as_chunks_mut::<4>().0) {
        *four = get(words, at).to_le_bytes();
    }
    Some((to, Subject::from_parts(first >> 8, bytes)?))
}
