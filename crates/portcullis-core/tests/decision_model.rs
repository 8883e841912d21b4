//! `decide` against a second reading of the rules, written on plain sets of text.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portcullis_core::change::{ApiKeyState, Change};
use portcullis_core::decision::{Ask, Concerned, Presented, decide};
use portcullis_core::gate::Unruled;
use portcullis_core::permission::Action;
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::BusinessScope;
use proptest::prelude::*;

use crate::world::{
    Gauge, NAMES, Room, at, business, business_set, catalogue, digest, key_set, key_state, keyring, member, permission,
    role, role_set, user_set, words,
};

const USERS: u8 = 3;
const BUSINESSES: u8 = 4;
const KEYS: u8 = 4;
/// The four built-in roles, and two of the world's own.
const ROLES: u8 = 6;
const NOW: i64 = 1_000;

type Names = BTreeSet<&'static str>;

#[derive(Debug, Clone)]
struct World {
    disabled_users: BTreeSet<u8>,
    disabled_businesses: BTreeSet<u8>,
    custom_roles: [Names; 2],
    /// Which role a user has in a business.
    members: BTreeMap<(u8, u8), u8>,
    keys: Vec<ModelKey>,
}

#[derive(Debug, Clone)]
struct ModelKey {
    owner: u8,
    /// `None` is unrestricted.
    scope: Option<BTreeSet<u8>>,
    /// `None` inherits.
    names: Option<Names>,
    user_management: bool,
    only_from_ten: bool,
    expires_at: Option<i64>,
    revoked: bool,
}

/// A question in the model's words. Key and business may be ones that are not there.
#[derive(Debug, Clone)]
struct Question {
    key: Option<u8>,
    business: Option<u8>,
    name: Option<&'static str>,
    from_ten: Option<bool>,
    user_management: bool,
    unruled: bool,
    room: Room,
}

fn names() -> impl Strategy<Value = Names> {
    prop::collection::btree_set(prop::sample::select(&NAMES[..]), 0..=NAMES.len())
}

fn model_key() -> impl Strategy<Value = ModelKey> {
    let end = prop::option::weighted(0.3, prop::sample::select(vec![NOW - 1, NOW, NOW + 1]));
    let scope = prop::option::of(prop::collection::btree_set(0..BUSINESSES, 0..3));
    (
        0..USERS,
        scope,
        prop::option::of(names()),
        any::<bool>(),
        prop::bool::weighted(0.3),
        end,
        prop::bool::weighted(0.15),
    )
        .prop_map(|(owner, scope, names, user_management, only_from_ten, expires_at, revoked)| ModelKey {
            owner,
            scope,
            names,
            user_management,
            only_from_ten,
            expires_at,
            revoked,
        })
}

fn world() -> impl Strategy<Value = World> {
    (
        prop::collection::btree_set(0..USERS, 0..2),
        prop::collection::btree_set(0..BUSINESSES, 0..3),
        [names(), names()],
        prop::collection::btree_map((0..USERS, 0..BUSINESSES), 0..ROLES, 0..12),
        prop::collection::vec(model_key(), usize::from(KEYS)),
    )
        .prop_map(|(disabled_users, disabled_businesses, custom_roles, members, keys)| World {
            disabled_users,
            disabled_businesses,
            custom_roles,
            members,
            keys,
        })
}

fn question() -> impl Strategy<Value = Question> {
    (
        prop::option::weighted(0.95, 0..=KEYS),
        prop::option::of(0..=BUSINESSES),
        prop::option::of(prop::sample::select(&NAMES[..])),
        prop::option::weighted(0.8, any::<bool>()),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.1),
        prop_oneof![8 => Just(Room::Free), 1 => Just(Room::Full), 1 => Just(Room::Spent)],
    )
        .prop_map(|(key, business, name, from_ten, user_management, unruled, room)| Question {
            key,
            business,
            name,
            from_ten,
            user_management,
            unruled,
            room,
        })
}

impl World {
    fn role_names(&self, role: u8) -> Names {
        match role {
            0..=2 => NAMES.into(),
            3 => NAMES.into_iter().filter(|name| name.ends_with(":read")).collect(),
            other => self.custom_roles[usize::from(other) - 4].clone(),
        }
    }

    /// What a key may do in a business, or `None` where it does not reach.
    fn allowed(&self, key: &ModelKey, business: u8) -> Option<Names> {
        let role = self.members.get(&(key.owner, business))?;
        if key.scope.as_ref().is_some_and(|scope| !scope.contains(&business)) {
            return None;
        }
        let by_role = self.role_names(*role);
        Some(key.names.as_ref().map_or_else(|| by_role.clone(), |own| own.intersection(&by_role).copied().collect()))
    }

    /// The rules as the design has them: the answer, and for a valid one where and what.
    fn answer(&self, question: &Question) -> (&'static str, BTreeSet<u8>, Names) {
        let none = |word| (word, BTreeSet::new(), Names::new());
        let Some(n) = question.key else { return none("malformed") };
        let Some(key) = self.keys.get(usize::from(n)) else { return none("unknown") };
        if key.revoked {
            return none("revoked");
        }
        if key.expires_at.is_some_and(|end| NOW >= end) {
            return none("expired");
        }
        if self.disabled_users.contains(&key.owner) {
            return none("USER_DISABLED");
        }
        if key.only_from_ten && question.from_ten != Some(true) {
            return none("ip_address");
        }
        if question.room == Room::Full {
            return none("RATE_LIMITED");
        }
        if let Some(business) = question.business {
            if self.allowed(key, business).is_none() {
                return none("business");
            }
            if self.disabled_businesses.contains(&business) {
                return none("BUSINESS_DISABLED");
            }
        }
        if question.unruled {
            return none("no_rule");
        }
        let open: BTreeMap<u8, Names> = (0..BUSINESSES)
            .filter(|business| question.business.is_none_or(|named| named == *business))
            .filter(|business| !self.disabled_businesses.contains(business))
            .filter_map(|business| Some((business, self.allowed(key, business)?)))
            .filter(|(_, names)| question.name.is_none_or(|name| names.contains(name)))
            .collect();
        if question.name.is_some() && open.is_empty() {
            return none("permission");
        }
        if question.user_management && !key.user_management {
            return none("user_management");
        }
        if question.room == Room::Spent {
            return none("quota");
        }
        let everywhere = open.values().cloned().reduce(|all, names| all.intersection(&names).copied().collect());
        ("VALID", open.into_keys().collect(), everywhere.unwrap_or_default())
    }

    fn changes(&self) -> Vec<Change> {
        let mut changes: Vec<Change> = (0..USERS).map(|n| user_set(n, self.disabled_users.contains(&n))).collect();
        changes.extend((0..BUSINESSES).map(|n| business_set(n, self.disabled_businesses.contains(&n))));
        for (n, names) in (4..).zip(&self.custom_roles) {
            changes.push(role_set(n, &names.iter().copied().collect::<Vec<_>>()));
        }
        for ((user, business), role_n) in &self.members {
            let id = BuiltIn::ALL.get(usize::from(*role_n)).map_or_else(|| role(*role_n), |built_in| built_in.id());
            changes.push(member(*user, *business, id));
        }
        changes.extend((0..).zip(&self.keys).map(|(n, key)| key_set(key.state(n))));
        changes
    }
}

impl ModelKey {
    fn state(&self, n: u8) -> ApiKeyState {
        let mut state = key_state(n, self.owner);
        if let Some(scope) = &self.scope {
            state.scope = BusinessScope::Only(scope.iter().rev().map(|&n| business(n)).collect());
        }
        state.permissions = self.names.as_ref().map(|names| names.iter().map(|&name| name.to_owned()).collect());
        state.user_management = self.user_management;
        if self.only_from_ten {
            state.allowed_ips = vec!["10.0.0.0/8".parse().unwrap()];
        }
        state.expires_at = self.expires_at.map(at);
        state.revoked_at = self.revoked.then(|| at(1));
        state
    }
}

impl Question {
    fn ask(&self) -> Ask {
        let address = |from_ten: bool| -> IpAddr { if from_ten { [10, 1, 1, 1] } else { [9, 1, 1, 1] }.into() };
        Ask {
            token: self.key.map_or(Presented::Malformed, |n| Presented::WellFormed(digest(n))),
            business: self.business.map_or(Concerned::None, |n| Concerned::One(business(n))),
            permission: self.name.map(permission),
            unruled: self.unruled.then_some(Unruled::NoRule),
            address: self.from_ten.map(address),
            user_management: self.user_management,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn decide_answers_as_the_model_does(world in world(), questions in prop::collection::vec(question(), 1..12)) {
        let keyring = keyring(world.changes());
        let catalogue = catalogue();
        prop_assert_eq!(catalogue.all_of(Action::Read).iter().count(), 3);
        for question in &questions {
            let ask = question.ask();
            let decision = decide(&keyring, &ask, at(NOW), &mut Gauge::new(question.room));
            let reach = decision.reach();
            let businesses: BTreeSet<u8> = reach.businesses.iter().map(|id| id.as_bytes()[0]).collect();
            let names: Names = NAMES.into_iter().filter(|name| reach.permissions.contains(permission(name))).collect();
            prop_assert_eq!((words(&decision), businesses, names), world.answer(question), "{:?}", question);
        }
    }
}
