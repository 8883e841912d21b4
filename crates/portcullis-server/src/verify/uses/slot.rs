//! The words of one block of counts.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::AtomicU32;

use portcullis_core::decision::Code;
use portcullis_core::time::Timestamp;

use super::{Counts, LastUse};
use crate::spool::{HEAD, OWN, get, set};

/// The hour is the block's own word of the head.
const START: usize = HEAD;
const SERIAL: usize = HEAD + 1;
const FLAGS: usize = HEAD + 2;
const LAST_USE: usize = HEAD + 3;
const ADDRESS: usize = LAST_USE + 2;
const COUNTS: usize = ADDRESS + 4;
const WRITTEN: usize = COUNTS + Code::ALL.len();
pub(super) const WORDS: usize = WRITTEN + Code::ALL.len();

#[derive(Debug, Clone, Copy)]
pub(super) enum Flag {
    /// The database has not heard of all of it.
    Dirty = 1,
    /// It is being told of some of it.
    OnItsWay = 2,
    /// How much of it the database has is not known.
    Unsure = 4,
    /// An address is known.
    Address = 8,
}

/// Whoever writes has the lock of the block's shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) words: &'a [AtomicU32],
}

impl Slot<'_> {
    pub(super) fn begin(self, hour: u32, start: u32, serial: u32) {
        set(self.words, OWN, hour);
        set(self.words, START, start);
        set(self.words, SERIAL, serial);
    }

    pub(super) fn hour(self) -> u32 {
        get(self.words, OWN)
    }

    /// What tells this block from every other that was ever counted in.
    pub(super) fn source(self) -> i64 {
        i64::from(get(self.words, START) & 0x7fff_ffff) << 32 | i64::from(get(self.words, SERIAL))
    }

    pub(super) fn has(self, flag: Flag) -> bool {
        get(self.words, FLAGS) & flag as u32 != 0
    }

    /// Whether it was not raised before.
    pub(super) fn raise(self, flag: Flag) -> bool {
        let before = get(self.words, FLAGS);
        set(self.words, FLAGS, before | flag as u32);
        before & flag as u32 == 0
    }

    pub(super) fn lower(self, flag: Flag) {
        set(self.words, FLAGS, get(self.words, FLAGS) & !(flag as u32));
    }

    pub(super) fn count(self, code: Code) {
        let at = COUNTS + code as usize;
        set(self.words, at, get(self.words, at).saturating_add(1));
    }

    pub(super) fn used(self, last: LastUse) {
        let at = u64::try_from(last.at.as_millis()).unwrap_or(0);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves are what is written")]
        let (high, low) = ((at >> 32) as u32, at as u32);
        if let Some(address) = last.address {
            let bytes = match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            for (at, four) in (ADDRESS..).zip(bytes.as_chunks::<4>().0) {
                set(self.words, at, u32::from_le_bytes(*four));
            }
            self.raise(Flag::Address);
        } else {
            self.lower(Flag::Address);
        }
        set(self.words, LAST_USE + 1, high);
        set(self.words, LAST_USE, low);
    }

    pub(super) fn last_use(self) -> Option<LastUse> {
        let at = u64::from(get(self.words, LAST_USE + 1)) << 32 | u64::from(get(self.words, LAST_USE));
        let at = i64::try_from(at).ok().filter(|&at| at > 0)?;
        let address = self.has(Flag::Address).then(|| {
            let mut bytes = [0; 16];
            for (at, four) in (ADDRESS..).zip(bytes.as_chunks_mut::<4>().0) {
                *four = get(self.words, at).to_le_bytes();
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        });
        Some(LastUse { at: Timestamp::from_millis(at), address })
    }

    pub(super) fn counts(self) -> Counts {
        std::array::from_fn(|n| get(self.words, COUNTS + n))
    }

    pub(super) fn written(self) -> Counts {
        std::array::from_fn(|n| get(self.words, WRITTEN + n))
    }

    pub(super) fn set_written(self, counts: Counts) {
        for (n, count) in counts.into_iter().enumerate() {
            set(self.words, WRITTEN + n, count);
        }
    }
}
