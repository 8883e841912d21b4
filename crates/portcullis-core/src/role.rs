//! What a member may do in one business.

use serde::{Deserialize, Serialize};

use crate::id::RoleId;
use crate::permission::{Action, Catalogue, PermissionSet};

/// The roles that every business has from the start. Their ids are the same everywhere, and what they allow follows the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuiltIn {
    Owner,
    Admin,
    Member,
    Viewer,
}

impl BuiltIn {
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Member, Self::Viewer];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|built_in| built_in.name() == name)
    }

    pub const fn id(self) -> RoleId {
        let mut bytes = [0; 16];
        bytes[15] = match self {
            Self::Owner => 1,
            Self::Admin => 2,
            Self::Member => 3,
            Self::Viewer => 4,
        };
        RoleId::from_bytes(bytes)
    }

    pub fn from_id(id: RoleId) -> Option<Self> {
        Self::ALL.into_iter().find(|built_in| built_in.id() == id)
    }

    pub fn permissions(self, catalogue: &Catalogue) -> PermissionSet {
        match self {
            Self::Owner | Self::Admin | Self::Member => catalogue.all(),
            Self::Viewer => catalogue.all_of(Action::Read),
        }
    }

    pub const fn manages(self) -> &'static [Manages] {
        match self {
            Self::Owner | Self::Admin => &Manages::ALL,
            Self::Member | Self::Viewer => &[],
        }
    }
}

/// A part of a business's own affairs that a role may look after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manages {
    Members,
    Roles,
    ApiKeys,
    Audit,
}

impl Manages {
    pub const ALL: [Self; 4] = [Self::Members, Self::Roles, Self::ApiKeys, Self::Audit];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Roles => "roles",
            Self::ApiKeys => "api_keys",
            Self::Audit => "audit",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::Resource;

    #[test]
    fn what_the_built_in_roles_allow() {
        let catalogue = Catalogue::new(vec![
            Resource { name: "calls".to_owned(), actions: vec![Action::Read, Action::Write] },
            Resource { name: "analytics".to_owned(), actions: vec![Action::Read] },
        ])
        .unwrap();
        for role in [BuiltIn::Owner, BuiltIn::Admin, BuiltIn::Member] {
            assert_eq!(role.permissions(&catalogue), catalogue.all());
        }
        assert_eq!(BuiltIn::Viewer.permissions(&catalogue), catalogue.set(&["calls:read", "analytics:read"]));
        assert_eq!(BuiltIn::Admin.manages(), Manages::ALL);
        assert!(BuiltIn::Member.manages().is_empty());
    }

    #[test]
    fn ids_and_names_come_back() {
        for role in BuiltIn::ALL {
            assert_eq!(BuiltIn::from_id(role.id()), Some(role));
            assert_eq!(BuiltIn::from_name(role.name()), Some(role));
        }
        assert_eq!(BuiltIn::Owner.id().to_string(), "rol_00000000000000000000000001");
        assert_eq!(BuiltIn::from_name("Owner"), None);
    }
}
