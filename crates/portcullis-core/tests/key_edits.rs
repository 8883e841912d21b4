//! A key is what the last change said of it, however often it was changed, and whatever others have in common with it.

use std::collections::BTreeMap;

use ipnet::IpNet;
use portcullis_core::change::{ApiKeyState, Change};
use portcullis_core::id::FamilyId;
use portcullis_core::permission::Grant;
use portcullis_core::scope::BusinessScope;
use portcullis_core::token::Environment;
use proptest::prelude::*;

use crate::world::{
    NAMES, at, business, business_set, catalogue, digest, ends, key, key_set, key_state, keyring, list, revoked, user,
    user_set,
};

const KEYS: u8 = 6;
const OTHERS: u8 = 4;

#[derive(Debug, Clone)]
enum Edit {
    Set(Box<ApiKeyState>),
    Revoked(u8, i64),
    Ends(u8, i64),
}

fn state() -> impl Strategy<Value = ApiKeyState> {
    let scope = prop::option::of(prop::collection::btree_set(0..OTHERS, 0..4));
    let lists: Vec<Vec<IpNet>> = vec![
        vec![],
        vec!["10.0.0.0/8".parse().unwrap()],
        vec!["::1/128".parse().unwrap(), "10.0.0.0/8".parse().unwrap()],
    ];
    let held = (scope, prop::sample::select(lists), prop::option::of(prop::sample::subsequence(NAMES.to_vec(), 0..4)));
    let told = (".{0,70}", prop::option::of(".{0,300}"), prop::option::of(0..3_u8), any::<bool>(), any::<bool>());
    let whose = (0..KEYS, 0..OTHERS, 0..2_u8, prop::option::of(0..9_i64), prop::option::of(0..9_i64));
    (whose, held, told).prop_map(|(whose, held, told)| {
        let (n, owner, generation, expires_at, revoked_at) = whose;
        let (name, metadata, family, test, user_management) = told;
        let only = |businesses: std::collections::BTreeSet<u8>| businesses.into_iter().map(business).collect();
        ApiKeyState {
            digest: digest(n + 16 * generation),
            family: family.map_or(FamilyId::begun_by(key(n)), |n| FamilyId::from_bytes([200 + n; 16])),
            name,
            environment: if test { Environment::Test } else { Environment::Live },
            scope: held.0.map_or(BusinessScope::Unrestricted, |some| BusinessScope::Only(only(some))),
            permissions: held.2.map(|names| list(&names)),
            user_management,
            allowed_ips: held.1,
            metadata,
            expires_at: expires_at.map(at),
            revoked_at: revoked_at.map(at),
            ..key_state(n, owner)
        }
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => state().prop_map(|state| Edit::Set(Box::new(state))),
        1 => (0..KEYS, 0..9_i64).prop_map(|(n, when)| Edit::Revoked(n, when)),
        1 => (0..KEYS, 0..9_i64).prop_map(|(n, when)| Edit::Ends(n, when)),
    ]
}

/// The sooner of two ends, where either is one.
fn sooner<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    one.into_iter().chain(other).min()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_key_is_what_was_last_said_of_it(edits in prop::collection::vec(edit(), 0..80)) {
        let others = (0..OTHERS).flat_map(|n| [user_set(n, false), business_set(n, false)]);
        let (mut keyring, mut model) = (keyring(others), BTreeMap::<u8, ApiKeyState>::new());
        for edit in edits {
            let (change, known) = match edit {
                Edit::Set(mut state) => {
                    let n = state.id.as_bytes()[0];
                    let change = key_set((*state).clone());
                    // Revoked is for ever.
                    state.revoked_at = sooner(state.revoked_at, model.get(&n).and_then(|known| known.revoked_at));
                    model.insert(n, *state);
                    (change, true)
                }
                Edit::Revoked(n, when) => (revoked(n, when), model.get_mut(&n).map(|key| key.revoked_at = sooner(key.revoked_at, Some(at(when)))).is_some()),
                Edit::Ends(n, when) => (ends(n, when), model.get_mut(&n).map(|key| key.expires_at = sooner(key.expires_at, Some(at(when)))).is_some()),
            };
            prop_assert_eq!(keyring.apply(change).is_ok(), known);
            prop_assert_eq!(keyring.len(), model.len());
        }
        let catalogue = catalogue();
        for n in 0..KEYS {
            prop_assert_eq!(keyring.is_live(key(n)), model.get(&n).is_some_and(|state| state.revoked_at.is_none()));
            for generation in 0..2 {
                let digest = digest(n + 16 * generation);
                let wanted = model.get(&n).filter(|state| state.digest.matches(&digest));
                let found = keyring.find(&digest);
                prop_assert_eq!(found.is_some(), wanted.is_some());
                let (Some(found), Some(wanted)) = (found, wanted) else { continue };
                prop_assert_eq!((found.id(), found.family(), found.user()), (wanted.id, wanted.family, wanted.user));
                prop_assert_eq!((found.name(), found.metadata()), (wanted.name.as_str(), wanted.metadata.as_deref()));
                prop_assert_eq!((found.expires_at(), found.revoked_at()), (wanted.expires_at, wanted.revoked_at));
                prop_assert_eq!(found.allow_list().unwrap_or_default(), wanted.allowed_ips.as_slice());
                let scope = found.scope().map_or(BusinessScope::Unrestricted, |mut ids| {
                    ids.sort_unstable();
                    BusinessScope::Only(ids)
                });
                prop_assert_eq!(&scope, &wanted.scope);
                let grant = wanted.permissions.as_ref().map_or(Grant::Inherit, |names| Grant::List(catalogue.set(names)));
                prop_assert_eq!(found.grant(), grant);
                prop_assert_eq!((found.environment(), found.user_management()), (wanted.environment, wanted.user_management));
            }
        }
        let mut known: Vec<_> = keyring.revoked().collect();
        known.sort_unstable();
        let mut wanted: Vec<_> = model.values().filter(|key| key.revoked_at.is_some()).map(|key| (key.user, key.id)).collect();
        wanted.sort_unstable();
        prop_assert_eq!(known, wanted);
    }
}

#[test]
fn a_limit_that_is_taken_back_leaves_the_others_alone() {
    use portcullis_core::limits::{Limits, Quotas, Subject};
    let limits = |n: u32| Limits { quotas: Quotas { per_day: Some(n), per_month: None }, ..Limits::default() };
    let mut keyring = keyring([]);
    for n in 0..100 {
        keyring.apply(crate::world::limits_set(Subject::User(user(n)), &limits(u32::from(n)))).unwrap();
    }
    for n in (0..100).step_by(2) {
        keyring.apply(crate::world::limits_set(Subject::User(user(n)), &Limits::default())).unwrap();
    }
    for n in 0..100 {
        let wanted = (n % 2 == 1).then(|| limits(u32::from(n)));
        assert_eq!(keyring.limits(Subject::User(user(n))), wanted.as_ref());
        assert_eq!(keyring.limits(Subject::Business(business(n))), None, "the same number is another subject");
    }
}

#[test]
fn a_change_about_a_key_that_is_not_here_changes_nothing() {
    let mut keyring = keyring([user_set(1, false)]);
    let stray = |state: ApiKeyState| Change::ApiKeySet(Box::new(state));
    assert!(keyring.apply(stray(key_state(1, 2))).is_err(), "no such owner");
    let nowhere = BusinessScope::Only(vec![business(9)]);
    assert!(keyring.apply(stray(ApiKeyState { scope: nowhere, imported: true, ..key_state(1, 1) })).is_err());
    assert!(keyring.is_empty() && !keyring.has_imported() && keyring.find(&digest(1)).is_none());
}
