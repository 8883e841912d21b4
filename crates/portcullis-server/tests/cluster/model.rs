//! The lease protocol as a state machine, and every state that it can be in.
//!
//! One key that is revoked once, one node that joins, renews, is nudged, is reaped, leaves and comes back, and as many verifications at
//! it as one likes, two at a time. Time, renewals and rounds have no bound. What is assumed has one: the clocks' rates differ by no more
//! than a tick in a lease, and a machine is frozen unseen for no more than the slack.

mod mutant;
mod state;
mod steps;

use stateright::{Checker, Model, Path, Property};

use mutant::{Mutant, nudge, round};
use state::{Ask, At, Because, Clocks, Editor, Key, Node, Request, State};
use steps::Action;

const PROMISE: &str = "what is sent after the revocation returned is not accepted";

#[derive(Debug, Clone, Copy)]
struct Protocol {
    mutant: Option<Mutant>,
    /// Keys that are not in memory are read through and kept. The protocol does not do that, but two of the mistakes are about it. The
    /// clocks are even then, since how they drift is the other model's question and the two multiply.
    keeps: bool,
    /// How many verifications there can be at a time, at most two.
    in_flight: usize,
    /// Asks what is reached and not whether the promise is kept; both at once would take twice as long.
    explored: bool,
}

impl Protocol {
    const RIGHT: Self = Self { mutant: None, keeps: false, in_flight: 2, explored: false };
    const KEEPING: Self = Self { keeps: true, ..Self::RIGHT };

    /// What goes wrong with one verification also goes wrong with two, which takes longer to find.
    fn wrong(mutant: Mutant) -> Self {
        let right = if mutant.reads_through_and_keeps() { Self::KEEPING } else { Self { in_flight: 1, ..Self::RIGHT } };
        Self { mutant: Some(mutant), ..right }
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// A way through the states, in words.
    fn told(&self, path: Path<State, Action>) -> String {
        let told = |(state, action): (State, Option<Action>)| match (action?, state.node.at) {
            (Action::Node, At::Rest) => Some(format!("{:?}", round(self.mutant)[0])),
            (Action::Node, At::Round(next)) => Some(format!("{:?}", round(self.mutant)[usize::from(next)])),
            (Action::Node, At::Nudge(next)) => Some(format!("{:?}", nudge(self.mutant)[usize::from(next)])),
            (Action::Verify(which), _) => Some(format!("{:?}", state.requests[which].next)),
            (action, _) => Some(format!("{action:?}")),
        };
        path.into_vec().into_iter().filter_map(told).collect::<Vec<_>>().join(", ")
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let key = if self.keeps { Key::Absent } else { Key::Alive };
        vec![State {
            clocks: Clocks { even: Clocks::EVEN, frozen: 0 },
            row: None,
            unsynced: false,
            replayed: false,
            editor: Editor::Idle,
            node: Node { at: At::Rest, member: false, stamp: 0, fetched: false, applied: false, key, left: 0 },
            requests: [Request::UNSENT; 2],
        }]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        actions.extend([Action::Revoke, Action::ReadWhomToAwait, Action::StopWaiting, Action::ReturnFromRevoke]);
        actions.extend([Action::Node, Action::Nudge, Action::Abandon, Action::Leave]);
        actions.extend([Action::LateGrant, Action::ReaperLooks, Action::ReaperDeletes]);
        actions.extend((0..self.in_flight).map(Action::Verify));
        actions.push(Action::Tick);
        if self.keeps {
            actions.push(Action::Evict);
        } else {
            actions.extend([Action::TickOfTheOthers, Action::TickOfTheNode, Action::Freeze]);
        }
        match self.mutant {
            Some(Mutant::WallClockDecides) => actions.push(Action::SetTheWallClock),
            Some(Mutant::RowLostByAsynchronousCommit) => actions.push(Action::CrashTheDatabase),
            Some(Mutant::PollTheReplica) => actions.push(Action::Replay),
            _ => {}
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.step(*state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        if self.explored {
            return explored();
        }
        vec![Property::always(PROMISE, |_, state: &State| !state.any_request(|one| one.late && one.accepted()))]
    }
}

/// What shows that the states in which the promise could be broken are reached.
fn explored() -> Vec<Property<Protocol>> {
    vec![
        Property::sometimes("a revocation returns because the node acknowledged it", |_, state: &State| {
            state.editor == Editor::Answering(Because::Acknowledged)
        }),
        Property::sometimes("a revocation returns because the lease ended", |_, state: &State| {
            state.editor == Editor::Answering(Because::LeaseEnded)
        }),
        Property::sometimes("a revocation returns because nobody is left", |_, state: &State| {
            state.editor == Editor::Answering(Because::NobodyIsLeft)
        }),
        Property::sometimes("a node is reaped and does not know it yet", |_, state: &State| {
            state.node.member && state.row.is_none()
        }),
        Property::sometimes("a request is accepted from memory", |_, state: &State| {
            state.any_request(|one| one.accepted() && one.next == Ask::AnswerFromMemory)
        }),
        Property::sometimes("a request is accepted by the primary", |_, state: &State| {
            state.any_request(|one| one.accepted() && one.next == Ask::AnswerFromPrimary)
        }),
        Property::sometimes("a late request is refused from memory", |_, state: &State| {
            state.any_request(|one| one.late && !one.accepted() && one.next == Ask::AnswerFromMemory)
        }),
        Property::sometimes("a late request finds that the lease is over", |_, state: &State| {
            state.any_request(|one| one.late && one.next == Ask::ReadThrough)
        }),
    ]
}

/// Every state.
fn check(protocol: Protocol, name: &str) {
    let checker = protocol.checker().threads(2).spawn_bfs().join();
    println!("{name}: {} states, {} steps between them", checker.unique_state_count(), checker.state_count());
    if let Some(path) = checker.discovery(PROMISE) {
        panic!("{name} breaks its promise: {}", protocol.told(path));
    }
    assert!(checker.is_done(), "states are left that were not looked at");
}

#[test]
fn the_protocol_keeps_its_promise() {
    check(Protocol::RIGHT, "the protocol");
}

#[test]
fn reading_through_and_keeping_can_be_done_right() {
    check(Protocol::KEEPING, "the protocol with rows that are read through and kept");
}

#[test]
fn what_could_break_the_promise_is_reached() {
    Protocol { explored: true, ..Protocol::RIGHT }.checker().spawn_bfs().join().assert_properties();
    Protocol { explored: true, ..Protocol::KEEPING }.checker().spawn_bfs().join().assert_properties();
}

#[test]
fn every_mistake_is_found() {
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        // One thread, so that what is found is a shortest way to it.
        let checker = Protocol::wrong(mutant).checker().spawn_bfs().join();
        match checker.discovery(PROMISE) {
            Some(path) => {
                let way = checker.model().told(path);
                println!("{mutant:?}, found among {} states: {way}", checker.unique_state_count());
            }
            None => missed.push(mutant),
        }
    }
    assert!(missed.is_empty(), "no state breaks the promise in spite of {missed:?}");
}
