//! The same file once more, compiled so that loading the end orders nothing.

#[expect(clippy::duplicate_mod, reason = "with other atomics it is another module")]
#[expect(dead_code, reason = "only the word is needed")]
#[path = "../../../src/cluster/lease.rs"]
pub(super) mod lease;

mod sync {
    use loom::sync::atomic;

    pub(super) use atomic::AtomicU64;

    pub(super) struct Ordering;

    #[expect(non_upper_case_globals, reason = "they stand in for the variants of an enum")]
    impl Ordering {
        pub(super) const Acquire: atomic::Ordering = atomic::Ordering::Relaxed;
        pub(super) const Release: atomic::Ordering = atomic::Ordering::Release;
        pub(super) const Relaxed: atomic::Ordering = atomic::Ordering::Relaxed;
    }
}
