//! The secret string: `<prefix>_<environment>_<random><checksum>`, e.g. `ak_live_` and 38 characters.
//!
//! The checksum lets a typo, a truncation or a made-up string fail before any table is looked at. It is no secret and proves nothing.

use std::fmt;

use aws_lc_rs::{digest as sha, hmac};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::dice::Dice;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Base62 characters drawn at random: 190 bits.
const RANDOM: usize = 32;
/// Base62 digits that hold any 32-bit number.
const CHECKSUM: usize = 6;
/// Characters of the random part that a person may see again, to tell keys apart.
const HINT: usize = 4;

/// Where a token is meant to be used. Both kinds pass; the answer says which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    Live,
    Test,
}

impl Environment {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Live, Self::Test].into_iter().find(|environment| environment.name() == name)
    }
}

/// What a token begins with: `ak`, or the deployment's own mark, so that a leaked key can be told to be theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPrefix(String);

/// The text cannot be a token prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token prefix is a lower-case letter and 1 to 15 lower-case letters or digits, and none of `op`, `pl` and `ps`, which Portcullis' own credentials have"
)]
pub struct NotAPrefix;

impl TokenPrefix {
    /// The prefix of operator keys, which no deployment can give to its API keys.
    pub fn operator() -> Self {
        Self("op".to_owned())
    }

    /// The prefix of what a session's cookie holds.
    pub fn session() -> Self {
        Self("ps".to_owned())
    }

    /// The prefix of what an invitation or a password link ends in.
    pub fn link() -> Self {
        Self("pl".to_owned())
    }

    /// A prefix for API keys: `[a-z][a-z0-9]{1,15}`.
    pub fn for_api_keys(text: &str) -> Result<Self, NotAPrefix> {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (2..=16).contains(&text.len())
            && text.bytes().all(letters)
            && text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
            && !["op", "pl", "ps"].contains(&text);
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAPrefix) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text has not the form of a token: prefix, length, alphabet or checksum is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed token")]
pub struct Malformed;

/// A borrowed text that has the form of a token. Whether such a key exists is another question.
#[derive(Clone, Copy)]
pub struct WellFormed<'a> {
    text: &'a str,
    environment: Environment,
}

impl<'a> WellFormed<'a> {
    /// Checks prefix, environment, length, alphabet and checksum, in one pass and without an allocation.
    pub fn parse(text: &'a str, prefix: &TokenPrefix) -> Result<Self, Malformed> {
        let rest = text.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('_')).ok_or(Malformed)?;
        let of = |environment: Environment| {
            let secret = rest.strip_prefix(environment.name())?.strip_prefix('_')?;
            Some((environment, secret.as_bytes()))
        };
        let (environment, secret) = of(Environment::Live).or_else(|| of(Environment::Test)).ok_or(Malformed)?;
        // Folded, not searched: a good token is read to its end anyway.
        let plain = secret.iter().fold(true, |plain, byte| plain & byte.is_ascii_alphanumeric());
        if secret.len() != RANDOM + CHECKSUM || !plain {
            return Err(Malformed);
        }
        let (body, written) = text.split_at_checked(text.len() - CHECKSUM).ok_or(Malformed)?;
        if checksum(body) != written.as_bytes() {
            return Err(Malformed);
        }
        Ok(Self { text, environment })
    }

    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// The last characters of the random part: enough to tell keys apart, useless to an attacker.
    pub fn hint(&self) -> &'a str {
        hint(self.text)
    }
}

impl fmt::Debug for WellFormed<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "WellFormed(…{})", self.hint())
    }
}

/// A token in our hands: wiped when dropped, and never printed. Only [`Token::reveal`] gives it away.
pub struct Token(Zeroizing<String>);

impl Token {
    /// Draws a new token. Bytes that would favour some letters are thrown away, so each letter is equally likely.
    pub fn mint(prefix: &TokenPrefix, environment: Environment, dice: &dyn Dice) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(80));
        text.push_str(prefix.as_str());
        text.push('_');
        text.push_str(environment.name());
        text.push('_');
        let mut drawn = 0;
        while drawn < RANDOM {
            let mut bytes = Zeroizing::new([0; 48]);
            dice.fill(bytes.as_mut());
            for byte in bytes.iter().filter(|&&byte| byte < 248).take(RANDOM - drawn) {
                text.push(digit(u32::from(*byte) % 62));
                drawn += 1;
            }
        }
        let sum = checksum(&text);
        text.extend(sum.iter().map(|&byte| char::from(byte)));
        Self(text)
    }

    /// The token itself, for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hint(&self) -> &str {
        hint(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Token(…{})", self.hint())
    }
}

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
        self.0.first_chunk::<16>() == other.0.first_chunk::<16>() && bool::from(self.0.ct_eq(&other.0))
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

/// CRC-32 (IEEE) of all that stands before it, as six base62 digits, padded with zeros on the left.
fn checksum(body: &str) -> [u8; CHECKSUM] {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for place in digits.iter_mut().rev() {
        *place = ALPHABET.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits
}

fn digit(value: u32) -> char {
    let place = usize::try_from(value).unwrap_or(0);
    ALPHABET.get(place).copied().map_or('0', char::from)
}

fn hint(text: &str) -> &str {
    let end = text.len().saturating_sub(CHECKSUM);
    text.get(end.saturating_sub(HINT)..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ak() -> TokenPrefix {
        TokenPrefix::for_api_keys("ak").unwrap()
    }

    /// Bytes that repeat a seed, so that a failing case can be run again.
    fn dice(seed: Vec<u8>) -> impl Dice {
        move |bytes: &mut [u8]| {
            for (byte, drawn) in bytes.iter_mut().zip(seed.iter().cycle()) {
                *byte = *drawn;
            }
        }
    }

    #[test]
    fn checksum_vectors() {
        // GitHub's published example of the encoding is over the random part alone; ours covers the prefix too.
        assert_eq!(&checksum("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), b"0mLq17");
        assert_eq!(&checksum("ak_live_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), b"1EWs3E");
    }

    #[test]
    fn a_token_is_46_characters_with_the_default_prefix_and_shows_only_its_hint() {
        let token = Token::mint(&ak(), Environment::Live, &dice((0..=255).collect()));
        assert_eq!(token.reveal().len(), 46);
        assert_eq!(token.hint(), &token.reveal()[36..40]);
        assert_eq!(format!("{token:?}"), format!("Token(…{})", token.hint()));
        let parsed = WellFormed::parse(token.reveal(), &ak()).unwrap();
        assert_eq!(parsed.hint(), token.hint());
        assert!(!format!("{parsed:?}").contains(&token.reveal()[8..36]));
    }

    #[test]
    fn letters_are_drawn_without_bias() {
        // All 256 byte values once: the 8 that do not divide evenly are dropped, so each letter comes up four times.
        let text: String = (0..=255u8).filter(|&byte| byte < 248).map(|byte| digit(u32::from(byte) % 62)).collect();
        for letter in ALPHABET {
            assert_eq!(text.bytes().filter(|byte| byte == letter).count(), 4);
        }
    }

    #[test]
    fn prefixes() {
        for good in ["ak", "acme", "a0", "abcdefghijklmnop"] {
            assert_eq!(TokenPrefix::for_api_keys(good).unwrap().as_str(), good);
        }
        for bad in ["", "a", "op", "Ak", "0k", "a_b", "a-b", "abcdefghijklmnopq", "aké"] {
            assert_eq!(TokenPrefix::for_api_keys(bad), Err(NotAPrefix), "{bad}");
        }
    }

    #[test]
    fn the_digest_depends_on_pepper_and_token() {
        let one = Token::mint(&ak(), Environment::Live, &dice(vec![1, 2, 3]));
        let two = Token::mint(&ak(), Environment::Live, &dice(vec![1, 2, 4]));
        let (first, second) = (Pepper::new(&[1; 32]), Pepper::new(&[2; 32]));
        assert!(first.digest_of_new(&one).matches(&first.digest_of_new(&one)));
        assert!(!first.digest_of_new(&one).matches(&first.digest_of_new(&two)));
        assert!(!first.digest_of_new(&one).matches(&second.digest_of_new(&one)));
        assert_ne!(first.derive("cursor"), first.derive("check"));
    }

    #[test]
    fn the_digest_is_the_one_that_is_written_down() {
        // HMAC-SHA-256 over SHA-256, computed with Python's hmac and hashlib: stored digests must open in every version.
        let token = WellFormed { text: "abc", environment: Environment::Live };
        let hex = data_encoding::HEXLOWER.encode(Pepper::new(&[7; 32]).digest(&token).as_bytes());
        assert_eq!(hex, "a2d1993e17f077129d14af2ac3c9862ec72f83bce565814b56f067562b06408b");
    }

    proptest! {
        #[test]
        fn every_minted_token_parses(seed in prop::collection::vec(0u8..248, 1..64), live: bool) {
            let environment = if live { Environment::Live } else { Environment::Test };
            let token = Token::mint(&ak(), environment, &dice(seed));
            let parsed = WellFormed::parse(token.reveal(), &ak()).unwrap();
            prop_assert_eq!(parsed.environment(), environment);
            let pepper = Pepper::new(&[9; 32]);
            prop_assert!(pepper.digest(&parsed).matches(&pepper.digest_of_new(&token)));
        }

        #[test]
        fn one_wrong_character_is_always_found(seed in prop::collection::vec(0u8..248, 1..64), place in 0usize..46, other in any::<char>()) {
            let token = Token::mint(&ak(), Environment::Live, &dice(seed));
            let mut letters: Vec<char> = token.reveal().chars().collect();
            prop_assume!(letters[place] != other);
            letters[place] = other;
            let damaged: String = letters.into_iter().collect();
            prop_assert_eq!(WellFormed::parse(&damaged, &ak()).map(|_| ()), Err(Malformed));
        }

        #[test]
        fn a_truncated_or_lengthened_token_is_refused(seed in prop::collection::vec(0u8..248, 1..64), keep in 0usize..46, tail in "[0-9A-Za-z_ ]{1,8}") {
            let token = Token::mint(&ak(), Environment::Live, &dice(seed));
            prop_assert!(WellFormed::parse(&token.reveal()[..keep], &ak()).is_err());
            let longer = format!("{}{tail}", token.reveal());
            prop_assert!(WellFormed::parse(&longer, &ak()).is_err());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            prop_assert!(WellFormed::parse(&text, &ak()).is_err());
            hint(&text);
        }
    }
}
