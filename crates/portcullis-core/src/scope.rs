//! Where a caller may act: a key's business scope, and the proofs that a store query asks for.

use serde::{Deserialize, Serialize};

use crate::id::{ApiKeyId, BusinessId, OperatorKeyId, UserId};
use crate::operator::{OperatorGrant, OperatorGrants};

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

impl Caller {
    /// Whether the caller may look after operator keys: an operator, as far as its own grants go.
    pub const fn peers(&self) -> Option<Peers> {
        match self {
            Self::Operator { grants, .. } => Some(Peers(*grants)),
            Self::ApiKey { .. } => None,
        }
    }

    /// Whether the caller may do `grant`'s kind of thing with this user's account: an operator by its grant,
    /// a key with user management for its own owner.
    pub fn account(&self, user: UserId, grant: OperatorGrant) -> Option<Account> {
        let allowed = match self {
            Self::Operator { grants, .. } => grants.contains(grant),
            Self::ApiKey { user: owner, user_management, .. } => *user_management && *owner == user,
        };
        allowed.then_some(Account(user))
    }

    /// Whether the caller may do `grant`'s kind of thing on the whole platform: operators only.
    pub fn platform(&self, grant: OperatorGrant) -> Option<Platform> {
        match self {
            Self::Operator { grants, .. } => grants.contains(grant).then_some(Platform(grant)),
            Self::ApiKey { .. } => None,
        }
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
