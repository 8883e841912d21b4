//! Mistakes that a node can be told to make, so that the tests that must find them can be seen to. They are in no build but the
//! tests' own (the feature `mutants`).

/// One mistake each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// An edit answers when it is committed.
    PublishWithoutWaiting,
    /// Whether the lease holds is looked up once a second.
    CachedClock,
    /// The lease is counted from the answer, and nothing is taken off it.
    EndFromTheAnswer,
    /// The others are told before the memory has it.
    AcknowledgeBeforeApply,
    /// The log is read before the lease is asked for.
    PollBeforeGrant,
    /// A lease is reaped after an eighth of its time.
    ReapEarly,
}

#[cfg(feature = "mutants")]
const NAMES: [(&str, Mutant); 6] = [
    ("publish_without_waiting", Mutant::PublishWithoutWaiting),
    ("cached_clock", Mutant::CachedClock),
    ("end_from_the_answer", Mutant::EndFromTheAnswer),
    ("acknowledge_before_apply", Mutant::AcknowledgeBeforeApply),
    ("poll_before_grant", Mutant::PollBeforeGrant),
    ("reap_early", Mutant::ReapEarly),
];

/// The mistake that this process makes, if it makes one.
#[cfg(feature = "mutants")]
pub(crate) fn of_this_process() -> Option<Mutant> {
    let wanted = std::env::var("PORTCULLIS_MUTANT").ok()?;
    NAMES.iter().find(|(name, _)| *name == wanted).map(|&(_, mutant)| mutant)
}

#[cfg(not(feature = "mutants"))]
pub(crate) const fn of_this_process() -> Option<Mutant> {
    None
}
