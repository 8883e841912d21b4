//! What can happen next, one indivisible step at a time.
//!
//! A party that is paused or dead is one that takes no step while the clocks go on; a network that is slow or cut is a pause between
//! two steps. So neither needs a step of its own, and neither has a bound.

use super::Protocol;
use super::mutant::{Mutant, Op, nudge, round};
use super::state::{Ask, At, Because, Clocks, Editor, Key, LEASE, PATIENCE, Request, Row, SLACK, State};

/// Where a round stands that grants and polls in one transaction and has polled.
const BEFORE_THE_COMMIT: u8 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Both clocks go on by a tick.
    Tick,
    /// The node's clock loses a tick because it is slow.
    TickOfTheOthers,
    /// The node's clock gains a tick because it is fast.
    TickOfTheNode,
    /// The node's clock loses a tick because its machine is frozen, which it cannot see.
    Freeze,
    Revoke,
    ReadWhomToAwait,
    StopWaiting,
    ReturnFromRevoke,
    /// The next step of the loop, or the first of a new round.
    Node,
    Nudge,
    /// A statement got no answer: the loop begins anew.
    Abandon,
    Leave,
    /// A grant commits after the node gave up on its answer. Only the reaper takes notice.
    LateGrant,
    ReaperLooks,
    ReaperDeletes,
    /// The next step of one of the verifications.
    Verify(usize),
    /// Memory makes room (only where rows are read through and kept).
    Evict,
    SetTheWallClock,
    CrashTheDatabase,
    Replay,
}

impl Protocol {
    /// `None`: that cannot happen now.
    pub(crate) fn step(&self, mut state: State, action: Action) -> Option<State> {
        match action {
            Action::Tick | Action::TickOfTheOthers | Action::TickOfTheNode | Action::Freeze => {
                self.tick(&mut state, action)
            }
            Action::Revoke | Action::ReadWhomToAwait | Action::StopWaiting | Action::ReturnFromRevoke => {
                self.edit(&mut state, action)
            }
            Action::Node | Action::Nudge | Action::Abandon | Action::Leave => self.node(&mut state, action),
            Action::LateGrant | Action::ReaperLooks | Action::ReaperDeletes => self.reap(&mut state, action),
            Action::Verify(which) => self.verify(&mut state, which),
            Action::Evict | Action::SetTheWallClock | Action::CrashTheDatabase | Action::Replay => {
                mishap(&mut state, action)
            }
        }
        .then(|| {
            // The requests are alike, so their order is nothing to tell states apart by.
            state.requests[..self.in_flight].sort_unstable();
            state
        })
    }

    fn tick(&self, state: &mut State, action: Action) -> bool {
        let clocks = &mut state.clocks;
        let allowed = match action {
            Action::TickOfTheOthers | Action::TickOfTheNode => clocks.even == Clocks::EVEN,
            Action::Freeze => clocks.frozen < SLACK + u8::from(self.is(Mutant::FreezeLongerThanTheSlack)),
            _ => true,
        };
        if !allowed {
            return false;
        }
        clocks.even = match action {
            Action::TickOfTheOthers | Action::TickOfTheNode => 0,
            _ => Clocks::EVEN.min(clocks.even + 1),
        };
        clocks.frozen += u8::from(action == Action::Freeze);
        if action != Action::TickOfTheNode {
            if let Some(Row { still: Some(ticks), .. }) = &mut state.row {
                *ticks = PATIENCE.min(*ticks + 1);
            }
            if let Editor::Waiting(ticks) = &mut state.editor {
                *ticks = PATIENCE.min(*ticks + 1);
            }
        }
        if matches!(action, Action::Tick | Action::TickOfTheNode) {
            if self.stamp_is_used(state.node.at) {
                state.node.stamp = LEASE.min(state.node.stamp + 1);
            }
            if !self.is(Mutant::CachedClock) {
                shorten(state, 1);
            }
        }
        true
    }

    /// Whether the loop's reading of the clock is still needed. Where it is not, its age tells no states apart.
    fn stamp_is_used(&self, at: At) -> bool {
        let next = if let At::Round(next) = at { usize::from(next) } else { 0 };
        let (done, ahead) = round(self.mutant).split_at(next);
        self.is(Mutant::CachedClock) || (done.contains(&Op::Stamp) && ahead.contains(&Op::Publish))
    }

    fn edit(&self, state: &mut State, action: Action) -> bool {
        state.editor = match (action, state.editor) {
            (Action::Revoke, Editor::Idle) => {
                // The log is written in order: what is durable makes all that came before it durable.
                state.unsynced = false;
                Editor::Committed
            }
            (Action::ReadWhomToAwait, Editor::Committed) => match &mut state.row {
                Some(row) if !row.applied && self.mutant.is_none_or(Mutant::edit_waits) => {
                    row.awaited = true;
                    Editor::Waiting(0)
                }
                _ => Editor::Answering(Because::NobodyIsLeft),
            },
            (Action::StopWaiting, Editor::Waiting(ticks)) => {
                let because = match &mut state.row {
                    Some(row) if row.awaited && row.applied => Because::Acknowledged,
                    Some(row) if row.awaited && ticks < PATIENCE => return false,
                    Some(row) if row.awaited => Because::LeaseEnded,
                    _ => Because::NobodyIsLeft,
                };
                if let Some(row) = &mut state.row {
                    row.awaited = false;
                }
                Editor::Answering(because)
            }
            (Action::ReturnFromRevoke, Editor::Answering(_)) => Editor::Returned,
            _ => return false,
        };
        true
    }

    fn node(&self, state: &mut State, action: Action) -> bool {
        let node = &mut state.node;
        match (action, node.at) {
            (Action::Node, At::Rest) => self.advance(state, round(self.mutant), 0, At::Round),
            (Action::Node, At::Round(next)) => self.advance(state, round(self.mutant), next, At::Round),
            (Action::Node, At::Nudge(next)) => self.advance(state, nudge(self.mutant), next, At::Nudge),
            (Action::Node, At::Leaving) => {
                state.row = None;
                node.member = false;
                node.at = At::Rest;
            }
            (Action::Nudge, At::Rest) if node.member => self.advance(state, nudge(self.mutant), 0, At::Nudge),
            (Action::Abandon, At::Round(_) | At::Nudge(_) | At::Leaving) => self.rest(state),
            (Action::Leave, At::Rest) if node.member => {
                node.left = 0;
                node.at = At::Leaving;
            }
            _ => return false,
        }
        true
    }

    fn advance(&self, state: &mut State, ops: &[Op], next: u8, at: fn(u8) -> At) {
        let goes_on = self.perform(state, ops[usize::from(next)]);
        if goes_on && usize::from(next) + 1 < ops.len() {
            state.node.at = at(next + 1);
            if !self.stamp_is_used(state.node.at) {
                state.node.stamp = 0;
            }
        } else {
            self.rest(state);
        }
    }

    fn rest(&self, state: &mut State) {
        state.node.at = At::Rest;
        state.node.fetched = false;
        if !self.stamp_is_used(At::Rest) {
            state.node.stamp = 0;
        }
    }

    /// One step of the node's loop; `false`: the round is over.
    fn perform(&self, state: &mut State, op: Op) -> bool {
        let revoked = state.revoked();
        let node = &mut state.node;
        match op {
            Op::Stamp => {
                let age = std::mem::take(&mut node.stamp);
                if self.is(Mutant::CachedClock) {
                    // For the verifications it is only now that time has passed.
                    shorten(state, age);
                }
            }
            Op::Grant => return self.grant(state),
            Op::Poll => node.fetched = if self.is(Mutant::PollTheReplica) { state.replayed } else { revoked },
            Op::Apply => {
                node.applied |= node.fetched;
                if node.fetched && node.key == Key::Alive {
                    node.key = Key::Revoked;
                }
                node.fetched = false;
            }
            Op::Publish => node.left = LEASE.saturating_sub(node.stamp),
            Op::Acknowledge => {
                if let Some(row) = &mut state.row {
                    row.applied |= node.applied || node.fetched;
                }
            }
        }
        true
    }

    fn grant(&self, state: &mut State) -> bool {
        let still = self.renewed();
        match &mut state.row {
            Some(row) => row.still = still,
            None if state.node.member => {
                state.node.left = 0;
                state.node.member = false;
                return false;
            }
            None => {
                state.row = Some(Row { applied: false, awaited: false, still });
                state.unsynced = self.is(Mutant::RowLostByAsynchronousCommit);
                state.node.member = true;
            }
        }
        true
    }

    /// How the row looks to the reaper after a grant. Where a wall clock decides, the grant itself writes when the row expires.
    fn renewed(&self) -> Option<u8> {
        self.is(Mutant::WallClockDecides).then_some(0)
    }

    /// The reaper runs on the editor's node, so they share a clock.
    fn reap(&self, state: &mut State, action: Action) -> bool {
        let open = self.is(Mutant::GrantAndPollInOneTransaction) && state.node.at == At::Round(BEFORE_THE_COMMIT);
        let patience = if self.is(Mutant::ReaperAtHalfTheLease) { PATIENCE / 2 } else { PATIENCE };
        match (action, &mut state.row) {
            (Action::LateGrant, Some(row)) if row.still != self.renewed() => row.still = self.renewed(),
            (Action::ReaperLooks, Some(row)) if row.still.is_none() => row.still = Some(0),
            // An open transaction that counts the renewals up has the row locked.
            (Action::ReaperDeletes, Some(row)) if row.still >= Some(patience) && !open => state.row = None,
            _ => return false,
        }
        true
    }

    fn verify(&self, state: &mut State, which: usize) -> bool {
        let other = state.requests[1 - which];
        let request = &mut state.requests[which];
        if which > 0 && other == *request {
            return false;
        }
        let look_up_first = self.is(Mutant::LookUpBeforeLoad);
        request.next = match request.next {
            Ask::Send => {
                request.late = state.editor == Editor::Returned;
                if look_up_first { Ask::LookUp } else { Ask::LoadEnd }
            }
            Ask::LoadEnd => {
                request.left = state.node.left;
                Ask::ReadClock
            }
            Ask::ReadClock => {
                let holds = std::mem::take(&mut request.left) > 0;
                request.valid &= holds;
                match holds {
                    true if look_up_first => Ask::AnswerFromMemory,
                    true => Ask::LookUp,
                    false => Ask::ReadThrough,
                }
            }
            Ask::LookUp if state.node.key == Key::Absent => {
                let joins = self.is(Mutant::JoinOlderRead) && other.next == Ask::Keep;
                request.valid = joins && other.valid;
                if joins { Ask::AnswerFromPrimary } else { Ask::ReadToKeep }
            }
            Ask::LookUp => {
                request.valid = state.node.key == Key::Alive;
                if look_up_first { Ask::LoadEnd } else { Ask::AnswerFromMemory }
            }
            Ask::ReadThrough => {
                request.valid = state.editor == Editor::Idle;
                Ask::AnswerFromPrimary
            }
            Ask::ReadToKeep => {
                request.valid = state.editor == Editor::Idle;
                Ask::Keep
            }
            Ask::Keep => {
                let older = request.valid && state.node.applied;
                if !older || self.is(Mutant::UncheckedFill) {
                    state.node.key = if request.valid { Key::Alive } else { Key::Revoked };
                }
                Ask::AnswerFromPrimary
            }
            Ask::AnswerFromMemory | Ask::AnswerFromPrimary => {
                *request = Request::UNSENT;
                Ask::Send
            }
        };
        true
    }
}

/// The node's clock, as verifications read it, goes on.
fn shorten(state: &mut State, ticks: u8) {
    state.node.left = state.node.left.saturating_sub(ticks);
    for request in &mut state.requests {
        request.left = request.left.saturating_sub(ticks);
    }
}

/// What only happens where the protocol or what it assumes is broken, and where rows are kept.
fn mishap(state: &mut State, action: Action) -> bool {
    match action {
        Action::Evict if state.node.key != Key::Absent => state.node.key = Key::Absent,
        Action::SetTheWallClock if let Some(row) = &mut state.row => row.still = Some(PATIENCE),
        Action::CrashTheDatabase if state.unsynced => {
            state.row = None;
            state.unsynced = false;
        }
        Action::Replay if state.revoked() => state.replayed = true,
        _ => return false,
    }
    true
}
