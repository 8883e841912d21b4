//! What a decision does not read, and its answer tells: names and metadata, one after the other.

use std::collections::HashMap;

use crate::id::FamilyId;

/// The bits of an address that count bytes within a chunk.
const OFFSET_BITS: u32 = 18;
const CHUNK: usize = 1 << OFFSET_BITS;
/// The bits of an address: 64 GB of notes.
pub(super) const ADDRESS_BITS: u32 = 36;
const HAS_METADATA: usize = 1;
const HAS_FAMILY: usize = 2;
const FLAG_BITS: u32 = 2;

/// Where a note is: its chunk, and the byte that it begins with.
pub(super) type Address = u64;

/// What is noted of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Note<'n> {
    /// Where it is not the one that the key itself began.
    pub(super) family: Option<FamilyId>,
    name: &'n [u8],
    metadata: Option<&'n [u8]>,
}

/// All notes. Room that a note gives up is taken by the next one of its size, so there is never more of it than there once were
/// notes of that size.
#[derive(Debug, Default)]
pub(super) struct Notes {
    chunks: Vec<Vec<u8>>,
    /// Where there is room, by how much.
    holes: HashMap<usize, Vec<Address>>,
}

impl<'n> Note<'n> {
    pub(super) const fn new(family: Option<FamilyId>, name: &'n str, metadata: Option<&'n str>) -> Self {
        let metadata = match metadata {
            Some(text) => Some(text.as_bytes()),
            None => None,
        };
        Self { family, name: name.as_bytes(), metadata }
    }

    pub(super) fn name(&self) -> &'n str {
        str::from_utf8(self.name).unwrap_or_default()
    }

    pub(super) fn metadata(&self) -> Option<&'n str> {
        self.metadata.and_then(|text| str::from_utf8(text).ok())
    }

    fn write(&self) -> Vec<u8> {
        let flags =
            if self.metadata.is_some() { HAS_METADATA } else { 0 } | if self.family.is_some() { HAS_FAMILY } else { 0 };
        let mut bytes = Vec::with_capacity(self.name.len() + self.metadata.map_or(0, <[u8]>::len) + 32);
        write_number(self.name.len() << FLAG_BITS | flags, &mut bytes);
        if let Some(family) = &self.family {
            bytes.extend_from_slice(family.as_bytes());
        }
        bytes.extend_from_slice(self.name);
        if let Some(metadata) = self.metadata {
            write_number(metadata.len(), &mut bytes);
            bytes.extend_from_slice(metadata);
        }
        bytes.resize(room(bytes.len()), 0);
        bytes
    }

    /// The note at the beginning of `bytes`, and what comes after it.
    fn read(bytes: &'n [u8]) -> Option<(Self, &'n [u8])> {
        let (head, mut rest) = read_number(bytes)?;
        let mut family = None;
        if head & HAS_FAMILY != 0 {
            let (id, after) = rest.split_first_chunk()?;
            (family, rest) = (Some(FamilyId::from_bytes(*id)), after);
        }
        let (name, mut rest) = rest.split_at_checked(head >> FLAG_BITS)?;
        let mut metadata = None;
        if head & HAS_METADATA != 0 {
            let (length, after) = read_number(rest)?;
            let (text, after) = after.split_at_checked(length)?;
            (metadata, rest) = (Some(text), after);
        }
        Some((Self { family, name, metadata }, rest))
    }
}

impl Notes {
    /// `None` where there is no room for more.
    pub(super) fn put(&mut self, note: &Note<'_>) -> Option<Address> {
        self.put_bytes(&note.write())
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> Option<Address> {
        if let Some(address) = self.holes.get_mut(&bytes.len()).and_then(Vec::pop) {
            self.room_at(address, bytes.len())?.copy_from_slice(bytes);
            return Some(address);
        }
        let fits = self.chunks.last().is_some_and(|chunk| chunk.len() + bytes.len() <= CHUNK);
        if !fits {
            // The first chunk grows as it is filled, so that a small keyring is small; a note that is longer than a chunk has one of
            // its own.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room.max(bytes.len())));
        }
        let number = u64::try_from(self.chunks.len().checked_sub(1)?).ok()?;
        let chunk = self.chunks.last_mut()?;
        let address = number << OFFSET_BITS | u64::try_from(chunk.len()).ok()?;
        if address >> ADDRESS_BITS != 0 {
            return None;
        }
        chunk.extend_from_slice(bytes);
        Some(address)
    }

    /// Puts a note in the place of another, which need not be where that was.
    pub(super) fn replace(&mut self, address: Address, note: &Note<'_>) -> Option<Address> {
        let (bytes, old) = (note.write(), self.room_of(address));
        if old == bytes.len() {
            self.room_at(address, old)?.copy_from_slice(&bytes);
            return Some(address);
        }
        let new = self.put_bytes(&bytes)?;
        if old > 0 {
            self.holes.entry(old).or_default().push(address);
        }
        Some(new)
    }

    pub(super) fn at(&self, address: Address) -> Option<Note<'_>> {
        Some(Note::read(self.from(address)?)?.0)
    }

    /// How many bytes the note at an address has to itself.
    fn room_of(&self, address: Address) -> usize {
        let from = self.from(address).unwrap_or_default();
        Note::read(from).map_or(0, |(_, rest)| room(from.len() - rest.len()))
    }

    fn from(&self, address: Address) -> Option<&[u8]> {
        let (chunk, offset) = split(address)?;
        self.chunks.get(chunk)?.get(offset..)
    }

    fn room_at(&mut self, address: Address, length: usize) -> Option<&mut [u8]> {
        let (chunk, offset) = split(address)?;
        self.chunks.get_mut(chunk)?.get_mut(offset..offset.checked_add(length)?)
    }
}

fn split(address: Address) -> Option<(usize, usize)> {
    let offset = usize::try_from(address).ok()? % CHUNK;
    Some((usize::try_from(address >> OFFSET_BITS).ok()?, offset))
}

/// The room of a note that is so long: long ones come in few sizes, so that the room of one suits others.
fn room(length: usize) -> usize {
    match length {
        0..=48 => length,
        49..=512 => length.next_multiple_of(8),
        513..=4_096 => length.next_multiple_of(64),
        _ => length.next_multiple_of(1_024),
    }
}

/// Seven bits a byte, the lowest first; the eighth says that there are more.
fn write_number(mut number: usize, out: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn read_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (mut number, mut rest) = (0, bytes);
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, after) = rest.split_first()?;
        number |= usize::from(byte & 0x7f) << shift;
        rest = after;
        if byte & 0x80 == 0 {
            return Some((number, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_note_comes_back_however_often_it_is_replaced(
            edits in prop::collection::vec((0usize..6, any::<bool>(), ".{0,60}", prop::option::of(".{0,200}")), 1..300)
        ) {
            let (mut notes, mut model, mut addresses) = (Notes::default(), vec![None; 6], [None; 6]);
            let mut most = 0;
            for (n, rotated, name, metadata) in edits {
                let family = rotated.then(|| FamilyId::from_bytes([0x80 | u8::try_from(n).unwrap(); 16]));
                let note = Note::new(family, &name, metadata.as_deref());
                let address = match addresses[n] {
                    Some(old) => notes.replace(old, &note),
                    None => notes.put(&note),
                };
                (addresses[n], model[n]) = (address, Some((family, name, metadata)));
                most = most.max(notes.chunks.iter().map(Vec::len).sum::<usize>());
                for (address, model) in addresses.iter().zip(&model) {
                    let note = address.map(|address| notes.at(address).unwrap());
                    let told = note.map(|note| (note.family, note.name().to_owned(), note.metadata().map(str::to_owned)));
                    prop_assert_eq!(&told, model);
                }
            }
        }

        #[test]
        fn numbers_come_back(number: usize) {
            let mut bytes = Vec::new();
            write_number(number, &mut bytes);
            bytes.push(9);
            prop_assert_eq!(read_number(&bytes), Some((number, &[9][..])));
        }
    }

    #[test]
    fn renaming_for_ever_takes_no_more_room() {
        let (mut notes, name) = (Notes::default(), "n".repeat(48));
        let mut addresses: Vec<_> = (0..1_000).map(|_| notes.put(&Note::new(None, "a name", None)).unwrap()).collect();
        let mut rooms = Vec::new();
        for round in 0..40 {
            for (n, address) in addresses.iter_mut().enumerate() {
                *address = notes.replace(*address, &Note::new(None, &name[..(n + round * 7) % 48], None)).unwrap();
            }
            rooms.push(notes.chunks.iter().map(Vec::len).sum::<usize>());
        }
        assert!(rooms[39] < 120_000 && rooms[39] == rooms[20], "{rooms:?}");
    }

    #[test]
    fn a_note_may_be_longer_than_a_chunk() {
        let (mut notes, long) = (Notes::default(), "é".repeat(CHUNK));
        let short = notes.put(&Note::new(None, "short", None)).unwrap();
        let address = notes.put(&Note::new(None, "long", Some(&long))).unwrap();
        let after = notes.put(&Note::new(None, "", None)).unwrap();
        assert_eq!(notes.at(address).unwrap().metadata(), Some(long.as_str()));
        assert_eq!((notes.at(short).unwrap().name(), notes.at(after).unwrap().name()), ("short", ""));
        assert_eq!(notes.at(1 << 30), None);
    }
}
