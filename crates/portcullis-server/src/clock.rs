//! The clock and the dice: the only file that reads either.
#![expect(clippy::disallowed_methods, reason = "this is the one place where time and randomness enter")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_core::dice::Dice;
use portcullis_core::id::RequestId;
use portcullis_core::time::Timestamp;

/// Tells the time: the machine's, or one that a test sets.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    #[default]
    System,
    /// Milliseconds since the Unix epoch, moved by whoever holds the other end.
    Set(Arc<AtomicI64>),
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Set(millis) => Timestamp::from_millis(millis.load(Ordering::Relaxed)),
        }
    }
}

/// How long something takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    pub(crate) fn begin() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn elapsed(self) -> std::time::Duration {
        self.0.elapsed()
    }
}

/// Microseconds since the machine was started, those in which it slept among them: leases are reckoned by this clock, which nobody
/// can set. It is read anew each time; a reading that was kept would be of a moment before the question.
pub(crate) fn since_boot() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds * 1_000_000 + nanoseconds / 1_000
}

/// What tells this start of the operating system from every other; zeros where it does not say.
pub(crate) fn boot() -> [u32; 4] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let bytes = text.trim().parse::<uuid::Uuid>().map(uuid::Uuid::into_bytes).unwrap_or_default();
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

/// The operating system's random generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDice;

impl Dice for SystemDice {
    fn fill(&self, bytes: &mut [u8]) {
        if aws_lc_rs::rand::fill(bytes).is_err() {
            // A token made without randomness would be worse than no server.
            tracing::error!("the operating system gives no random bytes; stopping at once");
            std::process::abort();
        }
    }
}

/// Numbers requests without asking the operating system each time: a random start and a counter.
#[derive(Debug)]
pub(crate) struct RequestIds {
    start: [u8; 10],
    count: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(dice: &dyn Dice) -> Self {
        let mut start = [0; 10];
        dice.fill(&mut start);
        Self { start, count: AtomicU64::new(0) }
    }

    pub(crate) fn next(&self, now: Timestamp) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        RequestId::new(now, &|bytes: &mut [u8]| {
            bytes.copy_from_slice(&self.start);
            if let Some(tail) = bytes.last_chunk_mut::<8>() {
                *tail = u64::from_be_bytes(*tail).wrapping_add(count).to_be_bytes();
            }
        })
    }
}
