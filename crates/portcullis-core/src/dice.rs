//! Randomness, as something that is passed in.

/// A source of random bytes. The server passes the operating system's generator; tests pass what they like.
pub trait Dice {
    /// Fills all of `bytes` with fresh random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

impl<F: Fn(&mut [u8])> Dice for F {
    fn fill(&self, bytes: &mut [u8]) {
        self(bytes);
    }
}
