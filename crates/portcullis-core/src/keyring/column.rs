//! Values in a row, each in a place of its own: a list that grows without ever moving what it holds.

use super::Place;

/// How many values are allocated at a time.
const CHUNK: usize = 4_096;

/// A list in chunks. A single long one would stop everything for as long as it takes to copy it, each time that it is full.
#[derive(Debug)]
pub(super) struct Column<T> {
    /// All full, but the last.
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Column<T> {
    /// The new value's place; `None` where there are no numbers left for places.
    pub(super) fn push(&mut self, value: T) -> Option<Place> {
        let place = Place::try_from(self.len).ok().filter(|&place| place < Place::MAX)?;
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(value),
            last => {
                // The first chunk grows like any list, so that a small keyring is small.
                let mut chunk = Vec::with_capacity(if last.is_some() { CHUNK } else { 1 });
                chunk.push(value);
                self.chunks.push(chunk);
            }
        }
        self.len += 1;
        Some(place)
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, place: Place) -> Option<&T> {
        let place = place as usize;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        let place = place as usize;
        self.chunks.get_mut(place / CHUNK)?.get_mut(place % CHUNK)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

/// A mark on some places of another column: a bit for each.
#[derive(Debug, Default)]
pub(super) struct Marks(Column<u64>);

impl Marks {
    pub(super) fn has(&self, place: Place) -> bool {
        self.0.get(place / u64::BITS).is_some_and(|word| word >> (place % u64::BITS) & 1 == 1)
    }

    pub(super) fn set(&mut self, place: Place, marked: bool) {
        while self.0.len() <= (place / u64::BITS) as usize {
            // There are fewer words than places.
            let _ = self.0.push(0);
        }
        if let Some(word) = self.0.get_mut(place / u64::BITS) {
            let mark = 1 << (place % u64::BITS);
            *word = if marked { *word | mark } else { *word & !mark };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_on_its_place_alone() {
        let mut marks = Marks::default();
        for place in [0, 63, 64, 1_000] {
            marks.set(place, true);
        }
        marks.set(63, false);
        assert_eq!((0..2_000).filter(|&place| marks.has(place)).collect::<Vec<_>>(), [0, 64, 1_000]);
    }

    #[test]
    fn every_value_stays_in_its_place() {
        let mut column = Column::default();
        for n in 0..3 * CHUNK {
            assert_eq!(column.push(n), Place::try_from(n).ok());
        }
        *column.get_mut(5_000).unwrap() = 7;
        assert_eq!((column.len(), column.get(0), column.get(4_096)), (3 * CHUNK, Some(&0), Some(&4_096)));
        assert_eq!((column.get(5_000), column.get(12_288)), (Some(&7), None));
        assert_eq!(column.iter().filter(|&&n| n == 7).count(), 2);
    }
}
