//! The secret string: `<prefix>_<environment>_<random><checksum>`, e.g. `ak_live_` and 38 characters.
//!
//! The checksum lets a typo, a truncation or a made-up string fail before any table is looked at. It is no secret and proves nothing.

mod digest;

use std::fmt;

use zeroize::Zeroizing;

use crate::dice::Dice;

pub use digest::{Digest, Pepper};

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
        // Read and not written: digits are written one after the other, and read all at once.
        if number(written.as_bytes()) != Some(u64::from(crc32fast::hash(body.as_bytes()))) {
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

/// The number that base62 digits are, where all of them are digits.
fn number(digits: &[u8]) -> Option<u64> {
    let worth = |&digit: &u8| WORTH.get(usize::from(digit)).copied().filter(|&worth| worth < 62).map(u64::from);
    digits.iter().map(worth).try_fold(0, |number: u64, worth| Some(number * 62 + worth?))
}

/// What each letter is worth as a digit; what is no digit, more than any. A table, since which digit comes next cannot be guessed.
const WORTH: [u8; 256] = {
    let mut worth = [u8::MAX; 256];
    let mut value = 0;
    #[expect(clippy::indexing_slicing, reason = "a place that is not there would not compile")]
    while value < 62 {
        worth[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    worth
};

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
