//! Keys to measure with: many, alike, and the same in every run.

use std::cell::Cell;
use std::sync::Arc;

use portcullis_core::change::{ApiKeyState, BusinessState, Change, MemberState, UserState};
use portcullis_core::dice::Dice;
use portcullis_core::id::{ApiKeyId, BusinessId, FamilyId, UserId};
use portcullis_core::keyring::Keyring;
use portcullis_core::permission::{Action, Catalogue, Resource};
use portcullis_core::role::BuiltIn;
use portcullis_core::scope::BusinessScope;
use portcullis_core::time::Timestamp;
use portcullis_core::token::{Environment, Pepper, Token, TokenPrefix};

/// Every owner has this many keys, and is a member of two businesses.
pub(crate) const KEYS_OF_A_USER: usize = 10;

/// 2026-11-20T19:30:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_203_000_000);

/// A generator that is quick and always begins alike (splitmix64); nothing here is a secret.
#[derive(Debug)]
pub(crate) struct Sequence(Cell<u64>);

impl Sequence {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap_or(u64::MAX).max(1)).unwrap_or(0)
    }
}

impl Dice for Sequence {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (byte, drawn) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *byte = drawn;
            }
        }
    }
}

pub(crate) fn prefix() -> TokenPrefix {
    // `ak` is a prefix, and `op` would be the only other choice that needs no text to check.
    TokenPrefix::for_api_keys("ak").unwrap_or_else(|_| TokenPrefix::operator())
}

pub(crate) fn pepper() -> Pepper {
    Pepper::new(&[7; 32])
}

pub(crate) fn catalogue() -> Arc<Catalogue> {
    let names = ["calls", "leads", "agents", "contacts", "knowledge_base", "integrations"];
    let actions = vec![Action::Read, Action::Write];
    let resources = names.map(|name| Resource { name: name.to_owned(), actions: actions.clone() });
    let empty = || Catalogue::new(vec![Resource { name: "calls".to_owned(), actions: actions.clone() }]);
    Arc::new(Catalogue::new(resources.to_vec()).or_else(|_| empty()).unwrap_or_else(|_| std::process::exit(1)))
}

pub(crate) fn user(n: usize) -> UserId {
    UserId::new(NOW, &Sequence::new(numbered(1, n)))
}

pub(crate) fn business(n: usize) -> BusinessId {
    BusinessId::new(NOW, &Sequence::new(numbered(2, n)))
}

pub(crate) fn key(n: usize) -> ApiKeyId {
    ApiKeyId::new(NOW, &Sequence::new(numbered(3, n)))
}

/// Like [`key`], each made a millisecond after the one before it: a list is in the order in which its keys were made.
pub(crate) fn key_made_later(n: usize) -> ApiKeyId {
    let later = Timestamp::from_millis(NOW.as_millis() + i64::try_from(n).unwrap_or(0));
    ApiKeyId::new(later, &Sequence::new(numbered(3, n)))
}

pub(crate) fn token(n: usize) -> Token {
    Token::mint(&prefix(), Environment::Live, &Sequence::new(numbered(4, n)))
}

fn numbered(kind: u64, n: usize) -> u64 {
    (kind << 56) ^ u64::try_from(n).unwrap_or(0).wrapping_mul(0x1_0000_01b3)
}

pub(crate) fn name(n: usize) -> String {
    format!("Integration {n:08}")
}

/// The changes that make a keyring of `count` keys.
pub(crate) fn changes(count: usize, pepper: &Pepper) -> impl Iterator<Item = Change> {
    people(0..count.div_ceil(KEYS_OF_A_USER)).chain((0..count).map(|n| key_set(n, pepper)))
}

/// The changes that make owners, and each one's two businesses.
pub(crate) fn people(users: std::ops::Range<usize>) -> impl Iterator<Item = Change> {
    users.flat_map(|n| {
        let businesses = [2 * n, 2 * n + 1].map(business);
        let member = move |business| MemberState { user: user(n), business, role: BuiltIn::Owner.id() };
        [
            Change::UserSet(UserState { id: user(n), disabled: false }),
            Change::BusinessSet(BusinessState { id: business(2 * n), disabled: false }),
            Change::BusinessSet(BusinessState { id: business(2 * n + 1), disabled: false }),
        ]
        .into_iter()
        .chain(businesses.map(member).map(Change::MemberSet))
    })
}

pub(crate) fn key_set(n: usize, pepper: &Pepper) -> Change {
    Change::ApiKeySet(Box::new(ApiKeyState {
        id: key(n),
        family: FamilyId::begun_by(key(n)),
        digest: pepper.digest_of_new(&token(n)),
        user: user(n / KEYS_OF_A_USER),
        name: name(n),
        environment: Environment::Live,
        scope: BusinessScope::Unrestricted,
        permissions: None,
        user_management: false,
        allowed_ips: Vec::new(),
        metadata: None,
        expires_at: None,
        revoked_at: None,
        imported: false,
    }))
}

pub(crate) fn keyring(count: usize) -> Keyring {
    let pepper = pepper();
    let mut keyring = Keyring::new(catalogue());
    for change in changes(count, &pepper) {
        // The changes come in an order in which each fits.
        let _ = keyring.apply(change);
    }
    keyring
}
