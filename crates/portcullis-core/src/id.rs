//! Typed, prefixed identifiers: `key_…`, `usr_…`, `biz_…`.
//!
//! An id is a UUIDv7 (RFC 9562), written after its prefix as 26 characters of lower-case Crockford base32, so that ids sort
//! by the time they were made, as text and as numbers alike. There is exactly one spelling of each id: upper case, look-alikes
//! and padding are refused, so two spellings can never be taken for two things.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dice::Dice;
use crate::time::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits in groups of five. A prefix has three letters.
const ENCODED: usize = 26;

/// The text is not an id of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id here is `{prefix}_` and 26 characters of Crockford base32")]
pub struct NotAnId {
    pub prefix: &'static str,
}

fn encode(bytes: [u8; 16], out: &mut [u8; ENCODED]) {
    let mut rest = u128::from_be_bytes(bytes);
    for place in out.iter_mut().rev() {
        let digit = usize::try_from(rest & 31).unwrap_or(0);
        *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
        rest >>= 5;
    }
}

/// What each letter stands for; what is none stands for nothing.
const DIGITS: [u8; 256] = {
    let (mut digits, mut digit) = ([NO_DIGIT; 256], 0);
    while digit < ALPHABET.len() {
        #[expect(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "there are 32 digits")]
        {
            digits[ALPHABET[digit] as usize] = digit as u8;
        }
        digit += 1;
    }
    digits
};
const NO_DIGIT: u8 = 0xff;

fn decode(text: &str) -> Option<[u8; 16]> {
    let letters: &[u8; ENCODED] = text.as_bytes().try_into().ok()?;
    let (mut value, mut all) = (0_u128, 0);
    for letter in letters {
        let digit = DIGITS.get(usize::from(*letter)).copied().unwrap_or(NO_DIGIT);
        all |= digit;
        value = value << 5 | u128::from(digit & 31);
    }
    // 26 digits carry 130 bits: the first digit may only use three of its five.
    let first = DIGITS.get(usize::from(*letters.first()?)).copied().unwrap_or(NO_DIGIT);
    (all < 32 && first < 8).then(|| value.to_be_bytes())
}

macro_rules! typed_id {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// A new id, made at `at`.
            pub fn new(at: Timestamp, dice: &dyn Dice) -> Self {
                let mut random = [0; 10];
                dice.fill(&mut random);
                let millis = u64::try_from(at.as_millis()).unwrap_or(0);
                Self(*uuid::Builder::from_unix_timestamp_millis(millis, &random).as_uuid().as_bytes())
            }

            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Its text, in ASCII: without the detour that formatting takes.
            pub fn text(&self) -> [u8; ENCODED + 4] {
                let mut text = [b'_'; ENCODED + 4];
                let (head, tail) = text.split_at_mut(4);
                for (place, letter) in head.iter_mut().zip($prefix.bytes()) {
                    *place = letter;
                }
                if let Ok(tail) = tail.try_into() {
                    encode(self.0, tail);
                }
                text
            }

            /// When it was made: a UUIDv7 begins with that (RFC 9562, section 5.7).
            pub fn made_at(&self) -> Timestamp {
                let millis = self.0.iter().take(6).fold(0, |sum, byte| sum << 8 | i64::from(*byte));
                Timestamp::from_millis(millis)
            }
        }

        impl AsRef<[u8; 16]> for $name {
            fn as_ref(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(str::from_utf8(&self.text()).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, out)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or(NotAnId { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                let text = self.text();
                out.serialize_str(str::from_utf8(&text).unwrap_or_default())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

typed_id! {
    /// A person with an account.
    UserId = "usr";
    /// A tenant workspace.
    BusinessId = "biz";
    /// A named set of permissions inside a business.
    RoleId = "rol";
    /// The record of an API key; never the token itself.
    ApiKeyId = "key";
    /// What the keys of one chain of rotations have in common.
    FamilyId = "fam";
    /// A credential of the platform's own back end.
    OperatorKeyId = "opk";
    /// A person's visit, from signing in to the end.
    SessionId = "ses";
    /// A link that can be followed once: an invitation, or a new password.
    LinkId = "lnk";
    /// One event of the audit log.
    AuditEventId = "evt";
    /// One request, as it is named in its answer and in the log.
    RequestId = "req";
}

impl FamilyId {
    /// The family of a key that was not rotated from another, and of all that it is rotated to.
    pub const fn begun_by(key: ApiKeyId) -> Self {
        Self(key.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_its_prefix_and_26_characters() {
        let id = ApiKeyId::new(Timestamp::from_millis(1_790_000_000_000), &|bytes: &mut [u8]| bytes.fill(0xab));
        assert_eq!(id.made_at(), Timestamp::from_millis(1_790_000_000_000));
        let text = id.to_string();
        assert_eq!(text.len(), 30);
        assert!(text.starts_with("key_0"), "{text}");
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let made = |millis, fill: u8| {
            UserId::new(Timestamp::from_millis(millis), &move |bytes: &mut [u8]| bytes.fill(fill)).to_string()
        };
        assert!(made(1_000, 0xff) < made(1_001, 0x00));
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = BusinessId::from_bytes([7; 16]).to_string();
        for bad in [
            good.to_uppercase(),
            good.replace("biz_", "usr_"),
            good.replace("biz_", "biz"),
            format!("{good}0"),
            good.replacen("biz_0", "biz_8", 1),
            good.replacen('0', "o", 1),
            String::new(),
            "biz_".to_owned(),
            "biz_ééééééééééééé".to_owned(),
        ] {
            assert_eq!(bad.parse::<BusinessId>(), Err(NotAnId { prefix: "biz" }), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_id_comes_back_from_its_text(bytes: [u8; 16]) {
            let id = RoleId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            let (text, displayed) = (id.text(), id.to_string());
            prop_assert_eq!(&text[..], displayed.as_bytes());
        }

        #[test]
        fn text_order_is_byte_order(left: [u8; 16], right: [u8; 16]) {
            let (a, b) = (ApiKeyId::from_bytes(left), ApiKeyId::from_bytes(right));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<ApiKeyId>();
        }
    }
}
