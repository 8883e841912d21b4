//! Which role a user has in which business.

use super::Place;

/// No place has this number.
const NOWHERE: Place = Place::MAX;

/// A business and a role in it.
pub(super) type Membership = (Place, Place);

/// A user's memberships, sorted by business. Most users are members of one business or two, and need no list of their own.
#[derive(Debug)]
pub(super) enum Memberships {
    /// Up to two; those that are not there are nowhere, and last.
    Few([Membership; 2]),
    Many(Vec<Membership>),
}

const _: () =
    assert!(size_of::<Memberships>() == 24, "two memberships take no more room than a list that is elsewhere");

impl Memberships {
    pub(super) const NONE: Self = Self::Few([(NOWHERE, NOWHERE); 2]);

    pub(super) const fn as_slice(&self) -> &[Membership] {
        match self {
            Self::Few([(NOWHERE, _), _]) => &[],
            Self::Few([one, (NOWHERE, _)]) => std::slice::from_ref(one),
            Self::Few(both) => both,
            Self::Many(list) => list.as_slice(),
        }
    }

    pub(super) fn in_business(&self, business: Place) -> Option<Membership> {
        let all = self.as_slice();
        let at = all.binary_search_by_key(&business, |&(business, _)| business).ok()?;
        all.get(at).copied()
    }

    pub(super) fn set(&mut self, business: Place, role: Place) {
        let mut list = self.without(business);
        let at = list.partition_point(|&(other, _)| other < business);
        list.insert(at, (business, role));
        *self = Self::of(list);
    }

    pub(super) fn remove(&mut self, business: Place) {
        *self = Self::of(self.without(business));
    }

    fn without(&self, business: Place) -> Vec<Membership> {
        let all = self.as_slice();
        let mut list = Vec::with_capacity(all.len() + 1);
        list.extend(all.iter().copied().filter(|&(other, _)| other != business));
        list
    }

    fn of(list: Vec<Membership>) -> Self {
        match *list.as_slice() {
            [] => Self::NONE,
            [one] => Self::Few([one, (NOWHERE, NOWHERE)]),
            [one, other] => Self::Few([one, other]),
            _ => Self::Many(list),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_a_sorted_map(steps in prop::collection::vec((0u32..6, prop::option::of(0u32..3)), 0..60)) {
            let (mut memberships, mut model) = (Memberships::NONE, BTreeMap::new());
            for (business, role) in steps {
                if let Some(role) = role {
                    memberships.set(business, role);
                    model.insert(business, role);
                } else {
                    memberships.remove(business);
                    model.remove(&business);
                }
                prop_assert_eq!(memberships.as_slice(), model.iter().map(|(&b, &r)| (b, r)).collect::<Vec<_>>());
                for business in 0..6 {
                    prop_assert_eq!(memberships.in_business(business), model.get(&business).map(|&role| (business, role)));
                }
            }
        }
    }
}
