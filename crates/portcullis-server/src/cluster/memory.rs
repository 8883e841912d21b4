//! A keyring that is read all the time and changed now and then, so that no reader ever waits long.
//!
//! Many changes are taken in a few at a time, and between the steps whoever waits is let in: the lock by itself would rather
//! let the next step begin. Whatever is thrown away is thrown away elsewhere.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError};

use portcullis_core::change::Change;
use portcullis_core::keyring::{Keyring, Unfit};

/// How many changes are taken in while readers wait: they take some ten microseconds.
pub(super) const STEP: usize = 16;
/// How often the others are let go on, where one is still waiting, before the next step begins anyway.
const TURNS: u32 = 1_000;

/// A node's memory, with its lock.
#[derive(Debug)]
pub struct Memory {
    keyring: RwLock<Keyring>,
    /// How many have found the memory held, and have it not yet.
    waiting: AtomicU32,
}

impl Memory {
    pub const fn new(keyring: Keyring) -> Self {
        Self { keyring: RwLock::new(keyring), waiting: AtomicU32::new(0) }
    }

    /// The memory, to be read; `None` where a bug left it half changed.
    pub fn read(&self) -> Option<RwLockReadGuard<'_, Keyring>> {
        match self.keyring.try_read() {
            Ok(memory) => return Some(memory),
            Err(TryLockError::Poisoned(_)) => return None,
            Err(TryLockError::WouldBlock) => {}
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let memory = self.keyring.read();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        memory.ok()
    }

    /// Whether no bug left it half changed.
    pub(super) fn is_whole(&self) -> bool {
        !self.keyring.is_poisoned()
    }

    /// Takes changes in, in their order, a few at a time. What is read between two of them is no older than what was there before the
    /// first, though an edit of several changes may be half there: each of them is to be harmless without the others. At one that does
    /// not fit it stops, and calls `unfit` before anybody can look.
    pub async fn apply(&self, changes: Vec<Change>, unfit: impl Fn()) -> Result<(), NotApplied> {
        let mut changes = changes.into_iter();
        loop {
            self.step(&mut changes, &unfit)?;
            if changes.len() == 0 {
                return Ok(());
            }
            self.let_others_in().await;
        }
    }

    fn step(&self, changes: &mut impl Iterator<Item = Change>, unfit: impl Fn()) -> Result<(), NotApplied> {
        let mut keyring = self.keyring.write().map_err(|_| NotApplied::Broken)?;
        for change in changes.take(STEP) {
            if let Err(error) = keyring.apply(change) {
                unfit();
                return Err(NotApplied::Unfit(error));
            }
        }
        Ok(())
    }

    /// Lets go of the thread, which others' requests need too, until nobody waits any more.
    async fn let_others_in(&self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
            if self.waiting.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }

    pub(super) fn replace(&self, keyring: Keyring) {
        let mut memory = self.keyring.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *memory, keyring);
        drop(memory);
        self.keyring.clear_poison();
        // Giving back the room of millions of keys takes longer than a request may wait. Where there is no thread to be had, it is
        // given back here.
        let _ = std::thread::Builder::new().name("old memory".to_owned()).spawn(move || drop(old));
    }
}

/// Why changes were not taken in, or not all of them.
#[derive(Debug, thiserror::Error)]
pub enum NotApplied {
    #[error("the memory was left half changed")]
    Broken,
    #[error(transparent)]
    Unfit(Unfit),
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use portcullis_core::change::{ApiKeyEnd, UserState};
    use portcullis_core::id::{ApiKeyId, UserId};
    use portcullis_core::permission::{Action, Catalogue, Resource};
    use portcullis_core::time::Timestamp;

    fn empty() -> Memory {
        let calls = Resource { name: "calls".to_owned(), actions: vec![Action::Read] };
        Memory::new(Keyring::new(Arc::new(Catalogue::new(vec![calls]).unwrap())))
    }

    fn user(n: u128) -> Change {
        Change::UserSet(UserState { id: UserId::from_bytes(n.to_be_bytes()), disabled: false })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn readers_get_their_turn_while_changes_come_without_end() {
        let (memory, ended) = (Arc::new(empty()), Arc::new(AtomicBool::new(false)));
        let (reading, until) = (Arc::clone(&memory), Arc::clone(&ended));
        let reader = std::thread::spawn(move || {
            let mut turns = 0;
            while !until.load(Ordering::Relaxed) {
                turns += u32::from(reading.read().unwrap().has_users());
            }
            turns
        });
        for page in 0..50_u128 {
            memory.apply((page * 1_000..(page + 1) * 1_000).map(user).collect(), || ()).await.unwrap();
        }
        ended.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 100);
        assert_eq!(memory.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_told_of_before_anybody_can_look() {
        let memory = empty();
        let stranger = ApiKeyEnd { id: ApiKeyId::from_bytes([9; 16]), at: Timestamp::from_millis(1) };
        let changes = (0..100).map(user).chain([Change::ApiKeyRevoked(stranger), user(100)]).collect();
        let told = std::cell::Cell::new(false);
        let done = memory.apply(changes, || {
            assert!(memory.keyring.try_read().is_err(), "it is still held");
            told.set(true);
        });
        assert!(matches!(done.await, Err(NotApplied::Unfit(_))) && told.get());
        assert!(memory.read().is_some() && memory.is_whole(), "it is as it was after the last change that fits");
    }

    #[tokio::test]
    async fn a_memory_that_broke_is_not_read_until_it_is_replaced() {
        let memory = empty();
        let broken = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let _held = memory.keyring.write();
                    panic!("as a bug would")
                })
                .join()
                .is_err()
        });
        assert!(broken && memory.read().is_none() && !memory.is_whole());
        assert!(matches!(memory.apply(vec![user(1)], || ()).await, Err(NotApplied::Broken)));
        let fresh = empty().keyring.into_inner().unwrap();
        memory.replace(fresh);
        assert!(memory.is_whole() && !memory.read().unwrap().has_users());
    }
}
