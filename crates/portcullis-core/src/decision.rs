//! The decision: nine rules in their order, the first that fails is the answer.
//!
//! [`decide`] is the only place in Portcullis that says yes. Every surface calls it, and it reads nothing but its arguments.

use std::net::IpAddr;

use crate::id::BusinessId;
use crate::keyring::{Key, Keyring, Reached};
use crate::permission::{Permission, PermissionSet};
use crate::time::Timestamp;
use crate::token::Digest;

/// What is asked about one request.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub token: Presented,
    pub business: Concerned,
    pub permission: Option<Permission>,
    /// Where the request came from, as far as that is known.
    pub address: Option<IpAddr>,
    /// Whether the request is for `/api/v1/user` or below.
    pub user_management: bool,
}

/// The token that came with the request, after the look at its form.
#[derive(Debug, Clone, Copy)]
pub enum Presented {
    Malformed,
    WellFormed(Digest),
}

/// Which business the request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerned {
    None,
    One(BusinessId),
    /// A business was named by what cannot be an id: treated as one that does not exist.
    Nonexistent,
}

/// Whether the key's limits have room for one request more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Free,
    Full,
}

/// Decides. `room` is asked, and thereby charged, once and only for a live key: see rule 6.
pub fn decide<'k>(
    keyring: &'k Keyring,
    ask: &Ask,
    now: Timestamp,
    room: impl FnOnce(&Key<'k>) -> Room,
) -> Decision<'k> {
    let denied = |denial, key| Decision { denial: Some(denial), key, ask: *ask };

    // 1. The token is well formed.
    let Presented::WellFormed(digest) = &ask.token else { return denied(Denial::Malformed, None) };
    // 2. The key exists.
    let Some(key) = keyring.find(digest).filter(|key| !key.is_forgotten(now)) else {
        return denied(Denial::Unknown, None);
    };
    let denied = |denial| denied(denial, Some(key));
    // 3. It is not revoked, not expired.
    if key.is_revoked() {
        return denied(Denial::Revoked);
    }
    if key.is_expired(now) {
        return denied(Denial::Expired);
    }
    // 4. Its owner is not disabled.
    if key.owner_is_disabled() {
        return denied(Denial::UserDisabled);
    }
    // 5. The caller's address is in the key's allow-list, where it has one.
    if !key.allows_address(ask.address) {
        return denied(Denial::IpAddress);
    }
    // 6. The rate limit has room. Every request of a live key counts, also one that is denied below.
    if room(&key) == Room::Full {
        return denied(Denial::RateLimited);
    }
    // 7. The business is within reach, and it is not disabled.
    let business = match named_business(&key, ask.business) {
        Ok(business) => business,
        Err(denial) => return denied(denial),
    };
    // 8. The permission is granted by the key and by its owner's role, as that role is now.
    if let Some(permission) = ask.permission {
        let granted = |place: Reached| !place.disabled && place.permissions.contains(permission);
        if !business.map_or_else(|| key.reach().any(granted), granted) {
            return denied(Denial::Permission(permission));
        }
    }
    // 9. A request for the owner's own account needs the user management flag.
    if ask.user_management && !key.user_management() {
        return denied(Denial::UserManagement);
    }
    Decision { denial: None, key: Some(key), ask: *ask }
}

/// Rule 7, for a request that names a business. A business out of reach and one that does not exist are the same answer.
fn named_business(key: &Key<'_>, business: Concerned) -> Result<Option<Reached>, Denial> {
    let reached = match business {
        Concerned::None => return Ok(None),
        Concerned::Nonexistent => None,
        Concerned::One(id) => key.reach_into(id),
    };
    match reached {
        None => Err(Denial::Business),
        Some(place) if place.disabled => Err(Denial::BusinessDisabled),
        Some(place) => Ok(Some(place)),
    }
}

/// Why a request may not pass. A denial is an answer, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    Malformed,
    Unknown,
    Revoked,
    Expired,
    UserDisabled,
    IpAddress,
    RateLimited,
    Business,
    BusinessDisabled,
    Permission(Permission),
    UserManagement,
}

impl Denial {
    /// The HTTP status of a surface that answers for the guarded API.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::Unknown | Self::Revoked | Self::Expired => 401,
            Self::RateLimited => 429,
            _ => 403,
        }
    }

    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed | Self::Unknown | Self::Revoked | Self::Expired => "INVALID_API_KEY",
            Self::UserDisabled => "USER_DISABLED",
            Self::RateLimited => "RATE_LIMITED",
            Self::BusinessDisabled => "BUSINESS_DISABLED",
            Self::IpAddress | Self::Business | Self::Permission(_) | Self::UserManagement => "PERMISSION_DENIED",
        }
    }

    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Malformed => Some("malformed"),
            Self::Unknown => Some("unknown"),
            Self::Revoked => Some("revoked"),
            Self::Expired => Some("expired"),
            Self::IpAddress => Some("ip_address"),
            Self::Business => Some("business"),
            Self::Permission(_) => Some("permission"),
            Self::UserManagement => Some("user_management"),
            Self::UserDisabled | Self::RateLimited | Self::BusinessDisabled => None,
        }
    }

    /// The rule that it is the failure of, from 1 to 9.
    pub const fn rule(self) -> usize {
        match self {
            Self::Malformed => 1,
            Self::Unknown => 2,
            Self::Revoked | Self::Expired => 3,
            Self::UserDisabled => 4,
            Self::IpAddress => 5,
            Self::RateLimited => 6,
            Self::Business | Self::BusinessDisabled => 7,
            Self::Permission(_) => 8,
            Self::UserManagement => 9,
        }
    }

    /// One sentence for a person.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Malformed => "The API key is malformed: check that it was copied whole.",
            Self::Unknown => "There is no such API key.",
            Self::Revoked => "The key was revoked.",
            Self::Expired => "The key has expired.",
            Self::UserDisabled => "The account that owns this key is disabled.",
            Self::IpAddress => "The key may not be used from this address.",
            Self::RateLimited => "The key has used up its rate limit; wait before you ask again.",
            Self::Business => "The key does not reach this business.",
            Self::BusinessDisabled => "The business is disabled.",
            Self::Permission(_) => "The key lacks the permission that this request needs.",
            Self::UserManagement => "The key was not given user management access.",
        }
    }
}

/// The outcome, and the key it is about. The key is named only where the token was right.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'k> {
    pub denial: Option<Denial>,
    pub key: Option<Key<'k>>,
    ask: Ask,
}

/// Where a request that was let through may act, and what it may do in every one of those places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Whether these are all the businesses of an unrestricted key's owner.
    pub everywhere: bool,
    pub businesses: Vec<BusinessId>,
    /// What is allowed in *each* of the businesses, so that no pair of the two lists was not granted.
    pub permissions: PermissionSet,
}

impl Decision<'_> {
    pub const fn is_valid(&self) -> bool {
        self.denial.is_none()
    }

    pub const fn code(&self) -> &'static str {
        match self.denial {
            None => "VALID",
            Some(denial) => denial.code(),
        }
    }

    /// The business that was named, where it was let through.
    pub const fn business(&self) -> Option<BusinessId> {
        match (self.denial, self.ask.business) {
            (None, Concerned::One(id)) => Some(id),
            _ => None,
        }
    }

    /// Where the request may act. Empty for a denial.
    pub fn reach(&self) -> Reach {
        let mut reach = Reach { everywhere: false, businesses: Vec::new(), permissions: PermissionSet::EMPTY };
        let (None, Some(key)) = (self.denial, self.key) else { return reach };
        let mut everywhere = key.is_unrestricted();
        let mut permissions = PermissionSet::UNIVERSE;
        let one = self.business().and_then(|business| key.reach_into(business));
        let all = self.business().is_none().then(|| key.reach());
        for place in one.into_iter().chain(all.into_iter().flatten()) {
            if place.disabled || self.ask.permission.is_some_and(|asked| !place.permissions.contains(asked)) {
                everywhere = false;
                continue;
            }
            reach.businesses.push(place.business);
            permissions = permissions.and(place.permissions);
        }
        if !reach.businesses.is_empty() {
            reach.everywhere = everywhere && self.business().is_none();
            reach.permissions = permissions;
        }
        reach
    }
}
