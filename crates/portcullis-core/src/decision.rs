//! The decision: nine rules in their order, the first that fails is the answer.
//!
//! [`decide`] is the only place in Portcullis that says yes. Every surface calls it, and it reads nothing but its arguments.

use std::net::IpAddr;

use crate::gate::Unruled;
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
    /// That a gate was asked, and that nothing could grant what none of its rules is about.
    pub unruled: Option<Unruled>,
    /// Where the request came from, as far as that is known.
    pub address: Option<IpAddr>,
    /// Whether the request is for `/api/v1/user` or below.
    pub user_management: bool,
}

impl Ask {
    /// Whether the key is live, and nothing else.
    pub const fn about(token: Presented) -> Self {
        Self {
            token,
            business: Concerned::None,
            permission: None,
            unruled: None,
            address: None,
            user_management: false,
        }
    }
}

/// The token that came with the request, after the look at its form.
#[derive(Debug, Clone, Copy)]
pub enum Presented {
    Malformed,
    WellFormed(Digest),
}

impl Presented {
    /// What a key is looked up by, where there is something to look up.
    pub const fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Malformed => None,
            Self::WellFormed(digest) => Some(digest),
        }
    }
}

/// Which business the request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerned {
    None,
    One(BusinessId),
    /// A business was named by what cannot be an id: treated as one that does not exist.
    Nonexistent,
}

/// Whether there is room, and who keeps the books of it. Asking is charging.
pub trait Meter {
    /// Rule 6: the rate limits of the key, of its owner, and of the business that the request concerns.
    fn admit(&mut self, key: &Key<'_>, concerned: Option<BusinessId>) -> Result<(), Denial>;

    /// The quotas of the same. They are asked last, and so charged only where all the rest passes.
    fn spend(&mut self, key: &Key<'_>, concerned: Option<BusinessId>) -> Result<(), Denial>;
}

/// Room for everybody.
#[derive(Debug, Clone, Copy)]
pub struct Unmetered;

impl Meter for Unmetered {
    fn admit(&mut self, _: &Key<'_>, _: Option<BusinessId>) -> Result<(), Denial> {
        Ok(())
    }

    fn spend(&mut self, _: &Key<'_>, _: Option<BusinessId>) -> Result<(), Denial> {
        Ok(())
    }
}

/// Decides. The meter is asked once for each kind of limit, and only about a live key.
pub fn decide<'k>(keyring: &'k Keyring, ask: &Ask, now: Timestamp, meter: &mut impl Meter) -> Decision<'k> {
    let denied = |denial, key| Decision { denial: Some(denial), key, concerned: None, ask: *ask };

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
    let place = named_business(&key, ask.business);
    let concerned = match ask.business {
        Concerned::None => key.only_business(),
        _ => place.map(|place| place.business),
    };
    let denial = live(&key, ask, (place, concerned), meter).err();
    Decision { denial, key: Some(key), concerned, ask: *ask }
}

/// The rules that only a live key comes to.
fn live(
    key: &Key<'_>,
    ask: &Ask,
    (place, concerned): (Option<Reached>, Option<BusinessId>),
    meter: &mut impl Meter,
) -> Result<(), Denial> {
    // 6. The rate limit has room. Every request of a live key counts, also one that is denied below.
    meter.admit(key, concerned)?;
    // 7. The business is within reach, and it is not disabled. Out of reach and not there at all are the same answer.
    match (ask.business, place) {
        (Concerned::None, _) => {}
        (_, None) => return Err(Denial::Business),
        (_, Some(place)) if place.disabled => return Err(Denial::BusinessDisabled),
        _ => {}
    }
    // 8. Some rule of the gate is about the request, where a gate was asked, and the permission is granted by the key and by its
    // owner's role, as that role is now.
    match ask.unruled {
        None => {}
        Some(Unruled::Path(_)) => return Err(Denial::Path),
        Some(Unruled::Case(_) | Unruled::NoRule) => return Err(Denial::NoRule),
    }
    if let Some(permission) = ask.permission {
        let granted = |place: Reached| !place.disabled && place.permissions.contains(permission);
        if !place.map_or_else(|| key.reach().any(granted), granted) {
            return Err(Denial::Permission(permission));
        }
    }
    // 9. A request for the owner's own account needs the user management flag.
    if ask.user_management && !key.user_management() {
        return Err(Denial::UserManagement);
    }
    // And last, for it is charged only where all the rest passes: the quota has something left.
    meter.spend(key, concerned)
}

/// The business that a request names, where the key reaches it.
fn named_business(key: &Key<'_>, business: Concerned) -> Option<Reached> {
    match business {
        Concerned::One(id) => key.reach_into(id),
        Concerned::None | Concerned::Nonexistent => None,
    }
}

/// The outcome in one word: what is answered, and what is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    Valid,
    InvalidApiKey,
    UserDisabled,
    PermissionDenied,
    RateLimited,
    BusinessDisabled,
}

impl Code {
    /// In an order that stays the same for as long as counts are kept in it.
    pub const ALL: [Self; 6] = [
        Self::Valid,
        Self::InvalidApiKey,
        Self::UserDisabled,
        Self::PermissionDenied,
        Self::RateLimited,
        Self::BusinessDisabled,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::InvalidApiKey => "INVALID_API_KEY",
            Self::UserDisabled => "USER_DISABLED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::RateLimited => "RATE_LIMITED",
            Self::BusinessDisabled => "BUSINESS_DISABLED",
        }
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
    /// The request asks for more at once than a limit ever lets in.
    Cost,
    Business,
    BusinessDisabled,
    Permission(Permission),
    /// No rule of the gate is about this method and path.
    NoRule,
    /// The path could be read in more than one way.
    Path,
    UserManagement,
    Quota,
}

impl Denial {
    /// The HTTP status of a surface that answers for the guarded API.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::Unknown | Self::Revoked | Self::Expired => 401,
            Self::RateLimited | Self::Cost | Self::Quota => 429,
            _ => 403,
        }
    }

    pub const fn code(self) -> Code {
        match self {
            Self::Malformed | Self::Unknown | Self::Revoked | Self::Expired => Code::InvalidApiKey,
            Self::UserDisabled => Code::UserDisabled,
            Self::RateLimited | Self::Cost | Self::Quota => Code::RateLimited,
            Self::BusinessDisabled => Code::BusinessDisabled,
            Self::IpAddress
            | Self::Business
            | Self::Permission(_)
            | Self::NoRule
            | Self::Path
            | Self::UserManagement => Code::PermissionDenied,
        }
    }

    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Malformed => Some("malformed"),
            Self::Unknown => Some("unknown"),
            Self::Revoked => Some("revoked"),
            Self::Expired => Some("expired"),
            Self::IpAddress => Some("ip_address"),
            Self::Cost => Some("cost"),
            Self::Quota => Some("quota"),
            Self::Business => Some("business"),
            Self::Permission(_) => Some("permission"),
            Self::NoRule => Some("no_rule"),
            Self::Path => Some("path"),
            Self::UserManagement => Some("user_management"),
            Self::UserDisabled | Self::RateLimited | Self::BusinessDisabled => None,
        }
    }

    /// The rule that it is the failure of, from 1 to 9. A quota is part of rule 6, though it is asked last.
    pub const fn rule(self) -> usize {
        match self {
            Self::Malformed => 1,
            Self::Unknown => 2,
            Self::Revoked | Self::Expired => 3,
            Self::UserDisabled => 4,
            Self::IpAddress => 5,
            Self::RateLimited | Self::Cost | Self::Quota => 6,
            Self::Business | Self::BusinessDisabled => 7,
            Self::Permission(_) | Self::NoRule | Self::Path => 8,
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
            Self::RateLimited => "A rate limit has no room for this request; wait before you ask again.",
            Self::Cost => "The request costs more than a limit of the key ever lets in at once.",
            Self::Quota => "The quota is spent; wait until it is filled again.",
            Self::Business => "The key does not reach this business.",
            Self::BusinessDisabled => "The business is disabled.",
            Self::Permission(_) => "The key lacks the permission that this request needs.",
            Self::NoRule => "No rule lets any key do this.",
            Self::Path => "The path could be read in more than one way: write it plainly.",
            Self::UserManagement => "The key was not given user management access.",
        }
    }
}

/// The outcome, and the key it is about. The key is named only where the token was right.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'k> {
    pub denial: Option<Denial>,
    pub key: Option<Key<'k>>,
    /// The business that a live key's request is about, which its limits and its books are for: the one that is named, where the
    /// key reaches it, or the only one that the key is restricted to.
    pub concerned: Option<BusinessId>,
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

    pub const fn code(&self) -> Code {
        match self.denial {
            None => Code::Valid,
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
