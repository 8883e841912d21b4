//! What a decision sees of one key.

use std::net::IpAddr;

use ipnet::IpNet;

use super::members::Membership;
use super::notes::Note;
use super::records::{Ends, KeyRecord, Policy};
use super::{BusinessRecord, Keyring, TOMBSTONE_DAYS, UserRecord};
use crate::id::{ApiKeyId, BusinessId, FamilyId, UserId};
use crate::permission::{Grant, PermissionSet};
use crate::time::Timestamp;
use crate::token::Environment;

/// One key, with its owner, as one state of the keyring has them.
#[derive(Debug, Clone, Copy)]
pub struct Key<'k> {
    pub(super) keyring: &'k Keyring,
    pub(super) record: &'k KeyRecord,
    pub(super) policy: &'k Policy,
    pub(super) ends: Ends,
}

/// One business that a key reaches, and what the key may do there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub business: BusinessId,
    pub disabled: bool,
    pub permissions: PermissionSet,
}

impl<'k> Key<'k> {
    pub const fn id(&self) -> ApiKeyId {
        self.record.id
    }

    /// What the key has in common with those it was rotated from and to.
    pub fn family(&self) -> FamilyId {
        let another = self.record.names_family().then(|| self.note()?.family).flatten();
        another.unwrap_or_else(|| FamilyId::begun_by(self.record.id))
    }

    /// The state of the memory that the key is of.
    pub const fn keyring(&self) -> &'k Keyring {
        self.keyring
    }

    /// The owner. It is looked for where it is asked for, since many decisions read nothing of it but whether it is disabled.
    pub fn user(&self) -> UserId {
        // No user is ever taken away.
        self.owner().map_or_else(|| UserId::from_bytes([0; 16]), |owner| owner.0)
    }

    fn owner(&self) -> Option<&'k (UserId, UserRecord)> {
        self.keyring.users.at(self.record.owner)
    }

    pub fn owner_is_disabled(&self) -> bool {
        self.keyring.disabled_users.has(self.record.owner)
    }

    pub fn name(&self) -> &'k str {
        self.note().map_or("", |note| note.name())
    }

    pub fn metadata(&self) -> Option<&'k str> {
        self.note()?.metadata()
    }

    fn note(&self) -> Option<Note<'k>> {
        self.keyring.keys.note(self.record)
    }

    pub const fn environment(&self) -> Environment {
        self.policy.environment
    }

    pub const fn user_management(&self) -> bool {
        self.policy.user_management
    }

    pub const fn grant(&self) -> Grant {
        self.policy.grant
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        (self.ends.expires_at != Timestamp::NEVER).then_some(self.ends.expires_at)
    }

    pub fn is_revoked(&self) -> bool {
        self.ends.revoked_at != Timestamp::NEVER
    }

    pub fn revoked_at(&self) -> Option<Timestamp> {
        self.is_revoked().then_some(self.ends.revoked_at)
    }

    /// The instant itself is too late.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.ends.expires_at <= now
    }

    /// Whether the key ended so long ago that its holder is no longer told why.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        self.ends.expires_at.min(self.ends.revoked_at).plus_days(TOMBSTONE_DAYS) <= now
    }

    pub const fn is_unrestricted(&self) -> bool {
        self.policy.scope.is_none()
    }

    /// The businesses that the key is restricted to; `None` is unrestricted.
    pub fn scope(&self) -> Option<Vec<BusinessId>> {
        let places = self.keyring.keys.scope(self.policy.scope?)?;
        Some(places.iter().filter_map(|&place| self.keyring.businesses.at(place)).map(|(id, _)| *id).collect())
    }

    /// The business that the key is restricted to, where it is a single one that its owner is a member of.
    pub fn only_business(&self) -> Option<BusinessId> {
        let [place] = self.keyring.keys.scope(self.policy.scope?)? else { return None };
        let business = self.keyring.businesses.at(*place)?.0;
        self.reach_into(business).map(|_| business)
    }

    /// Whether a request may come from `address`. A key with an allow-list refuses a request whose address nobody told.
    pub fn allows_address(&self, address: Option<IpAddr>) -> bool {
        let Some(list) = self.policy.allowed.map(|place| self.keyring.keys.allow_list(place)) else { return true };
        // An IPv4 address that was written as an IPv6 one is the same address.
        let Some(address) = address.map(|address| address.to_canonical()) else { return false };
        list.is_some_and(|list| list.iter().any(|block| block.contains(&address)))
    }

    /// The blocks that a request may come from; `None` is from anywhere.
    pub fn allow_list(&self) -> Option<&'k [IpNet]> {
        self.keyring.keys.allow_list(self.policy.allowed?)
    }

    /// What the owner's role allows in `business`, whatever the key may do there. `None` where they are no member.
    pub fn role_in(&self, business: BusinessId) -> Option<PermissionSet> {
        self.keyring.roles.at(self.membership(business)?.1).map(|(_, permissions)| *permissions)
    }

    /// The businesses in the key's scope of which its owner is a member, disabled ones among them.
    pub fn reach(&self) -> impl Iterator<Item = Reached> + use<'k> {
        let key = *self;
        key.owner()
            .map_or(&[][..], |owner| owner.1.memberships.as_slice())
            .iter()
            .filter_map(move |&membership| key.reached(membership))
    }

    /// What the key may do in `business`: `None` where it is out of scope, or its owner is no member, or there is no such business.
    pub fn reach_into(&self, business: BusinessId) -> Option<Reached> {
        self.reached(self.membership(business)?)
    }

    fn membership(&self, business: BusinessId) -> Option<Membership> {
        self.owner()?.1.memberships.in_business(self.keyring.businesses.place(&business).ok()?)
    }

    fn reached(&self, (business, role): Membership) -> Option<Reached> {
        if let Some(scope) = self.policy.scope {
            self.keyring.keys.scope(scope)?.binary_search(&business).ok()?;
        }
        let (business, BusinessRecord { disabled }) = *self.keyring.businesses.at(business)?;
        let (_, role) = self.keyring.roles.at(role)?;
        Some(Reached { business, disabled, permissions: self.policy.grant.within(*role) })
    }
}
