//! The node's memory: everything that a decision reads, and nothing else.
//!
//! [`Keyring::apply`] is the only way in. Names and ids are turned into small numbers when a change arrives, so that a
//! decision follows indexes and compares bits. A miss here is final: no request ever makes a query.

mod column;
mod index;
mod key;
mod members;
mod notes;
mod records;
mod shelf;

use std::sync::Arc;

use crate::change::{
    ApiKeyState, BusinessState, Change, LimitsState, MemberPlace, MemberState, OperatorKeyState, RoleState, UserState,
};
use crate::id::{ApiKeyId, BusinessId, FamilyId, OperatorKeyId, RoleId, UserId};
use crate::limits::{Limits, Subject};
use crate::operator::OperatorGrants;
use crate::permission::{Catalogue, Grant, PermissionSet};
use crate::role::BuiltIn;
use crate::scope::BusinessScope;
use crate::time::Timestamp;
use crate::token::Digest;

use column::Marks;
use index::Index;
pub use key::{Key, Reached};
use members::Memberships;
use notes::Note;
use records::{Ends, NewKey, Records};
use shelf::Shelf;

/// How long the holder of a revoked or expired key is told why; after that the key is unknown.
pub const TOMBSTONE_DAYS: i64 = 90;

/// A place in one of the keyring's tables; the greatest number is nowhere.
type Place = u32;

/// The change speaks of something that is not here. Whoever applies changes must load a snapshot instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the change speaks of {0}, which is not in the keyring")]
pub struct Unfit(String);

/// See the module's own words.
#[derive(Debug)]
pub struct Keyring {
    catalogue: Arc<Catalogue>,
    keys: Records,
    /// Whether any key was issued elsewhere, so that a token of another form than ours can be one.
    has_imported: bool,
    users: Shelf<UserId, UserRecord>,
    /// Apart from the users themselves: of millions they fit into the processor's cache.
    disabled_users: Marks,
    businesses: Shelf<BusinessId, BusinessRecord>,
    roles: Shelf<RoleId, PermissionSet>,
    operators: Shelf<OperatorKeyId, OperatorRecord>,
    operator_by_digest: Index,
    /// Only where something is set.
    limits: Shelf<Subject, Limits>,
}

#[derive(Debug)]
struct UserRecord {
    memberships: Memberships,
}

#[derive(Debug)]
struct BusinessRecord {
    disabled: bool,
}

#[derive(Debug)]
struct OperatorRecord {
    digest: Digest,
    grants: OperatorGrants,
    revoked: bool,
}

impl Keyring {
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        let mut roles = Shelf::default();
        for built_in in BuiltIn::ALL {
            // There is room for four.
            let _ = roles.put(built_in.id(), built_in.permissions(&catalogue));
        }
        Self {
            catalogue,
            keys: Records::default(),
            has_imported: false,
            users: Shelf::default(),
            disabled_users: Marks::default(),
            businesses: Shelf::default(),
            roles,
            operators: Shelf::default(),
            operator_by_digest: Index::default(),
            limits: Shelf::default(),
        }
    }

    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// How many keys are held, tombstones among them.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.len() == 0
    }

    /// Every key that is known to be revoked, with its owner.
    pub fn revoked(&self) -> impl Iterator<Item = (UserId, ApiKeyId)> {
        let revoked = self.keys.iter().filter(|key| self.keys.ends(key).revoked_at != Timestamp::NEVER);
        revoked.filter_map(|key| Some((self.users.at(key.owner)?.0, key.id)))
    }

    /// Whether a key is known, and not revoked.
    pub fn is_live(&self, id: ApiKeyId) -> bool {
        self.keys.by_id(id).is_some_and(|key| self.keys.ends(key).revoked_at == Timestamp::NEVER)
    }

    /// The digest of the token of a key, so that a decision can be asked for without the token.
    pub fn digest_of(&self, id: ApiKeyId) -> Option<Digest> {
        self.keys.by_id(id).map(|key| key.digest)
    }

    /// What a user may do in each business that they are a member of.
    pub fn roles_of(&self, user: UserId) -> impl Iterator<Item = (BusinessId, PermissionSet)> {
        let memberships = self.users.get(&user).map_or(&[][..], |user| user.memberships.as_slice());
        memberships
            .iter()
            .filter_map(|&(business, role)| Some((self.businesses.at(business)?.0, self.roles.at(role)?.1)))
    }

    /// Whether there is anybody who could sign in.
    pub fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// The key with this digest, tombstones among them.
    pub fn find(&self, digest: &Digest) -> Option<Key<'_>> {
        let record = self.keys.by_digest(digest)?;
        Some(Key { keyring: self, record, policy: self.keys.policy(record)?, ends: self.keys.ends(record) })
    }

    /// What is set for a family of keys, a user or a business.
    pub fn limits(&self, subject: Subject) -> Option<&Limits> {
        // Most servers set few or none, and then nothing is looked for.
        if self.limits.is_empty() { None } else { self.limits.get(&subject) }
    }

    /// Whether a token of another form than ours can be a key's.
    pub const fn has_imported(&self) -> bool {
        self.has_imported
    }

    /// The live operator key with this digest.
    pub fn find_operator(&self, digest: &Digest) -> Option<(OperatorKeyId, OperatorGrants)> {
        let is_it = |place| self.operators.at(place).is_some_and(|(_, key)| key.digest.matches(digest));
        let (id, key) = self.operators.at(self.operator_by_digest.find(digest.table_hash(), is_it)?)?;
        (!key.revoked).then_some((*id, key.grants))
    }

    /// Takes one change in: the only way the keyring changes. It takes some microseconds, however much there is: nothing in the
    /// keyring ever moves as a whole.
    pub fn apply(&mut self, change: Change) -> Result<(), Unfit> {
        match change {
            Change::UserSet(state) => self.set_user(&state),
            Change::BusinessSet(BusinessState { id, disabled }) => {
                self.businesses.put(id, BusinessRecord { disabled }).map(drop)
            }
            Change::RoleSet(state) => self.set_role(&state),
            Change::MemberSet(state) => self.set_member(&state),
            Change::MemberRemoved(place) => self.remove_member(&place),
            Change::ApiKeySet(state) => self.set_key(*state),
            Change::ApiKeyRevoked(end) => self.keys.end(end.id, Ends::revoked(end.at)),
            Change::ApiKeyEnds(end) => self.keys.end(end.id, Ends::expires(end.at)),
            Change::OperatorKeySet(state) => self.set_operator(&state),
            Change::LimitsSet(state) => self.set_limits(state),
        }
    }

    fn set_user(&mut self, state: &UserState) -> Result<(), Unfit> {
        let place = match self.users.place(&state.id) {
            Ok(place) => place,
            Err(_) => self.users.put(state.id, UserRecord { memberships: Memberships::NONE })?,
        };
        self.disabled_users.set(place, state.disabled);
        Ok(())
    }

    fn set_role(&mut self, state: &RoleState) -> Result<(), Unfit> {
        let permissions = state
            .built_in
            .map_or_else(|| self.catalogue.set(&state.permissions), |role| role.permissions(&self.catalogue));
        self.roles.put(state.id, permissions).map(drop)
    }

    fn set_member(&mut self, state: &MemberState) -> Result<(), Unfit> {
        let business = self.businesses.place(&state.business)?;
        let role = self.roles.place(&state.role)?;
        let user = self.users.get_mut(&state.user).ok_or_else(|| Unfit(state.user.to_string()))?;
        user.memberships.set(business, role);
        Ok(())
    }

    fn remove_member(&mut self, place: &MemberPlace) -> Result<(), Unfit> {
        let business = self.businesses.place(&place.business)?;
        let user = self.users.get_mut(&place.user).ok_or_else(|| Unfit(place.user.to_string()))?;
        user.memberships.remove(business);
        Ok(())
    }

    fn set_key(&mut self, state: ApiKeyState) -> Result<(), Unfit> {
        let scope = match &state.scope {
            BusinessScope::Unrestricted => None,
            BusinessScope::Only(businesses) => {
                let mut places =
                    businesses.iter().map(|id| self.businesses.place(id)).collect::<Result<Vec<_>, _>>()?;
                places.sort_unstable();
                Some(places.into_boxed_slice())
            }
        };
        let family = (state.family != FamilyId::begun_by(state.id)).then_some(state.family);
        self.keys.set(NewKey {
            id: state.id,
            digest: state.digest,
            owner: self.users.place(&state.user)?,
            scope,
            allowed: (!state.allowed_ips.is_empty()).then(|| state.allowed_ips.into_boxed_slice()),
            grant: state.permissions.map_or(Grant::Inherit, |names| Grant::List(self.catalogue.set(&names))),
            environment: state.environment,
            user_management: state.user_management,
            ends: Ends {
                expires_at: state.expires_at.unwrap_or(Timestamp::NEVER),
                revoked_at: state.revoked_at.unwrap_or(Timestamp::NEVER),
            },
            note: Note::new(family, &state.name, state.metadata.as_deref()),
        })?;
        self.has_imported |= state.imported;
        Ok(())
    }

    fn set_limits(&mut self, LimitsState { subject, limits }: LimitsState) -> Result<(), Unfit> {
        if limits.is_empty() {
            self.limits.take(&subject);
            return Ok(());
        }
        self.limits.put(subject, limits).map(drop)
    }

    fn set_operator(&mut self, state: &OperatorKeyState) -> Result<(), Unfit> {
        let grants = state.grants.iter().copied().collect();
        let known = self.operators.place(&state.id).ok();
        let before = known.and_then(|place| self.operators.at(place)).map(|(_, before)| before);
        // Revoked is for ever, whatever a later change may say.
        let revoked = state.revoked || before.is_some_and(|before| before.revoked);
        if let (Some(place), Some(before)) = (known, before) {
            self.operator_by_digest.remove(before.digest.table_hash(), place);
        }
        let place = self.operators.put(state.id, OperatorRecord { digest: state.digest, grants, revoked })?;
        let operators = &self.operators;
        let hash_of = |place| operators.at(place).map_or(0, |(_, key)| key.digest.table_hash());
        self.operator_by_digest.insert(state.digest.table_hash(), place, hash_of);
        Ok(())
    }
}

/// A number to place an id in a table by. A UUIDv7 is random but for its time and a few bits in the middle, and ids may be made
/// otherwise: multiplied with each other, all parts of it come into all bits.
fn id_hash(id: &[u8; 16]) -> u64 {
    let part = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let (time, random) = (part(id.first_chunk()), part(id.last_chunk()));
    let product = u128::from(time ^ 0x9e37_79b9_7f4a_7c15) * u128::from(random ^ 0xd1b5_4a32_d192_ed03);
    let (low, high) = (u64::try_from(product & u128::from(u64::MAX)), u64::try_from(product >> 64));
    low.unwrap_or(0) ^ high.unwrap_or(0)
}
