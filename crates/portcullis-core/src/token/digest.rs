//! What is stored and looked for in place of a token.

use std::fmt;

use aws_lc_rs::{digest as sha, hmac};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Token, WellFormed};

/// What is stored in place of a token: HMAC-SHA-256(pepper, SHA-256(token)).
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A number to place the digest in a table by: the output of a keyed hash needs no further mixing.
    pub fn table_hash(&self) -> u64 {
        self.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// Whether both are of the same token. The first half finds the entry; the whole is compared in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        let (one, two) = (self.halves(), other.halves());
        // Two words of 128 bits and not 32 bytes, since there is a barrier for the compiler behind each that is compared.
        one[0] == two[0] && bool::from(one[0].ct_eq(&two[0]) & one[1].ct_eq(&two[1]))
    }

    fn halves(&self) -> [u128; 2] {
        let half = |bytes: Option<&[u8; 16]>| bytes.map_or(0, |bytes| u128::from_ne_bytes(*bytes));
        [half(self.0.first_chunk()), half(self.0.last_chunk())]
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Digest(…)")
    }
}

/// The server's own secret, without which a stolen database is worthless. Its HMAC state is prepared once.
pub struct Pepper(hmac::Key);

impl Pepper {
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// What to look a token up by.
    pub fn digest(&self, token: &WellFormed<'_>) -> Digest {
        self.wrap(sha::digest(&sha::SHA256, token.text.as_bytes()).as_ref())
    }

    /// What to store for a token that was just made.
    pub fn digest_of_new(&self, token: &Token) -> Digest {
        self.wrap(sha::digest(&sha::SHA256, token.reveal().as_bytes()).as_ref())
    }

    /// What to look up a token by that was issued elsewhere, whatever its form.
    pub fn digest_of_foreign(&self, token: &str) -> Digest {
        self.wrap(sha::digest(&sha::SHA256, token.as_bytes()).as_ref())
    }

    /// What to store for a token that was issued elsewhere, and of which nothing is known but its SHA-256.
    pub fn digest_of_sha256(&self, sha256: &[u8; 32]) -> Digest {
        self.wrap(sha256)
    }

    /// A key for another purpose (`cursor`, `check`), which cannot be confused with a token's digest.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut text = Zeroizing::new(Vec::with_capacity(64));
        text.extend_from_slice(b"portcullis:");
        text.extend_from_slice(purpose.as_bytes());
        *self.wrap(&text).as_bytes()
    }

    fn wrap(&self, bytes: &[u8]) -> Digest {
        let tag = hmac::sign(&self.0, bytes);
        Digest(tag.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Pepper(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Environment, TokenPrefix};

    #[test]
    fn the_digest_depends_on_pepper_and_token() {
        let token =
            |n: u8| Token::mint(&TokenPrefix::operator(), Environment::Live, &move |bytes: &mut [u8]| bytes.fill(n));
        let (one, two) = (token(1), token(2));
        let (first, second) = (Pepper::new(&[1; 32]), Pepper::new(&[2; 32]));
        assert!(first.digest_of_new(&one).matches(&first.digest_of_new(&one)));
        assert!(!first.digest_of_new(&one).matches(&first.digest_of_new(&two)));
        assert!(!first.digest_of_new(&one).matches(&second.digest_of_new(&one)));
        assert_ne!(first.derive("cursor"), first.derive("check"));
    }

    #[test]
    fn a_digest_matches_no_other_wherever_it_differs() {
        let digest = Digest::from_bytes([5; 32]);
        for place in 0..32 {
            let mut other = [5; 32];
            other[place] ^= 1;
            assert!(!digest.matches(&Digest::from_bytes(other)), "byte {place}");
        }
    }

    #[test]
    fn the_digest_is_the_one_that_is_written_down() {
        // HMAC-SHA-256 over SHA-256, computed with Python's hmac and hashlib: stored digests must open in every version.
        let token = WellFormed { text: "abc", environment: Environment::Live };
        let hex = data_encoding::HEXLOWER.encode(Pepper::new(&[7; 32]).digest(&token).as_bytes());
        assert_eq!(hex, "a2d1993e17f077129d14af2ac3c9862ec72f83bce565814b56f067562b06408b");
    }
}
