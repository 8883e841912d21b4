//! From a hash to a place: a table of five bytes an entry, which never stops for a rehash of all that it holds.
//!
//! An entry is eight bits of the hash and a place; what is at the place is compared by whoever asks. Twelve entries share a line
//! of the processor's cache, so that a lookup touches one line, mostly, and then what it looks for. The table is in many small
//! shards. One that is full gets a quarter more lines, and whenever there are too many entries for the shards that there are,
//! the next shard in turn is split in two (linear hashing): either is the work of one shard.

use super::Place;

/// As many entries as fit into a line, with their tags and a count.
const SLOTS: usize = 12;
/// How many entries a shard has, on average, when the next one is split: one that waits for its turn has up to twice as many.
const IN_A_SHARD: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Index {
    shards: Vec<Shard>,
    len: usize,
}

#[derive(Debug, Default)]
struct Shard {
    lines: Box<[Line]>,
    held: usize,
}

/// One line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line {
    /// Zero is a free slot.
    tags: [u8; SLOTS],
    /// How many entries would be in this line if it had had room, and are further on. Where there is none, a search ends.
    passed: u32,
    places: [Place; SLOTS],
}

impl Line {
    const EMPTY: Self = Self { tags: [0; SLOTS], passed: 0, places: [0; SLOTS] };

    /// The places of the slots with this tag.
    fn tagged(&self, tag: u8) -> impl Iterator<Item = Place> + '_ {
        const LOW: u128 = u128::from_ne_bytes([0x7f; 16]);
        let mut tags = [0; 16];
        if let Some(part) = tags.first_chunk_mut() {
            *part = self.tags;
        }
        // A byte of `other` is zero where the tag is the same. Adding 127 to its low bits carries into the high bit wherever one of
        // them is set, and never into the next byte: what has no high bit afterwards was zero.
        let other = u128::from_le_bytes(tags) ^ u128::from_ne_bytes([tag; 16]);
        let mut same = !(((other & LOW) + LOW) | other | LOW);
        std::iter::from_fn(move || {
            let slot = same.trailing_zeros() as usize / 8;
            same &= same.wrapping_sub(1);
            // Beyond the slots there are no tags, and no places.
            self.places.get(slot).copied()
        })
    }

    /// Puts an entry into a free slot, if there is one.
    fn put(&mut self, tag: u8, place: Place) -> bool {
        let slot = self.tags.iter_mut().zip(&mut self.places).find(|(tag, _)| **tag == 0);
        slot.map(|slot| (*slot.0, *slot.1) = (tag, place)).is_some()
    }

    fn take(&mut self, wanted: Place) -> bool {
        let slot = self.tags.iter_mut().zip(&self.places).find(|&(&mut tag, &place)| tag != 0 && place == wanted);
        slot.map(|(tag, _)| *tag = 0).is_some()
    }
}

impl Index {
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(Place) -> bool) -> Option<Place> {
        self.shards.get(shard_of(hash, self.shards.len()))?.find(hash, is_it)
    }

    /// Adds a place that is not here yet. `hash_of` tells the hash of any place that is.
    pub(super) fn insert(&mut self, hash: u64, place: Place, hash_of: impl Fn(Place) -> u64) {
        if self.len >= self.shards.len() * IN_A_SHARD {
            self.split(&hash_of);
        }
        let shard = shard_of(hash, self.shards.len());
        if let Some(shard) = self.shards.get_mut(shard) {
            shard.insert(hash, place, hash_of);
            self.len += 1;
        }
    }

    pub(super) fn remove(&mut self, hash: u64, place: Place) {
        let shard = shard_of(hash, self.shards.len());
        if self.shards.get_mut(shard).is_some_and(|shard| shard.remove(hash, place)) {
            self.len -= 1;
        }
    }

    /// One shard more: it takes its part of the one whose turn it is.
    fn split(&mut self, hash_of: impl Fn(Place) -> u64) {
        let added = self.shards.len();
        self.shards.push(Shard::default());
        let Some(turn) = added.checked_ilog2().map(|bits| added - (1 << bits)) else { return };
        let Some(old) = self.shards.get_mut(turn) else { return };
        let entries = old.entries(hash_of);
        let (moved, kept): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|&(hash, _)| shard_of(hash, added + 1) == added);
        *old = Shard::of(&kept);
        if let Some(new) = self.shards.last_mut() {
            *new = Shard::of(&moved);
        }
    }
}

impl Shard {
    fn of(entries: &[(u64, Place)]) -> Self {
        let mut shard = Self::with_lines(entries.len().div_ceil(SLOTS * 5 / 6));
        shard.put_all(entries);
        shard
    }

    fn with_lines(lines: usize) -> Self {
        Self { lines: vec![Line::EMPTY; lines].into_boxed_slice(), held: 0 }
    }

    fn put_all(&mut self, entries: &[(u64, Place)]) {
        for &(hash, place) in entries {
            self.put(hash, place);
        }
    }

    fn find(&self, hash: u64, is_it: impl Fn(Place) -> bool) -> Option<Place> {
        let home = self.home(hash);
        let (before, after) = self.lines.split_at_checked(home)?;
        for line in after.iter().chain(before) {
            if let Some(found) = line.tagged(tag_of(hash)).find(|&place| is_it(place)) {
                return Some(found);
            }
            if line.passed == 0 {
                break;
            }
        }
        None
    }

    fn insert(&mut self, hash: u64, place: Place, hash_of: impl Fn(Place) -> u64) {
        // Nine of ten slots at most, so that few entries are far from home.
        if (self.held + 1) * 10 > self.lines.len() * SLOTS * 9 {
            let entries = self.entries(hash_of);
            *self = Self::with_lines(self.lines.len() + (self.lines.len() / 4).max(1));
            self.put_all(&entries);
        }
        self.put(hash, place);
    }

    fn put(&mut self, hash: u64, place: Place) {
        let home = self.home(hash);
        let Some((before, after)) = self.lines.split_at_mut_checked(home) else { return };
        for line in after.iter_mut().chain(before) {
            if line.put(tag_of(hash), place) {
                self.held += 1;
                return;
            }
            line.passed += 1;
        }
    }

    fn remove(&mut self, hash: u64, wanted: Place) -> bool {
        let home = self.home(hash);
        let Some((before, after)) = self.lines.split_at_mut_checked(home) else { return false };
        let Some(distance) = after.iter_mut().chain(&mut *before).position(|line| line.take(wanted)) else {
            return false;
        };
        for line in after.iter_mut().chain(before).take(distance) {
            line.passed -= 1;
        }
        self.held -= 1;
        true
    }

    /// All that is here, each with its hash. That is in what the places stand for, all over the memory: asked for in one go, the
    /// processor fetches many at once.
    fn entries(&self, hash_of: impl Fn(Place) -> u64) -> Vec<(u64, Place)> {
        let mut entries = Vec::with_capacity(self.held);
        for line in &self.lines {
            let taken = line.tags.iter().zip(&line.places).filter(|(tag, _)| **tag != 0);
            entries.extend(taken.map(|(_, &place)| (hash_of(place), place)));
        }
        entries
    }

    /// The line that an entry should be in: the upper half of the hash, as a part of the lines that there are. So their number need
    /// not be a power of two.
    fn home(&self, hash: u64) -> usize {
        let lines = self.lines.len() as u64;
        usize::try_from(((hash >> 32) * lines) >> 32).unwrap_or(0)
    }
}

/// Bits that choose neither shard nor line; never zero.
fn tag_of(hash: u64) -> u8 {
    u8::try_from(hash >> 24 & 0xff).unwrap_or(0).max(1)
}

/// Linear hashing: the lowest bits number the shard, one bit fewer where it has not been split yet.
fn shard_of(hash: u64, shards: usize) -> usize {
    let mask = shards.next_power_of_two() - 1;
    let low = usize::try_from(hash & 0xff_ffff).unwrap_or(0);
    let shard = low & mask;
    if shard < shards { shard } else { low & (mask >> 1) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    /// Few hashes, so that many places share one; and the same ones spread over the whole range.
    fn hash(seed: u8, wide: bool) -> u64 {
        if wide { u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) } else { u64::from(seed % 3) << 40 }
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds(steps in prop::collection::vec((0u32..300, any::<u8>(), any::<bool>(), 0u8..4), 0..900)) {
            let (mut index, mut model) = (Index::default(), HashMap::new());
            for (place, seed, wide, kind) in steps {
                if let Some(hash) = model.get(&place).copied().filter(|_| kind == 0) {
                    index.remove(hash, place);
                    model.remove(&place);
                } else if !model.contains_key(&place) {
                    let hash = hash(seed, wide);
                    index.insert(hash, place, |place| model[&place]);
                    model.insert(place, hash);
                }
            }
            prop_assert_eq!(index.len, model.len());
            for place in 0..300 {
                let found = |hash| index.find(hash, |other| other == place);
                match model.get(&place) {
                    Some(&hash) => prop_assert_eq!(found(hash), Some(place)),
                    None => prop_assert!((0..=255).all(|seed| found(hash(seed, true)).is_none() && found(hash(seed, false)).is_none())),
                }
            }
        }
    }

    #[test]
    fn it_grows_a_shard_at_a_time_and_forgets_nothing() {
        let hash = |place: Place| u64::from(place).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_right(29);
        let mut index = Index::default();
        for place in 0..100_000 {
            let asked = std::cell::Cell::new(0);
            index.insert(hash(place), place, |place| {
                asked.set(asked.get() + 1);
                hash(place)
            });
            assert!(asked.get() < 4_096, "{} entries moved at once", asked.get());
        }
        for place in 0..100_000 {
            assert_eq!(index.find(hash(place), |other| other == place), Some(place));
            if place % 2 == 0 {
                index.remove(hash(place), place);
                index.remove(hash(place), place);
            }
        }
        assert_eq!(index.len, 50_000);
        assert!(
            (0..100_000).all(|place| index.find(hash(place), |other| other == place).is_some() == (place % 2 == 1))
        );
        let passed: u32 = index.shards.iter().flat_map(|shard| &shard.lines).map(|line| line.passed).sum();
        let slots = index.shards.iter().map(|shard| shard.lines.len() * SLOTS).sum::<usize>();
        assert!(slots < 100_000 * 10 / 7 && passed < 20_000, "{slots} slots, {passed} passed by");
    }

    #[test]
    fn a_line_finds_exactly_the_slots_of_a_tag() {
        let mut line = Line::EMPTY;
        for place in 0..12 {
            assert!(line.put(if place % 3 == 0 { 0x80 } else { 0x81 }, place));
        }
        assert!(!line.put(1, 99));
        assert_eq!(line.tagged(0x80).collect::<Vec<_>>(), [0, 3, 6, 9]);
        assert_eq!(line.tagged(1).count(), 0);
        assert!(line.take(3) && !line.take(3) && line.put(1, 99));
        assert_eq!(line.tagged(1).collect::<Vec<_>>(), [99]);
    }
}
