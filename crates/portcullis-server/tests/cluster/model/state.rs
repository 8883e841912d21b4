//! Everything the checker tells apart.
//!
//! No instant is absolute: ages and what is left of a lease are counted from now and stop counting where nothing depends on them any
//! more. That makes the space finite without a bound on time or on renewals.

/// The lease by the node's own clock, `L` x (1 - rho), in ticks.
pub(crate) const TERM: u8 = 3;
/// The lease by a waiter's own clock, `L` x (1 + rho), in ticks.
pub(crate) const PATIENCE: u8 = 4;
/// For how long the node may be frozen without seeing it.
pub(crate) const SLACK: u8 = 1;
/// What a node has of a lease that is granted and published in no time.
pub(crate) const LEASE: u8 = TERM - SLACK;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) clocks: Clocks,
    /// The node's row of the table of leases.
    pub(crate) row: Option<Row>,
    /// The row would not outlive a crash of the database (only where commits are asynchronous).
    pub(crate) unsynced: bool,
    /// The replica has the revocation as well (only where polls go there).
    pub(crate) replayed: bool,
    pub(crate) editor: Editor,
    pub(crate) node: Node,
    pub(crate) requests: [Request; 2],
}

impl State {
    /// What the primary says.
    pub(crate) fn revoked(&self) -> bool {
        self.editor != Editor::Idle
    }

    pub(crate) fn any_request(&self, is: impl Fn(&Request) -> bool) -> bool {
        self.requests.iter().any(is)
    }
}

/// How the node's clock and everybody else's have gone lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Clocks {
    /// Ticks since one of them last went ahead of the other. Their rates differ by so little that it happens at most once in
    /// `PATIENCE` ticks.
    pub(crate) even: u8,
    /// Ticks that the node lost because its machine was frozen unseen.
    pub(crate) frozen: u8,
}

impl Clocks {
    pub(crate) const EVEN: u8 = PATIENCE - 1;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    /// The node acknowledged the revocation.
    pub(crate) applied: bool,
    /// The editor found this row, not acknowledged, when it read whom to wait for.
    pub(crate) awaited: bool,
    /// For how long the reaper has known these renewals; `None`: they moved since it looked.
    pub(crate) still: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Editor {
    Idle,
    /// The revocation is committed.
    Committed,
    /// It has read whom to wait for, this long ago.
    Waiting(u8),
    /// The answer is under way to whoever asked for the edit.
    Answering(Because),
    Returned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Because {
    Acknowledged,
    NobodyIsLeft,
    LeaseEnded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) at: At,
    /// It believes to have a row.
    pub(crate) member: bool,
    /// How long ago the round read the clock.
    pub(crate) stamp: u8,
    /// The poll brought the revocation.
    pub(crate) fetched: bool,
    /// The revocation was applied.
    pub(crate) applied: bool,
    pub(crate) key: Key,
    /// What is left of the lease; zero: it is over, or there is none.
    pub(crate) left: u8,
}

/// Where the node is in its loop: the number of the step that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Rest,
    Round(u8),
    Nudge(u8),
    /// Its lease is dropped and the row is not deleted yet.
    Leaving,
}

/// The key in the node's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// Only where rows are read through and kept.
    Absent,
    Alive,
    Revoked,
}

/// One verification at the node, from being sent to being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub(crate) next: Ask,
    /// It was sent after the revocation had returned.
    pub(crate) late: bool,
    /// What is left of the lease whose end it loaded.
    pub(crate) left: u8,
    /// What it found: the key may be used.
    pub(crate) valid: bool,
}

impl Request {
    pub(crate) const UNSENT: Self = Self { next: Ask::Send, late: false, left: 0, valid: false };

    pub(crate) fn accepted(self) -> bool {
        self.valid && matches!(self.next, Ask::AnswerFromMemory | Ask::AnswerFromPrimary)
    }
}

/// The step of a verification that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ask {
    Send,
    LoadEnd,
    ReadClock,
    LookUp,
    /// There is no lease: ask the primary and keep nothing.
    ReadThrough,
    /// There is a lease and the key is not in memory: ask the primary and keep the answer.
    ReadToKeep,
    Keep,
    AnswerFromMemory,
    AnswerFromPrimary,
}
