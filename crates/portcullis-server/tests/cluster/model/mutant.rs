//! The order of steps, and the ways to get it wrong.

/// A mistake in the protocol or an assumption that does not hold. The checker has to find what each of them lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// What only a row that is new does not survive: whoever edits between the two sees nobody to wait for.
    PollBeforeGrant,
    /// The round begins with the poll, so that even a row that was there is granted more than the poll stands for.
    PollBeforeStamp,
    /// The grant is to be seen only after the poll has looked.
    GrantAndPollInOneTransaction,
    AcknowledgeBeforeApply,
    PublishBeforeApply,
    /// The lease counts from the answer to the grant, however long that was under way.
    EndFromTheGrantsAnswer,
    EndFromThePollsAnswer,
    LookUpBeforeLoad,
    /// Verifications use the reading that the loop took at the beginning of its round.
    CachedClock,
    ReaperAtHalfTheLease,
    /// Rows have an `expires_at`, and somebody sets the database's clock.
    WallClockDecides,
    PollTheReplica,
    FreezeLongerThanTheSlack,
    /// A crash of the database takes with it a row whose commit was asynchronous.
    RowLostByAsynchronousCommit,
    /// The edit tells the nodes and does not wait for them.
    PublishWithoutWaiting,
    /// The edit tells nobody; nodes read again before what they know is older than the lease.
    TtlOnly,
    /// What was read through is put into memory although a newer change may have been applied meanwhile.
    UncheckedFill,
    /// A verification takes the result of a read that began before the verification was sent.
    JoinOlderRead,
}

impl Mutant {
    pub(crate) const ALL: [Self; 18] = [
        Self::PollBeforeGrant,
        Self::PollBeforeStamp,
        Self::GrantAndPollInOneTransaction,
        Self::AcknowledgeBeforeApply,
        Self::PublishBeforeApply,
        Self::EndFromTheGrantsAnswer,
        Self::EndFromThePollsAnswer,
        Self::LookUpBeforeLoad,
        Self::CachedClock,
        Self::ReaperAtHalfTheLease,
        Self::WallClockDecides,
        Self::PollTheReplica,
        Self::FreezeLongerThanTheSlack,
        Self::RowLostByAsynchronousCommit,
        Self::PublishWithoutWaiting,
        Self::TtlOnly,
        Self::UncheckedFill,
        Self::JoinOlderRead,
    ];

    /// Both are about rows that are read through and kept, which the protocol itself does not do.
    pub(crate) fn reads_through_and_keeps(self) -> bool {
        matches!(self, Self::UncheckedFill | Self::JoinOlderRead)
    }

    pub(crate) fn edit_waits(self) -> bool {
        !matches!(self, Self::PublishWithoutWaiting | Self::TtlOnly)
    }
}

/// One step of the node's loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Read the own clock.
    Stamp,
    /// Count the row's renewals up, or insert the row; committed.
    Grant,
    /// Read the head and the changes.
    Poll,
    Apply,
    Publish,
    Acknowledge,
}

/// The node's one loop. The order is the proof, so most mistakes are another order.
pub(crate) fn round(mutant: Option<Mutant>) -> &'static [Op] {
    use Op::{Acknowledge, Apply, Grant, Poll, Publish, Stamp};
    match mutant {
        Some(Mutant::PollBeforeGrant | Mutant::GrantAndPollInOneTransaction) => {
            &[Stamp, Poll, Grant, Apply, Publish, Acknowledge]
        }
        Some(Mutant::PollBeforeStamp) => &[Poll, Stamp, Grant, Apply, Publish, Acknowledge],
        Some(Mutant::AcknowledgeBeforeApply) => &[Stamp, Grant, Poll, Acknowledge, Apply, Publish],
        Some(Mutant::PublishBeforeApply) => &[Stamp, Grant, Poll, Publish, Apply, Acknowledge],
        Some(Mutant::EndFromTheGrantsAnswer) => &[Grant, Stamp, Poll, Apply, Publish, Acknowledge],
        Some(Mutant::EndFromThePollsAnswer) => &[Grant, Poll, Stamp, Apply, Publish, Acknowledge],
        Some(Mutant::TtlOnly) => &[Stamp, Poll, Apply, Publish],
        _ => &[Stamp, Grant, Poll, Apply, Publish, Acknowledge],
    }
}

/// What a nudge runs: the round without what makes the lease longer.
pub(crate) fn nudge(mutant: Option<Mutant>) -> &'static [Op] {
    use Op::{Acknowledge, Apply, Poll};
    match mutant {
        Some(Mutant::AcknowledgeBeforeApply) => &[Poll, Acknowledge, Apply],
        _ => &[Poll, Apply, Acknowledge],
    }
}
