//! The nine rules, one after the other.

use std::net::IpAddr;

use portcullis_core::decision::{Ask, Concerned, Presented, Unmetered, decide};
use portcullis_core::gate::Unruled;
use portcullis_core::id::FamilyId;
use portcullis_core::keyring::{Keyring, TOMBSTONE_DAYS};
use portcullis_core::limits::{Limits, Rate, Subject};
use portcullis_core::path::Ambiguous;
use portcullis_core::permission::{Grant, PermissionSet};
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::BusinessScope;
use portcullis_core::time::Timestamp;

use crate::world::{
    Gauge, Room, answer, answer_and_charges, ask, at, business, business_set, catalogue, digest, ends, key_set,
    key_state, keyring, limits_set, list, member, member_removed, permission, revoked, role, role_set, small, user,
    user_set, words,
};

const NOW: Timestamp = at(1_000);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn change(keyring: &mut Keyring, changes: impl IntoIterator<Item = portcullis_core::change::Change>) {
    for change in changes {
        keyring.apply(change).unwrap();
    }
}

/// A state in which every rule fails, healed from the first rule to the last: each answer is that of the first rule that fails.
#[test]
fn the_first_rule_that_fails_is_the_answer() {
    let viewer = BuiltIn::Viewer.id();
    let mut world = keyring([user_set(1, true), business_set(1, true), business_set(2, true)]);
    let mut key = key_state(1, 1);
    key.allowed_ips = vec!["10.0.0.0/8".parse().unwrap()];
    key.scope = BusinessScope::Only(vec![business(2)]);
    key.permissions = Some(list(&["leads:read"]));
    let wanted = Ask {
        token: Presented::Malformed,
        business: Concerned::One(business(1)),
        permission: Some(permission("calls:write")),
        unruled: Some(Unruled::NoRule),
        address: Some(address("11.0.0.1")),
        user_management: true,
    };
    let told = |world: &Keyring, ask: &Ask, room| answer_and_charges(world, ask, NOW, room);
    assert_eq!(told(&world, &wanted, Room::Full), ("malformed", 0));
    let wanted = Ask { token: Presented::WellFormed(digest(1)), ..wanted };
    assert_eq!(told(&world, &wanted, Room::Full), ("unknown", 0));
    let mut ended = key.clone();
    (ended.revoked_at, ended.expires_at) = (Some(at(500)), Some(at(600)));
    let ended = keyring([user_set(1, true), business_set(2, true), key_set(ended)]);
    assert_eq!(told(&ended, &wanted, Room::Full), ("revoked", 0));
    key.expires_at = Some(NOW);
    change(&mut world, [key_set(key.clone())]);
    assert_eq!(told(&world, &wanted, Room::Full), ("expired", 0));
    key.expires_at = Some(at(1_001));
    change(&mut world, [key_set(key.clone())]);
    assert_eq!(told(&world, &wanted, Room::Full), ("USER_DISABLED", 0));
    change(&mut world, [user_set(1, false)]);
    assert_eq!(told(&world, &wanted, Room::Full), ("ip_address", 0));
    let wanted = Ask { address: Some(address("10.0.0.1")), ..wanted };
    assert_eq!(told(&world, &wanted, Room::Full), ("RATE_LIMITED", 1));
    assert_eq!(told(&world, &wanted, Room::Free), ("business", 1), "no member");
    change(&mut world, [member(1, 1, viewer), member(1, 2, viewer)]);
    assert_eq!(told(&world, &wanted, Room::Free), ("business", 1), "out of scope");
    key.scope = BusinessScope::Only(vec![business(2), business(1)]);
    change(&mut world, [key_set(key.clone())]);
    assert_eq!(told(&world, &wanted, Room::Free), ("BUSINESS_DISABLED", 1));
    change(&mut world, [business_set(1, false)]);
    assert_eq!(told(&world, &wanted, Room::Free), ("no_rule", 1));
    let wanted = Ask { unruled: Some(Unruled::Path(Ambiguous::DotSegment)), ..wanted };
    assert_eq!(told(&world, &wanted, Room::Free), ("path", 1));
    let wanted = Ask { unruled: None, ..wanted };
    assert_eq!(told(&world, &wanted, Room::Free), ("permission", 1), "neither key nor role");
    key.permissions = Some(list(&["calls:write"]));
    change(&mut world, [key_set(key.clone())]);
    assert_eq!(told(&world, &wanted, Room::Free), ("permission", 1), "the key, but not the role");
    change(&mut world, [member(1, 1, BuiltIn::Member.id())]);
    assert_eq!(told(&world, &wanted, Room::Free), ("user_management", 1));
    key.user_management = true;
    change(&mut world, [key_set(key)]);
    assert_eq!(told(&world, &wanted, Room::Spent), ("quota", 1));
    assert_eq!(told(&world, &wanted, Room::Free), ("VALID", 1));
}

#[test]
fn at_the_instant_of_its_expiry_a_key_is_expired() {
    let mut key = key_state(1, 1);
    key.expires_at = Some(NOW);
    let world = keyring([user_set(1, false), key_set(key)]);
    assert_eq!(answer(&world, &ask(1), at(999)), "VALID");
    assert_eq!(answer(&world, &ask(1), NOW), "expired");
}

#[test]
fn an_end_that_is_set_later_never_moves_an_earlier_one_back() {
    let mut world = small();
    change(&mut world, [ends(1, 1_001)]);
    assert_eq!(answer(&world, &ask(1), NOW), "VALID");
    change(&mut world, [ends(1, 1_000), ends(1, 2_000)]);
    assert_eq!(answer(&world, &ask(1), NOW), "expired");
}

#[test]
fn write_does_not_include_read() {
    let mut key = key_state(1, 1);
    key.permissions = Some(list(&["calls:write"]));
    let mut world = small();
    change(&mut world, [key_set(key)]);
    let may = |name| answer(&world, &Ask { permission: Some(permission(name)), ..ask(1) }, NOW);
    assert_eq!(may("calls:write"), "VALID");
    assert_eq!(may("calls:read"), "permission");
}

#[test]
fn an_empty_restricted_list_reaches_nothing() {
    let mut key = key_state(1, 1);
    key.scope = BusinessScope::Only(Vec::new());
    let mut world = small();
    change(&mut world, [key_set(key)]);
    let named = Ask { business: Concerned::One(business(1)), ..ask(1) };
    assert_eq!(answer(&world, &named, NOW), "business");
    let somewhere = Ask { permission: Some(permission("calls:read")), ..ask(1) };
    assert_eq!(answer(&world, &somewhere, NOW), "permission");
    let decision = decide(&world, &ask(1), NOW, &mut Unmetered);
    assert!(decision.reach().businesses.is_empty() && !decision.reach().everywhere);
    assert_eq!(decision.reach().permissions, PermissionSet::EMPTY);
}

#[test]
fn a_business_that_does_not_exist_is_one_out_of_reach() {
    let world = small();
    for business in [Concerned::Nonexistent, Concerned::One(business(9))] {
        assert_eq!(answer(&world, &Ask { business, ..ask(1) }, NOW), "business");
    }
}

#[test]
fn what_is_taken_away_is_gone_with_the_next_decision_and_what_is_given_back_is_there() {
    let mut world = small();
    let wanted = Ask { business: Concerned::One(business(1)), permission: Some(permission("calls:write")), ..ask(1) };
    let (owner, viewer) = (BuiltIn::Owner.id(), BuiltIn::Viewer.id());
    for (taken, answered, given) in [
        (user_set(1, true), "USER_DISABLED", user_set(1, false)),
        (business_set(1, true), "BUSINESS_DISABLED", business_set(1, false)),
        (member(1, 1, viewer), "permission", member(1, 1, owner)),
        (member_removed(1, 1), "business", member(1, 1, owner)),
    ] {
        assert_eq!(answer(&world, &wanted, NOW), "VALID");
        change(&mut world, [taken]);
        assert_eq!(answer(&world, &wanted, NOW), answered);
        change(&mut world, [given]);
    }
    assert_eq!(answer(&world, &wanted, NOW), "VALID");
}

#[test]
fn a_custom_role_that_is_narrowed_narrows_the_keys_of_its_members() {
    let mut world = small();
    change(&mut world, [role_set(7, &["calls:read", "calls:write"]), member(1, 1, role(7))]);
    let wanted = Ask { business: Concerned::One(business(1)), permission: Some(permission("calls:write")), ..ask(1) };
    assert_eq!(answer(&world, &wanted, NOW), "VALID");
    change(&mut world, [role_set(7, &["calls:read"])]);
    assert_eq!(answer(&world, &wanted, NOW), "permission");
}

#[test]
fn where_no_business_is_named_those_that_grant_the_permission_are_listed() {
    let mut world = small();
    change(&mut world, [business_set(3, true), member(1, 3, BuiltIn::Owner.id()), member(1, 2, BuiltIn::Viewer.id())]);
    let reach = |wanted: &Ask| decide(&world, wanted, NOW, &mut Unmetered).reach();
    let write = reach(&Ask { permission: Some(permission("calls:write")), ..ask(1) });
    assert_eq!((write.businesses, write.everywhere), (vec![business(1)], false));
    let read = reach(&Ask { permission: Some(permission("calls:read")), ..ask(1) });
    assert_eq!((read.businesses, read.everywhere), (vec![business(1), business(2)], false), "one is disabled");
    assert_eq!(read.permissions, BuiltIn::Viewer.permissions(&catalogue()), "what holds in both");
    change(&mut world, [business_set(3, false)]);
    let all = decide(&world, &ask(1), NOW, &mut Unmetered).reach();
    assert!(all.everywhere && all.businesses.len() == 3);
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_is_the_same_address() {
    let mut key = key_state(1, 1);
    key.allowed_ips = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let world = keyring([user_set(1, false), key_set(key)]);
    let from = |address| answer(&world, &Ask { address, ..ask(1) }, NOW);
    for good in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"] {
        assert_eq!(from(Some(address(good))), "VALID", "{good}");
    }
    for bad in ["11.1.2.3", "::ffff:11.1.2.3", "::a01:203", "2001:db9::1"] {
        assert_eq!(from(Some(address(bad))), "ip_address", "{bad}");
    }
    assert_eq!(from(None), "ip_address", "an address that nobody told is no allowed one");
}

#[test]
fn the_limits_are_charged_once_for_a_live_key_and_never_for_another() {
    let mut world = small();
    let denied_later = Ask { business: Concerned::Nonexistent, ..ask(1) };
    assert_eq!(answer_and_charges(&world, &denied_later, NOW, Room::Free), ("business", 1));
    assert_eq!(answer_and_charges(&world, &ask(2), NOW, Room::Free), ("unknown", 0));
    change(&mut world, [revoked(1, 900)]);
    assert_eq!(answer_and_charges(&world, &ask(1), NOW, Room::Free), ("revoked", 0));
}

#[test]
fn a_quota_is_charged_only_where_all_the_rest_passes() {
    let world = small();
    let spent = |ask: &Ask, room| {
        let mut gauge = Gauge::new(room);
        let answer = words(&decide(&world, ask, NOW, &mut gauge));
        (answer, gauge.spent)
    };
    assert_eq!(spent(&ask(1), Room::Free), ("VALID", 1));
    assert_eq!(spent(&ask(1), Room::Spent), ("quota", 1));
    assert_eq!(spent(&ask(1), Room::Full), ("RATE_LIMITED", 0));
    assert_eq!(spent(&Ask { business: Concerned::Nonexistent, ..ask(1) }, Room::Spent), ("business", 0));
    assert_eq!(spent(&Ask { user_management: true, ..ask(1) }, Room::Spent), ("user_management", 0));
}

#[test]
fn the_business_that_a_request_concerns_is_named_and_reached_or_the_keys_only_one() {
    let mut world = small();
    let mut only = key_state(2, 1);
    only.scope = BusinessScope::Only(vec![business(2)]);
    let mut two = key_state(3, 1);
    two.scope = BusinessScope::Only(vec![business(1), business(2)]);
    let mut elsewhere = key_state(4, 1);
    elsewhere.scope = BusinessScope::Only(vec![business(3)]);
    change(&mut world, [business_set(3, false), key_set(only), key_set(two), key_set(elsewhere)]);
    let concerned = |key, named| {
        let mut gauge = Gauge::new(Room::Full);
        let decision = decide(&world, &Ask { business: named, ..ask(key) }, NOW, &mut gauge);
        assert_eq!(gauge.concerned, [decision.concerned]);
        decision.concerned
    };
    assert_eq!(concerned(1, Concerned::One(business(1))), Some(business(1)));
    assert_eq!(concerned(1, Concerned::One(business(3))), None, "nobody drains what they do not reach");
    assert_eq!(concerned(1, Concerned::Nonexistent), None);
    assert_eq!(concerned(1, Concerned::None), None, "an unrestricted key that names none");
    assert_eq!(concerned(2, Concerned::None), Some(business(2)));
    assert_eq!(concerned(2, Concerned::One(business(1))), None, "out of scope");
    assert_eq!(concerned(3, Concerned::None), None);
    assert_eq!(concerned(4, Concerned::None), None, "its owner is no member");
}

#[test]
fn limits_that_are_set_are_found_and_those_that_are_taken_back_are_not() {
    let mut world = small();
    let (user, family) = (Subject::User(user(1)), Subject::Family(FamilyId::from_bytes([1; 16])));
    assert_eq!(world.limits(user), None);
    let rate = Limits { rate: Some(Rate { per_minute: 5, per_second: 1 }), ..Limits::default() };
    change(&mut world, [limits_set(family, &rate)]);
    assert_eq!((world.limits(family), world.limits(user)), (Some(&rate), None));
    change(&mut world, [limits_set(family, &Limits::default())]);
    assert_eq!(world.limits(family), None);
}

#[test]
fn revoked_is_for_ever() {
    let mut world = small();
    change(&mut world, [revoked(1, 900)]);
    change(&mut world, [key_set(key_state(1, 1))]);
    assert_eq!(answer(&world, &ask(1), NOW), "revoked");
}

#[test]
fn after_ninety_days_a_key_that_ended_is_unknown() {
    let mut expiring = key_state(2, 1);
    expiring.expires_at = Some(NOW);
    let mut world = small();
    change(&mut world, [revoked(1, 1_000), key_set(expiring)]);
    let later = NOW.plus_days(TOMBSTONE_DAYS);
    let just_before = at(later.as_millis() - 1);
    assert_eq!((answer(&world, &ask(1), just_before), answer(&world, &ask(2), just_before)), ("revoked", "expired"));
    assert_eq!((answer(&world, &ask(1), later), answer(&world, &ask(2), later)), ("unknown", "unknown"));
    let decision = decide(&world, &ask(1), later, &mut Unmetered);
    assert!(decision.key.is_none(), "and it is named to nobody");
}

#[test]
fn a_denial_names_the_key_only_where_the_token_was_right() {
    let mut world = small();
    change(&mut world, [revoked(1, 900)]);
    assert!(decide(&world, &ask(1), NOW, &mut Unmetered).key.is_some());
    assert!(decide(&world, &ask(9), NOW, &mut Unmetered).key.is_none());
    let malformed = Ask { token: Presented::Malformed, ..ask(1) };
    assert!(decide(&world, &malformed, NOW, &mut Unmetered).key.is_none());
}

#[test]
fn a_list_of_permissions_that_left_the_catalogue_grants_nothing() {
    let mut key = key_state(1, 1);
    key.permissions = Some(list(&["gone:read"]));
    let mut world = small();
    change(&mut world, [key_set(key)]);
    let decision = decide(&world, &ask(1), NOW, &mut Unmetered);
    assert_eq!(decision.key.unwrap().grant(), Grant::List(PermissionSet::EMPTY));
    assert_eq!(words(&decision), "VALID");
    assert_eq!(decision.reach().permissions, PermissionSet::EMPTY);
}

/// An operator key is found by the digest it has now, and is never found again once it was revoked.
#[test]
fn an_operator_key_follows_its_changes_and_stays_revoked() {
    use portcullis_core::change::{Change, OperatorKeyState};
    use portcullis_core::id::OperatorKeyId;
    use portcullis_core::operator::OperatorGrant;

    let set = |by: u8, grants: &[OperatorGrant], revoked| {
        let state = OperatorKeyState {
            id: OperatorKeyId::from_bytes([9; 16]),
            digest: digest(by),
            grants: grants.to_vec(),
            revoked,
        };
        Change::OperatorKeySet(state)
    };
    let mut world = keyring([set(1, &[OperatorGrant::KeysRead], false)]);
    let found = |world: &Keyring, by| world.find_operator(&digest(by)).map(|(_, grants)| grants.iter().count());
    assert_eq!((found(&world, 1), found(&world, 2)), (Some(1), None));
    change(&mut world, [set(2, &[OperatorGrant::KeysRead, OperatorGrant::KeysWrite], false)]);
    assert_eq!((found(&world, 1), found(&world, 2)), (None, Some(2)));
    change(&mut world, [set(2, &[OperatorGrant::KeysRead], true)]);
    assert_eq!(found(&world, 2), None);
    change(&mut world, [set(2, &[OperatorGrant::KeysRead], false)]);
    assert_eq!(found(&world, 2), None);
}
