//! What a decision sees of one key.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{KeyRecord, Keyring, Place, TOMBSTONE_DAYS, UserRecord};
use crate::id::{ApiKeyId, BusinessId, FamilyId, UserId};
use crate::permission::{Grant, PermissionSet};
use crate::time::Timestamp;
use crate::token::Environment;

/// One key, with its owner, as one state of the keyring has them.
#[derive(Debug, Clone, Copy)]
pub struct Key<'k> {
    pub(super) keyring: &'k Keyring,
    pub(super) record: &'k KeyRecord,
    pub(super) owner: &'k UserRecord,
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
    pub const fn family(&self) -> FamilyId {
        self.record.family
    }

    /// The state of the memory that the key is of.
    pub const fn keyring(&self) -> &'k Keyring {
        self.keyring
    }

    pub const fn user(&self) -> UserId {
        self.owner.id
    }

    pub const fn owner_is_disabled(&self) -> bool {
        self.owner.disabled
    }

    pub const fn name(&self) -> &'k str {
        &self.record.name
    }

    pub fn metadata(&self) -> Option<&'k str> {
        self.record.metadata.as_deref()
    }

    pub const fn environment(&self) -> Environment {
        self.record.environment
    }

    pub const fn user_management(&self) -> bool {
        self.record.user_management
    }

    pub const fn grant(&self) -> Grant {
        self.record.grant
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        (self.record.expires_at != Timestamp::NEVER).then_some(self.record.expires_at)
    }

    pub fn is_revoked(&self) -> bool {
        self.record.revoked_at != Timestamp::NEVER
    }

    pub fn revoked_at(&self) -> Option<Timestamp> {
        self.is_revoked().then_some(self.record.revoked_at)
    }

    /// The instant itself is too late.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.record.expires_at <= now
    }

    /// Whether the key ended so long ago that its holder is no longer told why.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        self.record.expires_at.min(self.record.revoked_at).plus_days(TOMBSTONE_DAYS) <= now
    }

    pub const fn is_unrestricted(&self) -> bool {
        self.record.scope.is_none()
    }

    /// The businesses that the key is restricted to; `None` is unrestricted.
    pub fn scope(&self) -> Option<Vec<BusinessId>> {
        let places = self.keyring.scopes.at(self.record.scope?)?;
        Some(places.iter().filter_map(|&place| self.keyring.businesses.at(place)).map(|business| business.id).collect())
    }

    /// The business that the key is restricted to, where it is a single one that its owner is a member of.
    pub fn only_business(&self) -> Option<BusinessId> {
        let [place] = self.keyring.scopes.at(self.record.scope?)?.as_slice() else { return None };
        let business = self.keyring.businesses.at(*place)?.id;
        self.reach_into(business).map(|_| business)
    }

    /// Whether a request may come from `address`. A key with an allow-list refuses a request whose address nobody told.
    pub fn allows_address(&self, address: Option<IpAddr>) -> bool {
        let Some(list) = self.record.allowed.map(|place| self.keyring.allow_lists.at(place)) else { return true };
        // An IPv4 address that was written as an IPv6 one is the same address.
        let Some(address) = address.map(|address| address.to_canonical()) else { return false };
        list.is_some_and(|list| list.iter().any(|block| block.contains(&address)))
    }

    /// The blocks that a request may come from; `None` is from anywhere.
    pub fn allow_list(&self) -> Option<&'k [IpNet]> {
        self.keyring.allow_lists.at(self.record.allowed?).map(Vec::as_slice)
    }

    /// What the owner's role allows in `business`, whatever the key may do there. `None` where they are no member.
    pub fn role_in(&self, business: BusinessId) -> Option<PermissionSet> {
        self.keyring.roles.at(self.membership(business)?.1).copied()
    }

    /// The businesses in the key's scope of which its owner is a member, disabled ones among them.
    pub fn reach(&self) -> impl Iterator<Item = Reached> + use<'k> {
        let key = *self;
        key.owner.memberships.iter().filter_map(move |&membership| key.reached(membership))
    }

    /// What the key may do in `business`: `None` where it is out of scope, or its owner is no member, or there is no such business.
    pub fn reach_into(&self, business: BusinessId) -> Option<Reached> {
        self.reached(self.membership(business)?)
    }

    fn membership(&self, business: BusinessId) -> Option<(Place, Place)> {
        let business = self.keyring.businesses.place(&business).ok()?;
        let memberships = &self.owner.memberships;
        let at = memberships.binary_search_by_key(&business, |&(business, _)| business).ok()?;
        memberships.get(at).copied()
    }

    fn reached(&self, (business, role): (Place, Place)) -> Option<Reached> {
        if let Some(scope) = self.record.scope {
            self.keyring.scopes.at(scope)?.binary_search(&business).ok()?;
        }
        let business = self.keyring.businesses.at(business)?;
        let role = self.keyring.roles.at(role)?;
        Some(Reached {
            business: business.id,
            disabled: business.disabled,
            permissions: self.record.grant.within(*role),
        })
    }
}
