//! What the platform's own credentials may do.

use serde::{Deserialize, Serialize};

macro_rules! operator_grants {
    ($($variant:ident = $name:literal: $doc:literal;)+) => {
        /// One thing an operator key may do on the management API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum OperatorGrant {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)+
        }

        impl OperatorGrant {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

operator_grants! {
    KeysVerify = "keys:verify": "Ask for decisions.";
    KeysRead = "keys:read": "See any user's API keys.";
    KeysWrite = "keys:write": "Make, change and revoke any user's API keys.";
    UsersRead = "users:read": "See users.";
    UsersWrite = "users:write": "Make, change and disable users.";
    BusinessesRead = "businesses:read": "See businesses, their members and roles.";
    BusinessesWrite = "businesses:write": "Make, change and disable businesses, their members and roles.";
    UsageRead = "usage:read": "See what keys were used for.";
    AuditRead = "audit:read": "Read the audit log.";
}

impl OperatorGrant {
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|grant| grant.name() == name)
    }
}

/// A set of operator grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OperatorGrants(u16);

impl OperatorGrants {
    pub fn all() -> Self {
        OperatorGrant::ALL.iter().copied().collect()
    }

    pub const fn contains(self, grant: OperatorGrant) -> bool {
        self.0 & (1 << grant as u16) != 0
    }

    /// The first grant of `wanted` that is not here.
    pub fn lacks(self, wanted: Self) -> Option<OperatorGrant> {
        wanted.iter().find(|grant| !self.contains(*grant))
    }

    pub fn iter(self) -> impl Iterator<Item = OperatorGrant> {
        OperatorGrant::ALL.iter().copied().filter(move |grant| self.contains(*grant))
    }
}

impl From<OperatorGrant> for OperatorGrants {
    fn from(grant: OperatorGrant) -> Self {
        std::iter::once(grant).collect()
    }
}

impl FromIterator<OperatorGrant> for OperatorGrants {
    fn from_iter<I: IntoIterator<Item = OperatorGrant>>(grants: I) -> Self {
        Self(grants.into_iter().fold(0, |bits, grant| bits | 1 << grant as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_it_was_given_and_nothing_else() {
        let set: OperatorGrants = [OperatorGrant::KeysVerify, OperatorGrant::AuditRead].into_iter().collect();
        assert_eq!(set.iter().map(OperatorGrant::name).collect::<Vec<_>>(), ["keys:verify", "audit:read"]);
        assert_eq!(OperatorGrants::all().iter().count(), 9);
        assert_eq!(OperatorGrants::default().iter().count(), 0);
        assert_eq!(OperatorGrant::from_name("keys:write"), Some(OperatorGrant::KeysWrite));
        assert_eq!(OperatorGrant::from_name("*"), None);
        assert_eq!(set.lacks(OperatorGrants::all()), Some(OperatorGrant::KeysRead));
        assert_eq!(OperatorGrants::all().lacks(set), None);
        assert_eq!(set.lacks(OperatorGrant::KeysVerify.into()), None);
    }
}
