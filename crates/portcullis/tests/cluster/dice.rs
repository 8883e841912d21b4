//! Chance that can be repeated: the same seed throws the same.

/// SplitMix64, which is enough to choose among faults.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Others that depend on these, for something that goes on beside.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `least` up to `most`.
    pub(crate) const fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// One of so many.
    pub(crate) fn of(&mut self, many: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(many).unwrap()).unwrap()
    }

    pub(crate) fn shuffle<T>(&mut self, cards: &mut [T]) {
        for at in (1..cards.len()).rev() {
            cards.swap(at, self.of(at + 1));
        }
    }
}
