//! The signed head of the audit log: the last event at an instant, so that a log whose tail was cut off shows.
//!
//! The chain of hashes finds what was changed, taken out or moved, but a shorter log is a whole log. Whoever keeps a head that was
//! signed (Ed25519, RFC 8032) somewhere else can tell that the log once went further.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::HEXLOWER;

use crate::time::Timestamp;

/// A head and its signature. As text: `number.hash.milliseconds.public-key.signature`, the last three of four in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedHead {
    /// The number of the last event.
    pub number: i64,
    /// Its hash.
    pub hash: [u8; 32],
    pub at: Timestamp,
    pub public_key: [u8; 32],
    pub signature: [u8; 64],
}

/// The text is not a signed head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signed head is five parts with dots between them, as the server's log has it")]
pub struct NotAHead;

impl SignedHead {
    /// Signs a head with the key pair of this seed. `None` where the seed is refused, which no 32 bytes are.
    pub fn sign(seed: &[u8; 32], number: i64, hash: [u8; 32], at: Timestamp) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public_key = pair.public_key().as_ref().try_into().ok()?;
        let signature = pair.sign(&message(number, &hash, at)).as_ref().try_into().ok()?;
        Some(Self { number, hash, at, public_key, signature })
    }

    /// Whether the signature is of this head and by this key. Whose key it is, is for the reader to know.
    pub fn is_genuine(&self) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.public_key);
        key.verify(&message(self.number, &self.hash, self.at), &self.signature).is_ok()
    }
}

fn message(number: i64, hash: &[u8; 32], at: Timestamp) -> Vec<u8> {
    format!("portcullis audit head\n{number}\n{}\n{}", HEXLOWER.encode(hash), at.as_millis()).into_bytes()
}

impl fmt::Display for SignedHead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
        let Self { number, hash, at, public_key, signature } = self;
        write!(out, "{number}.{}.{}.{}.{}", hex(hash), at.as_millis(), hex(public_key), hex(signature))
    }
}

impl FromStr for SignedHead {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        fn bytes<const N: usize>(part: &str) -> Result<[u8; N], NotAHead> {
            HEXLOWER.decode(part.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(NotAHead)
        }
        let mut parts = text.trim().split('.');
        let mut part = || parts.next().ok_or(NotAHead);
        let head = Self {
            number: part()?.parse().map_err(|_| NotAHead)?,
            hash: bytes(part()?)?,
            at: Timestamp::from_millis(part()?.parse().map_err(|_| NotAHead)?),
            public_key: bytes(part()?)?,
            signature: bytes(part()?)?,
        };
        if parts.next().is_none() { Ok(head) } else { Err(NotAHead) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_52_a_head_is_genuine_as_it_was_signed_and_in_no_other_way() {
        let head = SignedHead::sign(&[7; 32], 3, [9; 32], Timestamp::from_millis(5)).unwrap();
        assert!(head.is_genuine());
        assert_eq!(head.to_string().parse(), Ok(head));
        let other = SignedHead::sign(&[8; 32], 3, [9; 32], Timestamp::from_millis(5)).unwrap();
        for forged in [
            SignedHead { number: 2, ..head },
            SignedHead { hash: [8; 32], ..head },
            SignedHead { at: Timestamp::from_millis(6), ..head },
            SignedHead { public_key: other.public_key, ..head },
            SignedHead { signature: other.signature, ..head },
        ] {
            assert!(!forged.is_genuine(), "{forged}");
        }
        for text in ["", "1.2.3.4.5", "x", &format!("{head}.0"), &head.to_string().replace('3', "x")] {
            assert_eq!(text.parse::<SignedHead>(), Err(NotAHead), "{text}");
        }
    }
}
