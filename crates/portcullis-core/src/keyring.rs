//! The node's memory: everything that a decision reads, and nothing else.
//!
//! [`Keyring::apply`] is the only way in. Names and ids are turned into small numbers when a change arrives, so that a
//! decision follows indexes and compares bits. A miss here is final: no request ever makes a query.

mod key;
mod shelf;

use std::collections::HashMap;
use std::sync::Arc;

use hashbrown::HashTable;
use ipnet::IpNet;

use crate::change::{
    ApiKeyEnd, ApiKeyState, BusinessState, Change, LimitsState, MemberPlace, MemberState, OperatorKeyState, RoleState,
    UserState,
};
use crate::id::{ApiKeyId, BusinessId, FamilyId, OperatorKeyId, RoleId, UserId};
use crate::limits::{Limits, Subject};
use crate::operator::OperatorGrants;
use crate::permission::{Catalogue, Grant, PermissionSet};
use crate::role::BuiltIn;
use crate::scope::BusinessScope;
use crate::time::Timestamp;
use crate::token::{Digest, Environment};

pub use key::{Key, Reached};
use shelf::{Shared, Shelf};

/// How long the holder of a revoked or expired key is told why; after that the key is unknown.
pub const TOMBSTONE_DAYS: i64 = 90;

/// A place in one of the keyring's tables.
type Place = u32;

/// The change speaks of something that is not here. Whoever applies changes must load a snapshot instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the change speaks of {0}, which is not in the keyring")]
pub struct Unfit(String);

/// See the module's own words.
#[derive(Debug)]
pub struct Keyring {
    catalogue: Arc<Catalogue>,
    keys: Vec<KeyRecord>,
    /// Whether any key was issued elsewhere, so that a token of another form than ours can be one.
    has_imported: bool,
    key_by_digest: HashTable<Place>,
    key_by_id: HashTable<Place>,
    users: Shelf<UserId, UserRecord>,
    businesses: Shelf<BusinessId, BusinessRecord>,
    roles: Shelf<RoleId, PermissionSet>,
    operators: Shelf<OperatorKeyId, OperatorRecord>,
    operator_by_digest: HashTable<Place>,
    scopes: Shared<Vec<Place>>,
    allow_lists: Shared<Vec<IpNet>>,
    /// Only where something is set.
    limits: HashMap<Subject, Limits>,
}

#[derive(Debug)]
struct KeyRecord {
    id: ApiKeyId,
    family: FamilyId,
    digest: Digest,
    owner: Place,
    /// Into `scopes`; `None` is unrestricted.
    scope: Option<Place>,
    /// Into `allow_lists`; `None` is from anywhere.
    allowed: Option<Place>,
    grant: Grant,
    expires_at: Timestamp,
    revoked_at: Timestamp,
    environment: Environment,
    user_management: bool,
    name: Box<str>,
    metadata: Option<Box<str>>,
}

#[derive(Debug)]
struct UserRecord {
    id: UserId,
    disabled: bool,
    /// Which role in which business, sorted by business.
    memberships: Vec<(Place, Place)>,
}

#[derive(Debug)]
struct BusinessRecord {
    id: BusinessId,
    disabled: bool,
}

#[derive(Debug)]
struct OperatorRecord {
    id: OperatorKeyId,
    digest: Digest,
    grants: OperatorGrants,
    revoked: bool,
}

impl Keyring {
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        let mut roles = Shelf::default();
        for built_in in BuiltIn::ALL {
            roles.put(built_in.id(), built_in.permissions(&catalogue));
        }
        Self {
            catalogue,
            keys: Vec::new(),
            has_imported: false,
            key_by_digest: HashTable::new(),
            key_by_id: HashTable::new(),
            users: Shelf::default(),
            businesses: Shelf::default(),
            roles,
            operators: Shelf::default(),
            operator_by_digest: HashTable::new(),
            scopes: Shared::default(),
            allow_lists: Shared::default(),
            limits: HashMap::new(),
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
        self.keys.is_empty()
    }

    /// Every key that is known to be revoked, with its owner.
    pub fn revoked(&self) -> impl Iterator<Item = (UserId, ApiKeyId)> {
        let revoked = self.keys.iter().filter(|key| key.revoked_at != Timestamp::NEVER);
        revoked.filter_map(|key| Some((self.users.at(key.owner)?.id, key.id)))
    }

    /// Whether a key is known, and not revoked.
    pub fn is_live(&self, id: ApiKeyId) -> bool {
        let key = self.key_place(id).and_then(|place| self.keys.get(place as usize));
        key.is_some_and(|key| key.revoked_at == Timestamp::NEVER)
    }

    /// The digest of the token of a key, so that a decision can be asked for without the token.
    pub fn digest_of(&self, id: ApiKeyId) -> Option<Digest> {
        self.keys.get(self.key_place(id)? as usize).map(|key| key.digest)
    }

    /// What a user may do in each business that they are a member of.
    pub fn roles_of(&self, user: UserId) -> impl Iterator<Item = (BusinessId, PermissionSet)> {
        let user = self.users.place(&user).ok().and_then(|place| self.users.at(place));
        let memberships = user.map_or(&[][..], |user| &user.memberships);
        memberships
            .iter()
            .filter_map(|&(business, role)| Some((self.businesses.at(business)?.id, *self.roles.at(role)?)))
    }

    /// Whether there is anybody who could sign in.
    pub fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// The key with this digest, tombstones among them.
    pub fn find(&self, digest: &Digest) -> Option<Key<'_>> {
        let record = |place: Place| self.keys.get(place as usize);
        let place = self
            .key_by_digest
            .find(digest.table_hash(), |&place| record(place).is_some_and(|key| key.digest.matches(digest)))?;
        let record = record(*place)?;
        Some(Key { keyring: self, record, owner: self.users.at(record.owner)? })
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
        let record = |place: Place| self.operators.at(place);
        let place = self
            .operator_by_digest
            .find(digest.table_hash(), |&place| record(place).is_some_and(|key| key.digest.matches(digest)))?;
        record(*place).filter(|key| !key.revoked).map(|key| (key.id, key.grants))
    }

    /// Takes one change in: the only way the keyring changes.
    pub fn apply(&mut self, change: Change) -> Result<(), Unfit> {
        match change {
            Change::UserSet(state) => self.set_user(&state),
            Change::BusinessSet(state) => self.set_business(&state),
            Change::RoleSet(state) => self.set_role(&state),
            Change::MemberSet(state) => return self.set_member(&state),
            Change::MemberRemoved(place) => return self.remove_member(&place),
            Change::ApiKeySet(state) => return self.set_key(*state),
            Change::ApiKeyRevoked(end) => return self.revoke_key(&end),
            Change::ApiKeyEnds(end) => return self.end_key(&end),
            Change::OperatorKeySet(state) => self.set_operator(&state),
            Change::LimitsSet(state) => self.set_limits(state),
        }
        Ok(())
    }

    fn set_user(&mut self, state: &UserState) {
        match self.users.get_mut(&state.id) {
            Some(user) => user.disabled = state.disabled,
            None => {
                self.users
                    .put(state.id, UserRecord { id: state.id, disabled: state.disabled, memberships: Vec::new() });
            }
        }
    }

    fn set_business(&mut self, state: &BusinessState) {
        self.businesses.put(state.id, BusinessRecord { id: state.id, disabled: state.disabled });
    }

    fn set_role(&mut self, state: &RoleState) {
        let permissions = state
            .built_in
            .map_or_else(|| self.catalogue.set(&state.permissions), |role| role.permissions(&self.catalogue));
        self.roles.put(state.id, permissions);
    }

    fn set_member(&mut self, state: &MemberState) -> Result<(), Unfit> {
        let business = self.businesses.place(&state.business)?;
        let role = self.roles.place(&state.role)?;
        let user = self.users.get_mut(&state.user).ok_or_else(|| Unfit(state.user.to_string()))?;
        match user.memberships.binary_search_by_key(&business, |&(business, _)| business) {
            Ok(at) => {
                if let Some(membership) = user.memberships.get_mut(at) {
                    membership.1 = role;
                }
            }
            Err(at) => user.memberships.insert(at, (business, role)),
        }
        Ok(())
    }

    fn remove_member(&mut self, place: &MemberPlace) -> Result<(), Unfit> {
        let business = self.businesses.place(&place.business)?;
        let user = self.users.get_mut(&place.user).ok_or_else(|| Unfit(place.user.to_string()))?;
        user.memberships.retain(|&(member_of, _)| member_of != business);
        Ok(())
    }

    fn set_key(&mut self, state: ApiKeyState) -> Result<(), Unfit> {
        self.has_imported |= state.imported;
        let scope = match &state.scope {
            BusinessScope::Unrestricted => None,
            BusinessScope::Only(businesses) => {
                let mut places =
                    businesses.iter().map(|id| self.businesses.place(id)).collect::<Result<Vec<_>, _>>()?;
                places.sort_unstable();
                Some(self.scopes.share(places))
            }
        };
        let record = KeyRecord {
            id: state.id,
            family: state.family,
            digest: state.digest,
            owner: self.users.place(&state.user)?,
            scope,
            allowed: (!state.allowed_ips.is_empty()).then(|| self.allow_lists.share(state.allowed_ips)),
            grant: state.permissions.map_or(Grant::Inherit, |names| Grant::List(self.catalogue.set(&names))),
            expires_at: state.expires_at.unwrap_or(Timestamp::NEVER),
            revoked_at: state.revoked_at.unwrap_or(Timestamp::NEVER),
            environment: state.environment,
            user_management: state.user_management,
            name: state.name.into_boxed_str(),
            metadata: state.metadata.map(String::into_boxed_str),
        };
        match self.key_place(state.id) {
            Some(place) => self.replace_key(place, record),
            None => self.add_key(record)?,
        }
        Ok(())
    }

    fn add_key(&mut self, record: KeyRecord) -> Result<(), Unfit> {
        let place =
            Place::try_from(self.keys.len()).map_err(|_| Unfit("more keys than a keyring can number".to_owned()))?;
        let (by_digest, by_id) = (record.digest.table_hash(), id_hash(record.id));
        self.keys.push(record);
        let keys = &self.keys;
        let known = |place: &Place| keys.get(*place as usize);
        self.key_by_digest
            .insert_unique(by_digest, place, |place| known(place).map_or(0, |key| key.digest.table_hash()));
        self.key_by_id.insert_unique(by_id, place, |place| known(place).map_or(0, |key| id_hash(key.id)));
        Ok(())
    }

    fn replace_key(&mut self, place: Place, mut record: KeyRecord) {
        let Some(old) = self.keys.get_mut(place as usize) else { return };
        // Revoked is for ever, whatever a later change may say.
        record.revoked_at = record.revoked_at.min(old.revoked_at);
        let (old_hash, new_hash) = (old.digest.table_hash(), record.digest.table_hash());
        *old = record;
        if let Ok(entry) = self.key_by_digest.find_entry(old_hash, |&other| other == place) {
            entry.remove();
        }
        let keys = &self.keys;
        self.key_by_digest
            .insert_unique(new_hash, place, |place| keys.get(*place as usize).map_or(0, |key| key.digest.table_hash()));
    }

    fn revoke_key(&mut self, end: &ApiKeyEnd) -> Result<(), Unfit> {
        let place = self.key_place(end.id).ok_or_else(|| Unfit(end.id.to_string()))?;
        if let Some(key) = self.keys.get_mut(place as usize) {
            key.revoked_at = key.revoked_at.min(end.at);
        }
        Ok(())
    }

    fn end_key(&mut self, end: &ApiKeyEnd) -> Result<(), Unfit> {
        let place = self.key_place(end.id).ok_or_else(|| Unfit(end.id.to_string()))?;
        if let Some(key) = self.keys.get_mut(place as usize) {
            key.expires_at = key.expires_at.min(end.at);
        }
        Ok(())
    }

    fn key_place(&self, id: ApiKeyId) -> Option<Place> {
        self.key_by_id
            .find(id_hash(id), |&place| self.keys.get(place as usize).is_some_and(|key| key.id == id))
            .copied()
    }

    fn set_limits(&mut self, LimitsState { subject, limits }: LimitsState) {
        if limits.is_empty() {
            self.limits.remove(&subject);
        } else {
            self.limits.insert(subject, limits);
        }
    }

    fn set_operator(&mut self, state: &OperatorKeyState) {
        let grants = state.grants.iter().copied().collect();
        let known = self.operators.place(&state.id).ok();
        let before = known.and_then(|place| self.operators.at(place));
        // Revoked is for ever, whatever a later change may say.
        let revoked = state.revoked || before.is_some_and(|before| before.revoked);
        if let (Some(place), Some(before)) = (known, before)
            && let Ok(entry) = self.operator_by_digest.find_entry(before.digest.table_hash(), |&other| other == place)
        {
            entry.remove();
        }
        let place =
            self.operators.put(state.id, OperatorRecord { id: state.id, digest: state.digest, grants, revoked });
        let operators = &self.operators;
        let hash = |place: &Place| operators.at(*place).map_or(0, |key| key.digest.table_hash());
        self.operator_by_digest.insert_unique(state.digest.table_hash(), place, hash);
    }
}

/// The tail of a UUIDv7 is random, but its first two bits are not, and the table looks at the first seven.
fn id_hash(id: ApiKeyId) -> u64 {
    id.as_bytes().last_chunk().map_or(0, |tail| u64::from_le_bytes(*tail))
}
