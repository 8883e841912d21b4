//! Blocks, from one process to the next.

use std::collections::HashSet;
use std::sync::Arc;

use portcullis_core::id::UserId;
use portcullis_core::limits::Subject;
use tempfile::TempDir;

use super::{Arena, Block, BySubject, OpenSpoolError, Use, dedicate, dedication, get, set};

const BOOT: [u32; 4] = [1, 2, 3, 4];

fn open(directory: &TempDir) -> (Arena, Vec<Block>) {
    let mut kept = Vec::new();
    let arena = Arena::open(&directory.path().join("spool"), BOOT, |block, _| {
        kept.push(block);
        true
    });
    (arena.unwrap(), kept)
}

fn user(n: u32) -> Subject {
    let mut bytes = [0; 16];
    bytes[9..13].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_le_bytes());
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    Subject::User(UserId::from_bytes(bytes))
}

#[test]
fn the_next_process_finds_what_is_in_use_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let (arena, kept) = open(&directory);
    assert!(kept.is_empty() && !arena.is_same_boot() && !arena.is_volatile());
    let mut used = HashSet::new();
    for (n, words) in (0..).zip([1, 16, 17, 100, 112, 128, 4_200, 8_000].into_iter().cycle().take(400)) {
        let block = arena.take(words);
        assert!(arena.words(block).len() >= words);
        assert!((0..arena.words(block).len()).all(|at| get(arena.words(block), at) == 0));
        (6..words).for_each(|at| set(arena.words(block), at, n));
        dedicate(arena.words(block), Use::Counts, user(n));
        if n % 3 == 0 {
            arena.free(block);
        } else {
            assert!(used.insert(block), "two have the same block");
        }
    }
    // The first is not closed: a process that is killed closes nothing.
    let (next, kept) = open(&directory);
    assert!(next.is_same_boot());
    assert_eq!(kept.iter().copied().collect::<HashSet<_>>(), used);
    for block in kept {
        let (to, subject) = dedication(next.words(block)).unwrap();
        let n = get(next.words(block), 0);
        assert_eq!((to, n & 0xff), (Use::Counts, 3), "{subject}");
    }
    let other = Arena::open(&directory.path().join("spool"), [9; 4], |_, _| false).unwrap();
    assert!(!other.is_same_boot());
    assert!(open(&directory).1.is_empty(), "what was not kept is free");
}

#[test]
fn it_grows_by_whole_segments_that_have_their_space() {
    use std::os::unix::fs::MetadataExt;
    let directory = TempDir::new().unwrap();
    let (arena, _) = open(&directory);
    let before = arena.bytes();
    for n in 0..300 {
        dedicate(arena.words(arena.take(8_000)), Use::Windows, user(n));
    }
    assert!(arena.bytes() > before);
    let file = std::fs::metadata(directory.path().join("spool")).unwrap();
    assert_eq!(file.len(), arena.bytes() as u64);
    assert!(file.blocks() * 512 >= file.len(), "a sparse file would end the process where the disk is full");
    assert_eq!(open(&directory).1.len(), 300);
}

#[test]
fn blocks_are_taken_by_many_threads_at_once() {
    let directory = TempDir::new().unwrap();
    let arena = Arc::new(open(&directory).0);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let arena = Arc::clone(&arena);
            std::thread::spawn(move || (0..2_000).map(|n| arena.take(16 << (n % 4))).collect::<Vec<_>>())
        })
        .collect();
    let all: Vec<Block> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 16_000);
}

#[test]
fn a_file_of_another_form_is_not_touched() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("spool");
    let text = "not a spool ".repeat(400_000);
    std::fs::write(&path, &text).unwrap();
    let error = Arena::open(&path, BOOT, |_, _| true).unwrap_err();
    assert!(matches!(error, OpenSpoolError::Form { .. }) && error.to_string().contains("spool"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_segment_that_was_being_added_holds_nothing() {
    let directory = TempDir::new().unwrap();
    let (arena, _) = open(&directory);
    dedicate(arena.words(arena.take(16)), Use::Counts, user(1));
    let file = std::fs::OpenOptions::new().append(true).open(directory.path().join("spool")).unwrap();
    for more in [1_000, 4 * 1024 * 1024] {
        file.set_len(file.metadata().unwrap().len() + more).unwrap();
        let (arena, kept) = open(&directory);
        assert_eq!(kept.len(), 1);
        (0..20_000).for_each(|n| dedicate(arena.words(arena.take(16)), Use::Windows, user(n)));
        let (next, kept) = open(&directory);
        assert_eq!(kept.len(), 20_001);
        kept.into_iter().filter(|block| get(next.words(*block), 0) & 0xff == 1).for_each(|block| next.free(block));
    }
}

#[test]
fn a_table_finds_its_subjects() {
    let directory = TempDir::new().unwrap();
    let (arena, _) = open(&directory);
    let mut table = BySubject::default();
    for n in 0..5_000 {
        let block = arena.take(16);
        dedicate(arena.words(block), Use::Windows, user(n));
        assert_eq!(table.put(&arena, user(n), block), None);
    }
    let again = arena.take(16);
    dedicate(arena.words(again), Use::Windows, user(7));
    assert!(table.put(&arena, user(7), again).is_some());
    assert_eq!((table.len(), table.find(&arena, user(7))), (5_000, Some(again)));
    table.take(user(7), again);
    assert_eq!((table.find(&arena, user(7)), table.find(&arena, user(9_999))), (None, None));
    assert!((0..5_000).filter(|n| *n != 7).all(|n| table.find(&arena, user(n)).is_some()));
}

#[test]
fn the_end_of_the_file_goes_back_to_the_disk_when_nobody_uses_it() {
    let directory = TempDir::new().unwrap();
    let (arena, _) = open(&directory);
    let small = arena.bytes();
    let blocks: Vec<Block> = (0..600).map(|_| arena.take(8_000)).collect();
    (0..).zip(&blocks).for_each(|(n, block)| dedicate(arena.words(*block), Use::Windows, user(n)));
    let great = arena.bytes();
    let keep = |least: usize| {
        let mut seen = 0;
        let arena = Arena::open(&directory.path().join("spool"), BOOT, |_, _| {
            seen += 1;
            seen <= least
        });
        (arena.unwrap(), std::fs::metadata(directory.path().join("spool")).unwrap().len())
    };
    assert_eq!(keep(600).1, great as u64);
    let (half, length) = keep(200);
    assert!(length < great as u64 && length == half.bytes() as u64);
    let (rest, length) = keep(0);
    assert_eq!(length, small as u64);
    // What was given back can be had again.
    let again: HashSet<Block> = (0..600).map(|_| rest.take(8_000)).collect();
    assert_eq!(again.len(), 600);
    assert!(again.iter().all(|block| rest.words(*block).len() >= 8_000));
}
