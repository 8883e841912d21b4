//! Blocks of words, each of a size that fits, in a file that grows by whole segments.
//!
//! A segment is divided into pages, and a page into blocks of one size. The first page of a segment says the size of each of the
//! others, so that the next process finds every block. A block is free while its first word is zero.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::words::Words;
use super::{get, set};

const UNIT_WORDS: usize = 16;
const PAGE_UNITS: usize = 1_024;
const PAGES: usize = 64;
const SEGMENT_UNITS: usize = PAGES * PAGE_UNITS;
const SEGMENT_WORDS: usize = SEGMENT_UNITS * UNIT_WORDS;
const SEGMENT_BYTES: usize = SEGMENT_WORDS * 4;
/// 64 GiB.
const MOST_SEGMENTS: usize = 16_384;
/// The sizes of blocks, in units of 64 bytes.
const SIZES: [usize; 19] = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512];
/// The first word of every segment: what it is, and the version of its form.
const MAGIC: u32 = 0x5043_5301;
/// Where the first segment keeps the number of the system's start in which it was last used.
const BOOT: usize = 64;

/// A block: where it begins, in units of 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Block(u32);

/// See the module's own words.
#[derive(Debug)]
pub(crate) struct Arena {
    file: File,
    segments: Box<[OnceLock<Words>]>,
    pages: Mutex<Pages>,
    /// The free blocks of each size.
    free: [Mutex<Vec<Block>>; SIZES.len()],
    /// Whether what was there at the start was written since the system itself started: then nothing of it was lost.
    same_boot: bool,
    /// How many segments are the file's; whoever adds one holds this, and nothing else.
    in_file: Mutex<usize>,
}

/// How far the segments and their pages are given out.
#[derive(Debug)]
struct Pages {
    segments: usize,
    /// Pages that have no size yet, as numbers over all segments.
    unused: Vec<usize>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenSpoolError {
    #[error("cannot use the spool {path}: {cause}")]
    File { path: String, cause: io::Error },
    #[error(
        "the spool {path} is not one, or of another version: let the version that wrote it start and stop once, or move it away"
    )]
    Form { path: String },
}

impl Arena {
    /// Opens the file, and gives every block that is in use to `keep`, which says whether it goes on. Segments at the end of the file
    /// that have none go back to the disk.
    pub(crate) fn open(
        path: &Path,
        boot: [u32; 4],
        mut keep: impl FnMut(Block, &[AtomicU32]) -> bool,
    ) -> Result<Self, OpenSpoolError> {
        let shown = || path.display().to_string();
        let failed = |cause| OpenSpoolError::File { path: shown(), cause };
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        // A segment that was still being added when the process ended holds nothing.
        let whole = usize::try_from(length).unwrap_or(0) / SEGMENT_BYTES;
        let mut arena = Self {
            file,
            segments: (0..MOST_SEGMENTS).map(|_| OnceLock::new()).collect(),
            pages: Mutex::new(Pages { segments: 0, unused: Vec::new() }),
            free: std::array::from_fn(|_| Mutex::new(Vec::new())),
            same_boot: false,
            in_file: Mutex::new(whole.min(MOST_SEGMENTS)),
        };
        for number in 0..whole.min(MOST_SEGMENTS) {
            let words = Words::map(&arena.file, offset(number), SEGMENT_BYTES).map_err(failed)?;
            // Zero: the process ended when it had just added it.
            if !matches!(get(words.all(), 0), 0 | MAGIC) {
                return Err(OpenSpoolError::Form { path: shown() });
            }
            arena.adopt(number, words, &mut keep);
        }
        arena.give_back_the_end().map_err(failed)?;
        if whole == 0 {
            arena.grow().map_err(failed)?;
        }
        let first = arena.segment(0);
        arena.same_boot = whole > 0 && boot != [0; 4] && (0..4).zip(boot).all(|(n, word)| get(first, BOOT + n) == word);
        for (n, word) in (0..4).zip(boot) {
            set(arena.segment(0), BOOT + n, word);
        }
        Ok(arena)
    }

    /// Takes in a segment of the file with all its blocks.
    fn adopt(&self, number: usize, words: Words, keep: &mut impl FnMut(Block, &[AtomicU32]) -> bool) {
        set(words.all(), 0, MAGIC);
        if let Some(place) = self.segments.get(number) {
            let _ = place.set(words);
        }
        let mut pages = lock(&self.pages);
        pages.segments = number + 1;
        for page in (1..PAGES).rev() {
            let Some(&size) = self.class_of(number * PAGES + page).and_then(|class| SIZES.get(class)) else {
                pages.unused.push(number * PAGES + page);
                continue;
            };
            for block in blocks(number * PAGES + page, size) {
                let words = self.words(block);
                if get(words, 0) == 0 || !keep(block, words) {
                    self.free(block);
                }
            }
        }
    }

    /// Makes the file shorter by the segments at its end that have no block in use. Nobody else has the arena yet.
    fn give_back_the_end(&mut self) -> io::Result<()> {
        let first_of = |segment: usize| segment * SEGMENT_UNITS;
        let segments = lock(&self.pages).segments;
        let is_used = |segment: usize| {
            let pages = segment * PAGES + 1..(segment + 1) * PAGES;
            let sized = pages.filter_map(|page| Some((page, *SIZES.get(self.class_of(page)?)?)));
            let mut blocks = sized.flat_map(|(page, size)| blocks(page, size));
            blocks.any(|block| get(self.words(block), 0) != 0)
        };
        // The first stays, whether it is used or not.
        let kept = (1..segments).rev().find(|&segment| is_used(segment)).map_or(1, |last| last + 1);
        if kept >= segments {
            return Ok(());
        }
        for free in &mut self.free {
            let free = free.get_mut().unwrap_or_else(PoisonError::into_inner);
            free.retain(|block| (block.0 as usize) < first_of(kept));
        }
        let pages = self.pages.get_mut().unwrap_or_else(PoisonError::into_inner);
        pages.segments = kept;
        pages.unused.retain(|page| *page < kept * PAGES);
        for segment in self.segments.iter_mut().skip(kept) {
            segment.take();
        }
        *self.in_file.get_mut().unwrap_or_else(PoisonError::into_inner) = kept;
        // What was mapped of it is not any more.
        self.file.set_len(offset(kept))
    }

    /// The words of a block.
    pub(crate) fn words(&self, block: Block) -> &[AtomicU32] {
        let unit = block.0 as usize;
        let segment = self.segment(unit / SEGMENT_UNITS);
        let class = class_in(segment, unit % SEGMENT_UNITS / PAGE_UNITS);
        let size = class.and_then(|class| SIZES.get(class)).copied().unwrap_or(0);
        let start = unit % SEGMENT_UNITS * UNIT_WORDS;
        segment.get(start..start + size * UNIT_WORDS).unwrap_or(&[])
    }

    /// A block of at least so many words, all of them zero. Nobody else has it.
    pub(crate) fn take(&self, words: usize) -> Block {
        let units = words.div_ceil(UNIT_WORDS);
        let class = SIZES.iter().position(|&size| size >= units).unwrap_or(SIZES.len() - 1);
        let Some(free) = self.free.get(class) else { return Block(0) };
        let mut free = lock(free);
        if free.is_empty() {
            free.extend(self.page_for(class));
        }
        free.pop().unwrap_or(Block(0))
    }

    /// Gives a block back.
    pub(crate) fn free(&self, block: Block) {
        let words = self.words(block);
        // The first word goes first: whoever finds it zero after a kill need not look at the others.
        (0..words.len()).for_each(|at| set(words, at, 0));
        if let Some(free) = self.class_of(block.0 as usize / PAGE_UNITS).and_then(|class| self.free.get(class)) {
            lock(free).push(block);
        }
    }

    /// Whether nothing of what was found at the start had been lost: the system itself had not started since.
    pub(crate) const fn is_same_boot(&self) -> bool {
        self.same_boot
    }

    /// Whether some blocks would be lost with the process, because the file could not grow.
    pub(crate) fn is_volatile(&self) -> bool {
        let in_file = *lock(&self.in_file);
        lock(&self.pages).segments > in_file
    }

    /// How many bytes it has.
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.pages).segments * SEGMENT_BYTES
    }

    /// Adds a segment before the last page is given out, so that no request waits for it.
    pub(crate) fn grow_ahead(&self) {
        let unused = lock(&self.pages).unused.len();
        if unused < PAGES / 2
            && let Err(error) = self.grow()
        {
            tracing::warn!(%error, "the spool cannot grow");
        }
    }

    /// Writes what is in the file to the disk, so that a power failure takes nothing from before.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn segment(&self, number: usize) -> &[AtomicU32] {
        self.segments.get(number).and_then(OnceLock::get).map_or(&[], Words::all)
    }

    /// The size of the blocks of a page, as a place in `SIZES`.
    fn class_of(&self, page: usize) -> Option<usize> {
        class_in(self.segment(page / PAGES), page % PAGES)
    }

    /// Divides an unused page into blocks of this size.
    fn page_for(&self, class: usize) -> impl Iterator<Item = Block> + use<> {
        let mut page = lock(&self.pages).unused.pop();
        if page.is_none() {
            if let Err(error) = self.grow() {
                tracing::error!(%error, "the spool cannot grow: some of what is counted now would be lost with the process");
                self.add(Words::heap(SEGMENT_WORDS));
            }
            page = lock(&self.pages).unused.pop();
        }
        if let Some(page) = page {
            set(self.segment(page / PAGES), page % PAGES, u32::try_from(class + 1).unwrap_or(0));
        }
        let size = SIZES.get(class).copied().unwrap_or(PAGE_UNITS);
        page.into_iter().flat_map(move |page| blocks(page, size))
    }

    /// Adds a segment to the file, with all its space.
    fn grow(&self) -> io::Result<()> {
        let mut in_file = lock(&self.in_file);
        allocate(&self.file, offset(*in_file))?;
        let words = Words::map(&self.file, offset(*in_file), SEGMENT_BYTES)?;
        *in_file += 1;
        self.add(words);
        Ok(())
    }

    fn add(&self, words: Words) {
        let mut pages = lock(&self.pages);
        let number = pages.segments;
        set(words.all(), 0, MAGIC);
        if let Some(place) = self.segments.get(number) {
            let _ = place.set(words);
            pages.segments += 1;
            pages.unused.extend((1..PAGES).rev().map(|page| number * PAGES + page));
        }
    }
}

fn blocks(page: usize, size: usize) -> impl Iterator<Item = Block> {
    let first = page * PAGE_UNITS;
    (0..PAGE_UNITS / size).rev().filter_map(move |n| u32::try_from(first + n * size).ok().map(Block))
}

/// The size of the blocks of a page of this segment, whose own first page has none.
fn class_in(segment: &[AtomicU32], page: usize) -> Option<usize> {
    (get(segment, page) as usize).checked_sub(1).filter(|_| page > 0)
}

fn offset(segment: usize) -> u64 {
    u64::try_from(segment * SEGMENT_BYTES).unwrap_or(u64::MAX)
}

/// Gives the file a segment's space, and zeros in it.
fn allocate(file: &File, offset: u64) -> io::Result<()> {
    let length = u64::try_from(SEGMENT_BYTES).unwrap_or(0);
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, length) {
        Ok(()) => Ok(()),
        // Not every file system can; then the zeros are written.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            file.write_all_at(&vec![0; SEGMENT_BYTES], offset)?;
            file.sync_data()
        }
        Err(error) => Err(error.into()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
