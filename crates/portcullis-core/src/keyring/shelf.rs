//! The keyring's two kinds of table: values that have an id, and values that many have in common.

use std::collections::hash_map::RandomState;
use std::fmt::Display;
use std::hash::{BuildHasher, Hash};

use super::column::Column;
use super::index::Index;
use super::{Place, Unfit, id_hash};

/// Values with an id, each in a place of its own that is its own until it is taken away.
#[derive(Debug)]
pub(super) struct Shelf<I, V> {
    values: Column<Option<(I, V)>>,
    free: Vec<Place>,
    by_id: Index,
}

impl<I, V> Default for Shelf<I, V> {
    fn default() -> Self {
        Self { values: Column::default(), free: Vec::new(), by_id: Index::default() }
    }
}

impl<I: Copy + Eq + Display + AsRef<[u8; 16]>, V> Shelf<I, V> {
    pub(super) fn put(&mut self, id: I, value: V) -> Result<Place, Unfit> {
        if let Ok(place) = self.place(&id) {
            if let Some((_, old)) = self.values.get_mut(place).and_then(Option::as_mut) {
                *old = value;
            }
            return Ok(place);
        }
        let value = Some((id, value));
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(slot) = self.values.get_mut(place) {
                    *slot = value;
                }
                place
            }
            None => self.values.push(value).ok_or_else(|| Unfit("more than a keyring can number".to_owned()))?,
        };
        let Self { values, by_id, .. } = self;
        by_id.insert(id_hash(id.as_ref()), place, |place| {
            values.get(place).and_then(Option::as_ref).map_or(0, |(id, _)| id_hash(id.as_ref()))
        });
        Ok(place)
    }

    pub(super) fn take(&mut self, id: &I) {
        if let Ok(place) = self.place(id) {
            self.by_id.remove(id_hash(id.as_ref()), place);
            self.free.push(place);
            if let Some(slot) = self.values.get_mut(place) {
                *slot = None;
            }
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.values.len() == self.free.len()
    }

    pub(super) fn place(&self, id: &I) -> Result<Place, Unfit> {
        self.by_id
            .find(id_hash(id.as_ref()), |place| self.at(place).is_some_and(|(other, _)| other == id))
            .ok_or_else(|| Unfit(id.to_string()))
    }

    pub(super) fn at(&self, place: Place) -> Option<&(I, V)> {
        self.values.get(place)?.as_ref()
    }

    pub(super) fn get(&self, id: &I) -> Option<&V> {
        self.at(self.place(id).ok()?).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, id: &I) -> Option<&mut V> {
        let place = self.place(id).ok()?;
        self.values.get_mut(place)?.as_mut().map(|(_, value)| value)
    }
}

/// Values that many have in common, each held once, and for as long as somebody has it.
#[derive(Debug)]
pub(super) struct Shared<T> {
    values: Column<Slot<T>>,
    free: Vec<Place>,
    places: Index,
    hasher: RandomState,
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    users: u32,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { values: Column::default(), free: Vec::new(), places: Index::default(), hasher: RandomState::new() }
    }
}

impl<T: Eq + Hash> Shared<T> {
    /// The place of this value, and whether it was not here before. Whoever shares it gives it back by [`Shared::release`].
    pub(super) fn share(&mut self, value: T) -> Result<(Place, bool), Unfit> {
        let hash = self.hasher.hash_one(&value);
        if let Some(place) = self.places.find(hash, |place| self.at(place) == Some(&value)) {
            if let Some(slot) = self.values.get_mut(place) {
                slot.users = slot.users.saturating_add(1);
            }
            return Ok((place, false));
        }
        let slot = Slot { value: Some(value), users: 1 };
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(free) = self.values.get_mut(place) {
                    *free = slot;
                }
                place
            }
            None => self.values.push(slot).ok_or_else(|| Unfit("more than a keyring can number".to_owned()))?,
        };
        let Self { values, places, hasher, .. } = self;
        places.insert(hash, place, |place| {
            values.get(place).and_then(|slot| slot.value.as_ref()).map_or(0, |value| hasher.hash_one(value))
        });
        Ok((place, true))
    }

    /// One user fewer. The value itself, where that was the last one.
    pub(super) fn release(&mut self, place: Place) -> Option<T> {
        let slot = self.values.get_mut(place)?;
        // A count that has reached its end stays there: the value is held for ever.
        if slot.users < u32::MAX {
            slot.users = slot.users.saturating_sub(1);
        }
        if slot.users > 0 {
            return None;
        }
        let value = slot.value.take()?;
        self.places.remove(self.hasher.hash_one(&value), place);
        self.free.push(place);
        Some(value)
    }

    pub(super) fn at(&self, place: Place) -> Option<&T> {
        self.values.get(place)?.value.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::id::UserId;
    use proptest::prelude::*;

    const fn id(n: u8) -> UserId {
        UserId::from_bytes([n; 16])
    }

    proptest! {
        #[test]
        fn a_shelf_is_a_map(steps in prop::collection::vec((0u8..30, prop::option::of(any::<u16>())), 0..200)) {
            let (mut shelf, mut model) = (Shelf::default(), HashMap::new());
            for (n, value) in steps {
                if let Some(value) = value {
                    shelf.put(id(n), value).unwrap();
                    model.insert(n, value);
                } else {
                    shelf.take(&id(n));
                    model.remove(&n);
                }
                prop_assert_eq!(shelf.get(&id(n)), model.get(&n));
                prop_assert_eq!(shelf.is_empty(), model.is_empty());
            }
            prop_assert!(shelf.values.len() <= 30, "what is taken away leaves room");
            for n in 0..30 {
                prop_assert_eq!(shelf.get(&id(n)), model.get(&n));
            }
        }

        #[test]
        fn what_nobody_has_any_more_is_gone(steps in prop::collection::vec((0usize..8, prop::collection::vec(0u8..3, 0..3)), 0..300)) {
            // Eight users, each of whom has one value at a time.
            let (mut shared, mut users) = (Shared::default(), vec![None; 8]);
            for (user, value) in steps {
                let (place, is_new) = shared.share(value.clone()).unwrap();
                prop_assert_eq!(is_new, !users.iter().flatten().any(|(_, other)| *other == value));
                if let Some((old, _)) = users[user].replace((place, value)) {
                    shared.release(old);
                }
                for (place, value) in users.iter().flatten() {
                    prop_assert_eq!(shared.at(*place), Some(value));
                }
            }
            prop_assert!(shared.values.len() <= 9, "{} places for eight values", shared.values.len());
        }
    }
}
