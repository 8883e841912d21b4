//! What may be done: the catalogue of resources and actions, permissions, and sets of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What may be done with a resource. `write` does not include `read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Read,
    Write,
}

impl Action {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// What a request with this method does. Methods are compared as they stand: whatever is neither `GET` nor `HEAD` is taken
    /// for a change, an unknown or oddly written method included.
    pub fn of_method(method: &str) -> Self {
        if matches!(method, "GET" | "HEAD") { Self::Read } else { Self::Write }
    }
}

/// One `resource:action` of the catalogue, as its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission(u8);

/// The resources of the guarded API and the actions each allows, as the configuration names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    resources: Vec<Resource>,
    /// The name of each permission; a permission is an index into this.
    names: Vec<String>,
}

/// One resource of the guarded API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub name: String,
    pub actions: Vec<Action>,
}

/// Why a list of resources cannot be a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACatalogue {
    #[error("the catalogue has no resource; name at least one")]
    Empty,
    #[error("`{0}` is no name for a resource: a lower-case letter, then up to 31 lower-case letters, digits or `_`")]
    Name(String),
    #[error("the resource `{0}` is named twice")]
    Duplicate(String),
    #[error("the resource `{0}` allows no action; give it `read`, `write` or both, each once")]
    Actions(String),
    #[error("the catalogue has {0} resource-action pairs; 128 are the most")]
    TooLarge(usize),
}

impl Catalogue {
    /// The most resource-action pairs a catalogue can have: a set of them is one 128-bit number.
    pub const MOST: usize = 128;

    pub fn new(resources: Vec<Resource>) -> Result<Self, NotACatalogue> {
        if resources.is_empty() {
            return Err(NotACatalogue::Empty);
        }
        let mut names = Vec::new();
        for (place, resource) in resources.iter().enumerate() {
            let name = &resource.name;
            let mut bytes = name.bytes();
            let starts = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
            if !starts
                || name.len() > 32
                || !bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            {
                return Err(NotACatalogue::Name(name.clone()));
            }
            if resources.iter().take(place).any(|earlier| earlier.name == *name) {
                return Err(NotACatalogue::Duplicate(name.clone()));
            }
            match resource.actions.as_slice() {
                [_] => {}
                [one, other] if one != other => {}
                _ => return Err(NotACatalogue::Actions(name.clone())),
            }
            names.extend(resource.actions.iter().map(|action| format!("{name}:{}", action.name())));
        }
        if names.len() > Self::MOST {
            return Err(NotACatalogue::TooLarge(names.len()));
        }
        Ok(Self { resources, names })
    }

    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The permission of this name, if the catalogue has it.
    pub fn permission(&self, name: &str) -> Option<Permission> {
        let place = self.names.iter().position(|known| known == name)?;
        u8::try_from(place).ok().map(Permission)
    }

    pub fn name(&self, permission: Permission) -> &str {
        self.names.get(usize::from(permission.0)).map_or("", String::as_str)
    }

    pub fn names(&self, set: PermissionSet) -> impl Iterator<Item = &str> {
        let named = (0..128).map(Permission).zip(&self.names);
        named.filter(move |(permission, _)| set.contains(*permission)).map(|(_, name)| name.as_str())
    }

    /// Every permission there is.
    pub fn all(&self) -> PermissionSet {
        (0..self.names.len()).filter_map(|place| u8::try_from(place).ok()).map(Permission).collect()
    }

    /// Every permission of one action.
    pub fn all_of(&self, action: Action) -> PermissionSet {
        let ending = format!(":{}", action.name());
        self.all().iter().filter(|permission| self.name(*permission).ends_with(&ending)).collect()
    }

    /// The permissions of these names. A name that the catalogue no longer has grants nothing.
    pub fn set<S: AsRef<str>>(&self, names: &[S]) -> PermissionSet {
        names.iter().filter_map(|name| self.permission(name.as_ref())).collect()
    }
}

/// A set of permissions: one bit for each place of the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PermissionSet(u128);

impl PermissionSet {
    pub const EMPTY: Self = Self(0);
    /// Every place there could be: the neutral element of an intersection.
    pub const UNIVERSE: Self = Self(u128::MAX);

    pub const fn contains(self, permission: Permission) -> bool {
        // A permission is below 128, because only a catalogue makes one.
        self.0 >> (permission.0 & 127) & 1 == 1
    }

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let place = u8::try_from(rest.trailing_zeros()).ok()?;
            if place >= 128 {
                return None;
            }
            rest &= rest - 1;
            Some(Permission(place))
        })
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | 1 << (permission.0 & 127)))
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.iter().map(|permission| permission.0)).finish()
    }
}

/// What a key was given: a list of its own, or whatever its owner may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grant {
    Inherit,
    List(PermissionSet),
}

impl Grant {
    /// What the key may do where its owner may do `role`: never more than either.
    #[must_use]
    pub const fn within(self, role: PermissionSet) -> PermissionSet {
        match self {
            Self::Inherit => role,
            Self::List(own) => own.and(role),
        }
    }

    /// Whether a key with this grant can do nothing that a key with `other` could not, whatever their common owner's role becomes.
    pub const fn is_within(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Inherit) => true,
            (Self::Inherit, Self::List(_)) => false,
            (Self::List(own), Self::List(bound)) => own.is_subset_of(bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn resource(name: &str, actions: &[Action]) -> Resource {
        Resource { name: name.to_owned(), actions: actions.to_vec() }
    }

    /// 64 resources with two actions each: every one of the 128 places.
    fn full() -> Catalogue {
        Catalogue::new((0..64).map(|n| resource(&format!("r{n}"), &[Action::Read, Action::Write])).collect()).unwrap()
    }

    #[test]
    fn names_and_places() {
        let catalogue = Catalogue::new(vec![
            resource("calls", &[Action::Read, Action::Write]),
            resource("analytics", &[Action::Read]),
        ])
        .unwrap();
        assert_eq!(
            catalogue.names(catalogue.all()).collect::<Vec<_>>(),
            ["calls:read", "calls:write", "analytics:read"]
        );
        assert_eq!(catalogue.permission("analytics:write"), None);
        assert_eq!(
            catalogue.names(catalogue.all_of(Action::Read)).collect::<Vec<_>>(),
            ["calls:read", "analytics:read"]
        );
        assert_eq!(catalogue.set(&["gone:read"]), PermissionSet::EMPTY);
    }

    #[test]
    fn what_cannot_be_a_catalogue() {
        use NotACatalogue as No;
        let both = [Action::Read, Action::Write];
        assert_eq!(Catalogue::new(vec![]), Err(No::Empty));
        for name in ["", "Calls", "1a", "a:b", "a*", "é", &"a".repeat(33)] {
            assert_eq!(Catalogue::new(vec![resource(name, &both)]), Err(No::Name(name.to_owned())));
        }
        assert_eq!(
            Catalogue::new(vec![resource("a", &both), resource("a", &both)]),
            Err(No::Duplicate("a".to_owned()))
        );
        assert_eq!(Catalogue::new(vec![resource("a", &[])]), Err(No::Actions("a".to_owned())));
        assert_eq!(Catalogue::new(vec![resource("a", &[Action::Read; 2])]), Err(No::Actions("a".to_owned())));
        let many = (0..65).map(|n| resource(&format!("r{n}"), &both)).collect();
        assert_eq!(Catalogue::new(many), Err(No::TooLarge(130)));
        assert_eq!(full().all(), PermissionSet::UNIVERSE);
    }

    #[test]
    fn only_get_and_head_read() {
        for (method, action) in
            [("GET", Action::Read), ("HEAD", Action::Read), ("POST", Action::Write), ("PATCH", Action::Write)]
        {
            assert_eq!(Action::of_method(method), action);
        }
        for odd in ["get", "OPTIONS", "FOO", ""] {
            assert_eq!(Action::of_method(odd), Action::Write, "{odd}");
        }
    }

    fn places() -> impl Strategy<Value = BTreeSet<u8>> {
        prop::collection::btree_set(0u8..128, 0..128)
    }

    fn set(places: &BTreeSet<u8>) -> PermissionSet {
        places.iter().copied().map(Permission).collect()
    }

    proptest! {
        #[test]
        fn sets_behave_like_sets(a in places(), b in places(), probe in 0u8..128) {
            prop_assert_eq!(set(&a).and(set(&b)), set(&a.intersection(&b).copied().collect()));
            prop_assert_eq!(set(&a).or(set(&b)), set(&a.union(&b).copied().collect()));
            prop_assert_eq!(set(&a).is_subset_of(set(&b)), a.is_subset(&b));
            prop_assert_eq!(set(&a).contains(Permission(probe)), a.contains(&probe));
            prop_assert_eq!(set(&a).is_empty(), a.is_empty());
            prop_assert_eq!(set(&a).iter().map(|permission| permission.0).collect::<Vec<_>>(), a.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn a_narrower_grant_never_allows_more(a in prop::option::of(places()), b in prop::option::of(places()), role in places()) {
            let grant = |places: &Option<BTreeSet<u8>>| places.as_ref().map_or(Grant::Inherit, |places| Grant::List(set(places)));
            let (one, other, role) = (grant(&a), grant(&b), set(&role));
            prop_assert!(one.within(role).is_subset_of(role));
            if one.is_within(other) {
                prop_assert!(one.within(role).is_subset_of(other.within(role)));
            }
        }

        #[test]
        fn names_round_trip(a in places()) {
            let catalogue = full();
            let names: Vec<&str> = catalogue.names(set(&a)).collect();
            prop_assert_eq!(catalogue.set(&names), set(&a));
        }
    }
}
