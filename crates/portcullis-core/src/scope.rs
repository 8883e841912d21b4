//! Where a caller may act: a key's business scope, and the proofs that a store query asks for.

use serde::{Deserialize, Serialize};

use crate::id::{ApiKeyId, BusinessId, OperatorKeyId, RoleId, SessionId, UserId};
use crate::operator::{OperatorGrant, OperatorGrants};
use crate::permission::PermissionSet;
use crate::role::{BuiltIn, Manages};

/// Which of its owner's businesses a key reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusinessScope {
    /// Every business its owner is a member of, today's and tomorrow's.
    Unrestricted,
    /// These and no others. An empty list reaches nothing; it never means everything.
    Only(Vec<BusinessId>),
}

impl BusinessScope {
    /// Whether a key with this scope reaches nothing that one with `other` would not.
    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Unrestricted) => true,
            (Self::Unrestricted, Self::Only(_)) => false,
            (Self::Only(own), Self::Only(bound)) => own.iter().all(|business| bound.contains(business)),
        }
    }
}

/// Who is calling the management API, once their credential was found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The platform's own back end.
    Operator { id: OperatorKeyId, grants: OperatorGrants },
    /// An API key, acting as its owner and never as more than itself.
    ApiKey { id: ApiKeyId, user: UserId, user_management: bool },
    /// A person who signed in. A platform admin may what an operator key with every grant may.
    User { id: UserId, session: SessionId, platform_admin: bool },
    /// A person who has just proved who they are, by a password or by a link that was meant for them, and has no session yet.
    Arrival { user: UserId, invited_to: Option<BusinessId> },
}

/// Proof that a caller may touch one user's account. Only [`Caller::account`] makes one, and the store asks for it
/// wherever it reads or writes what belongs to a user, so that a query without a check does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account(UserId);

impl Account {
    pub const fn user(&self) -> UserId {
        self.0
    }
}

/// Proof that a caller may look at, or change, the whole platform in one respect. Only [`Caller::platform`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform(OperatorGrant);

impl Platform {
    pub const fn grant(&self) -> OperatorGrant {
        self.0
    }
}

/// Proof that a caller is an operator, and what it may therefore give to another. Only [`Caller::peers`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peers(OperatorGrants);

impl Peers {
    pub const fn grants(&self) -> OperatorGrants {
        self.0
    }
}

/// What a user is in one business, as the store had it when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub user: UserId,
    pub business: BusinessId,
    pub role: RoleId,
    pub permissions: PermissionSet,
    pub manages: Vec<Manages>,
    pub business_disabled: bool,
}

/// What it takes to do something in a business, for one who is no operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To be a member.
    Member,
    /// To have a role that looks after this part.
    Manages(Manages),
    /// To have a role that looks after every part.
    Everything,
    /// To run the platform: no role in the business is enough.
    Platform,
}

/// Proof that a caller may look at, or after, one business in one respect. Only [`Caller::tenant`] makes one, and the store asks
/// for it wherever it reads or writes what belongs to a business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    business: BusinessId,
    grant: OperatorGrant,
    need: Need,
    /// What the caller is there; `None` for one who runs the platform.
    standing: Option<Standing>,
}

/// Why a caller has no [`Tenant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTenant {
    /// To this caller there is no such business.
    Unseen,
    /// The operator key lacks the grant.
    Lacks(OperatorGrant),
    /// The caller's role does not look after this.
    Role(Need),
    Disabled,
}

impl Tenant {
    pub const fn business(&self) -> BusinessId {
        self.business
    }

    pub const fn grant(&self) -> OperatorGrant {
        self.grant
    }

    pub const fn need(&self) -> Need {
        self.need
    }

    /// Whether the caller is a member of the business, and not one who runs the platform.
    pub const fn is_member(&self) -> bool {
        self.standing.is_some()
    }

    /// Whether the caller may give, take or shape a role that allows this: nobody gives what they lack, and owners are made
    /// by owners.
    pub fn reaches(&self, role: RoleId, permissions: PermissionSet, manages: &[Manages]) -> bool {
        let Some(own) = &self.standing else { return true };
        own.role == BuiltIn::Owner.id()
            || (role != BuiltIn::Owner.id()
                && permissions.is_subset_of(own.permissions)
                && manages.iter().all(|part| own.manages.contains(part)))
    }
}

impl Caller {
    /// Whether the caller may do something in a business: an operator by its grant, a person by what they are there.
    pub fn tenant(
        &self,
        business: BusinessId,
        grant: OperatorGrant,
        need: Need,
        standing: Option<Standing>,
    ) -> Result<Tenant, NoTenant> {
        if self.platform(grant).is_some() {
            return Ok(Tenant { business, grant, need, standing: None });
        }
        let user = match *self {
            Self::User { id, .. } => id,
            Self::Operator { .. } => return Err(NoTenant::Lacks(grant)),
            Self::Arrival { invited_to: Some(place), .. } if place == business => {
                return Ok(Tenant { business, grant, need, standing: None });
            }
            Self::ApiKey { .. } | Self::Arrival { .. } => return Err(NoTenant::Unseen),
        };
        let own = standing.filter(|own| own.user == user && own.business == business).ok_or(NoTenant::Unseen)?;
        let enough = match need {
            Need::Member => true,
            Need::Manages(part) => own.manages.contains(&part),
            Need::Everything => Manages::ALL.iter().all(|part| own.manages.contains(part)),
            Need::Platform => false,
        };
        match (enough, need, own.business_disabled) {
            (false, ..) => Err(NoTenant::Role(need)),
            (true, Need::Manages(_) | Need::Everything, true) => Err(NoTenant::Disabled),
            _ => Ok(Tenant { business, grant, need, standing: Some(own) }),
        }
    }

    /// Proof over a business that the caller makes in this very edit, and that nobody else can know of yet.
    pub fn founds(&self, business: BusinessId) -> Option<Tenant> {
        let grant = OperatorGrant::BusinessesWrite;
        let may = self.platform(grant).is_some() || matches!(self, Self::User { .. });
        may.then_some(Tenant { business, grant, need: Need::Everything, standing: None })
    }

    /// Whether the caller may look after operator keys: an operator, as far as its own grants go.
    pub fn peers(&self) -> Option<Peers> {
        match self {
            Self::Operator { grants, .. } => Some(Peers(*grants)),
            Self::User { platform_admin: true, .. } => Some(Peers(OperatorGrants::all())),
            Self::User { .. } | Self::ApiKey { .. } | Self::Arrival { .. } => None,
        }
    }

    /// Whether the caller may do `grant`'s kind of thing with this user's account: an operator by its grant,
    /// a key with user management for its own owner.
    pub fn account(&self, user: UserId, grant: OperatorGrant) -> Option<Account> {
        let allowed = match self {
            Self::Operator { grants, .. } => grants.contains(grant),
            Self::ApiKey { user: owner, user_management, .. } => *user_management && *owner == user,
            Self::User { id, platform_admin, .. } => *platform_admin || *id == user,
            Self::Arrival { user: own, .. } => *own == user,
        };
        allowed.then_some(Account(user))
    }

    /// Whether the caller may do `grant`'s kind of thing on the whole platform: operators and platform admins only.
    pub fn platform(&self, grant: OperatorGrant) -> Option<Platform> {
        self.peers()?.grants().contains(grant).then_some(Platform(grant))
    }

    /// Whether the caller may make somebody a platform admin, or look after one: it takes every grant there is.
    pub fn runs_everything(&self) -> bool {
        self.peers().is_some_and(|peers| peers.grants().lacks(OperatorGrants::all()).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::from_bytes([1; 16]);
    const BOB: UserId = UserId::from_bytes([2; 16]);

    #[test]
    fn scopes() {
        use BusinessScope::{Only, Unrestricted};
        let (a, b) = (BusinessId::from_bytes([1; 16]), BusinessId::from_bytes([2; 16]));
        assert!(Only(vec![a]).is_within(&Unrestricted));
        assert!(Only(vec![a]).is_within(&Only(vec![b, a])));
        assert!(!Only(vec![a, b]).is_within(&Only(vec![a])));
        assert!(!Unrestricted.is_within(&Only(vec![a, b])));
        assert!(!Unrestricted.is_within(&Only(vec![])));
    }

    #[test]
    fn a_key_proves_only_its_own_account_and_only_with_user_management() {
        let key = |user_management| Caller::ApiKey { id: ApiKeyId::from_bytes([3; 16]), user: ANN, user_management };
        assert_eq!(key(true).account(ANN, OperatorGrant::KeysWrite), Some(Account(ANN)));
        assert_eq!(key(true).account(BOB, OperatorGrant::KeysWrite), None);
        assert_eq!(key(false).account(ANN, OperatorGrant::KeysRead), None);
        assert_eq!(key(true).platform(OperatorGrant::UsersRead), None);
    }

    #[test]
    fn a_person_proves_their_own_account_and_an_admin_the_platform() {
        let person = |platform_admin| Caller::User { id: ANN, session: SessionId::from_bytes([5; 16]), platform_admin };
        assert_eq!(person(false).account(ANN, OperatorGrant::KeysWrite), Some(Account(ANN)));
        assert_eq!(person(false).account(BOB, OperatorGrant::KeysRead), None);
        assert_eq!(person(false).platform(OperatorGrant::UsersRead), None);
        assert_eq!(person(false).peers(), None);
        assert!(!person(false).runs_everything());
        assert_eq!(person(true).account(BOB, OperatorGrant::KeysRead), Some(Account(BOB)));
        assert!(person(true).platform(OperatorGrant::AuditRead).is_some() && person(true).runs_everything());
    }

    #[test]
    fn a_member_proves_a_business_as_far_as_their_role_goes() {
        use OperatorGrant::{BusinessesRead, BusinessesWrite};
        const HERE: BusinessId = BusinessId::from_bytes([7; 16]);
        let there = BusinessId::from_bytes([8; 16]);
        let ann = Caller::User { id: ANN, session: SessionId::from_bytes([5; 16]), platform_admin: false };
        let standing = |role: BuiltIn, business_disabled| {
            Some(Standing {
                user: ANN,
                business: HERE,
                role: role.id(),
                permissions: PermissionSet::EMPTY,
                manages: role.manages().to_vec(),
                business_disabled,
            })
        };
        let tenant = |need, standing| ann.tenant(HERE, BusinessesWrite, need, standing);
        let members = Need::Manages(Manages::Members);
        assert_eq!(tenant(Need::Member, None), Err(NoTenant::Unseen));
        assert!(tenant(Need::Member, standing(BuiltIn::Viewer, true)).is_ok());
        assert_eq!(tenant(members, standing(BuiltIn::Member, false)), Err(NoTenant::Role(members)));
        assert_eq!(tenant(members, standing(BuiltIn::Owner, true)), Err(NoTenant::Disabled));
        assert!(tenant(Need::Everything, standing(BuiltIn::Admin, false)).is_ok());
        let elsewhere = ann.tenant(there, BusinessesRead, Need::Member, standing(BuiltIn::Owner, false));
        assert_eq!(elsewhere, Err(NoTenant::Unseen), "what they are here says nothing of there");
        let bob = Caller::User { id: BOB, session: SessionId::from_bytes([5; 16]), platform_admin: false };
        let borrowed = bob.tenant(HERE, BusinessesRead, Need::Member, standing(BuiltIn::Owner, false));
        assert_eq!(borrowed, Err(NoTenant::Unseen), "what Ann is says nothing of Bob");
        let key = Caller::ApiKey { id: ApiKeyId::from_bytes([3; 16]), user: ANN, user_management: true };
        let by_key = key.tenant(HERE, BusinessesRead, Need::Member, standing(BuiltIn::Owner, false));
        assert_eq!(by_key, Err(NoTenant::Unseen));

        let admin = tenant(members, standing(BuiltIn::Admin, false)).unwrap();
        assert!(admin.reaches(BuiltIn::Viewer.id(), PermissionSet::EMPTY, &[]));
        assert!(!admin.reaches(BuiltIn::Owner.id(), PermissionSet::EMPTY, &[]), "owners are made by owners");
        assert!(!admin.reaches(BuiltIn::Viewer.id(), PermissionSet::UNIVERSE, &[]), "nobody gives what they lack");
        let owner = tenant(members, standing(BuiltIn::Owner, false)).unwrap();
        assert!(owner.reaches(BuiltIn::Owner.id(), PermissionSet::UNIVERSE, &Manages::ALL));
    }

    #[test]
    fn an_operator_proves_what_its_grants_say() {
        let caller = Caller::Operator {
            id: OperatorKeyId::from_bytes([4; 16]),
            grants: [OperatorGrant::KeysRead].into_iter().collect(),
        };
        assert_eq!(caller.account(BOB, OperatorGrant::KeysRead), Some(Account(BOB)));
        assert_eq!(caller.account(BOB, OperatorGrant::KeysWrite), None);
        assert_eq!(caller.platform(OperatorGrant::KeysRead), Some(Platform(OperatorGrant::KeysRead)));
        assert_eq!(caller.platform(OperatorGrant::BusinessesWrite), None);
    }
}
