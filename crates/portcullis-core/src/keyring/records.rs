//! The keys themselves: a line of the cache for each, and beside it what most keys do not have, or have in common.

use ipnet::IpNet;

use super::column::Column;
use super::index::Index;
use super::notes::{ADDRESS_BITS, Address, Note, Notes};
use super::shelf::Shared;
use super::{Place, Unfit, id_hash};
use crate::id::ApiKeyId;
use crate::permission::Grant;
use crate::time::Timestamp;
use crate::token::{Digest, Environment};

/// What every key has. It fills one line of the processor's cache, so that finding a key fetches all of it.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct KeyRecord {
    pub(super) digest: Digest,
    pub(super) id: ApiKeyId,
    pub(super) owner: Place,
    pub(super) policy: Place,
    beside: Beside,
}

const _: () = assert!(size_of::<KeyRecord>() == 64, "a key is one line of the cache");

/// Where the rest of a key is: the address of its note, above that the place of its ends, counted from one, and in the highest bit
/// whether the note names a family, so that it need not be looked at where it does not.
#[derive(Debug, Clone, Copy)]
struct Beside(u64);

impl Beside {
    const NAMES_FAMILY: u64 = 1 << 63;

    fn new(note: Address, ends: Option<Place>, names_family: bool) -> Result<Self, Unfit> {
        let ends = ends.map_or(0, |place| u64::from(place) + 1);
        if ends >= Self::NAMES_FAMILY >> ADDRESS_BITS {
            return Err(too_many());
        }
        Ok(Self(if names_family { Self::NAMES_FAMILY } else { 0 } | ends << ADDRESS_BITS | note))
    }

    const fn note(self) -> Address {
        self.0 & ((1 << ADDRESS_BITS) - 1)
    }

    fn ends(self) -> Option<Place> {
        Place::try_from((self.0 & !Self::NAMES_FAMILY) >> ADDRESS_BITS).ok()?.checked_sub(1)
    }

    const fn names_family(self) -> bool {
        self.0 & Self::NAMES_FAMILY != 0
    }
}

impl KeyRecord {
    /// Whether its note names a family, which is another than the one that the key itself has begun.
    pub(super) const fn names_family(&self) -> bool {
        self.beside.names_family()
    }
}

/// When a key ends, or ended. Most are without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) expires_at: Timestamp,
    pub(super) revoked_at: Timestamp,
}

impl Ends {
    const NEVER: Self = Self { expires_at: Timestamp::NEVER, revoked_at: Timestamp::NEVER };

    /// What comes first of both: an end is never put off.
    pub(super) fn or_sooner(self, other: Self) -> Self {
        Self { expires_at: self.expires_at.min(other.expires_at), revoked_at: self.revoked_at.min(other.revoked_at) }
    }

    pub(super) const fn expires(at: Timestamp) -> Self {
        Self { expires_at: at, ..Self::NEVER }
    }

    pub(super) const fn revoked(at: Timestamp) -> Self {
        Self { revoked_at: at, ..Self::NEVER }
    }
}

/// What a key may do. Many keys may the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Policy {
    /// Into `scopes`; `None` is unrestricted.
    pub(super) scope: Option<Place>,
    /// Into `allow_lists`; `None` is from anywhere.
    pub(super) allowed: Option<Place>,
    pub(super) grant: Grant,
    pub(super) environment: Environment,
    pub(super) user_management: bool,
}

/// A key as a change tells of it, where all that it speaks of is here.
#[derive(Debug)]
pub(super) struct NewKey<'n> {
    pub(super) id: ApiKeyId,
    pub(super) digest: Digest,
    pub(super) owner: Place,
    /// Sorted.
    pub(super) scope: Option<Box<[Place]>>,
    pub(super) allowed: Option<Box<[IpNet]>>,
    pub(super) grant: Grant,
    pub(super) environment: Environment,
    pub(super) user_management: bool,
    pub(super) ends: Ends,
    pub(super) note: Note<'n>,
}

/// See the module's own words.
#[derive(Debug, Default)]
pub(super) struct Records {
    keys: Column<KeyRecord>,
    by_digest: Index,
    by_id: Index,
    ends: Column<Ends>,
    notes: Notes,
    policies: Shared<Policy>,
    scopes: Shared<Box<[Place]>>,
    allow_lists: Shared<Box<[IpNet]>>,
}

impl Records {
    pub(super) const fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &KeyRecord> {
        self.keys.iter()
    }

    pub(super) fn by_digest(&self, digest: &Digest) -> Option<&KeyRecord> {
        let is_it = |place| self.keys.get(place).is_some_and(|key| key.digest.matches(digest));
        self.keys.get(self.by_digest.find(digest.table_hash(), is_it)?)
    }

    pub(super) fn by_id(&self, id: ApiKeyId) -> Option<&KeyRecord> {
        self.keys.get(self.place(id)?)
    }

    fn place(&self, id: ApiKeyId) -> Option<Place> {
        self.by_id.find(id_hash(id.as_bytes()), |place| self.keys.get(place).is_some_and(|key| key.id == id))
    }

    pub(super) fn policy(&self, key: &KeyRecord) -> Option<&Policy> {
        self.policies.at(key.policy)
    }

    pub(super) fn ends(&self, key: &KeyRecord) -> Ends {
        key.beside.ends().and_then(|place| self.ends.get(place)).copied().unwrap_or(Ends::NEVER)
    }

    pub(super) fn note(&self, key: &KeyRecord) -> Option<Note<'_>> {
        self.notes.at(key.beside.note())
    }

    pub(super) fn scope(&self, place: Place) -> Option<&[Place]> {
        self.scopes.at(place).map(AsRef::as_ref)
    }

    pub(super) fn allow_list(&self, place: Place) -> Option<&[IpNet]> {
        self.allow_lists.at(place).map(AsRef::as_ref)
    }

    pub(super) fn set(&mut self, new: NewKey<'_>) -> Result<(), Unfit> {
        match self.place(new.id) {
            Some(place) => self.replace(place, new),
            None => self.add(new),
        }
    }

    fn add(&mut self, new: NewKey<'_>) -> Result<(), Unfit> {
        let NewKey { id, digest, owner, ends, note, .. } = new;
        let address = self.notes.put(&note).ok_or_else(too_many)?;
        let beside = Beside::new(address, self.put_ends(None, ends)?, note.family.is_some())?;
        let policy = self.share_policy(new)?;
        let place = self.keys.push(KeyRecord { digest, id, owner, policy, beside }).ok_or_else(too_many)?;
        let keys = &self.keys;
        let known = |place| keys.get(place);
        self.by_digest
            .insert(digest.table_hash(), place, |place| known(place).map_or(0, |key| key.digest.table_hash()));
        let hash = id_hash(id.as_bytes());
        self.by_id.insert(hash, place, |place| known(place).map_or(0, |key| id_hash(key.id.as_bytes())));
        Ok(())
    }

    fn replace(&mut self, place: Place, new: NewKey<'_>) -> Result<(), Unfit> {
        let Some(old) = self.keys.get(place) else { return Ok(()) };
        let (old_digest, old_policy, old_beside) = (old.digest, old.policy, old.beside);
        let NewKey { digest, owner, note, .. } = new;
        // Revoked is for ever, whatever a later change may say.
        let revoked_at = new.ends.revoked_at.min(self.ends(old).revoked_at);
        let ends = self.put_ends(old_beside.ends(), Ends { revoked_at, ..new.ends })?;
        let policy = self.share_policy(new)?;
        let address = self.notes.replace(old_beside.note(), &note).ok_or_else(too_many)?;
        let beside = Beside::new(address, ends, note.family.is_some())?;
        if let Some(key) = self.keys.get_mut(place) {
            *key = KeyRecord { digest, id: key.id, owner, policy, beside };
        }
        self.release_policy(old_policy);
        if old_digest.as_bytes() != digest.as_bytes() {
            self.by_digest.remove(old_digest.table_hash(), place);
            let keys = &self.keys;
            let hash_of = |place| keys.get(place).map_or(0, |key| key.digest.table_hash());
            self.by_digest.insert(digest.table_hash(), place, hash_of);
        }
        Ok(())
    }

    /// Ends a key at that instant, where it does not end sooner.
    pub(super) fn end(&mut self, id: ApiKeyId, ends: Ends) -> Result<(), Unfit> {
        let place = self.place(id).ok_or_else(|| Unfit(id.to_string()))?;
        let Some(key) = self.keys.get(place) else { return Ok(()) };
        let (beside, ends) = (key.beside, ends.or_sooner(self.ends(key)));
        let beside = Beside::new(beside.note(), self.put_ends(beside.ends(), ends)?, beside.names_family())?;
        if let Some(key) = self.keys.get_mut(place) {
            key.beside = beside;
        }
        Ok(())
    }

    /// Where a key's ends are from now on: only one that has any has a place for them.
    fn put_ends(&mut self, known: Option<Place>, ends: Ends) -> Result<Option<Place>, Unfit> {
        if let Some(known) = known.and_then(|place| self.ends.get_mut(place)) {
            *known = ends;
        } else if ends != Ends::NEVER {
            return self.ends.push(ends).map(Some).ok_or_else(too_many);
        }
        Ok(known)
    }

    fn share_policy(&mut self, new: NewKey<'_>) -> Result<Place, Unfit> {
        let NewKey { grant, environment, user_management, .. } = new;
        let scope = new.scope.map(|scope| self.scopes.share(scope)).transpose()?.map(|(place, _)| place);
        let allowed = new.allowed.map(|list| self.allow_lists.share(list)).transpose()?.map(|(place, _)| place);
        let policy = Policy { scope, allowed, grant, environment, user_management };
        let (place, is_new) = self.policies.share(policy)?;
        if !is_new {
            // The policy has its parts once, however many keys have the policy.
            self.release_parts(policy);
        }
        Ok(place)
    }

    fn release_policy(&mut self, place: Place) {
        if let Some(policy) = self.policies.release(place) {
            self.release_parts(policy);
        }
    }

    fn release_parts(&mut self, policy: Policy) {
        policy.scope.map(|place| self.scopes.release(place));
        policy.allowed.map(|place| self.allow_lists.release(place));
    }
}

fn too_many() -> Unfit {
    Unfit("more keys than a keyring can number".to_owned())
}
