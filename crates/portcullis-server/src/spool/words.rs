//! The one module that may be unsafe: words of memory that are a file's.
#![expect(unsafe_code, reason = "the words of a mapping are reached by an address")]

use std::fs::File;
use std::io;
use std::sync::atomic::AtomicU32;

use memmap2::{MmapOptions, MmapRaw};

/// Words that several threads may read and write at a time.
#[derive(Debug)]
pub(super) enum Words {
    /// They are a part of a file, and stay what they are when the process ends.
    Mapped(MmapRaw),
    /// They end with the process: for when the file cannot grow.
    Heap(Box<[AtomicU32]>),
}

impl Words {
    /// Maps so many bytes of a file, which must have them already: it is not checked again when they are used.
    pub(super) fn map(file: &File, offset: u64, bytes: usize) -> io::Result<Self> {
        if file.metadata()?.len() < offset.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX)) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than what is to be mapped"));
        }
        Ok(Self::Mapped(MmapOptions::new().offset(offset).len(bytes).map_raw(file)?))
    }

    pub(super) fn heap(count: usize) -> Self {
        Self::Heap((0..count).map(|_| AtomicU32::new(0)).collect())
    }

    pub(super) fn all(&self) -> &[AtomicU32] {
        match self {
            Self::Heap(words) => words,
            Self::Mapped(map) => {
                let count = map.len() / size_of::<AtomicU32>();
                #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins at a page")]
                let first = map.as_ptr().cast::<AtomicU32>();
                // SAFETY: the mapping is readable and writable, has so many bytes, lives as long as `self`, and begins at a page,
                // so that its words are aligned. Every pattern of bits is an `AtomicU32`. The file is not made shorter while it is
                // mapped, and the data directory's lock keeps other processes from writing to it.
                unsafe { std::slice::from_raw_parts(first, count) }
            }
        }
    }
}
