//! The keyring's two kinds of table.

use std::collections::HashMap;
use std::hash::Hash;

use super::{Place, Unfit};

/// Values with an id, each in a place of its own that never changes.
#[derive(Debug)]
pub(super) struct Shelf<I, V> {
    values: Vec<V>,
    by_id: HashMap<I, Place>,
}

impl<I, V> Default for Shelf<I, V> {
    fn default() -> Self {
        Self { values: Vec::new(), by_id: HashMap::new() }
    }
}

impl<I: Copy + Eq + Hash + std::fmt::Display, V> Shelf<I, V> {
    pub(super) fn put(&mut self, id: I, value: V) -> Place {
        if let Some(&place) = self.by_id.get(&id) {
            if let Some(old) = self.values.get_mut(place as usize) {
                *old = value;
            }
            return place;
        }
        let place = Place::try_from(self.values.len()).unwrap_or(Place::MAX);
        self.values.push(value);
        self.by_id.insert(id, place);
        place
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn place(&self, id: &I) -> Result<Place, Unfit> {
        self.by_id.get(id).copied().ok_or_else(|| Unfit(id.to_string()))
    }

    pub(super) fn at(&self, place: Place) -> Option<&V> {
        self.values.get(place as usize)
    }

    pub(super) fn get_mut(&mut self, id: &I) -> Option<&mut V> {
        self.by_id.get(id).and_then(|&place| self.values.get_mut(place as usize))
    }
}

/// Values that many keys have in common, each held once.
#[derive(Debug)]
pub(super) struct Shared<T> {
    values: Vec<T>,
    places: HashMap<T, Place>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { values: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Shared<T> {
    pub(super) fn share(&mut self, value: T) -> Place {
        if let Some(&place) = self.places.get(&value) {
            return place;
        }
        let place = Place::try_from(self.values.len()).unwrap_or(Place::MAX);
        self.values.push(value.clone());
        self.places.insert(value, place);
        place
    }

    pub(super) fn at(&self, place: Place) -> Option<&T> {
        self.values.get(place as usize)
    }
}
