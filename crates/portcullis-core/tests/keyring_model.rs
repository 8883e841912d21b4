//! Any way to a state is as good as any other: following the log, applying twice, or loading a snapshot.

use std::collections::BTreeMap;

use portcullis_core::change::Change;
use portcullis_core::decision::{Ask, Concerned, Unmetered, decide};
use portcullis_core::id::RoleId;
use portcullis_core::keyring::Keyring;
use portcullis_core::limits::{Limits, Quotas, Subject};
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::BusinessScope;
use proptest::prelude::*;

use crate::world::{
    NAMES, ask, at, business, business_set, digest, key_set, key_state, keyring, limits_set, member, member_removed,
    permission, revoked, role, role_set, user, user_set, words,
};

const N: u8 = 4;

/// One edit, in the words of the model.
#[derive(Debug, Clone)]
enum Edit {
    User(u8, bool),
    Business(u8, bool),
    Role(u8, Vec<&'static str>),
    Member(u8, u8, u8),
    MemberRemoved(u8, u8),
    Key {
        n: u8,
        owner: u8,
        only: Option<Vec<u8>>,
        names: Option<Vec<&'static str>>,
        generation: u8,
    },
    Revoked(u8),
    /// What is set for user `n`; nothing, where it is taken back.
    Limits(u8, Option<u32>),
}

fn edit() -> impl Strategy<Value = Edit> {
    let names = || prop::collection::vec(prop::sample::select(&NAMES[..]), 0..4);
    prop_oneof![
        (0..N, any::<bool>()).prop_map(|(n, disabled)| Edit::User(n, disabled)),
        (0..N, any::<bool>()).prop_map(|(n, disabled)| Edit::Business(n, disabled)),
        (0..N, names()).prop_map(|(n, names)| Edit::Role(n, names)),
        (0..N, 0..N, 0..N + 4).prop_map(|(user, business, role)| Edit::Member(user, business, role)),
        (0..N, 0..N).prop_map(|(user, business)| Edit::MemberRemoved(user, business)),
        (0..N, 0..N, prop::option::of(prop::collection::vec(0..N, 0..3)), prop::option::of(names()), 0..2u8)
            .prop_map(|(n, owner, only, names, generation)| Edit::Key { n, owner, only, names, generation }),
        (0..N).prop_map(Edit::Revoked),
        (0..N, prop::option::of(1..4_u32)).prop_map(|(n, limit)| Edit::Limits(n, limit)),
    ]
}

fn role_id(n: u8) -> RoleId {
    BuiltIn::ALL.get(usize::from(n)).map_or_else(|| role(n - 4), |built_in| built_in.id())
}

impl Edit {
    fn change(&self) -> Change {
        match self {
            Self::User(n, disabled) => user_set(*n, *disabled),
            Self::Business(n, disabled) => business_set(*n, *disabled),
            Self::Role(n, names) => role_set(*n, names),
            Self::Member(user, business, role) => member(*user, *business, role_id(*role)),
            Self::MemberRemoved(user, business) => member_removed(*user, *business),
            Self::Revoked(n) => revoked(*n, 5),
            Self::Limits(n, limit) => {
                let quotas = Quotas { per_day: *limit, per_month: None };
                limits_set(Subject::User(user(*n)), &Limits { quotas, ..Limits::default() })
            }
            Self::Key { n, owner, only, names, generation } => {
                let mut state = key_state(*n, *owner);
                // A key whose digest is made anew, as when the pepper is wrapped, is still one key.
                state.digest = digest(*n + 16 * generation);
                if let Some(only) = only {
                    state.scope = BusinessScope::Only(only.iter().map(|&n| business(n)).collect());
                }
                state.permissions = names.as_ref().map(|names| names.iter().map(|&name| name.to_owned()).collect());
                key_set(state)
            }
        }
    }
}

/// The tables of a database that saw the same edits: the last state of every row, in the order in which a snapshot reads them.
#[derive(Default)]
struct Tables {
    users: BTreeMap<u8, Edit>,
    businesses: BTreeMap<u8, Edit>,
    roles: BTreeMap<u8, Edit>,
    members: BTreeMap<(u8, u8), Edit>,
    keys: BTreeMap<u8, Edit>,
    revoked: BTreeMap<u8, Edit>,
    limits: BTreeMap<u8, Edit>,
}

impl Tables {
    /// Takes an edit, if all that it speaks of is there.
    fn take(&mut self, edit: &Edit) -> bool {
        match edit {
            Edit::User(n, _) => _ = self.users.insert(*n, edit.clone()),
            Edit::Limits(n, _) => _ = self.limits.insert(*n, edit.clone()),
            Edit::Business(n, _) => _ = self.businesses.insert(*n, edit.clone()),
            Edit::Role(n, _) => _ = self.roles.insert(*n, edit.clone()),
            Edit::Member(user, business, role) => {
                let there = *role < 4 || self.roles.contains_key(&(role - 4));
                if !there || !self.users.contains_key(user) || !self.businesses.contains_key(business) {
                    return false;
                }
                self.members.insert((*user, *business), edit.clone());
            }
            Edit::MemberRemoved(user, business) => {
                if !self.users.contains_key(user) || !self.businesses.contains_key(business) {
                    return false;
                }
                self.members.remove(&(*user, *business));
            }
            Edit::Key { n, owner, only, .. } => {
                let reached = only.as_ref().is_none_or(|only| only.iter().all(|n| self.businesses.contains_key(n)));
                if !reached || !self.users.contains_key(owner) {
                    return false;
                }
                self.keys.insert(*n, edit.clone());
            }
            Edit::Revoked(n) => {
                if !self.keys.contains_key(n) {
                    return false;
                }
                self.revoked.insert(*n, edit.clone());
            }
        }
        true
    }

    fn snapshot(&self) -> Keyring {
        let rows = self.users.values().chain(self.businesses.values()).chain(self.roles.values());
        let rows = rows.chain(self.members.values()).chain(self.keys.values()).chain(self.revoked.values());
        let rows = rows.chain(self.limits.values());
        keyring(rows.map(Edit::change))
    }
}

/// What a keyring says to every question there is in so small a world.
fn answers(keyring: &Keyring) -> Vec<String> {
    let limits = |n| format!("{:?}", keyring.limits(Subject::User(user(n))));
    let mut answers: Vec<String> = (0..N).map(limits).collect();
    for n in (0..N).chain(16..16 + N) {
        for business in (0..=N).map(|n| if n == N { Concerned::None } else { Concerned::One(business(n)) }) {
            for name in [None, Some("calls:write"), Some("analytics:read")] {
                let wanted = Ask { business, permission: name.map(permission), ..ask(n) };
                let decision = decide(keyring, &wanted, at(10), &mut Unmetered);
                let mut reach = decision.reach();
                reach.businesses.sort();
                let user = decision.key.map(|key| key.user());
                answers.push(format!("{} {user:?} {reach:?}", words(&decision)));
            }
        }
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn following_the_log_ends_where_a_snapshot_begins(edits in prop::collection::vec(edit(), 0..60)) {
        let (mut tables, mut followed, mut twice) = (Tables::default(), keyring([]), keyring([]));
        for edit in &edits {
            let before = answers(&followed);
            let row = edit.change().to_row().unwrap();
            let change = Change::from_row(&row.kind, &row.payload).unwrap();
            if tables.take(edit) {
                followed.apply(change.clone()).unwrap();
                twice.apply(change.clone()).unwrap();
                twice.apply(change).unwrap();
            } else {
                prop_assert!(followed.apply(change).is_err(), "{:?} speaks of what is not there", edit);
                prop_assert_eq!(answers(&followed), before, "a change that does not fit changes nothing");
            }
        }
        let expected = answers(&tables.snapshot());
        prop_assert_eq!(&answers(&followed), &expected);
        prop_assert_eq!(&answers(&twice), &expected);
    }
}
