//! Small worlds to decide in, as the changes that build them.

use std::sync::Arc;

use portcullis_core::change::{
    ApiKeyEnd, ApiKeyState, BusinessState, Change, LimitsState, MemberPlace, MemberState, RoleState, UserState,
};
use portcullis_core::decision::{Ask, Decision, Denial, Meter, Presented, Unmetered, decide};
use portcullis_core::id::{ApiKeyId, BusinessId, FamilyId, RoleId, UserId};
use portcullis_core::keyring::{Key, Keyring};
use portcullis_core::limits::{Limits, Subject};
use portcullis_core::permission::{Action, Catalogue, Permission, Resource};
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::BusinessScope;
use portcullis_core::time::Timestamp;
use portcullis_core::token::{Digest, Environment};

pub(crate) const NAMES: [&str; 5] = ["calls:read", "calls:write", "leads:read", "leads:write", "analytics:read"];

pub(crate) fn catalogue() -> Arc<Catalogue> {
    let resource = |name: &str, actions: &[Action]| Resource { name: name.to_owned(), actions: actions.to_vec() };
    let both = [Action::Read, Action::Write];
    let resources = vec![resource("calls", &both), resource("leads", &both), resource("analytics", &[Action::Read])];
    Arc::new(Catalogue::new(resources).unwrap())
}

pub(crate) fn permission(name: &str) -> Permission {
    catalogue().permission(name).unwrap()
}

pub(crate) const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) const fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

pub(crate) const fn business(n: u8) -> BusinessId {
    BusinessId::from_bytes([n; 16])
}

pub(crate) const fn key(n: u8) -> ApiKeyId {
    ApiKeyId::from_bytes([n; 16])
}

pub(crate) const fn role(n: u8) -> RoleId {
    RoleId::from_bytes([n; 16])
}

pub(crate) const fn digest(n: u8) -> Digest {
    Digest::from_bytes([n; 32])
}

pub(crate) fn user_set(n: u8, disabled: bool) -> Change {
    Change::UserSet(UserState { id: user(n), disabled })
}

pub(crate) fn business_set(n: u8, disabled: bool) -> Change {
    Change::BusinessSet(BusinessState { id: business(n), disabled })
}

pub(crate) fn role_set(n: u8, names: &[&str]) -> Change {
    let permissions = names.iter().map(|&name| name.to_owned()).collect();
    Change::RoleSet(RoleState { id: role(n), built_in: None, permissions })
}

pub(crate) fn member(user_n: u8, business_n: u8, role: RoleId) -> Change {
    Change::MemberSet(MemberState { user: user(user_n), business: business(business_n), role })
}

pub(crate) fn member_removed(user_n: u8, business_n: u8) -> Change {
    Change::MemberRemoved(MemberPlace { user: user(user_n), business: business(business_n) })
}

pub(crate) fn revoked(n: u8, when: i64) -> Change {
    Change::ApiKeyRevoked(ApiKeyEnd { id: key(n), at: at(when) })
}

pub(crate) fn ends(n: u8, when: i64) -> Change {
    Change::ApiKeyEnds(ApiKeyEnd { id: key(n), at: at(when) })
}

/// An unrestricted key that inherits, without any end.
pub(crate) fn key_state(n: u8, owner: u8) -> ApiKeyState {
    ApiKeyState {
        id: key(n),
        family: FamilyId::from_bytes([n; 16]),
        digest: digest(n),
        user: user(owner),
        name: format!("Key {n}"),
        environment: Environment::Live,
        scope: BusinessScope::Unrestricted,
        permissions: None,
        user_management: false,
        allowed_ips: Vec::new(),
        metadata: None,
        expires_at: None,
        revoked_at: None,
        imported: false,
    }
}

pub(crate) fn limits_set(subject: Subject, limits: &Limits) -> Change {
    Change::LimitsSet(LimitsState { subject, limits: limits.clone() })
}

pub(crate) fn key_set(state: ApiKeyState) -> Change {
    Change::ApiKeySet(Box::new(state))
}

pub(crate) fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(crate) fn keyring(changes: impl IntoIterator<Item = Change>) -> Keyring {
    let mut keyring = Keyring::new(catalogue());
    for change in changes {
        keyring.apply(change).unwrap();
    }
    keyring
}

/// User 1 owns business 1 and 2 and has key 1.
pub(crate) fn small() -> Keyring {
    let owner = BuiltIn::Owner.id();
    keyring([
        user_set(1, false),
        business_set(1, false),
        business_set(2, false),
        member(1, 1, owner),
        member(1, 2, owner),
        key_set(key_state(1, 1)),
    ])
}

/// A question about key `n` and nothing else.
pub(crate) const fn ask(n: u8) -> Ask {
    Ask::about(Presented::WellFormed(digest(n)))
}

/// The answer in the words of the wire, where the limits have room.
pub(crate) fn answer(keyring: &Keyring, ask: &Ask, now: Timestamp) -> &'static str {
    words(&decide(keyring, ask, now, &mut Unmetered))
}

/// The answer, and how often the limits were asked.
pub(crate) fn answer_and_charges(keyring: &Keyring, ask: &Ask, now: Timestamp, room: Room) -> (&'static str, u32) {
    let mut gauge = Gauge::new(room);
    let answer = words(&decide(keyring, ask, now, &mut gauge));
    (answer, gauge.admitted)
}

/// What a meter of the tests says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Free,
    Full,
    Spent,
}

/// A meter that says the same to everybody, and counts how often it is asked.
#[derive(Debug)]
pub(crate) struct Gauge {
    room: Room,
    pub(crate) admitted: u32,
    pub(crate) spent: u32,
    pub(crate) concerned: Vec<Option<BusinessId>>,
}

impl Gauge {
    pub(crate) const fn new(room: Room) -> Self {
        Self { room, admitted: 0, spent: 0, concerned: Vec::new() }
    }
}

impl Meter for Gauge {
    fn admit(&mut self, _: &Key<'_>, concerned: Option<BusinessId>) -> Result<(), Denial> {
        self.admitted += 1;
        self.concerned.push(concerned);
        if self.room == Room::Full { Err(Denial::RateLimited) } else { Ok(()) }
    }

    fn spend(&mut self, _: &Key<'_>, _: Option<BusinessId>) -> Result<(), Denial> {
        self.spent += 1;
        if self.room == Room::Spent { Err(Denial::Quota) } else { Ok(()) }
    }
}

/// The reason, or the code where it has none.
pub(crate) fn words(decision: &Decision<'_>) -> &'static str {
    decision.denial.and_then(Denial::reason).unwrap_or_else(|| decision.code().name())
}
